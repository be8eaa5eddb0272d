//! What happened at a boundary, and when issuing may go on.

use core::fmt;

use super::LeapSign;
use super::blackout::{AMBIGUOUS, Blackout};
use super::month_end::MonthEnd;
use super::plan::Outlook;
use crate::evidence::merkle::Hash;
use crate::interval::Interval;
use crate::time::{Bound, Ppb, RawInstant, Span, Timestamp, Utc};

const HALF_S: Span = Span::from_millis(500);

/// What the monitor knew of UTC at one instant of its oscillator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The instant.
    pub at: RawInstant,
    /// UTC since 1970 less RAW.
    pub utc_minus_raw: Interval,
}

/// What UTC did at a boundary, by the oscillator that ran through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It ran through.
    Nothing,
    /// It leapt.
    Leap(LeapSign),
    /// The intervals are too wide to tell, or it moved by something else than a second.
    Unclear,
}

impl Observed {
    /// The number that stands for it in a leaf.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Nothing => 1,
            Self::Leap(LeapSign::Insert) => 2,
            Self::Leap(LeapSign::Delete) => 3,
            Self::Unclear => 4,
        }
    }

    /// What this number stands for in a leaf.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Nothing),
            2 => Some(Self::Leap(LeapSign::Insert)),
            3 => Some(Self::Leap(LeapSign::Delete)),
            4 => Some(Self::Unclear),
            _ => None,
        }
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no leap second"),
            Self::Leap(sign) => fmt::Display::fmt(sign, f),
            Self::Unclear => f.write_str("unclear"),
        }
    }
}

/// Compares what was known before a boundary with what is known after it. A positive leap second
/// takes one second from UTC - RAW, a negative one adds it.
#[must_use]
pub fn observe(before: &Reading, after: &Reading, rho: Ppb) -> Observed {
    let drift = rho.over((after.at - before.at).magnitude());
    let (old, new) = (before.utc_minus_raw, after.utc_minus_raw.widened(drift));
    match Interval::new(new.lo() - old.hi(), new.hi() - old.lo()).and_then(whole_second) {
        Some(0) => Observed::Nothing,
        Some(-1) => Observed::Leap(LeapSign::Insert),
        Some(1) => Observed::Leap(LeapSign::Delete),
        _ => Observed::Unclear,
    }
}

/// The second from -1 to 1 that the whole interval is nearest to.
fn whole_second(interval: Interval) -> Option<i64> {
    (-1..=1).find(|&second| {
        let middle = Span::from_millis(second * 1_000);
        let near = Interval::new(middle - HALF_S, middle + HALF_S);
        near.is_some_and(|near| interval.is_inside(near))
    })
}

/// How one source passed a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// Within half a second of UTC, as before.
    InStep,
    /// It ran through a leap second that happened: now it is a second off.
    DidNotStep(LeapSign),
    /// It leapt where UTC did not: a false leap second.
    SteppedFalsely(LeapSign),
    /// It is off by something that no leap second explains.
    Elsewhere,
    /// Its interval is too wide to tell.
    Unclear,
}

/// Judges how a source passed a boundary at which `happened` happened. `ahead` holds how far it is
/// ahead of the fused UTC now, with everything measured after the boundary.
#[must_use]
pub fn crossing(happened: Option<LeapSign>, ahead: Interval) -> Crossing {
    use LeapSign::{Delete, Insert};
    match (happened, whole_second(ahead)) {
        (_, Some(0)) => Crossing::InStep,
        (Some(Insert), Some(1)) | (Some(Delete), Some(-1)) => {
            Crossing::DidNotStep(if happened == Some(Insert) { Insert } else { Delete })
        }
        (None, Some(-1)) => Crossing::SteppedFalsely(Insert),
        (None, Some(1)) => Crossing::SteppedFalsely(Delete),
        (_, Some(_)) => Crossing::Elsewhere,
        (_, None) => {
            let near = Interval::within(Bound::from_millis(1_500));
            let far = ahead.intersection(near).is_none();
            if far { Crossing::Elsewhere } else { Crossing::Unclear }
        }
    }
}

/// A round of the monitor near a boundary: its sources fused, and a probe judged against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// UTC at the round, as an interval since 1970.
    pub utc: Interval,
    /// The earliest UTC at which an exchange with a source that the round uses began.
    pub oldest: Timestamp<Utc>,
    /// Whether the verdict on the TSU was GOOD.
    pub good: bool,
}

/// Where the passage over a boundary stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The blackout lies ahead.
    Ahead,
    /// In the blackout.
    Blackout,
    /// After it, with so many full GOOD rounds in a row.
    Settling {
        /// How many.
        good: u8,
    },
    /// Issuing may go on.
    Over,
}

/// One TSU's passage over one boundary: no lease from the first reading of the blackout until
/// enough full GOOD rounds have passed after it. A round is full when all that it uses was measured
/// after the boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    blackout: Blackout,
    stage: Stage,
}

impl Passage {
    /// How many full GOOD rounds in a row end the passage.
    pub const ROUNDS: u8 = 2;

    /// The passage over the end of a month, which lies ahead.
    #[must_use]
    pub const fn over(end: MonthEnd) -> Self {
        Self { blackout: Blackout::around(end), stage: Stage::Ahead }
    }

    /// Where it stands.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether a lease may be granted or stay in force.
    #[must_use]
    pub const fn permits(&self) -> bool {
        matches!(self.stage, Stage::Ahead | Stage::Over)
    }

    /// Takes a round. A round without UTC is none: what is not known moves nothing.
    pub fn handle(&mut self, round: &Round) -> Stage {
        let from = Span::from_nanos(self.blackout.from().as_unix_nanos());
        let clean = self.blackout.end().instant() + AMBIGUOUS.as_span();
        self.stage = match self.stage {
            Stage::Over => Stage::Over,
            Stage::Ahead if round.utc.hi() < from => Stage::Ahead,
            _ if self.blackout.covers(round.utc) || round.utc.hi() < from => Stage::Blackout,
            stage => {
                let before = if let Stage::Settling { good } = stage { good } else { 0 };
                match before.saturating_add(1) {
                    _ if !round.good || round.oldest <= clean => Stage::Settling { good: 0 },
                    good if good >= Self::ROUNDS => Stage::Over,
                    good => Stage::Settling { good },
                }
            }
        };
        self.stage
    }
}

/// The record of a boundary, with or without a leap second (EN 319 421 7.7.2 asks for the exact
/// time of the change).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeapChange {
    /// The boundary.
    pub end: MonthEnd,
    /// What was expected when the blackout began.
    pub expected: Outlook,
    /// What UTC did.
    pub observed: Observed,
    /// The last that was known before the ambiguous seconds.
    pub before: Reading,
    /// The first that was known after them.
    pub after: Reading,
    /// The oscillator error that is assumed between the two.
    pub rho: Ppb,
    /// SHA-256 over the list of leap seconds in force, if there was one.
    pub list: Option<Hash>,
}

impl LeapChange {
    /// The exact time of the change on the monitor's oscillator, from its earliest to its latest
    /// possible instant: when 23:59:60 began, when 23:59:59 was left out, or when L passed.
    #[must_use]
    pub fn when(&self) -> (RawInstant, RawInstant) {
        let l = Span::from_nanos(self.end.instant().as_unix_nanos());
        let reading = match self.observed {
            Observed::Leap(LeapSign::Delete) => l - Span::from_millis(1_000),
            Observed::Leap(LeapSign::Insert) | Observed::Nothing | Observed::Unclear => l,
        };
        let raw = |utc_minus_raw: Span| reading - utc_minus_raw;
        let known = self.before.utc_minus_raw;
        let from_reading = |raw: Span| raw - Span::from_nanos(self.before.at.as_nanos());
        let drift = |raw: Span| self.rho.over(from_reading(raw).magnitude()).as_span();
        let (first, last) = (raw(known.hi()), raw(known.lo()));
        let instant = |span: Span| RawInstant::from_nanos(span.as_nanos());
        (instant(first - drift(first)), instant(last + drift(last)))
    }

    /// Whether the record says of itself what its own readings show.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.observed == observe(&self.before, &self.after, self.rho)
    }
}

#[cfg(test)]
mod tests;
