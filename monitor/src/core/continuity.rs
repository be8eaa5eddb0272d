//! Whether box B ran through. So far: whether it was suspended.

use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, Span};

/// Why nothing that was measured before may be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// The box was suspended.
    #[error("this box was suspended for {0}")]
    Suspended(Span),
    /// The sample was taken through a pause, so it cannot tell.
    #[error("this box was paused while it read its clocks, for {0:?}")]
    Unclear(Option<Bound>),
}

/// Remembers how far `CLOCK_BOOTTIME` was ahead of `CLOCK_MONOTONIC`.
#[derive(Debug, Default)]
pub struct Continuity {
    last: Option<Span>,
}

impl Continuity {
    /// The widest bracket of a sample that can tell, and the most by which two readings of a box
    /// that ran through may differ.
    pub const SLACK: Bound = Bound::from_millis(2);

    /// What broke since the last sample, if anything did. A sample that cannot tell is a break.
    pub fn broken_by(&mut self, now: &Sample) -> Option<Break> {
        let bracket = now.bracket();
        if bracket.is_none_or(|bracket| bracket > Self::SLACK) {
            return Some(Break::Unclear(bracket));
        }
        let moved = now.boot_minus_mono - *self.last.get_or_insert(now.boot_minus_mono);
        if moved.magnitude() <= Self::SLACK {
            return None;
        }
        self.last = Some(now.boot_minus_mono);
        Some(Break::Suspended(moved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::id::BootId;
    use chronolease_core::time::{RawInstant, Timestamp};

    fn sample(boot_minus_mono_ms: i64, bracket_ms: u64) -> Sample {
        let raw_before = RawInstant::from_nanos(0);
        Sample {
            raw_before,
            real: Timestamp::from_unix_nanos(0),
            raw_after: raw_before.plus(Bound::from_millis(bracket_ms)),
            boot_minus_mono: Span::from_millis(boot_minus_mono_ms),
            boot_id: BootId::from_bytes([0; 16]),
        }
    }

    #[test]
    fn a_suspension_is_told_once() {
        let mut continuity = Continuity::default();
        assert_eq!(continuity.broken_by(&sample(40, 0)), None);
        assert_eq!(continuity.broken_by(&sample(41, 0)), None);
        let suspended = Break::Suspended(Span::from_millis(5_000));
        assert_eq!(continuity.broken_by(&sample(5_040, 0)), Some(suspended));
        assert_eq!(continuity.broken_by(&sample(5_040, 0)), None);
    }

    #[test]
    fn many_small_suspensions_add_up() {
        let mut continuity = Continuity::default();
        let found = (40..44).filter_map(|ms| continuity.broken_by(&sample(ms, 0))).count();
        assert_eq!(found, 1);
    }

    #[test]
    fn a_sample_that_cannot_tell_is_a_break_and_hides_none() {
        let mut continuity = Continuity::default();
        assert_eq!(continuity.broken_by(&sample(40, 0)), None);
        let unclear = Break::Unclear(Some(Bound::from_millis(100)));
        assert_eq!(continuity.broken_by(&sample(5_040, 100)), Some(unclear));
        assert!(matches!(continuity.broken_by(&sample(5_040, 0)), Some(Break::Suspended(_))));
    }
}
