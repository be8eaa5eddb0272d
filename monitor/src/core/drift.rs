//! How fast clocks and oscillators run against UTC, and what was stepped. For alarms: a rate beyond
//! what is assumed of an oscillator, and clocks that somebody keeps setting, are told before they
//! cost a lease. No judgement rests on it.

use std::collections::VecDeque;

use chronolease_core::interval::Interval;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, Ppb, Rate, RawInstant, Span};

/// The distance of the points that are kept.
const SPACING: Bound = Bound::from_millis(60_000);
/// How many: an hour.
const POINTS: usize = 60;
/// The slews that a clock may make against its oscillator without having been stepped: 500 ppm of
/// the kernel's discipline, and 100 ppm of the oscillator.
const SLEW: Ppb = Ppb::from_ppm(600);
/// What two readings of one clock may differ by for no reason.
const NOISE: Bound = Bound::from_nanos(20_000);

/// The rate of something that is known as an interval, over the last hour.
#[derive(Clone, Debug, Default)]
pub struct RateWatch {
    points: VecDeque<(RawInstant, Interval)>,
    newest: Option<(RawInstant, Interval)>,
}

impl RateWatch {
    /// It was within `interval` at `at`.
    pub fn note(&mut self, at: RawInstant, interval: Interval) {
        self.newest = Some((at, interval));
        if self.points.back().is_none_or(|(last, _)| at - *last >= SPACING.as_span()) {
            self.points.push_back((at, interval));
            if self.points.len() > POINTS {
                self.points.pop_front();
            }
        }
    }

    /// What was known before means nothing any more.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// The rate from the oldest point that is kept to the newest; `None` before they are a minute
    /// apart.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        let (&(from, before), (until, after)) = (self.points.front()?, self.newest?);
        let length = until - from;
        if length < SPACING.as_span() {
            return None;
        }
        let ppb = |change: Span| {
            let ppb = i128::from(change.as_nanos()) * 1_000_000_000 / i128::from(length.as_nanos());
            i64::try_from(ppb).unwrap_or(if ppb < 0 { i64::MIN } else { i64::MAX })
        };
        Some(Rate {
            lo_ppb: ppb(after.lo() - before.hi()).saturating_sub(1),
            hi_ppb: ppb(after.hi() - before.lo()).saturating_add(1),
        })
    }
}

/// The steps of a system clock against the oscillator of its box.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepWatch {
    last: Option<Sample>,
    /// Whatever their direction.
    total: Bound,
}

impl StepWatch {
    /// The clocks of the box showed this. Gives the size of the step since the last time, if there
    /// was one.
    pub fn note(&mut self, now: &Sample) -> Option<Bound> {
        let last = self.last.replace(*now).filter(|last| last.boot_id == now.boot_id)?;
        let (Some(before), Some(after)) = (last.bracket(), now.bracket()) else { return None };
        let allowed =
            SLEW.over((now.raw_after - last.raw_before).magnitude()) + before + after + NOISE;
        let moved = (now.real_minus_raw() - last.real_minus_raw()).magnitude();
        if moved <= allowed {
            return None;
        }
        self.total = self.total + moved;
        Some(moved)
    }

    /// The size of all steps together.
    #[must_use]
    pub const fn total(&self) -> Bound {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::id::BootId;
    use chronolease_core::time::Timestamp;

    const S: i64 = 1_000_000_000;
    const RHO: Ppb = Ppb::from_ppm(100);

    fn at(s: i64) -> RawInstant {
        RawInstant::from_nanos(s * S)
    }

    fn around(ns: i64, radius_ms: u64) -> Interval {
        Interval::within(Bound::from_millis(radius_ms)).shifted(Span::from_nanos(ns))
    }

    /// Noted every 16 s for so long, drifting by so many ppm, known to so many ms.
    fn rate(seconds: i64, ppm: i64, radius_ms: u64) -> Option<Rate> {
        let mut watch = RateWatch::default();
        for s in (0..=seconds).step_by(16) {
            watch.note(at(s), around(s * ppm * 1_000, radius_ms));
        }
        watch.rate()
    }

    #[test]
    fn the_rate_is_bounded_by_what_is_known_at_both_ends() {
        assert_eq!(rate(48, 50, 1), None);
        let hour = rate(3_600, 50, 9).expect("an hour");
        assert!(hour.lo_ppb < 50_000 && 50_000 < hour.hi_ppb, "{hour:?}");
        // 18 ms at either end over about an hour.
        assert!((hour.hi_ppb - hour.lo_ppb) < 11_000, "{hour:?}");
        assert!((hour.middle_ppb() - 50_000).abs() < 10, "{hour:?}");
    }

    #[test]
    fn only_what_is_proven_is_beyond() {
        assert!(!rate(3_600, 99, 9).expect("an hour").is_beyond(RHO));
        assert!(!rate(3_600, 102, 9).expect("an hour").is_beyond(RHO), "not proven");
        assert!(rate(3_600, 120, 9).expect("an hour").is_beyond(RHO));
        assert!(rate(3_600, -120, 9).expect("an hour").is_beyond(RHO));
        assert!(!rate(64, 120, 9).expect("a minute").is_beyond(RHO), "not proven yet");
    }

    #[test]
    fn the_rate_is_that_of_the_last_hour_and_goes_with_a_break() {
        let mut watch = RateWatch::default();
        for s in (0..7_200).step_by(16) {
            let ns = if s < 3_600 { 0 } else { (s - 3_600) * 200_000 };
            watch.note(at(s), around(ns, 1));
        }
        assert!(watch.rate().expect("an hour").middle_ppb() > 180_000);
        watch.restart();
        assert_eq!(watch.rate(), None);
    }

    fn sample(raw_ns: i64, off_ns: i64, boot: u8) -> Sample {
        Sample {
            raw_before: RawInstant::from_nanos(raw_ns),
            real: Timestamp::from_unix_nanos(1_790_000_000 * S + raw_ns + off_ns),
            raw_after: RawInstant::from_nanos(raw_ns),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([boot; 16]),
        }
    }

    #[test]
    fn steps_add_up_and_slews_do_not() {
        let mut watch = StepWatch::default();
        let clock = [(0, 0), (1, 500_000), (2, 1_000_000), (3, 6_000_000), (4, 1_000_000)];
        let steps: Vec<Option<Bound>> =
            clock.into_iter().map(|(s, off)| watch.note(&sample(s * S, off, 1))).collect();
        let five = Some(Bound::from_millis(5));
        assert_eq!(steps, [None, None, None, five, five]);
        assert_eq!(watch.total(), Bound::from_millis(10));
        // Another boot is another clock.
        assert_eq!(watch.note(&sample(5 * S, 3_600 * S, 2)), None);
    }
}
