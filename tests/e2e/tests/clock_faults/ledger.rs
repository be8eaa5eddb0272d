//! What clients were told, and whether it was true.

use std::fmt;
use std::sync::Mutex;

use chronolease_core::time::{Bound, Span, Timestamp, Utc};
use chronolease_e2e::tsp::{Answer, Outcome};

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A token with this time.
    Token(Timestamp<Utc>),
    /// There is no time to be had now: timeNotAvailable.
    NoTime,
    /// Something that no clock fault excuses.
    Other(String),
}

/// A request and what came of it. The truth is this machine's own clock, which nobody fakes.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// Before the request was sent.
    pub(crate) sent: Timestamp<Utc>,
    /// After the answer was received.
    pub(crate) received: Timestamp<Utc>,
    /// What came of it.
    pub(crate) told: Told,
}

impl From<Answer> for Exchange {
    fn from(answer: Answer) -> Self {
        let told = match &answer.outcome {
            Outcome::Token(token) => Told::Token(token.gen_time),
            Outcome::Rejected(_) if answer.is_time_not_available() => Told::NoTime,
            other => Told::Other(format!("{other:?}")),
        };
        Self { sent: answer.sent, received: answer.received, told }
    }
}

impl Exchange {
    /// How far the token's time is from every instant at which it may have been made. What the cut
    /// to milliseconds takes away is part of the error.
    pub(crate) fn error(&self) -> Option<Span> {
        let Told::Token(gen_time) = self.told else { return None };
        let (early, late) = (gen_time - self.sent, gen_time - self.received);
        Some(if early < Span::ZERO { early } else { late.max(Span::ZERO) })
    }

    fn is_off_by_more_than(&self, limit: Bound) -> bool {
        self.error().is_some_and(|error| error.magnitude() > limit)
    }

    fn is_token(&self) -> bool {
        matches!(self.told, Told::Token(_))
    }

    fn is_within(&self, stepped: &Stepped) -> bool {
        self.sent > stepped.out && self.received < stepped.back
    }
}

/// A time during which the clock was known to be stepped away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stepped {
    /// Read after the step was in force.
    pub(crate) out: Timestamp<Utc>,
    /// Read before the clock was set right again.
    pub(crate) back: Timestamp<Utc>,
}

/// All exchanges with one TSU, in the order of their answers.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    exchanges: Mutex<Vec<Exchange>>,
}

impl Ledger {
    /// Adds an exchange.
    pub(crate) fn add(&self, exchange: Exchange) {
        self.exchanges.lock().expect("no holder panics").push(exchange);
    }

    /// Tokens for requests sent after `since`.
    pub(crate) fn tokens_since(&self, since: Timestamp<Utc>) -> usize {
        self.count_since(since, Exchange::is_token)
    }

    /// Refusals of requests sent after `since`.
    pub(crate) fn refusals_since(&self, since: Timestamp<Utc>) -> usize {
        self.count_since(since, |exchange| exchange.told == Told::NoTime)
    }

    fn count_since(&self, since: Timestamp<Utc>, wanted: impl Fn(&Exchange) -> bool) -> usize {
        let exchanges = self.exchanges.lock().expect("no holder panics");
        exchanges.iter().filter(|e| e.sent > since && wanted(e)).count()
    }

    /// Whether the latest answer is a token, so that a lease is held.
    pub(crate) fn tokens_flow(&self) -> bool {
        self.exchanges.lock().expect("no holder panics").last().is_some_and(Exchange::is_token)
    }

    /// The error of the first token that is more than `limit` off, if there is one.
    pub(crate) fn error_beyond(&self, limit: Bound) -> Option<Span> {
        let exchanges = self.exchanges.lock().expect("no holder panics");
        exchanges.iter().filter_map(Exchange::error).find(|error| error.magnitude() > limit)
    }

    /// Every exchange that must not be: a token more than `limit` off, a token asked for and
    /// released while the clock was stepped away, an answer that is neither token nor refusal.
    pub(crate) fn faults(&self, limit: Bound, stepped: &[Stepped]) -> Vec<Exchange> {
        let exchanges = self.exchanges.lock().expect("no holder panics");
        let is_fault = |e: &&Exchange| match e.told {
            Told::Token(_) => {
                e.is_off_by_more_than(limit) || stepped.iter().any(|s| e.is_within(s))
            }
            Told::NoTime => false,
            Told::Other(_) => true,
        };
        exchanges.iter().filter(is_fault).cloned().collect()
    }

    /// The figures.
    pub(crate) fn tally(&self) -> Tally {
        let exchanges = self.exchanges.lock().expect("no holder panics");
        let errors = exchanges.iter().filter_map(Exchange::error);
        Tally {
            tokens: errors.clone().count(),
            refused: exchanges.iter().filter(|e| e.told == Told::NoTime).count(),
            early: errors.clone().min().unwrap_or_default().min(Span::ZERO),
            late: errors.max().unwrap_or_default(),
        }
    }
}

/// Figures to quote.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Tokens in all.
    pub(crate) tokens: usize,
    /// Requests refused for want of time.
    pub(crate) refused: usize,
    /// The error of the token that was furthest behind the truth.
    pub(crate) early: Span,
    /// The error of the token that was furthest ahead of the truth.
    pub(crate) late: Span,
}

impl Tally {
    /// The figures of two TSUs together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            tokens: self.tokens + other.tokens,
            refused: self.refused + other.refused,
            early: self.early.min(other.early),
            late: self.late.max(other.late),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [early, late] = [self.early, self.late].map(|error| error.as_nanos() / 1_000);
        write!(f, "{} tokens off by {early} us to +{late} us, ", self.tokens)?;
        write!(f, "{} requests refused", self.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn at(ms: i64) -> Timestamp<Utc> {
        Timestamp::from_unix_nanos(ms * MS)
    }

    fn token(sent: i64, received: i64, gen_time: i64) -> Exchange {
        Exchange { sent: at(sent), received: at(received), told: Told::Token(at(gen_time)) }
    }

    #[test]
    fn an_error_counts_from_the_nearest_instant_that_is_possible() {
        for (gen_time, error) in [(90, -10), (100, 0), (105, 0), (120, 0), (121, 1)] {
            assert_eq!(token(100, 120, gen_time).error(), Some(Span::from_millis(error)));
        }
    }

    #[test]
    fn faults_are_found_and_nothing_else() {
        let ledger = Ledger::default();
        let told = |told| Exchange { sent: at(300), received: at(301), told };
        ledger.add(token(0, 1, 500));
        ledger.add(token(0, 1, -501));
        ledger.add(token(1_001, 1_002, 1_001));
        ledger.add(token(999, 1_002, 1_001));
        ledger.add(token(1_999, 2_001, 2_000));
        ledger.add(told(Told::NoTime));
        ledger.add(told(Told::Other("Http(500)".to_owned())));
        let stepped = [Stepped { out: at(1_000), back: at(2_000) }];
        let faults = ledger.faults(Bound::from_millis(500), &stepped);
        let told: Vec<_> = faults.into_iter().map(|fault| fault.told).collect();
        let expected =
            [Told::Token(at(-501)), Told::Token(at(1_001)), Told::Other("Http(500)".to_owned())];
        assert_eq!(told, expected);
    }
}
