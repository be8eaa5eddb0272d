//! How a client slows down when a server asks it to.

use core::time::Duration;

use super::PollResult;
use crate::core::ntp::exchange::{Kiss, Refused};

/// How often the regular poll interval fits into the present one: 1, 2, 4 or 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    factor: u32,
    answers: u32,
}

impl Backoff {
    const FACTOR_MAX: u32 = 8;
    /// Answers in a row after which the client tries the next shorter interval. Without a way
    /// back, three forged kisses would slow a source down for good.
    const ANSWERS_TO_RECOVER: u32 = 8;

    /// The regular pace.
    #[must_use]
    pub const fn new() -> Self {
        Self { factor: 1, answers: 0 }
    }

    /// Takes note of how a poll went: a kiss `RATE` doubles the interval (RFC 5905 7.4), a run of
    /// samples halves it again. All else leaves it as it is.
    pub fn record(&mut self, result: &PollResult) {
        match result {
            PollResult::Refused(Refused::Kiss(Kiss::Rate)) => self.rate_limited(),
            PollResult::Sample(_) => self.answered(),
            PollResult::Refused(_) | PollResult::NoAnswer | PollResult::Failed(_) => {}
        }
    }

    fn rate_limited(&mut self) {
        *self = Self { factor: (self.factor * 2).min(Self::FACTOR_MAX), answers: 0 };
    }

    fn answered(&mut self) {
        self.answers = self.answers.saturating_add(1);
        if self.answers >= Self::ANSWERS_TO_RECOVER {
            *self = Self { factor: (self.factor / 2).max(1), answers: 0 };
        }
    }

    /// Whether the present interval is longer than the regular one.
    #[must_use]
    pub const fn is_asked_to_slow_down(&self) -> bool {
        self.factor > 1
    }

    /// What to wait beyond the regular `poll` interval.
    #[must_use]
    pub fn extra(&self, poll: Duration) -> Duration {
        poll.saturating_mul(self.factor - 1)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{raw, sample};
    use super::*;

    const POLL: Duration = Duration::from_secs(16);

    fn kiss(backoff: &mut Backoff, kiss: Kiss) {
        backoff.record(&PollResult::Refused(Refused::Kiss(kiss)));
    }

    fn answers(backoff: &mut Backoff, times: usize) {
        (0..times).for_each(|_| backoff.record(&PollResult::Sample(sample(0, raw(0)))));
    }

    #[test]
    fn each_rate_kiss_doubles_the_interval_up_to_eight_times() {
        let mut backoff = Backoff::new();
        assert_eq!(backoff.extra(POLL), Duration::ZERO);
        for factor in [2, 4, 8, 8] {
            kiss(&mut backoff, Kiss::Rate);
            assert_eq!(POLL + backoff.extra(POLL), POLL * factor);
        }
    }

    #[test]
    fn a_run_of_answers_halves_it_and_a_rate_kiss_ends_the_run() {
        let mut backoff = Backoff::new();
        kiss(&mut backoff, Kiss::Rate);
        kiss(&mut backoff, Kiss::Rate);
        answers(&mut backoff, 7);
        assert_eq!(backoff.extra(POLL), POLL * 3);
        answers(&mut backoff, 1);
        assert_eq!(backoff.extra(POLL), POLL);
        answers(&mut backoff, 7);
        kiss(&mut backoff, Kiss::Rate);
        answers(&mut backoff, 1);
        assert_eq!(backoff.extra(POLL), POLL * 3);
        answers(&mut backoff, 100);
        assert_eq!(backoff.extra(POLL), Duration::ZERO);
    }

    #[test]
    fn nothing_else_changes_the_interval() {
        let mut backoff = Backoff::new();
        kiss(&mut backoff, Kiss::Deny);
        kiss(&mut backoff, Kiss::Restrict);
        backoff.record(&PollResult::NoAnswer);
        backoff.record(&PollResult::Failed("no route to host".to_owned()));
        backoff.record(&PollResult::Refused(Refused::Unsynchronised));
        assert_eq!(backoff.extra(POLL), Duration::ZERO);
    }
}
