//! What the sources say, and what follows.

use crate::fusion::{Agreement, Faults, NoUtc};
use crate::id::TsuId;
use crate::interval::Interval;
use crate::time::{Bound, Rate};

/// What the sources say at the instant of the leaf's sample, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// How many laboratories may lie.
    pub faults: Faults,
    /// Every configured source, in the configured order.
    pub sources: Vec<SourceReading>,
    /// Whether authenticated samples alone count.
    pub authenticated_only: bool,
    /// Holds UTC less RAW at the sample's `raw_before`, or says why nothing is known.
    pub utc: Result<Interval, NoUtc>,
    /// Where most laboratories agree: an estimate, on which nothing rests.
    pub estimate: Option<Agreement>,
    /// How the clocks run: box B first, then the TSUs whose clocks were judged. Empty in records of
    /// builds that did not tell it.
    pub drifts: Vec<Drift>,
}

/// What one source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReading {
    /// Its name in the configuration.
    pub name: String,
    /// Its laboratory in the configuration.
    pub group: String,
    /// What is to be said of it.
    pub state: SourceState,
    /// UTC less RAW by its account, if it has a usable sample.
    pub interval: Option<Interval>,
    /// Whether that sample proved who gave it (NTS).
    pub authenticated: bool,
    /// Why it is in its state, or what was wrong with its last poll.
    pub reason: Option<SourceReason>,
}

/// Why a source is in its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReason {
    /// In one word, as in the metrics.
    pub word: String,
    /// For persons.
    pub detail: String,
}

/// What is to be said of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It has a usable sample.
    Ok,
    /// Its interval does not meet UTC.
    Falseticker,
    /// Its sample is too old.
    Stale,
    /// It does not answer.
    Unreachable,
    /// Its answer was refused.
    Excluded,
}

/// How a clock runs against UTC, and what it was stepped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Whose clock. `None`: box B. There the rate is that of UTC against its oscillator, and the
    /// steps are those of its system clock.
    pub tsu: Option<TsuId>,
    /// How much a TSU's clock gains on UTC, or UTC on box B's oscillator, over the last hour at most,
    /// if it is known already.
    pub rate: Option<Rate>,
    /// The sizes of all steps since the monitor's start.
    pub stepped: Bound,
}
