use proptest::prelude::*;

use super::super::PIVOT;
use super::*;

/// The answer of a chrony server at stratum 2, field by field.
#[rustfmt::skip]
const CHRONY_REPLY: [u8; 48] = [
    0x24, 0x02, 0x06, 0xe9,                         // LI 0, version 4, mode 4; stratum 2; 64 s; -23
    0x00, 0x00, 0x02, 0x8f,                         // root delay 655/65536 s, about 10 ms
    0x00, 0x00, 0x00, 0x42,                         // root dispersion 66/65536 s, about 1 ms
    0xc0, 0x35, 0x67, 0x6c,                         // reference id 192.53.103.108
    0xed, 0x3b, 0x80, 0x00, 0x80, 0x00, 0x00, 0x00, // reference time
    0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, // origin: the nonce
    0xed, 0x3b, 0x80, 0x10, 0x40, 0x00, 0x00, 0x00, // T2
    0xed, 0x3b, 0x80, 0x10, 0x40, 0x01, 0x00, 0x00, // T3
];

fn unix(ns: i64) -> Timestamp<Utc> {
    Timestamp::from_unix_nanos(ns)
}

#[test]
fn a_real_answer_reads_field_by_field() {
    let packet = Packet::parse(&CHRONY_REPLY).expect("48 bytes");
    let expected = Packet {
        leap: LeapIndicator::NoWarning,
        version: 4,
        mode: Mode::Server,
        stratum: 2,
        poll: 6,
        precision: Precision(-23),
        root_delay: NtpShort::from_bits(655),
        root_dispersion: NtpShort::from_bits(66),
        reference_id: RefId([192, 53, 103, 108]),
        reference: NtpTimestamp::from_bits(0xed3b_8000_8000_0000),
        origin: NtpTimestamp::from_bits(0x0123_4567_89ab_cdef),
        receive: NtpTimestamp::from_bits(0xed3b_8010_4000_0000),
        transmit: NtpTimestamp::from_bits(0xed3b_8010_4001_0000),
    };
    assert_eq!(packet, expected);
    assert_eq!(packet.to_bytes(), CHRONY_REPLY);
    assert_eq!(packet.root_delay.as_bound(), Bound::from_nanos(9_994_507));
    assert_eq!(packet.precision.as_bound(), Bound::from_nanos(120));
    assert_eq!(packet.transmit.since(packet.receive), Span::from_nanos(15_258));
    assert_eq!(packet.receive.since(packet.transmit), Span::from_nanos(-15_259));
    assert_eq!(
        packet.receive.to_utc(PIVOT),
        unix(0xed3b_8010 * NANOS_PER_S - UNIX_EPOCH_NTP_S * NANOS_PER_S + 250_000_000)
    );
}

#[test]
fn a_request_says_nothing_but_its_nonce() {
    let mut expected = [0; 48];
    expected[0] = 0x23;
    expected[40..].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let nonce = NtpTimestamp::from_bits(0x0102_0304_0506_0708);
    assert_eq!(Packet::request(nonce).to_bytes(), expected);
}

#[test]
fn what_follows_the_header_is_not_looked_at() {
    let long = [&CHRONY_REPLY[..], &[0xff; 20]].concat();
    assert_eq!(Packet::parse(&long), Packet::parse(&CHRONY_REPLY));
    assert_eq!(Packet::parse(&CHRONY_REPLY[..47]), Err(TooShort { length: 47 }));
}

#[test]
fn every_leap_indicator_and_mode_keeps_its_code() {
    for code in 0..=u8::MAX {
        let mut bytes = CHRONY_REPLY;
        bytes[0] = code;
        let packet = Packet::parse(&bytes).expect("48 bytes");
        assert_eq!((packet.leap as u8, packet.version), (code >> 6, code >> 3 & 7));
        assert_eq!(packet.mode as u8, code & 7);
    }
}

#[test]
fn eras_unfold_around_the_pivot() {
    let rollover = 2_085_978_496 * NANOS_PER_S; // 2036-02-07 06:28:16
    for (bits, unix_ns) in [
        (u64::MAX, rollover - 1),
        (0, rollover),
        (100 << 32, rollover + 100 * NANOS_PER_S),
        (2_208_988_800 << 32, rollover + UNIX_EPOCH_NTP_S * NANOS_PER_S - (1 << 32) * NANOS_PER_S),
    ] {
        assert_eq!(NtpTimestamp::from_bits(bits).to_utc(PIVOT), unix(unix_ns), "{bits:#x}");
    }
    let (last, first) = (NtpTimestamp::from_bits(u64::MAX - (1 << 31)), NtpTimestamp::from_bits(0));
    assert_eq!(first.since(last), Span::from_millis(500));
}

#[test]
fn lengths_round_up_and_saturate() {
    assert_eq!(NtpShort::from_bits(1).as_bound(), Bound::from_nanos(15_259));
    assert_eq!(NtpShort::from_bits(0).as_bound(), Bound::ZERO);
    assert_eq!(NtpShort::from_bits(u32::MAX).as_bound(), Bound::from_nanos(65_535_999_984_742));
    for (log2, ns) in [(-128, 1), (-64, 1), (-30, 1), (-29, 2), (-1, 500_000_000)] {
        assert_eq!(Precision(log2).as_bound(), Bound::from_nanos(ns), "{log2}");
    }
    assert_eq!(Precision(0).as_bound(), Bound::from_millis(1_000));
    assert_eq!(Precision(34).as_bound(), Bound::from_nanos(1_000_000_000 << 34));
    assert_eq!(Precision(35).as_bound(), Bound::MAX);
    assert_eq!(Precision(i8::MAX).as_bound(), Bound::MAX);
}

#[test]
fn reference_ids_print_without_harm() {
    assert_eq!(RefId(*b"RATE").to_string(), "RATE");
    assert_eq!(RefId(*b"PPS\0").to_string(), "PPS");
    assert_eq!(RefId(*b"\x1b[2J").to_string(), "27.91.50.74");
    assert_eq!(RefId([0; 4]).to_string(), "0.0.0.0");
    assert!(RefId([254, 1, 2, 3]).is_smear_marker());
}

proptest! {
    #[test]
    fn any_bytes_parse_or_are_too_short(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        match Packet::parse(&bytes) {
            Ok(packet) => prop_assert_eq!(&packet.to_bytes()[..], &bytes[..48]),
            Err(short) => prop_assert!(short.length == bytes.len() && bytes.len() < 48),
        }
    }

    #[test]
    fn utc_survives_the_wire(ns in -300_000_000_000_000_000i64..3_900_000_000_000_000_000) {
        prop_assert_eq!(NtpTimestamp::from_utc(unix(ns)).to_utc(PIVOT), unix(ns));
    }

    #[test]
    fn unfolding_never_panics(bits in any::<u64>(), pivot in any::<i64>()) {
        let utc = NtpTimestamp::from_bits(bits).to_utc(unix(pivot));
        let away = (utc - unix(pivot)).magnitude();
        prop_assert!(away <= Bound::from_nanos((1 << 31) * 1_000_000_000 + 1_000_000_000));
    }
}
