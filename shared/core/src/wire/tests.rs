use super::*;
use crate::clock_reader::testing::word;
use crate::clock_reader::{Account, LostKind, Marker, OddReading};
use crate::confirmation::GenTimes;
use crate::evidence::TreeSize;
use crate::id::ChannelBinding;
use crate::leap::blackout::Blackout;
use crate::leap::month_end::MonthEnd;
use crate::time::{Bound, GenTime, GenTimeDigits, Ppb, RawInstant, Span, Timestamp};
use proptest::prelude::*;

fn tsu() -> TsuId {
    TsuId::new("tsu-1").expect("a fair name")
}

fn sample() -> impl Strategy<Value = Sample> {
    any::<(i64, i64, i64, i64, [u8; 16])>().prop_map(|(before, real, after, boot, id)| Sample {
        raw_before: RawInstant::from_nanos(before),
        real: Timestamp::from_unix_nanos(real),
        raw_after: RawInstant::from_nanos(after),
        boot_minus_mono: Span::from_nanos(boot),
        boot_id: BootId::from_bytes(id),
    })
}

fn ended() -> impl Strategy<Value = LeaseEnded> {
    (any::<u64>(), prop::sample::select(EndingCause::ALL))
        .prop_map(|(n, cause)| LeaseEnded { sequence: LeaseSeq::new(n), cause })
}

fn tree() -> impl Strategy<Value = TreeHead> {
    any::<(u64, [u8; 32])>().prop_map(|(size, root)| TreeHead {
        size: TreeSize::new(size),
        root: Hash::from_bytes(root),
    })
}

fn proof() -> impl Strategy<Value = Vec<Hash>> {
    prop::collection::vec(any::<[u8; 32]>().prop_map(Hash::from_bytes), 0..5)
}

fn offer() -> impl Strategy<Value = Option<LogOffer>> {
    prop::option::of(
        (any::<Vec<u8>>(), proof())
            .prop_map(|(checkpoint, since_shown)| LogOffer { checkpoint, since_shown }),
    )
}

fn batch() -> impl Strategy<Value = Batch> {
    let ms = -9_000_000_000_000i64..9_000_000_000_000;
    (any::<(u64, u64, [u8; 32])>(), ms, 0i64..1_000).prop_map(|((n, lease, root), ms, more)| {
        let gen_time =
            |ms: i64| GenTime::at(Timestamp::from_unix_nanos(ms * 1_000_000), GenTimeDigits::Three);
        Batch {
            sequence: BatchSeq::new(n),
            lease: LeaseSeq::new(lease),
            root: Hash::from_bytes(root),
            gen_times: GenTimes::new(gen_time(ms), gen_time(ms + more)).expect("in order"),
        }
    })
}

fn confirmation() -> impl Strategy<Value = Confirmation> {
    (any::<([u8; 16], [u8; 32], i64, u64)>(), batch(), tree()).prop_map(
        |((incarnation, channel, utc, half_width), batch, log)| Confirmation {
            tsu: tsu(),
            incarnation: Incarnation::from_bytes(incarnation),
            channel: ChannelBinding::from_bytes(channel),
            batch,
            log,
            utc: Timestamp::from_unix_nanos(utc),
            half_width: Bound::from_nanos(half_width),
        },
    )
}

fn to_monitor() -> impl Strategy<Value = ToMonitor> {
    prop_oneof![
        (any::<(u8, [u8; 16], [u8; 16])>(), tree()).prop_map(
            |((version, incarnation, boot), held)| {
                ToMonitor::Hello(Hello {
                    version,
                    tsu: tsu(),
                    incarnation: Incarnation::from_bytes(incarnation),
                    boot_id: BootId::from_bytes(boot),
                    held,
                })
            }
        ),
        (any::<[u8; 32]>(), sample(), word(), prop::option::of(ended()), offer()).prop_map(
            |(nonce, sample, reader, ended, log)| ToMonitor::Answer(ProbeAnswer {
                nonce: Nonce::from_bytes(nonce),
                sample,
                reader,
                ended,
                log,
            })
        ),
        (batch(), tree(), proof()).prop_map(|(batch, log, since_shown)| {
            ToMonitor::Confirm(Confirm { batch, log, since_shown })
        }),
        any::<String>().prop_map(ToMonitor::Cosigned),
        any::<u64>().prop_map(|n| ToMonitor::Revoked(LeaseSeq::new(n))),
    ]
}

fn to_tsu() -> impl Strategy<Value = ToTsu> {
    use RefusedWhy::{Busy, Identity, Version, Wait};
    prop_oneof![
        (tree(), tree()).prop_map(|(vouched, shown)| ToTsu::Welcome(Welcome { vouched, shown })),
        any::<(String, Vec<u8>)>().prop_map(|(cosignature, checkpoint)| {
            ToTsu::Witnessed(Witnessed { cosignature, checkpoint })
        }),
        prop::sample::select(vec![Identity, Wait, Busy]).prop_map(ToTsu::Refused),
        any::<u8>().prop_map(|monitor| ToTsu::Refused(Version(monitor))),
        any::<(Vec<u8>, Vec<u8>)>().prop_map(|(der, signature)| {
            ToTsu::Confirmed(SignedConfirmation { der, signature })
        }),
        (any::<u64>(), prop::sample::select(NotConfirmed::ALL))
            .prop_map(|(n, why)| ToTsu::NotConfirmed(BatchSeq::new(n), why)),
        any::<[u8; 32]>().prop_map(|nonce| ToTsu::Probe(Nonce::from_bytes(nonce))),
        any::<(Vec<u8>, Vec<u8>)>().prop_map(|(terms_der, signature)| {
            ToTsu::Grant(SignedLease { terms_der, signature })
        }),
        ended().prop_map(|e| ToTsu::Revoke { up_to: e.sequence, cause: e.cause }),
    ]
}

fn blackout() -> impl Strategy<Value = Option<Blackout>> {
    let end = (1_700i32..2_200, 1u8..=12).prop_map(|(year, month)| MonthEnd::of(year, month));
    prop::option::of(end.prop_map(|end| Blackout::around(end.expect("a month"))))
}

fn terms() -> impl Strategy<Value = LeaseTerms> {
    let fields = any::<(u64, u64, u32, String)>();
    (any::<([u8; 16], u64, [u8; 32])>(), sample(), fields, blackout()).prop_map(
        |((incarnation, n, channel), sample, (ttl, bound, rho, policy), blackout)| LeaseTerms {
            tsu: tsu(),
            incarnation: Incarnation::from_bytes(incarnation),
            sequence: LeaseSeq::new(n),
            channel: ChannelBinding::from_bytes(channel),
            sample,
            ttl: Bound::from_nanos(ttl),
            clock_bound: Bound::from_nanos(bound),
            rho: Ppb::from_ppb(rho),
            policy,
            blackout,
        },
    )
}

proptest! {
    #[test]
    fn messages_round_trip(
        a in to_monitor(), b in to_tsu(), c in terms(), d in confirmation(),
    ) {
        prop_assert_eq!(decode_to_monitor(&encode_to_monitor(&a)), Ok(a));
        prop_assert_eq!(decode_to_tsu(&encode_to_tsu(&b)), Ok(b));
        prop_assert_eq!(decode_terms(&encode_terms(&c)), Ok(c));
        prop_assert_eq!(decode_confirmation(&encode_confirmation(&d)), Ok(d));
    }

    /// One meaning, one encoding: whatever bytes decode, they are the bytes we would have written.
    #[test]
    fn a_changed_message_is_refused_or_means_something_else(
        message in to_monitor(), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let mut der = encode_to_monitor(&message);
        let at = at.index(der.len());
        der[at] ^= 1 << bit;
        if let Ok(other) = decode_to_monitor(&der) {
            prop_assert_eq!(encode_to_monitor(&other), der);
            prop_assert_ne!(other, message);
        }
    }

    #[test]
    fn the_opening_says_what_the_hello_says(message in to_monitor()) {
        let opening = match &message {
            ToMonitor::Hello(hello) => {
                Some(Opening { version: hello.version, tsu: hello.tsu.clone() })
            }
            _ => None,
        };
        prop_assert_eq!(Opening::read(&encode_to_monitor(&message)), opening);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode_to_monitor(&bytes);
        let _ = decode_to_tsu(&bytes);
        let _ = Opening::read(&bytes);
        let _ = decode_terms(&bytes);
    }
}

#[test]
fn ber_forms_and_trailing_bytes_are_refused() {
    let der = encode_to_monitor(&ToMonitor::Revoked(LeaseSeq::new(5)));
    assert_eq!(der, [0x82, 1, 5]);
    let bad: [&[u8]; 4] = [&[0x82, 0x81, 1, 5], &[0x82, 2, 0, 5], &[0x82, 1, 5, 0], &[0x82, 1]];
    for bytes in bad {
        assert!(decode_to_monitor(bytes).is_err(), "{bytes:02x?}");
    }
    let long = vec![0u8; MESSAGE_BYTES_MAX + 1];
    assert_eq!(decode_to_tsu(&long), Err(WireError::TooLong(long.len())));
}

/// The bytes that `docs/protocol.md` explains.
#[test]
fn the_documented_bytes_are_what_is_sent() {
    let revoke = ToTsu::Revoke { up_to: LeaseSeq::new(300), cause: EndingCause::Deviation };
    assert_eq!(encode_to_tsu(&revoke), [0xa4, 7, 2, 2, 1, 0x2c, 2, 1, 3]);
    assert_eq!(encode_to_monitor(&ToMonitor::Revoked(LeaseSeq::new(300))), [0x82, 2, 1, 0x2c]);
    let hello = encode_to_monitor(&ToMonitor::Hello(Hello {
        version: PROTOCOL_VERSION,
        tsu: tsu(),
        incarnation: Incarnation::from_bytes([0x11; 16]),
        boot_id: BootId::from_bytes([0x22; 16]),
        held: TreeHead { size: TreeSize::new(300), root: Hash::from_bytes([0x33; 32]) },
    }));
    let head = [0xa0, 0x56, 2, 1, 6, 0x0c, 5, b't', b's', b'u', b'-', b'1', 4, 0x10, 0x11];
    assert_eq!(hello[..head.len()], head);
    assert_eq!(hello.len(), 88);
    assert_eq!(hello[48..56], [0x30, 0x26, 2, 2, 1, 0x2c, 4, 0x20]);
    let refused = encode_to_tsu(&ToTsu::Refused(RefusedWhy::Version(PROTOCOL_VERSION)));
    assert_eq!(refused, [0x88, 1, 6]);
}

/// The answers that `docs/protocol.md` explains: the nonce is `0x44` throughout.
#[test]
fn the_documented_answer_is_what_is_sent() {
    let answer = |heard| {
        encode_to_monitor(&ToMonitor::Answer(ProbeAnswer {
            nonce: Nonce::from_bytes([0x44; 32]),
            sample: example_terms().sample,
            reader: ReaderWord { steps: 1, disruptions: 0, heard },
            ended: None,
            log: None,
        }))
    };
    let alive = answer(Ok(Account { kernel: Err(OddReading::Offset), marker: Marker::Absent }));
    let lost = answer(Err(LostKind::Closed));
    assert_eq!(alive[..6], [0xa1, 0x51, 4, 0x20, 0x44, 0x44]);
    let reader = [0x30, 0x0d, 2, 1, 1, 2, 1, 0, 0xa0, 5, 0x81, 1, 6, 0x80, 0];
    assert_eq!(alive[alive.len() - reader.len()..], reader);
    let reader = [0x30, 9, 2, 1, 1, 2, 1, 0, 0x81, 1, 3];
    assert_eq!(lost[lost.len() - reader.len()..], reader);
}

fn example_terms() -> LeaseTerms {
    LeaseTerms {
        tsu: tsu(),
        incarnation: Incarnation::from_bytes([1; 16]),
        sequence: LeaseSeq::new(1),
        channel: ChannelBinding::from_bytes([2; 32]),
        sample: Sample {
            raw_before: RawInstant::from_nanos(1),
            real: Timestamp::from_unix_nanos(2),
            raw_after: RawInstant::from_nanos(3),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([4; 16]),
        },
        ttl: Bound::from_millis(3_000),
        clock_bound: Bound::from_millis(125),
        rho: Ppb::from_ppm(100),
        policy: "1.2.3".to_owned(),
        blackout: MonthEnd::of(2026, 12).map(Blackout::around),
    }
}

/// The two readings in the terms say one thing: what is no blackout is refused.
#[test]
fn a_blackout_is_a_window_around_the_end_of_a_month() {
    let terms = example_terms();
    let der = encode_terms(&terms);
    assert_eq!(decode_terms(&der), Ok(terms));
    // The last byte of either reading, which are the last two integers.
    for at in [der.len() - 1, der.len() - 11] {
        let mut other = der.clone();
        other[at] ^= 1;
        assert_eq!(decode_terms(&other), Err(WireError::Range("blackout")));
    }
}

#[test]
fn a_lease_opens_only_with_its_signature() {
    let terms_der = encode_terms(&example_terms());
    let lease = SignedLease { terms_der, signature: vec![9] };
    let signed_bytes = SignedLease::message(&lease.terms_der);
    assert!(lease.open(|message, signature| message == signed_bytes && signature == [9]).is_ok());
    assert_eq!(lease.open(|_, _| false), Err(crate::lease::LeaseError::Signature));
}

#[test]
fn whoever_speaks_another_version_is_told_both_and_what_to_do() {
    let told = RefusedWhy::Version(PROTOCOL_VERSION + 1).to_string();
    assert!(
        told.contains(&format!("the monitor speaks protocol version {}", PROTOCOL_VERSION + 1))
    );
    assert!(told.contains(&format!("this TSU version {PROTOCOL_VERSION}")), "{told}");
    assert!(told.contains("the same release on both boxes"), "{told}");
}

/// A Hello of another version: as all begin, then something that nobody here knows.
fn other_hello(version: &[u8], tail: &[u8]) -> Vec<u8> {
    let mut contents = vec![2, u8::try_from(version.len()).expect("short")];
    contents.extend(version);
    contents.extend([0x0c, 5]);
    contents.extend(b"tsu-1");
    contents.extend(tail);
    let length = u16::try_from(contents.len()).expect("a message");
    let mut der = match length {
        0..0x80 => vec![0xa0, length.to_be_bytes()[1]],
        0x80..0x100 => vec![0xa0, 0x81, length.to_be_bytes()[1]],
        _ => vec![0xa0, 0x82, length.to_be_bytes()[0], length.to_be_bytes()[1]],
    };
    der.extend(contents);
    der
}

#[test]
fn the_opening_of_a_hello_is_read_whatever_follows() {
    for tail in [&[][..], &[0xff; 3], &[0x55; 200], &[0; 3_000]] {
        for (written, version) in [(&[7][..], 7), (&[0], 0), (&[0, 0x80], 0x80), (&[0, 255], 255)] {
            let der = other_hello(written, tail);
            assert_eq!(Opening::read(&der), Some(Opening { version, tsu: tsu() }), "{der:02x?}");
            assert!(decode_to_monitor(&der).is_err(), "it is no Hello of ours");
        }
    }
}

#[test]
fn what_does_not_open_as_every_hello_is_none() {
    let good = other_hello(&[7], &[0x55; 200]);
    for short in 0..good.len() {
        assert_eq!(Opening::read(&good[..short]), None, "{short} bytes");
    }
    for version in [&[][..], &[0x80], &[0, 7], &[1, 0], &[0, 0, 0x80]] {
        assert_eq!(Opening::read(&other_hello(version, &[])), None, "{version:?}");
    }
    let trailing = [&good[..], &[0]].concat();
    let mut other_message = good.clone();
    other_message[0] = 0xa1;
    let long_length = [&[0xa0, 0x81, 10][..], &other_hello(&[7], &[])[2..]].concat();
    for bytes in [trailing, other_message, long_length, other_hello(&[7], &[0; 16_384])] {
        assert_eq!(Opening::read(&bytes), None, "{:02x?}", &bytes[..8]);
    }
}
