//! See `chronolease_fuzz::ntp_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chronolease_fuzz::ntp_packet(input));
