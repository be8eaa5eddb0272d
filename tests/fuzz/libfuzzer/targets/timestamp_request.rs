//! See `chronolease_fuzz::timestamp_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chronolease_fuzz::timestamp_request(input));
