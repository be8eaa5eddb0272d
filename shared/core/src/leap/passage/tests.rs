use super::*;
use proptest::prelude::*;

const MS: i64 = 1_000_000;
const RHO: Ppb = Ppb::from_ppm(100);

fn end() -> MonthEnd {
    MonthEnd::of(2026, 12).expect("a month")
}

fn l() -> i64 {
    end().instant().as_unix_nanos()
}

fn within(middle_ms: i64, radius_ms: i64) -> Interval {
    let at = |ms: i64| Span::from_millis(ms);
    Interval::new(at(middle_ms - radius_ms), at(middle_ms + radius_ms)).expect("a radius")
}

fn reading(raw_ms: i64, utc_minus_raw: i64, radius: i64) -> Reading {
    let span = Span::from_nanos;
    let utc_minus_raw = Interval::new(span(utc_minus_raw - radius), span(utc_minus_raw + radius));
    let at = RawInstant::from_nanos(raw_ms * MS);
    Reading { at, utc_minus_raw: utc_minus_raw.expect("a radius") }
}

#[test]
fn the_oscillator_tells_what_utc_did() {
    use LeapSign::{Delete, Insert};
    let seen = |step_ms: i64, radius_ms: i64| {
        let before = reading(0, l(), radius_ms * MS);
        observe(&before, &reading(4_000, l() + step_ms * MS, radius_ms * MS), RHO)
    };
    assert_eq!(seen(0, 10), Observed::Nothing);
    assert_eq!(seen(-1_000, 10), Observed::Leap(Insert));
    assert_eq!(seen(1_000, 10), Observed::Leap(Delete));
    assert_eq!(seen(-990, 200), Observed::Leap(Insert));
    for (step_ms, radius_ms) in [(-500, 10), (0, 260), (-2_000, 1), (3_600_000, 1)] {
        assert_eq!(seen(step_ms, radius_ms), Observed::Unclear, "{step_ms} {radius_ms}");
    }
}

#[test]
fn a_source_that_did_not_follow_is_told_from_one_that_made_it_up() {
    use LeapSign::{Delete, Insert};
    for (happened, ahead_ms, radius_ms, expected) in [
        (Some(Insert), 0, 20, Crossing::InStep),
        (Some(Insert), 1_000, 20, Crossing::DidNotStep(Insert)),
        (Some(Delete), -1_000, 20, Crossing::DidNotStep(Delete)),
        (None, 0, 20, Crossing::InStep),
        (None, -1_000, 20, Crossing::SteppedFalsely(Insert)),
        (None, 1_000, 20, Crossing::SteppedFalsely(Delete)),
        (Some(Insert), -1_000, 20, Crossing::Elsewhere),
        (Some(Delete), 1_000, 20, Crossing::Elsewhere),
        (None, 5_000, 20, Crossing::Elsewhere),
        (Some(Insert), 500, 20, Crossing::Unclear),
        (None, 0, 600, Crossing::Unclear),
    ] {
        let found = crossing(happened, within(ahead_ms, radius_ms));
        assert_eq!(found, expected, "{happened:?} {ahead_ms} {radius_ms}");
    }
}

fn round(at_ms: i64, oldest_ms: i64, good: bool) -> Round {
    let span = |ms: i64| Span::from_nanos(l() + ms * MS);
    let utc = Interval::new(span(at_ms - 5), span(at_ms + 5)).expect("a radius");
    Round { utc, oldest: end().instant() + Span::from_millis(oldest_ms), good }
}

#[test]
fn issuing_goes_on_after_two_full_good_rounds_in_a_row() {
    let mut passage = Passage::over(end());
    assert_eq!(passage.handle(&round(-2_006, -9_000, true)), Stage::Ahead);
    assert!(passage.permits());
    assert_eq!(passage.handle(&round(-2_005, -9_000, true)), Stage::Blackout);
    assert_eq!(passage.handle(&round(2_005, 1_500, true)), Stage::Blackout);
    // Full of what was measured before, then not good, then good: counted from there.
    assert_eq!(passage.handle(&round(2_006, 1_000, true)), Stage::Settling { good: 0 });
    assert_eq!(passage.handle(&round(3_000, 1_001, true)), Stage::Settling { good: 1 });
    assert_eq!(passage.handle(&round(4_000, 1_001, false)), Stage::Settling { good: 0 });
    assert_eq!(passage.handle(&round(5_000, 1_001, true)), Stage::Settling { good: 1 });
    assert!(!passage.permits());
    assert_eq!(passage.handle(&round(6_000, 1_001, true)), Stage::Over);
    assert!(passage.permits());
}

/// A monitor that was stopped over the boundary, or a UTC that seems to go back, permits nothing.
#[test]
fn nothing_leads_around_the_two_rounds() {
    let mut passage = Passage::over(end());
    assert_eq!(passage.handle(&round(60_000, 50_000, true)), Stage::Settling { good: 1 });
    assert_eq!(passage.handle(&round(-60_000, -70_000, true)), Stage::Blackout);
    assert!(!passage.permits());
}

fn change(observed: Observed) -> LeapChange {
    let step = match observed {
        Observed::Leap(LeapSign::Insert) => -1_000 * MS,
        Observed::Leap(LeapSign::Delete) => 1_000 * MS,
        Observed::Nothing | Observed::Unclear => 0,
    };
    LeapChange {
        end: end(),
        expected: Outlook::Unknown,
        observed,
        before: reading(1_000, l() - 5_000 * MS, 10 * MS),
        after: reading(8_000, l() - 5_000 * MS + step, 10 * MS),
        rho: RHO,
        list: None,
    }
}

#[test]
fn the_record_gives_the_exact_time_on_the_oscillator() {
    // UTC - RAW is L - 5 s, so L passes at RAW 5 s; 4 s of drift on either side.
    for (observed, at_ms) in [
        (Observed::Leap(LeapSign::Insert), 5_000),
        (Observed::Leap(LeapSign::Delete), 4_000),
        (Observed::Nothing, 5_000),
    ] {
        let change = change(observed);
        assert!(change.is_consistent());
        let (first, last) = change.when();
        let off = 10 * MS + 400_000 + MS;
        let at = at_ms * MS;
        assert!(first.as_nanos() < at - 10 * MS && at - off < first.as_nanos());
        assert!(last.as_nanos() > at + 10 * MS && at + off > last.as_nanos());
    }
    let lie =
        LeapChange { observed: Observed::Nothing, ..change(Observed::Leap(LeapSign::Insert)) };
    assert!(!lie.is_consistent());
}

proptest! {
    #[test]
    fn extremes_do_not_overflow(a in any::<[i64; 6]>(), rho in any::<u32>()) {
        let of = |at: i64, x: i64, y: i64| Reading {
            at: RawInstant::from_nanos(at),
            utc_minus_raw: Interval::new(Span::from_nanos(x.min(y)), Span::from_nanos(x.max(y)))
                .expect("in order"),
        };
        let (before, after) = (of(a[0], a[1], a[2]), of(a[3], a[4], a[5]));
        let rho = Ppb::from_ppb(rho);
        let observed = observe(&before, &after, rho);
        let record = LeapChange { observed, before, after, rho, ..change(Observed::Nothing) };
        let (first, last) = record.when();
        prop_assert!(first <= last);
        prop_assert!(record.is_consistent());
        let _ = crossing(None, before.utc_minus_raw);
    }

    /// With honest intervals nothing is ever observed that did not happen.
    #[test]
    fn what_is_observed_happened(
        step in -1i64..=1, before in 0..400i64, after in 0..400i64, at in -400..400i64,
        drift_ppb in -100_000..100_000i64, ms in 1..100_000i64,
    ) {
        let drifted = ms * MS / 1_000_000 * drift_ppb / 1_000;
        let old = reading(0, l() + before * at.signum() * MS, before * MS);
        let new = reading(ms, l() + step * 1_000 * MS + drifted, after * MS);
        match observe(&old, &new, RHO) {
            Observed::Nothing => prop_assert_eq!(step, 0),
            Observed::Leap(LeapSign::Insert) => prop_assert_eq!(step, -1),
            Observed::Leap(LeapSign::Delete) => prop_assert_eq!(step, 1),
            Observed::Unclear => {}
        }
    }
}
