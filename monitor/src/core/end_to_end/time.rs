//! Whether a token's time can be right, whatever UTC was while it was made.

use chronolease_core::interval::Interval;
use chronolease_core::time::{Bound, Ppb, RawInstant, Span, Timestamp, Utc};

/// When a token was made, on the monitor's oscillator, and what is known of UTC.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Before the request was sent.
    pub asked: RawInstant,
    /// After the answer was in.
    pub answered: RawInstant,
    /// UTC - RAW as it holds at `now`.
    pub utc_minus_raw: Interval,
    /// Now.
    pub now: RawInstant,
    /// The oscillator error borne.
    pub rho: Ppb,
}

/// What a token's time proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Whatever UTC was, there is an instant of the window within the accuracy of it.
    Right,
    /// Whatever UTC was, there is none: P1 is broken.
    Wrong,
    /// Neither.
    Neither,
}

impl Window {
    /// UTC - RAW as it held throughout the window.
    fn utc(&self) -> Interval {
        self.utc_minus_raw.widened(self.rho.over((self.now - self.asked).magnitude()))
    }

    /// The UTC of the window: spans since 1970.
    #[must_use]
    pub fn span(&self) -> Interval {
        let utc = self.utc();
        let at = |raw: RawInstant, offset: Span| Span::from_nanos(raw.as_nanos()) + offset;
        let (first, last) = (at(self.asked, utc.lo()), at(self.answered, utc.hi()));
        // An answer never comes before its question.
        Interval::new(first, last).or_else(|| Interval::new(last, first)).expect("one order holds")
    }

    /// genTime less UTC, whenever in the window it was read.
    #[must_use]
    pub fn error(&self, gen_time: Timestamp<Utc>) -> Interval {
        let (time, span) = (Span::from_nanos(gen_time.as_unix_nanos()), self.span());
        Interval::new(time - span.hi(), time - span.lo()).expect("the span is in order")
    }

    /// What `gen_time` proves, with the accuracy that its token claims.
    #[must_use]
    pub fn judge(&self, gen_time: Timestamp<Utc>, accuracy: Bound) -> Proof {
        // In i128, where nothing overflows and nothing saturates in anybody's favour.
        let (time, claim) = (i128::from(gen_time.as_unix_nanos()), i128::from(accuracy.as_nanos()));
        let [asked, answered] = [self.asked, self.answered].map(|raw| i128::from(raw.as_nanos()));
        let utc = self.utc();
        let [lo, hi] = [utc.lo(), utc.hi()].map(|offset| i128::from(offset.as_nanos()));
        if time + claim < asked + lo || time - claim > answered + hi {
            Proof::Wrong
        } else if time + claim >= asked + hi && time - claim <= answered + lo {
            Proof::Right
        } else {
            Proof::Neither
        }
    }
}
