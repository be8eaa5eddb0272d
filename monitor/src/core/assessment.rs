//! The verdict on a TSU's clock: one probe against the monitor's own interval for UTC.

#[cfg(not(feature = "negative-control"))]
use chronolease_core::broken::{Condition, kept};
use chronolease_core::evidence::leaf::Assessment;
use chronolease_core::interval::Interval;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, Ppb, RawInstant, Span};

/// A probe and its answer, on the monitor's oscillator. The TSU read its clock somewhere between.
#[derive(Clone, Copy, Debug)]
pub struct Probed {
    /// m1: before the probe was sent.
    pub sent: RawInstant,
    /// m4: after the answer was fully received.
    pub received: RawInstant,
    /// What the TSU read.
    pub sample: Sample,
}

/// How far off a clock may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// E0: grant only when the clock is provably within this.
    pub grant_within: Bound,
    /// E_bad: revoke when the clock is provably outside this.
    pub revoke_beyond: Bound,
    /// beta: the widest bracket of a sample.
    pub bracket: Bound,
    /// The oscillator error borne.
    pub rho: Ppb,
}

/// What one probe proves. The interval is `TSU clock - UTC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Provably within E0: grant or renew.
    Good(Interval),
    /// Provably outside E_bad: revoke and latch.
    Bad(Interval),
    /// Neither is proven: do not renew.
    Unknown(Interval),
    /// The TSU was paused while it read its clocks: do not renew.
    Unusable,
}

impl Verdict {
    /// How far from UTC the clock may be, if the probe says.
    #[must_use]
    pub fn clock_bound(&self) -> Option<Bound> {
        match self {
            Self::Good(d) | Self::Bad(d) | Self::Unknown(d) => Some(d.magnitude()),
            Self::Unusable => None,
        }
    }
}

impl From<Verdict> for Assessment {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good(deviation) => Self::Good(deviation),
            Verdict::Bad(deviation) => Self::Bad(deviation),
            Verdict::Unknown(deviation) => Self::Unknown(deviation),
            Verdict::Unusable => Self::Unusable,
        }
    }
}

/// `TSU clock - UTC`, given `utc_minus_raw` as it holds at `now` on the monitor's oscillator.
#[must_use]
pub fn deviation(probed: &Probed, utc_minus_raw: Interval, rho: Ppb, now: RawInstant) -> Interval {
    // The TSU read its clock up to `now - sent` ago; UTC - RAW may have drifted that much since.
    let utc = utc_minus_raw.widened(rho.over((now - probed.sent).magnitude()));
    let real = Span::from_nanos(probed.sample.real.as_unix_nanos());
    let at = |raw: RawInstant| real - Span::from_nanos(raw.as_nanos());
    let (lo, hi) = (at(probed.received) - utc.hi(), at(probed.sent) - utc.lo());
    // An answer never arrives before its probe was sent; were the readings swapped, the interval
    // of both orders is the honest one.
    Interval::new(lo, hi).or_else(|| Interval::new(hi, lo)).expect("one order holds")
}

/// Judges one probe.
#[must_use]
#[cfg(not(feature = "negative-control"))]
pub fn assess(
    probed: &Probed,
    utc_minus_raw: Interval,
    limits: &Limits,
    now: RawInstant,
) -> Verdict {
    if probed.sample.bracket().is_none_or(|bracket| bracket > limits.bracket) {
        return Verdict::Unusable;
    }
    let d = deviation(probed, utc_minus_raw, limits.rho, now);
    if d.is_inside(Interval::within(limits.grant_within)) || !kept(Condition::Verdict) {
        Verdict::Good(d)
    } else if d.intersection(Interval::within(limits.revoke_beyond)).is_none() {
        Verdict::Bad(d)
    } else {
        Verdict::Unknown(d)
    }
}

/// The negative control of the tests: every clock is good, which must lead to wrong tokens. Never
/// part of a shipped build.
#[must_use]
#[cfg(feature = "negative-control")]
pub fn assess(
    probed: &Probed,
    utc_minus_raw: Interval,
    limits: &Limits,
    now: RawInstant,
) -> Verdict {
    Verdict::Good(deviation(probed, utc_minus_raw, limits.rho, now))
}

#[cfg(all(test, not(feature = "negative-control")))]
mod tests {
    use super::*;
    use chronolease_core::id::BootId;
    use chronolease_core::time::Timestamp;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;
    /// UTC - RAW of the monitor in these tests.
    const OFFSET: i64 = 1_790_000_000_000 * MS;
    const LIMITS: Limits = Limits {
        grant_within: Bound::from_millis(125),
        revoke_beyond: Bound::from_millis(250),
        bracket: Bound::from_millis(1),
        rho: Ppb::from_ppm(100),
    };

    fn utc(radius: i64) -> Interval {
        Interval::new(Span::from_nanos(OFFSET - radius), Span::from_nanos(OFFSET + radius))
            .expect("radius >= 0")
    }

    /// A TSU that is `error` off, read `there` after the probe left; the answer took `back`.
    fn probed(error: i64, there: i64, back: i64) -> Probed {
        let read_at = 5_000 * MS;
        Probed {
            sent: RawInstant::from_nanos(read_at - there),
            received: RawInstant::from_nanos(read_at + back),
            sample: Sample {
                raw_before: RawInstant::from_nanos(77),
                real: Timestamp::from_unix_nanos(OFFSET + read_at + error),
                raw_after: RawInstant::from_nanos(77),
                boot_minus_mono: Span::ZERO,
                boot_id: BootId::from_bytes([0; 16]),
            },
        }
    }

    fn verdict(probed: &Probed, radius: i64) -> Verdict {
        assess(probed, utc(radius), &LIMITS, probed.received)
    }

    #[test]
    fn the_three_verdicts() {
        assert!(matches!(verdict(&probed(100 * MS, MS, MS), 5 * MS), Verdict::Good(_)));
        assert!(matches!(verdict(&probed(-260 * MS, MS, MS), 5 * MS), Verdict::Bad(_)));
        assert!(matches!(verdict(&probed(180 * MS, MS, MS), 5 * MS), Verdict::Unknown(_)));
        // A slow answer proves nothing about a good clock.
        assert!(matches!(verdict(&probed(0, 300 * MS, MS), 5 * MS), Verdict::Unknown(_)));
    }

    #[test]
    fn a_paused_reading_is_unusable() {
        let mut paused = probed(0, MS, MS);
        paused.sample.raw_after = RawInstant::from_nanos(77 + 2 * MS);
        assert_eq!(verdict(&paused, MS), Verdict::Unusable);
    }

    proptest! {
        /// Soundness: GOOD only for clocks within E0, BAD only for clocks outside E_bad, whatever
        /// the delays, as long as UTC lies in the monitor's interval.
        #[test]
        fn a_verdict_is_never_wrong(
            error in -600 * MS..600 * MS, there in 0..400 * MS, back in 0..400 * MS,
            radius in 0..60 * MS, truth in -1.0..1.0f64,
        ) {
            let shifted = (truth * radius as f64) as i64;
            let mut probed = probed(error, there, back);
            // UTC lies `shifted` from the middle of the interval, so the clock shows that much more.
            probed.sample.real = probed.sample.real + Span::from_nanos(shifted);
            match verdict(&probed, radius) {
                Verdict::Good(d) => {
                    prop_assert!(error.unsigned_abs() <= LIMITS.grant_within.as_nanos());
                    prop_assert!(d.lo().as_nanos() <= error && error <= d.hi().as_nanos());
                }
                Verdict::Bad(_) => {
                    prop_assert!(error.unsigned_abs() > LIMITS.revoke_beyond.as_nanos());
                }
                Verdict::Unknown(d) => {
                    prop_assert!(d.lo().as_nanos() <= error && error <= d.hi().as_nanos());
                }
                Verdict::Unusable => prop_assert!(false),
            }
        }
    }
}
