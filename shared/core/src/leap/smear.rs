//! Sources that spread a leap second over hours instead of stepping.
//!
//! Such a source is right long before and long after, and drifts in between: by half a second and
//! back, at 11.6 ppm when it takes 24 hours. It drifts so slowly that it pulls an estimate before
//! it becomes a falseticker. It is told by its straight drift around a possible boundary, and by
//! the marks that some programs leave in the reference id.

use super::LeapSign;
use super::month_end::MonthEnd;
use crate::time::{Bound, Span, Timestamp, Utc};

/// Whether a reference id says by itself that the server smears: `254.x.x.x` (ntpd, while it
/// smears), `127.127.1.255` (chronyd with `smoothtime`), `GOOG` (Google Public NTP, always).
#[must_use]
pub const fn is_smear_reference_id(id: [u8; 4]) -> bool {
    matches!(id, [254, ..] | [127, 127, 1, 255] | [b'G', b'O', b'O', b'G'])
}

/// How far a source is ahead of the fused UTC, at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residual {
    /// When, by the fused UTC.
    pub at: Timestamp<Utc>,
    /// The middle of the source's interval less the middle of the fused one. An estimate; it may
    /// lead to a refusal, never to trust.
    pub ahead: Span,
}

/// A source that drifts as one that smears does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smear {
    /// Its drift against the fused UTC in parts per billion; negative when it falls behind.
    pub drift_ppb: i64,
    /// How long it has been watched drifting.
    pub over: Bound,
}

impl Smear {
    /// The leap second that it seems to spread: one that is inserted slows it down.
    #[must_use]
    pub const fn sign(&self) -> LeapSign {
        if self.drift_ppb < 0 { LeapSign::Insert } else { LeapSign::Delete }
    }
}

/// The drift that counts, in parts per billion: half of what spreading a second over two days
/// takes. A sound source has no drift at all against UTC.
pub const DRIFT_PPB_MIN: u64 = 3_000;

/// How far from a boundary smears are looked for. The longest known one ends 24 hours after it.
pub const WINDOW: Bound = Bound::from_millis(25 * 3_600_000);

/// The shortest history that tells a drift from noise.
pub const HISTORY_MIN: Bound = Bound::from_millis(30 * 60_000);

/// The fewest points that tell a line.
pub const POINTS_MIN: usize = 12;

/// The most points that are looked at; beyond, the sums might not fit.
pub const POINTS_MAX: usize = 65_536;

/// Looks for a smear around `end` in the history of one source, in the order of time.
///
/// Only the points on that side of L on which the newest one lies count, within [`WINDOW`]. They
/// must follow a straight line (least squares) that is steep enough, and stray from it by no more
/// than a quarter of its whole rise. `None` also when there is too little history to tell.
///
/// When more than f sources seem to smear at once, it may be the others that do: then nobody can
/// tell, and that is an alarm, not a reason to leave them out.
#[must_use]
pub fn detect(history: &[Residual], end: MonthEnd) -> Option<Smear> {
    let newest = history.last()?;
    let l = end.instant();
    let is_after = newest.at >= l;
    let counts = |point: &&Residual| {
        (point.at >= l) == is_after && (point.at - l).magnitude() <= WINDOW && point.at <= newest.at
    };
    let points: Vec<&Residual> = history.iter().rev().take(POINTS_MAX).filter(counts).collect();
    let oldest = points.last()?;
    let over = (newest.at - oldest.at).magnitude();
    if points.len() < POINTS_MIN || over < HISTORY_MIN {
        return None;
    }
    let line = Line::through(&points, oldest.at)?;
    let (rise, stray) = (line.rise_ns(over), line.stray_ns(&points, oldest.at));
    let drift_ppb = i64::try_from(rise * 1_000_000_000 / i128::from(over.as_nanos())).ok()?;
    let straight = stray.saturating_mul(4) <= rise.abs();
    (straight && drift_ppb.unsigned_abs() >= DRIFT_PPB_MIN).then_some(Smear { drift_ppb, over })
}

/// A line of residuals in nanoseconds over time in milliseconds: `(top * t + base) / bottom`.
struct Line {
    top: i128,
    base: i128,
    bottom: i128,
}

impl Line {
    /// By least squares. Times span at most 25 h and residuals are held to 10 s, so that with
    /// 2^16 points no product reaches 2^121.
    fn through(points: &[&Residual], since: Timestamp<Utc>) -> Option<Self> {
        let (mut n, mut t, mut r, mut tt, mut tr) = (0, 0, 0, 0, 0);
        for point in points {
            let (x, y) = coordinates(point, since);
            (n, t, r, tt, tr) = (n + 1, t + x, r + y, tt + x * x, tr + x * y);
        }
        let bottom = n * tt - t * t;
        (bottom > 0).then(|| Self { top: n * tr - t * r, base: r * tt - t * tr, bottom })
    }

    fn rise_ns(&self, over: Bound) -> i128 {
        self.top * i128::from(over.as_nanos() / 1_000_000) / self.bottom
    }

    /// How far the point that fits worst is from the line.
    fn stray_ns(&self, points: &[&Residual], since: Timestamp<Utc>) -> i128 {
        let off = |point: &&Residual| {
            let (x, y) = coordinates(point, since);
            (y - (self.top * x + self.base) / self.bottom).abs()
        };
        points.iter().map(off).max().unwrap_or(0)
    }
}

fn coordinates(point: &Residual, since: Timestamp<Utc>) -> (i128, i128) {
    const NANOS_MAX: i64 = 10_000_000_000;
    let ms = (point.at - since).as_nanos() / 1_000_000;
    (i128::from(ms), i128::from(point.ahead.as_nanos().clamp(-NANOS_MAX, NANOS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;
    const HOUR_MS: i64 = 3_600_000;

    fn end() -> MonthEnd {
        MonthEnd::of(2026, 12).expect("a month")
    }

    /// Polls every 16 s from `from_h` to `to_h` hours about L. `ahead` gives nanoseconds for
    /// milliseconds from L; the noise takes turns.
    fn history(from_h: i64, to_h: i64, noise_ns: i64, ahead: impl Fn(i64) -> i64) -> Vec<Residual> {
        (from_h * HOUR_MS..to_h * HOUR_MS)
            .step_by(16_000)
            .enumerate()
            .map(|(index, ms)| Residual {
                at: end().instant() + Span::from_millis(ms),
                ahead: Span::from_nanos(ahead(ms) + noise_ns * ((index % 5) as i64 - 2) / 2),
            })
            .collect()
    }

    /// Linear from noon to noon: behind by up to half a second, then ahead and back to nothing.
    fn noon_to_noon(ms: i64) -> i64 {
        match ms {
            ..-43_200_000 | 43_200_000.. => 0,
            ..0 => -(ms + 43_200_000) * MS / 86_400,
            _ => (43_200_000 - ms) * MS / 86_400,
        }
    }

    #[test]
    fn a_smear_from_noon_to_noon_is_found_on_both_sides() {
        for (from_h, to_h) in [(-12, -11), (-10, -1), (-12, 0), (0, 1), (3, 12)] {
            let found = detect(&history(from_h, to_h, MS, noon_to_noon), end()).expect("a smear");
            assert_eq!(found.sign(), LeapSign::Insert);
            assert!((-11_900..-11_300).contains(&found.drift_ppb), "{found:?}");
        }
        let deletes = detect(&history(-8, -6, MS, |ms| -noon_to_noon(ms)), end());
        assert_eq!(deletes.map(|found| found.sign()), Some(LeapSign::Delete));
    }

    #[test]
    fn the_jump_at_the_boundary_is_no_drift() {
        let (before, after) = (history(-12, 0, MS, noon_to_noon), history(0, 1, MS, noon_to_noon));
        let found = detect(&[before, after].concat(), end()).expect("a smear");
        assert!((-11_900..-11_300).contains(&found.drift_ppb), "{found:?}");
    }

    #[test]
    fn steady_sources_do_not_smear() {
        for noise in [0, MS, 20 * MS] {
            assert_eq!(detect(&history(-12, -1, noise, |_| 7 * MS), end()), None);
        }
        // A step of the path, and a drift that is an oscillator's, not a smear's.
        assert_eq!(
            detect(&history(-4, -1, MS, |ms| if ms < -2 * HOUR_MS { 0 } else { 20 * MS }), end()),
            None
        );
        assert_eq!(detect(&history(-12, -1, 0, |ms| ms / 1_000 * 2_000), end()), None);
    }

    #[test]
    fn too_little_history_or_another_day_says_nothing() {
        assert_eq!(detect(&[], end()), None);
        assert_eq!(detect(&history(-1, 0, 0, noon_to_noon)[..100], end()), None);
        let smear = |ms: i64| -ms * MS / 86_400;
        assert_eq!(detect(&history(-60, -30, 0, smear), end()), None);
        assert!(detect(&history(-60, -20, 0, smear), end()).is_some());
    }

    #[test]
    fn known_marks_are_refused() {
        for id in [[254, 0, 0, 1], [127, 127, 1, 255], *b"GOOG"] {
            assert!(is_smear_reference_id(id), "{id:?}");
        }
        for id in [*b"PTB\0", *b"GPS\0", [127, 127, 1, 1], [192, 53, 103, 108]] {
            assert!(!is_smear_reference_id(id), "{id:?}");
        }
    }

    proptest! {
        #[test]
        fn no_history_overflows(
            points in prop::collection::vec(any::<(i64, i64)>(), 0..200), near in any::<bool>(),
        ) {
            let l = end().instant().as_unix_nanos();
            let mut history: Vec<Residual> = points.into_iter().map(|(at, ahead)| Residual {
                at: Timestamp::from_unix_nanos(if near { l + at % (WINDOW.as_nanos() as i64) } else { at }),
                ahead: Span::from_nanos(ahead),
            }).collect();
            history.sort_by_key(|point| point.at);
            let _ = detect(&history, end());
        }

        /// Any steady rate from 5 to 500 ppm is found within the hour under 2 ms of noise, with
        /// its sign.
        #[test]
        fn every_smear_is_found(ppb in 5_000..500_000i64, behind in any::<bool>(), noise in 0..2 * MS) {
            let signed = if behind { -ppb } else { ppb };
            let found = detect(&history(-6, -5, noise, |ms| ms / 1_000 * signed), end());
            let sign = if behind { LeapSign::Insert } else { LeapSign::Delete };
            prop_assert_eq!(found.map(|found| found.sign()), Some(sign));
        }
    }
}
