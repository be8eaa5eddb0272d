//! See `chronolease_fuzz::nts_extension_fields`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chronolease_fuzz::nts_extension_fields(input));
