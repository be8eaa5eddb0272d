//! One leaf of each kind, as `docs/evidence.md` shows them.

use super::*;
use crate::clock_reader::{Account, KernelState, KernelStatus, Marker, ReaderWord, TimeState};
use crate::confirmation::{self, Batch, Confirmation, GenTimes};
use crate::evidence::TreeHead;
use crate::evidence::note::LogKey;
use crate::id::{BatchSeq, ChannelBinding};
use crate::lease::LeaseTerms;
use crate::wire;

fn sample(raw_ns: i64) -> Sample {
    Sample {
        raw_before: RawInstant::from_nanos(raw_ns),
        real: Timestamp::from_unix_nanos(1_800_000_000_000_000_000 + raw_ns),
        raw_after: RawInstant::from_nanos(raw_ns + 500),
        boot_minus_mono: Span::ZERO,
        boot_id: BootId::from_bytes([0xb0; 16]),
    }
}

fn interval(lo: i64, hi: i64) -> Interval {
    Interval::new(Span::from_nanos(lo), Span::from_nanos(hi)).expect("lo <= hi")
}

fn source(name: &str, group: &str, interval: Option<Interval>) -> SourceReading {
    let state = if interval.is_some() { SourceState::Ok } else { SourceState::Unreachable };
    let (name, group) = (name.to_owned(), group.to_owned());
    SourceReading { name, group, state, interval, authenticated: false, reason: None }
}

/// As this version makes it: with reasons, an estimate and drifts.
fn round() -> Round {
    let told = |word: &str, detail: &str| {
        Some(SourceReason { word: word.to_owned(), detail: detail.to_owned() })
    };
    let metas = SourceReading {
        state: SourceState::Excluded,
        reason: told("stratum", "stratum 16 outside the range"),
        ..source("metas-1", "metas", None)
    };
    let rate = Rate { lo_ppb: -9_000, hi_ppb: 11_000 };
    Round {
        faults: Faults(1),
        sources: vec![source("ptb-1", "ptb", Some(interval(-900, 1_100))), metas],
        authenticated_only: false,
        utc: Err(NoUtc::QuorumLost { usable: 1, required: 3 }),
        estimate: Some(Agreement { interval: interval(-900, 1_100), votes: 1 }),
        drifts: vec![
            Drift { tsu: None, rate: Some(rate), stepped: Bound::ZERO },
            Drift { tsu: Some(tsu()), rate: None, stepped: Bound::from_millis(5) },
        ],
    }
}

fn terms() -> Vec<u8> {
    wire::encode_terms(&LeaseTerms {
        tsu: tsu(),
        incarnation: Incarnation::from_bytes([0x1c; 16]),
        sequence: LeaseSeq::new(7),
        channel: ChannelBinding::from_bytes([0xcb; 32]),
        sample: sample(77_000_000),
        ttl: Bound::from_millis(3_000),
        clock_bound: Bound::from_millis(2),
        rho: Ppb::from_ppm(100),
        policy: "1.3.6.1.4.1.99999.1".to_owned(),
        blackout: None,
    })
}

/// Its signature is made up.
fn confirmation() -> SignedConfirmation {
    let gen_time = GenTime::at(sample(78_000_000).real, GenTimeDigits::Three);
    let confirmation = Confirmation {
        tsu: tsu(),
        incarnation: Incarnation::from_bytes([0x1c; 16]),
        channel: ChannelBinding::from_bytes([0xcb; 32]),
        batch: Batch {
            sequence: BatchSeq::new(12),
            lease: LeaseSeq::new(7),
            root: confirmation::root(&[Hash::from_bytes([0x75; 32])]),
            gen_times: GenTimes::of([gen_time]).expect("one"),
        },
        log: TreeHead { size: TreeSize::new(4_096), root: Hash::from_bytes([0x4e; 32]) },
        utc: sample(79_000_000).real,
        half_width: Bound::from_millis(1),
    };
    SignedConfirmation::sign(&confirmation, |_| [0x5a; 64])
}

/// Of the right form; its signature is made up.
fn peer_note() -> Vec<u8> {
    let key = LogKey::new(name("tsa.example/b/1"), [0xb1; 32]);
    let (size, root) = (TreeSize::EMPTY, Hash::of_nothing());
    let checkpoint = Checkpoint { origin: key.name().clone(), size, root };
    let note = checkpoint.sign(&key, |_| [0x5a; 64]).expect("its own key");
    note.to_string().into_bytes()
}

/// A positive leap second that nobody with authority had announced, with UTC known to 1 ms. RAW
/// shows 500 s at L.
fn leap_change() -> LeapChange {
    let l = end_of_2026().instant().as_unix_nanos();
    let reading = |raw_s: i64, leapt_s: i64| {
        let middle = l - (500 + leapt_s) * 1_000_000_000;
        let utc_minus_raw = interval(middle - 1_000_000, middle + 1_000_000);
        Reading { at: RawInstant::from_nanos(raw_s * 1_000_000_000), utc_minus_raw }
    };
    LeapChange {
        end: end_of_2026(),
        expected: Outlook::Unknown,
        observed: Observed::Leap(LeapSign::Insert),
        before: reading(497, 0),
        after: reading(504, 1),
        rho: Ppb::from_ppm(100),
        list: Some(Hash::from_bytes([0x1e; 32])),
    }
}

fn probed(reader: Option<ReaderWord>) -> Probed {
    Probed {
        tsu: tsu(),
        sent: RawInstant::from_nanos(1_000_000),
        received: RawInstant::from_nanos(1_400_000),
        answer: sample(77_000_000),
        reader,
        judged_at: RawInstant::from_nanos(1_450_000),
        utc_minus_raw: interval(1_799_999_999_999_000_000, 1_800_000_000_001_000_000),
        assessment: Assessment::Good(interval(-1_200_000, 1_300_000)),
    }
}

/// Of a box that chrony keeps.
fn reader() -> ReaderWord {
    let kernel = KernelState {
        state: TimeState::Ok,
        status: KernelStatus::from_bits(0x2001),
        max_error: Bound::from_nanos(1_000_500_000),
        estimated_error: Bound::from_nanos(16_000),
        offset: Span::from_nanos(-1_234),
        frequency_ppb: -7_300,
        tai_offset_s: 37,
    };
    let account = Account { kernel: Ok(kernel), marker: Marker::Absent };
    ReaderWord { steps: 0, disruptions: 0, heard: Ok(account) }
}

/// An edge 100 ms late, with UTC known to 1 ms.
fn pps_change() -> PpsChange {
    let edge = |sequence: u32, ns: i64| PlacedEdge {
        sequence,
        raw: RawWindow::new(RawInstant::from_nanos(ns), RawInstant::from_nanos(ns + 2_000))
            .expect("in order"),
    };
    let whole = 1_800_000_000_000_000_000;
    PpsChange {
        from: PpsState::Good,
        to: PpsState::Shifted,
        limits: PpsLimits {
            residual: Bound::from_millis(5),
            jitter: Bound::from_millis(1),
            rho: Ppb::from_ppm(100),
        },
        before: Some(edge(76, 77_000_000_000)),
        edge: Some(edge(77, 78_100_000_000)),
        utc: Some(Reading {
            at: RawInstant::from_nanos(78_250_000_000),
            utc_minus_raw: interval(whole - 1_000_000, whole + 1_000_000),
        }),
    }
}

pub(super) fn all() -> Vec<(&'static str, Leaf)> {
    let serial = Serial::from_hash(&[0x41; 32]);
    let digest = |fill| Hash::from_bytes([fill; 32]);
    let events = [
        (
            "started",
            Event::Started(Started {
                role: BoxRole::Tsu,
                version: "0.1.0".to_owned(),
                build: "3f2a9c1".to_owned(),
                incarnation: Some(Incarnation::from_bytes([0x1c; 16])),
                config_digest: digest(0xcd),
                virtual_allowed: false,
            }),
        ),
        ("stopped", Event::Stopped),
        ("configDigest", Event::ConfigDigest(digest(0xcd))),
        (
            "leaseGranted",
            Event::LeaseGranted(SignedLease { terms_der: terms(), signature: vec![0x5a; 64] }),
        ),
        (
            "leaseEnded",
            Event::LeaseEnded(Ended {
                tsu: tsu(),
                sequence: LeaseSeq::new(7),
                cause: EndingCause::Deviation,
                found_by: None,
            }),
        ),
        (
            "round",
            Event::Round(Round {
                faults: Faults(1),
                sources: vec![
                    source("ptb-1", "ptb", Some(interval(-900, 1_100))),
                    source("metas-1", "metas", None),
                ],
                authenticated_only: false,
                utc: Err(NoUtc::QuorumLost { usable: 1, required: 3 }),
                estimate: None,
                drifts: Vec::new(),
            }),
        ),
        ("round-reasons", Event::Round(round())),
        ("verdict", Event::Verdict(probed(None))),
        ("verdict-reader", Event::Verdict(probed(Some(reader())))),
        (
            "intent",
            Event::Intent(Intent {
                serial,
                imprint: Imprint::Sha256([0xda; 32]),
                tst_info_digest: digest(0x75),
                sample: sample(78_000_000),
                lease: LeaseSeq::new(7),
                gen_time: GenTime::at(sample(78_000_000).real, GenTimeDigits::Three),
            }),
        ),
        (
            "intent-sha3",
            Event::Intent(Intent {
                serial,
                imprint: Imprint::Sha3_512([0xda; 64]),
                tst_info_digest: digest(0x75),
                sample: sample(78_000_000),
                lease: LeaseSeq::new(7),
                gen_time: GenTime::at(sample(78_000_000).real, GenTimeDigits::Three),
            }),
        ),
        ("issued", Event::Issued(vec![IssuedToken { serial, signature_digest: digest(0x70) }])),
        ("peerCheckpoint", Event::PeerCheckpoint(peer_note())),
        ("tornTail", Event::TornTail(TornTail { after: TreeSize::new(4_096), cut_bytes: 129 })),
        (
            "newEpoch",
            Event::NewEpoch(NewEpoch {
                sealed: Checkpoint {
                    origin: name("tsa.example/a/1"),
                    size: TreeSize::new(1_234_567),
                    root: digest(0x4e),
                },
                reason: "peer's disk replaced".to_owned(),
            }),
        ),
        ("confirmed", Event::Confirmed(confirmation())),
        (
            "peerBroken",
            Event::PeerBroken(PeerBroken {
                cause: EndingCause::Rollback,
                known: peer_note(),
                offered: peer_note(),
            }),
        ),
        (
            "peerEpoch",
            Event::PeerEpoch(PeerEpoch {
                sealed: peer_note(),
                origin: name("tsa.example/a/2"),
                reason: "peer's disk replaced".to_owned(),
            }),
        ),
        ("leapChange", Event::LeapChange(leap_change())),
        (
            "sourceDoubt",
            Event::SourceDoubt(SourceDoubt {
                source: "ptb-1".to_owned(),
                doubt: Doubt::Disagreement {
                    ours: interval(-1_000_000, 3_000_000),
                    theirs: interval(5_000_000, 9_000_000),
                },
            }),
        ),
        ("ppsChange", Event::PpsChange(pps_change())),
        (
            "endToEnd",
            Event::EndToEnd(EndToEnd {
                tsu: tsu(),
                asked: RawInstant::from_nanos(1_000_000),
                answered: RawInstant::from_nanos(4_000_000),
                judged_at: RawInstant::from_nanos(4_050_000),
                utc_minus_raw: Some(interval(1_799_999_999_999_000_000, 1_800_000_000_001_000_000)),
                without_lease: false,
                request: vec![0x30, 0x03, 0x02, 0x01, 0x01],
                response: Some(vec![0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x02]),
                result: EndToEndResult::Refused,
            }),
        ),
        ("kernelChange", Event::KernelChange(KernelChange { tsu: None, word: reader() })),
    ];
    events.map(|(kind, event)| (kind, Leaf { made: sample(79_000_000), event })).into()
}
