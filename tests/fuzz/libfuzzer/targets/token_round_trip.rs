//! See `chronolease_fuzz::token_round_trip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chronolease_fuzz::token_round_trip(input));
