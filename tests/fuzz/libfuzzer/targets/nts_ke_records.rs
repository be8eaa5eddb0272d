//! See `chronolease_fuzz::nts_ke_records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chronolease_fuzz::nts_ke_records(input));
