use proptest::prelude::*;

use super::*;
use crate::time::{GenTimeDigits, Span};

const MS: i64 = 1_000_000;
const LIMITS: WitnessLimits =
    WitnessLimits { accuracy: Bound::from_millis(500), half_width_max: Bound::from_millis(60) };

fn utc(ms: i64) -> Timestamp<Utc> {
    Timestamp::from_unix_nanos(1_790_000_000_000 * MS + ms * MS)
}

fn gen_time(ms: i64) -> GenTime {
    GenTime::at(utc(ms), GenTimeDigits::Three)
}

fn gen_times(min_ms: i64, max_ms: i64) -> GenTimes {
    GenTimes::new(gen_time(min_ms), gen_time(max_ms)).expect("in order")
}

fn judged(min_ms: i64, max_ms: i64, half_width_ms: u64) -> Result<(), NotConfirmed> {
    judge(gen_times(min_ms, max_ms), utc(0), Bound::from_millis(half_width_ms), &LIMITS)
}

#[test]
fn the_edges_are_where_the_design_puts_them() {
    // g_min >= m + e - A and g_max <= m - e + A, with A = 500 ms.
    for e in [0i64, 1, 60] {
        let half_width = u64::try_from(e).expect("positive");
        assert_eq!(judged(e - 500, 500 - e, half_width), Ok(()));
        assert_eq!(judged(e - 501, 500 - e, half_width), Err(NotConfirmed::TooEarly));
        assert_eq!(judged(e - 500, 501 - e, half_width), Err(NotConfirmed::TooLate));
    }
    assert_eq!(judged(0, 0, 61), Err(NotConfirmed::Wide));
}

#[test]
fn codes_and_labels_name_one_reason_each() {
    for &why in NotConfirmed::ALL {
        assert_eq!(NotConfirmed::from_code(why.code()), Some(why));
        assert_eq!(NotConfirmed::ALL.iter().filter(|it| it.label() == why.label()).count(), 1);
    }
    assert_eq!(NotConfirmed::from_code(0), None);
}

#[test]
fn a_root_depends_on_every_digest_and_on_their_order() {
    let digests = [1u8, 2, 3].map(|fill| Hash::from_bytes([fill; 32]));
    let whole = root(&digests);
    assert_ne!(whole, root(&digests[..2]));
    assert_ne!(whole, root([&digests[1], &digests[0], &digests[2]]));
    assert_eq!(whole, root(&digests));
}

#[test]
fn a_confirmation_opens_only_with_its_signature() {
    let confirmation = Confirmation {
        tsu: TsuId::new("tsu-1").expect("a fair name"),
        incarnation: Incarnation::from_bytes([1; 16]),
        channel: ChannelBinding::from_bytes([2; 32]),
        batch: Batch {
            sequence: BatchSeq::new(1),
            lease: LeaseSeq::new(7),
            root: Hash::from_bytes([3; 32]),
            gen_times: gen_times(0, 5),
        },
        log: TreeHead::empty(),
        utc: utc(0),
        half_width: Bound::from_millis(5),
    };
    let signed = SignedConfirmation::sign(&confirmation, |_| [9; 64]);
    let message = SignedConfirmation::message(&signed.der);
    let opened = signed.open(|m, signature| m == message && signature == [9; 64]);
    assert_eq!(opened, Ok(confirmation));
    assert_eq!(signed.open(|_, _| false), Err(ConfirmationError::Signature));
}

proptest! {
    /// What the witness lets through satisfies P1, whichever instant of the reading is the truth.
    #[test]
    fn a_confirmed_gen_time_is_within_the_accuracy_of_every_admitted_instant(
        lo_ns in -2_000 * MS..2_000 * MS, width_ns in 0..400 * MS,
        min_ms in -2_500i64..2_500, more_ms in 0i64..600, share in 0i64..=1_000,
    ) {
        let utc_minus_raw =
            Interval::new(Span::from_nanos(lo_ns), Span::from_nanos(lo_ns + width_ns));
        let now = RawInstant::from_nanos(utc(0).as_unix_nanos());
        let (m, e) = reading(utc_minus_raw.expect("in order"), now);
        let gen_times = gen_times(min_ms, min_ms + more_ms);
        let limits = WitnessLimits { half_width_max: Bound::from_millis(400), ..LIMITS };
        if judge(gen_times, m, e, &limits).is_ok() {
            let truth = utc(0).as_unix_nanos() + lo_ns + width_ns / 1_000 * share;
            for gen_time in [gen_times.min(), gen_times.max()] {
                let error = gen_time.as_unix_nanos() - truth;
                prop_assert!(error.abs() <= 500 * MS, "{error}");
            }
        }
    }
}
