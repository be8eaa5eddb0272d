use proptest::prelude::*;

use super::*;
use crate::clock_reader::RawWindow;
use crate::clock_reader::testing::word;
use crate::confirmation::SignedConfirmation;
use crate::evidence::TreeSize;
use crate::evidence::checkpoint::Checkpoint;
use crate::evidence::merkle::{Hash, leaf_hash};
use crate::evidence::testing::{any_hash, flipped, name};
use crate::fusion::{Agreement, Faults, NoUtc};
use crate::id::{BootId, Incarnation, LeaseSeq, Serial, TsuId};
use crate::interval::Interval;
use crate::leap::LeapSign;
use crate::leap::month_end::MonthEnd;
use crate::leap::passage::{LeapChange, Observed, Reading};
use crate::leap::plan::Outlook;
use crate::leap::smear::Smear;
use crate::lease::{EndingCause, SignedLease};
use crate::pps::{PlacedEdge, PpsChange, PpsLimits, PpsState};
use crate::time::{Bound, GenTime, GenTimeDigits, Ppb, Rate, RawInstant, Span, Timestamp};

mod examples;

fn tsu() -> TsuId {
    TsuId::new("tsu-1").expect("a fair name")
}

fn end_of_2026() -> MonthEnd {
    MonthEnd::of(2026, 12).expect("a month")
}

fn samples() -> impl Strategy<Value = Sample> {
    any::<(i64, i64, i64, i64, [u8; 16])>().prop_map(|(before, real, after, boot, id)| Sample {
        raw_before: RawInstant::from_nanos(before),
        real: Timestamp::from_unix_nanos(real),
        raw_after: RawInstant::from_nanos(after),
        boot_minus_mono: Span::from_nanos(boot),
        boot_id: BootId::from_bytes(id),
    })
}

fn intervals() -> impl Strategy<Value = Interval> {
    any::<(i64, i64)>().prop_map(|(a, b)| {
        Interval::new(Span::from_nanos(a.min(b)), Span::from_nanos(a.max(b))).expect("lo <= hi")
    })
}

fn serials() -> impl Strategy<Value = Serial> {
    any::<[u8; 32]>().prop_map(|hash| Serial::from_hash(&hash))
}

fn started() -> impl Strategy<Value = Event> {
    let role = prop_oneof![Just(BoxRole::Monitor), Just(BoxRole::Tsu)];
    let run = any::<Option<[u8; 16]>>().prop_map(|run| run.map(Incarnation::from_bytes));
    (role, any::<(String, String, bool)>(), run, any_hash()).prop_map(
        |(role, (version, build, virtual_allowed), incarnation, config_digest)| {
            Event::Started(Started {
                role,
                version,
                build,
                incarnation,
                config_digest,
                virtual_allowed,
            })
        },
    )
}

fn kernel_changes() -> impl Strategy<Value = Event> {
    (any::<bool>(), word()).prop_map(|(own, word)| {
        let tsu = (!own).then(tsu);
        Event::KernelChange(KernelChange { tsu, word })
    })
}

fn ended() -> impl Strategy<Value = Event> {
    let cause = prop::sample::select(EndingCause::ALL);
    (any::<u64>(), cause, prop::option::of(samples())).prop_map(|(n, cause, found_by)| {
        Event::LeaseEnded(Ended { tsu: tsu(), sequence: LeaseSeq::new(n), cause, found_by })
    })
}

fn rounds() -> impl Strategy<Value = Event> {
    let state = (1u8..=5).prop_map(|code| SourceState::from_code(code).expect("a state"));
    let reason = any::<Option<(String, String)>>()
        .prop_map(|told| told.map(|(word, detail)| SourceReason { word, detail }));
    let interval = prop::option::of(intervals());
    let source = (any::<(String, String, bool)>(), state, interval, reason).prop_map(
        |((name, group, authenticated), state, interval, reason)| SourceReading {
            name,
            group,
            state,
            interval,
            authenticated,
            reason,
        },
    );
    let estimate = (intervals(), any::<u32>())
        .prop_map(|(interval, groups)| Agreement { interval, votes: groups as usize });
    let rate = any::<(i64, i64)>().prop_map(|(a, b)| Rate { lo_ppb: a.min(b), hi_ppb: a.max(b) });
    let drift = (any::<bool>(), prop::option::of(rate), any::<u64>()).prop_map(
        |(of_tsu, rate, stepped)| Drift {
            tsu: of_tsu.then(tsu),
            rate,
            stepped: Bound::from_nanos(stepped),
        },
    );
    let beside = (prop::option::of(estimate), prop::collection::vec(drift, 0..3));
    let utc = prop_oneof![
        intervals().prop_map(Ok),
        any::<(u32, u32)>().prop_map(|(usable, required)| Err(NoUtc::QuorumLost {
            usable: usable as usize,
            required: required as usize
        })),
        any::<(u32, u32, u32)>().prop_map(|(usable, best, required)| Err(NoUtc::NoConsensus {
            usable: usable as usize,
            best: best as usize,
            required: required as usize
        })),
    ];
    (any::<(u32, bool)>(), prop::collection::vec(source, 0..4), utc, beside).prop_map(
        |((faults, authenticated_only), sources, utc, (estimate, drifts))| {
            let faults = Faults(faults as usize);
            Event::Round(Round { faults, sources, authenticated_only, utc, estimate, drifts })
        },
    )
}

fn verdicts() -> impl Strategy<Value = Event> {
    let assessment = prop_oneof![
        intervals().prop_map(Assessment::Good),
        intervals().prop_map(Assessment::Bad),
        intervals().prop_map(Assessment::Unknown),
        Just(Assessment::Unusable),
    ];
    let answer = (samples(), prop::option::of(word()));
    (any::<(i64, i64, i64)>(), answer, intervals(), assessment).prop_map(
        |((sent, received, judged_at), (answer, reader), utc_minus_raw, assessment)| {
            Event::Verdict(Probed {
                tsu: tsu(),
                sent: RawInstant::from_nanos(sent),
                received: RawInstant::from_nanos(received),
                answer,
                reader,
                judged_at: RawInstant::from_nanos(judged_at),
                utc_minus_raw,
                assessment,
            })
        },
    )
}

fn looks_at_the_endpoint() -> impl Strategy<Value = Event> {
    let result = prop::sample::select(EndToEndResult::ALL);
    let times = any::<(i64, i64, i64)>();
    let bytes = (any::<Vec<u8>>(), any::<Option<Vec<u8>>>());
    (times, prop::option::of(intervals()), any::<bool>(), bytes, result).prop_map(
        |((asked, answered, judged), utc_minus_raw, without_lease, (request, response), result)| {
            Event::EndToEnd(EndToEnd {
                tsu: tsu(),
                asked: RawInstant::from_nanos(asked),
                answered: RawInstant::from_nanos(answered),
                judged_at: RawInstant::from_nanos(judged),
                utc_minus_raw,
                without_lease,
                request,
                response,
                result,
            })
        },
    )
}

fn intents() -> impl Strategy<Value = Event> {
    let imprint = prop::sample::select(&HashFunction::ALL[..]).prop_flat_map(|function| {
        prop::collection::vec(any::<u8>(), function.octets())
            .prop_map(move |hash| Imprint::new(function, &hash).expect("its length"))
    });
    (serials(), imprint, any_hash(), samples(), any::<(u64, i64)>()).prop_map(
        |(serial, imprint, tst_info_digest, sample, (lease, time))| {
            Event::Intent(Intent {
                serial,
                imprint,
                tst_info_digest,
                sample,
                lease: LeaseSeq::new(lease),
                // The first millisecond of all is not whole.
                gen_time: GenTime::at(
                    Timestamp::from_unix_nanos(time.max(i64::MIN + 1_000_000)),
                    GenTimeDigits::Three,
                ),
            })
        },
    )
}

fn leap_changes() -> impl Strategy<Value = Event> {
    let reading = || {
        (any::<i64>(), intervals()).prop_map(|(at, utc_minus_raw)| Reading {
            at: RawInstant::from_nanos(at),
            utc_minus_raw,
        })
    };
    let expected = (1u8..=5).prop_map(|code| Outlook::from_code(code).expect("an outlook"));
    let observed = (1u8..=4).prop_map(|code| Observed::from_code(code).expect("an observation"));
    let end = (1678..=2261, 1u8..=12).prop_map(|(y, m)| MonthEnd::of(y, m).expect("a month"));
    let list = prop::option::of(any_hash());
    (end, expected, observed, reading(), reading(), any::<u32>(), list).prop_map(
        |(end, expected, observed, before, after, rho, list)| {
            let rho = Ppb::from_ppb(rho);
            Event::LeapChange(LeapChange { end, expected, observed, before, after, rho, list })
        },
    )
}

fn doubts() -> impl Strategy<Value = Event> {
    let doubt = prop_oneof![
        (intervals(), intervals()).prop_map(|(ours, theirs)| Doubt::Disagreement { ours, theirs }),
        any::<(i64, u64)>().prop_map(|(drift_ppb, over)| {
            Doubt::Smear(Smear { drift_ppb, over: Bound::from_nanos(over) })
        }),
    ];
    (any::<String>(), doubt)
        .prop_map(|(source, doubt)| Event::SourceDoubt(SourceDoubt { source, doubt }))
}

fn pps_changes() -> impl Strategy<Value = Event> {
    let state = || prop::sample::select(PpsState::ALL);
    let limits = any::<(u64, u64, u32)>().prop_map(|(residual, jitter, rho)| PpsLimits {
        residual: Bound::from_nanos(residual),
        jitter: Bound::from_nanos(jitter),
        rho: Ppb::from_ppb(rho),
    });
    let edge = || {
        let edge = any::<(u32, i64, i64)>().prop_map(|(sequence, a, b)| {
            let (earliest, latest) =
                (RawInstant::from_nanos(a.min(b)), RawInstant::from_nanos(a.max(b)));
            let raw = RawWindow::new(earliest, latest).expect("in order");
            PlacedEdge { sequence, raw }
        });
        prop::option::of(edge)
    };
    let utc = (any::<i64>(), intervals())
        .prop_map(|(at, utc_minus_raw)| Reading { at: RawInstant::from_nanos(at), utc_minus_raw });
    (state(), state(), limits, edge(), edge(), prop::option::of(utc)).prop_map(
        |(from, to, limits, before, edge, utc)| {
            Event::PpsChange(PpsChange { from, to, limits, before, edge, utc })
        },
    )
}

fn the_rest() -> impl Strategy<Value = Event> {
    let token = (serials(), any_hash())
        .prop_map(|(serial, signature_digest)| IssuedToken { serial, signature_digest });
    prop_oneof![
        Just(Event::Stopped),
        any_hash().prop_map(Event::ConfigDigest),
        any::<(Vec<u8>, Vec<u8>)>().prop_map(|(terms_der, signature)| Event::LeaseGranted(
            SignedLease { terms_der, signature }
        )),
        prop::collection::vec(token, 0..4).prop_map(Event::Issued),
        any::<Vec<u8>>().prop_map(Event::PeerCheckpoint),
        any::<(u64, u64)>().prop_map(|(after, cut_bytes)| Event::TornTail(TornTail {
            after: TreeSize::new(after),
            cut_bytes
        })),
        (any::<u64>(), any_hash(), any::<String>()).prop_map(|(size, root, reason)| {
            let (origin, size) = (name("tsa.example/a/1"), TreeSize::new(size));
            Event::NewEpoch(NewEpoch { sealed: Checkpoint { origin, size, root }, reason })
        }),
        any::<(Vec<u8>, Vec<u8>)>()
            .prop_map(|(der, signature)| Event::Confirmed(SignedConfirmation { der, signature })),
        (prop::sample::select(EndingCause::ALL), any::<(Vec<u8>, Vec<u8>)>()).prop_map(
            |(cause, (known, offered))| Event::PeerBroken(PeerBroken { cause, known, offered })
        ),
        any::<(Vec<u8>, String)>().prop_map(|(sealed, reason)| {
            Event::PeerEpoch(PeerEpoch { sealed, origin: name("tsa.example/a/2"), reason })
        }),
    ]
}

fn leaves() -> impl Strategy<Value = Leaf> {
    let events = prop_oneof![
        1 => started(), 1 => ended(), 2 => rounds(), 2 => verdicts(), 1 => intents(),
        1 => leap_changes(), 1 => doubts(), 1 => pps_changes(), 1 => looks_at_the_endpoint(),
        1 => kernel_changes(), 6 => the_rest(),
    ];
    (samples(), events).prop_map(|(made, event)| Leaf { made, event })
}

proptest! {
    #[test]
    fn leaves_round_trip(leaf in leaves()) {
        let der = leaf.encode().expect("short enough");
        prop_assert_eq!(Leaf::decode(&der), Ok(leaf));
    }

    /// One meaning, one encoding.
    #[test]
    fn a_changed_leaf_is_refused_or_means_something_else(
        leaf in leaves(), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let der = flipped(&leaf.encode().expect("short enough"), at, bit);
        if let Ok(other) = Leaf::decode(&der) {
            prop_assert_eq!(other.encode(), Ok(der));
            prop_assert_ne!(other, leaf);
        }
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Leaf::decode(&bytes);
    }
}

/// Every bit and every byte of every example, changed.
#[test]
fn no_other_bytes_mean_the_same() {
    for (kind, leaf) in examples::all() {
        let der = leaf.encode().expect("short enough");
        for at in 0..der.len() {
            for change in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut changed = der.clone();
                changed[at] ^= change;
                if let Ok(other) = Leaf::decode(&changed) {
                    assert_eq!(other.encode(), Ok(changed), "{kind}");
                    assert_ne!(other, leaf, "{kind}");
                }
            }
        }
        assert!(Leaf::decode(&der[..der.len() - 1]).is_err(), "{kind} cut");
        assert!(Leaf::decode(&[&der[..], &[0]].concat()).is_err(), "{kind} and more");
    }
}

#[test]
fn a_leaf_is_no_longer_than_a_tile_can_hold() {
    let (_, leaf) = examples::all().remove(0);
    let with = |octets| Leaf { event: Event::PeerCheckpoint(vec![7; octets]), ..leaf.clone() };
    let overhead = with(40_000).encode().expect("it fits").len() - 40_000;
    let longest = with(LEAF_BYTES_MAX - overhead);
    let der = longest.encode().expect("it just fits");
    assert_eq!((der.len(), Leaf::decode(&der)), (LEAF_BYTES_MAX, Ok(longest)));
    let beyond = Err(LeafError::TooLong(LEAF_BYTES_MAX + 1));
    assert_eq!(with(LEAF_BYTES_MAX - overhead + 1).encode(), beyond);
    let long = vec![0; LEAF_BYTES_MAX + 1];
    assert_eq!(Leaf::decode(&long), Err(LeafError::TooLong(long.len())));
}

/// The same leaf with one piece of its DER replaced by another of the same length.
fn replaced(kind: &str, old: &[u8], new: &[u8]) -> Result<Leaf, LeafError> {
    let (_, leaf) = examples::all().into_iter().find(|(k, _)| *k == kind).expect("a kind");
    let der = leaf.encode().expect("short enough");
    let at = der.windows(old.len()).rposition(|window| window == old).expect("it is there");
    Leaf::decode(&[&der[..at], new, &der[at + old.len()..]].concat())
}

#[test]
fn fields_outside_their_range_are_refused() {
    let range = |field| Err(LeafError::Der(WireError::Range(field)));
    assert_eq!(replaced("stopped", &[2, 1, 1], &[2, 1, 2]), range("version"));
    assert_eq!(replaced("started", &[2, 1, 2], &[2, 1, 3]), range("role"));
    assert_eq!(replaced("leaseEnded", &[2, 1, 3], &[2, 1, 0]), range("cause"));
    assert_eq!(replaced("leaseEnded", b"tsu-1", b"TSU-1"), range("tsu"));
    assert_eq!(replaced("newEpoch", b"tsa.example", b"tsa example"), range("origin"));
    assert_eq!(replaced("round", &[2, 1, 4], &[2, 1, 6]), range("state"));
    assert_eq!(replaced("issued", &[4, 20, 0x41], &[4, 20, 0xc1]), range("serial"));
    assert_eq!(replaced("leapChange", &[2, 1, 4], &[2, 1, 6]), range("expected"));
    assert_eq!(replaced("leapChange", &[2, 1, 2], &[2, 1, 5]), range("observed"));
    let l = end_of_2026().instant().as_unix_nanos().to_be_bytes();
    let later = (end_of_2026().instant().as_unix_nanos() + 1).to_be_bytes();
    assert_eq!(replaced("leapChange", &l, &later), range("boundary"));
    let unknown_kind = replaced("stopped", &[0x81, 0], &[0x8c, 0]);
    assert!(matches!(unknown_kind, Err(LeafError::Der(WireError::Grammar(_)))));
}

/// The page that documents the format shows these very bytes.
#[test]
fn the_documentation_is_in_step() {
    let page = include_str!("../../../../../docs/evidence.md");
    let mut missing = String::new();
    for (kind, leaf) in examples::all() {
        let der = leaf.encode().expect("short enough");
        let hex: Vec<String> = der.iter().map(|byte| format!("{byte:02x}")).collect();
        let rows: Vec<String> = hex.chunks(32).map(|row| row.concat()).collect();
        let hash = leaf_hash(&der);
        let shown = format!("```leaf-{kind}\n{}\n```\n\nLeaf hash: `{hash}`\n", rows.join("\n"));
        if !page.contains(&shown) {
            missing.push_str(&shown);
        }
    }
    assert!(missing.is_empty(), "docs/evidence.md lacks:\n{missing}");
    assert_eq!(page.matches("```leaf-").count(), examples::all().len());
}
