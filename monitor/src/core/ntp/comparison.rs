//! The same server asked by two implementations that nobody wrote together.

use chronolease_core::interval::Interval;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, Ppb, Span};

use super::exchange::SourceSample;

/// What arithmetic in floating point may cost the second one; it counts seconds from 1900.
const ROUNDING: Bound = Bound::from_nanos(10_000);

/// What the second implementation says of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondOpinion {
    /// The server's clock less this box's system clock.
    pub offset: Span,
    /// The round trip less the server's residence.
    pub delay: Bound,
}

/// Both say how far a server is ahead of this box's system clock, as an interval each. If both are
/// right they meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// By the exchange that samples come from.
    pub ours: Interval,
    /// By the other implementation.
    pub theirs: Interval,
}

impl Comparison {
    /// Compares a sample with what was said between the readings `before` and `after` of this box's
    /// clocks. What the system clock moved meanwhile is allowed for.
    #[must_use]
    pub fn of(
        sample: &SourceSample,
        second: SecondOpinion,
        [before, after]: [&Sample; 2],
        rho: Ppb,
    ) -> Self {
        let moved = (after.real_minus_raw() - before.real_minus_raw()).magnitude();
        let brackets = [before, after].map(|sample| sample.bracket().unwrap_or(Bound::MAX));
        let ours = sample
            .at(after.raw_after, rho)
            .shifted(-after.real_minus_raw())
            .widened(moved + brackets[0] + brackets[1]);
        let half = Bound::from_nanos(second.delay.as_nanos().div_ceil(2));
        let theirs = Interval::within(half + ROUNDING).shifted(second.offset);
        Self { ours, theirs }
    }

    /// Whether they can both be right.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.ours.intersection(self.theirs).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ntp::packet::{LeapIndicator, RefId};
    use chronolease_core::id::BootId;
    use chronolease_core::time::{RawInstant, Timestamp};

    const MS: i64 = 1_000_000;
    /// The system clock less RAW.
    const REAL: i64 = 1_790_000_000_000 * MS;

    fn clocks(raw: i64, off: i64) -> Sample {
        Sample {
            raw_before: RawInstant::from_nanos(raw),
            real: Timestamp::from_unix_nanos(REAL + raw + off),
            raw_after: RawInstant::from_nanos(raw),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([0; 16]),
        }
    }

    /// Of a server that is `ahead` of the system clock, give or take 5 ms.
    fn sample(ahead: i64) -> SourceSample {
        let middle = Span::from_nanos(REAL + ahead);
        SourceSample {
            utc_minus_raw: Interval::within(Bound::from_millis(5)).shifted(middle),
            sent: RawInstant::from_nanos(0),
            received: RawInstant::from_nanos(0),
            delay: Bound::from_millis(10),
            root_distance: Bound::ZERO,
            stratum: 1,
            leap: LeapIndicator::NoWarning,
            reference_id: RefId(*b"PTB\0"),
            authenticated: false,
        }
    }

    fn agree(ahead: i64, offset: i64, moved: i64) -> bool {
        let second =
            SecondOpinion { offset: Span::from_nanos(offset), delay: Bound::from_millis(8) };
        let (before, after) = (clocks(0, 0), clocks(0, moved));
        Comparison::of(&sample(ahead), second, [&before, &after], Ppb::from_ppm(100)).agree()
    }

    #[test]
    fn they_agree_within_their_joint_delay_and_not_beyond() {
        for ahead in [0, 3_000 * MS, -3_000 * MS] {
            assert!(agree(ahead, ahead + 9 * MS, 0) && agree(ahead, ahead - 9 * MS, 0));
            assert!(!agree(ahead, ahead + 10 * MS, 0) && !agree(ahead, ahead - 10 * MS, 0));
        }
    }

    #[test]
    fn what_the_system_clock_moved_is_allowed_for() {
        // It was set forward by 50 ms in between: one of the two measured against the old one.
        assert!(agree(0, -50 * MS, 50 * MS) && agree(0, 0, 50 * MS));
        assert!(!agree(0, -150 * MS, 50 * MS));
    }
}
