//! See `chronolease_fuzz::leap_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chronolease_fuzz::leap_list(input));
