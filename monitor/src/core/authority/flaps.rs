//! Leases that come and go.

use std::collections::VecDeque;

use chronolease_core::lease::EndingCause;
use chronolease_core::time::{Bound, RawInstant};

/// How long an ending counts.
const WINDOW: Bound = Bound::from_millis(3_600_000);
/// So many endings within that are too many.
const TOO_MANY: usize = 3;

/// Counts the endings of the last hour. A restart of the monitor forgets them.
#[derive(Debug, Default)]
pub(super) struct Flaps {
    endings: VecDeque<RawInstant>,
}

impl Flaps {
    /// A lease ended. A TSU that was restarted and a leap second say nothing about a clock.
    pub(super) fn ended(&mut self, cause: EndingCause, now: RawInstant) {
        if matches!(cause, EndingCause::Restarted | EndingCause::LeapSecond) {
            return;
        }
        self.endings.push_back(now);
        if self.endings.len() > TOO_MANY {
            self.endings.pop_front();
        }
    }

    /// Whether so many leases ended lately that the next one has to wait longer.
    pub(super) fn are_too_many(&self, now: RawInstant) -> bool {
        let lately = |at: &&RawInstant| now - **at <= WINDOW.as_span();
        self.endings.iter().filter(lately).count() >= TOO_MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> RawInstant {
        RawInstant::from_nanos(minute * 60_000_000_000)
    }

    #[test]
    fn three_endings_within_an_hour_are_too_many() {
        let mut flaps = Flaps::default();
        for minute in [0, 30, 59] {
            assert!(!flaps.are_too_many(at(minute)));
            flaps.ended(EndingCause::QuorumLost, at(minute));
        }
        assert!(flaps.are_too_many(at(60)));
        assert!(!flaps.are_too_many(at(61)));
        flaps.ended(EndingCause::Lapsed, at(80));
        assert!(flaps.are_too_many(at(80)), "the last three");
    }

    #[test]
    fn restarts_and_leap_seconds_do_not_count() {
        let mut flaps = Flaps::default();
        for minute in 0..10 {
            flaps.ended(EndingCause::Restarted, at(minute));
            flaps.ended(EndingCause::LeapSecond, at(minute));
        }
        assert!(!flaps.are_too_many(at(10)));
    }
}
