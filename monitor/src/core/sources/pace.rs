//! When a source is asked next.

use core::time::Duration;

use super::PollResult;
use super::backoff::Backoff;

/// How many polls of a burst begin a run, and a new beginning after a break.
pub const BURST: u32 = 4;

/// The longest pause within a burst (RFC 5905 13.2: "spaced at 2-s intervals").
const BURST_PAUSE_MAX: Duration = Duration::from_secs(2);

/// The pace of one source: a burst of quick polls, then the regular interval, longer when the server
/// asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    poll: Duration,
    backoff: Backoff,
    burst_left: u32,
}

impl Pace {
    /// The pace of a source that is polled every `poll`.
    #[must_use]
    pub const fn new(poll: Duration) -> Self {
        Self { poll, backoff: Backoff::new(), burst_left: BURST - 1 }
    }

    /// Nothing is known any more: the burst begins anew. What the server asked for stays.
    pub const fn restart(&mut self) {
        self.burst_left = BURST - 1;
    }

    /// How long after the last request the next one goes out. `dice` spreads it over an eighth of
    /// the interval, so that nobody can tell when, and monitors do not fall into step.
    pub fn next(&mut self, result: &PollResult, dice: u8) -> Duration {
        self.backoff.record(result);
        if self.backoff.is_asked_to_slow_down() {
            self.burst_left = 0;
        }
        if self.burst_left > 0 {
            self.burst_left -= 1;
            return (self.poll / 8).min(BURST_PAUSE_MAX);
        }
        let spread = (self.poll / 8).saturating_mul(u32::from(dice)) / 256;
        (self.poll - self.poll / 16).saturating_add(spread) + self.backoff.extra(self.poll)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{raw, sample};
    use super::*;
    use crate::core::ntp::exchange::{Kiss, Refused};

    const POLL: Duration = Duration::from_secs(64);

    fn good() -> PollResult {
        PollResult::Sample(sample(0, raw(0)))
    }

    #[test]
    fn a_run_begins_with_a_burst_and_so_does_what_follows_a_break() {
        let mut pace = Pace::new(POLL);
        for _ in 0..2 {
            let waits: Vec<Duration> = (0..5).map(|_| pace.next(&good(), 128)).collect();
            let two = Duration::from_secs(2);
            assert_eq!(waits, [two, two, two, POLL, POLL]);
            pace.restart();
        }
        let mut quick = Pace::new(Duration::from_millis(800));
        assert_eq!(quick.next(&good(), 0), Duration::from_millis(100));
    }

    #[test]
    fn waits_are_spread_over_an_eighth_about_the_interval() {
        let mut pace = Pace::new(POLL);
        for _ in 1..BURST {
            pace.next(&good(), 0);
        }
        assert_eq!(pace.next(&good(), 0), Duration::from_secs(60));
        assert_eq!(pace.next(&good(), 128), POLL);
        let last = pace.next(&good(), 255);
        assert!(last > Duration::from_secs(67) && last < Duration::from_secs(68), "{last:?}");
    }

    #[test]
    fn a_rate_kiss_ends_the_burst() {
        let mut pace = Pace::new(POLL);
        let kiss = PollResult::Refused(Refused::Kiss(Kiss::Rate));
        assert_eq!(pace.next(&kiss, 128), POLL * 2);
        assert_eq!(pace.next(&good(), 128), POLL * 2);
        pace.restart();
        assert_eq!(pace.next(&good(), 128), POLL * 2, "the server asked for it");
    }
}
