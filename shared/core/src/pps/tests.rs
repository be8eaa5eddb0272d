use proptest::prelude::*;

use super::*;

const LIMITS: PpsLimits = PpsLimits {
    residual: Bound::from_millis(5),
    jitter: Bound::from_millis(1),
    rho: Ppb::from_ppm(100),
};

fn window(earliest: i64, latest: i64) -> RawWindow {
    RawWindow::new(RawInstant::from_nanos(earliest), RawInstant::from_nanos(latest))
        .expect("in order")
}

fn edge(sequence: u32, ms: i64) -> PlacedEdge {
    PlacedEdge { sequence, raw: window(ms * 1_000_000, ms * 1_000_000 + 2_000) }
}

/// UTC - RAW is a whole number of seconds, known to so many milliseconds on either side.
fn utc(at_ms: i64, radius_ms: i64) -> Reading {
    let whole = Span::from_nanos(1_800_000_000 * SECOND_NS);
    let radius = Bound::from_millis(radius_ms.unsigned_abs());
    let utc_minus_raw = Interval::within(radius).shifted(whole);
    Reading { at: RawInstant::from_nanos(at_ms * 1_000_000), utc_minus_raw }
}

fn verdict(before: Option<(u32, i64)>, after: (u32, i64), radius_ms: i64) -> EdgeVerdict {
    let before = before.map(|(sequence, ms)| edge(sequence, ms));
    judge(before.as_ref(), &edge(after.0, after.1), Some(&utc(after.1, radius_ms)), &LIMITS)
}

proptest! {
    /// Wherever the edge and UTC really are in what is known of them, the true residual is inside:
    /// up to whole seconds, which is all that an edge can say.
    #[test]
    fn the_truth_is_inside_the_residual(
        edge_raw in 0..1_000_000_000_000_000i64,
        offset in -4_000_000_000_000_000_000..4_000_000_000_000_000_000i64,
        (early, late) in (0..300_000_000i64, 0..300_000_000i64),
        (below, above) in (0..300_000_000i64, 0..300_000_000i64),
        since in -10_000_000_000..100_000_000_000i64,
        drift_ppb in -100_000..=100_000i64,
    ) {
        // UTC - RAW was `offset` at the edge, and drifts until UTC was read.
        let read = i128::from(since) * i128::from(drift_ppb) / 1_000_000_000;
        let then = offset + i64::try_from(read).expect("small");
        let known = Interval::new(Span::from_nanos(then - below), Span::from_nanos(then + above));
        let utc = Reading {
            at: RawInstant::from_nanos(edge_raw + since),
            utc_minus_raw: known.expect("in order"),
        };
        let edge = window(edge_raw - early, edge_raw + late);
        let residual = residual(edge, &utc, LIMITS.rho);
        let middle = residual.midpoint().as_nanos();
        prop_assert!((-HALF_SECOND_NS..=HALF_SECOND_NS).contains(&middle), "{residual}");
        let truth = (edge_raw + offset).rem_euclid(SECOND_NS);
        let seconds = (residual.lo().as_nanos() - truth).div_euclid(SECOND_NS);
        let next = truth + (seconds + i64::from((residual.lo().as_nanos() - truth).rem_euclid(SECOND_NS) > 0)) * SECOND_NS;
        prop_assert!(next <= residual.hi().as_nanos(), "{truth} is not in {residual}");
    }

    /// A signal that is really within the limit is never an anomaly, however well UTC is known.
    #[test]
    fn an_edge_within_the_limits_is_never_an_anomaly(
        off in -900_000..=900_000i64, before_off in -90_000..=90_000i64,
        count in 1..5u32, (below, above) in (0..400_000_000i64, 0..400_000_000i64),
        (early, late) in (0..2_000_000i64, 0..2_000_000i64),
    ) {
        let at = 50 * SECOND_NS + off;
        let (first, seconds) = (40 * SECOND_NS + before_off, i64::from(count));
        let before = PlacedEdge { sequence: u32::MAX, raw: window(first, first + 100) };
        let shift = (10 - seconds) * SECOND_NS;
        let raw = window(at - shift - early, at - shift + late);
        let edge = PlacedEdge { sequence: u32::MAX.wrapping_add(count), raw };
        let known = Interval::new(Span::from_nanos(-below), Span::from_nanos(above));
        let utc = Reading { at: raw.latest(), utc_minus_raw: known.expect("in order") };
        let verdict = judge(Some(&before), &edge, Some(&utc), &LIMITS);
        prop_assert!(matches!(verdict, EdgeVerdict::Good | EdgeVerdict::Unclear), "{verdict:?}");
    }

    /// Moving UTC by whole seconds, as a leap second does, changes nothing.
    #[test]
    fn a_leap_second_moves_no_edge_off_its_second(
        leap in -2..=2i64, ms in 0..10_000i64, radius in 0..300i64,
    ) {
        let raw = edge(1, ms).raw;
        let known = utc(ms, radius);
        let leapt = Reading {
            utc_minus_raw: known.utc_minus_raw.shifted(Span::from_nanos(leap * SECOND_NS)),
            ..known
        };
        prop_assert_eq!(residual(raw, &known, LIMITS.rho), residual(raw, &leapt, LIMITS.rho));
    }
}

#[test]
fn an_edge_is_shifted_when_all_of_its_residual_is_beyond_the_limit() {
    for (off_ms, radius_ms, expected) in [
        (0, 1, EdgeVerdict::Good),
        (5, 1, EdgeVerdict::Good),
        (7, 1, EdgeVerdict::Shifted),
        (-7, 1, EdgeVerdict::Shifted),
        (7, 3, EdgeVerdict::Good),
        // Half a second is as far as an edge can be off.
        (500, 1, EdgeVerdict::Shifted),
        (499, 120, EdgeVerdict::Shifted),
        (-499, 120, EdgeVerdict::Shifted),
        (993, 1, EdgeVerdict::Shifted),
        // Not narrow enough to say anything.
        (499, 125, EdgeVerdict::Unclear),
        (0, 400, EdgeVerdict::Unclear),
    ] {
        assert_eq!(
            verdict(None, (1, 10_000 + off_ms), radius_ms),
            expected,
            "{off_ms} {radius_ms}"
        );
    }
    assert_eq!(judge(None, &edge(1, 500), None, &LIMITS), EdgeVerdict::Unclear);
}

#[test]
fn edges_are_compared_with_the_one_before() {
    let before = Some((7, 10_000));
    for (after, expected) in [
        ((8, 11_000), EdgeVerdict::Good),
        ((9, 12_000), EdgeVerdict::Good),
        ((8, 12_000), EdgeVerdict::Missing(1)),
        ((8, 15_000), EdgeVerdict::Missing(4)),
        ((9, 11_000), EdgeVerdict::Doubled(1)),
        ((8, 10_300), EdgeVerdict::Doubled(1)),
        ((8, 11_003), EdgeVerdict::Jittery),
        ((8, 10_997), EdgeVerdict::Jittery),
        ((8, 11_007), EdgeVerdict::Shifted),
        // The kernel began to count anew.
        ((1, 60_000), EdgeVerdict::Good),
        ((7, 60_000), EdgeVerdict::Good),
    ] {
        assert_eq!(verdict(before, after, 1), expected, "{after:?}");
    }
    // UTC is not needed for it.
    let (before, after) = (edge(7, 10_000), edge(8, 10_997));
    assert_eq!(judge(Some(&before), &after, None, &LIMITS), EdgeVerdict::Jittery);
}

#[test]
fn a_wide_window_proves_no_jitter() {
    let before = edge(1, 0);
    let held_up = PlacedEdge { sequence: 2, raw: window(980_000_000, 1_010_000_000) };
    assert_eq!(judge(Some(&before), &held_up, None, &LIMITS), EdgeVerdict::Unclear);
}

#[test]
fn codes_and_labels_name_one_state_each() {
    for &state in PpsState::ALL {
        assert_eq!(PpsState::from_code(state.code()), Some(state));
    }
    assert_eq!(PpsState::from_code(0), None);
}

#[test]
fn a_change_that_its_own_edge_does_not_show_is_inconsistent() {
    let change = |to, edge| PpsChange {
        from: PpsState::Good,
        to,
        limits: LIMITS,
        before: Some(self::edge(7, 10_000)),
        edge,
        utc: Some(utc(11_000, 1)),
    };
    let cases = [
        (PpsState::Good, edge(8, 11_000)),
        (PpsState::Shifted, edge(8, 11_300)),
        (PpsState::Lost, edge(8, 12_000)),
        (PpsState::Doubled, edge(9, 11_000)),
        (PpsState::Jittery, edge(8, 11_003)),
    ];
    for (to, shown) in cases {
        for (other, edge) in cases {
            assert_eq!(change(to, Some(edge)).is_consistent(), to == other, "{to} {other}");
        }
        assert_eq!(change(to, None).is_consistent(), to == PpsState::Lost);
        assert!(change(PpsState::Unclear, Some(shown)).is_consistent());
    }
}

/// UTC was read 10 s after the edge, or before it: rho over that is 1 ms, on either side. Without it
/// the last edge would be an anomaly that nobody can prove.
#[test]
fn the_residual_is_widened_by_rho_over_the_time_from_the_edge_to_the_reading() {
    // 6.5 ms off, UTC known to 1 ms, a limit of 5 ms.
    let off = PlacedEdge { sequence: 1, raw: window(20_006_500_000, 20_006_502_000) };
    for (read_ms, expected) in
        [(20_000, EdgeVerdict::Shifted), (30_000, EdgeVerdict::Good), (10_000, EdgeVerdict::Good)]
    {
        assert_eq!(judge(None, &off, Some(&utc(read_ms, 1)), &LIMITS), expected, "{read_ms}");
    }
}
