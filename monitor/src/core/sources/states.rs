//! What is to be said of a source, and why.

use core::fmt;

use chronolease_core::interval::Interval;
use chronolease_core::time::RawInstant;

use super::{Heard, PollResult, Sources, View};
use crate::core::ntp::exchange::Refused;

/// What is to be said of a source. While there is no UTC, nobody can tell who lies: then sources
/// with a usable sample stay [`SourceState::Ok`], and the alarm is the missing UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It has a usable sample.
    Ok,
    /// Its interval does not meet UTC. Or its laboratory contradicts itself and each of the
    /// laboratory's servers by itself meets UTC, so that it is as suspect as the others.
    Falseticker,
    /// Its last answer was sound, but is too old, or from before a continuity break or the other
    /// side of a boundary.
    Stale,
    /// It was never heard, or its last poll got no answer and no usable sample is left.
    Unreachable,
    /// Its last answer was refused and no usable sample is left.
    Excluded,
}

impl SourceState {
    /// All states.
    pub const ALL: [Self; 5] =
        [Self::Ok, Self::Falseticker, Self::Stale, Self::Unreachable, Self::Excluded];

    /// A name for logs and metric labels.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Falseticker => "falseticker",
            Self::Stale => "stale",
            Self::Unreachable => "unreachable",
            Self::Excluded => "excluded",
        }
    }
}

/// Why a source is in its state, or what was wrong with its last poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its interval does not meet UTC.
    MissesUtc,
    /// It meets UTC, but not the other servers of its laboratory, and each of those meets UTC too.
    ContradictsLaboratory,
    /// It was found to spread leap seconds, by its behaviour.
    Smears,
    /// Its last sample is too old.
    TooOld,
    /// Its sample was discarded: at a break of this box's continuity, or at the end of a month.
    Discarded,
    /// It has not been polled yet.
    NeverHeard,
    /// Its last poll was not answered.
    NoAnswer,
    /// Its last poll could not be sent: what the system said.
    Failed(String),
    /// The answer to its last poll gave no sample.
    Refused(Refused),
}

impl Reason {
    /// What is wrong with a poll that went like this.
    pub(super) fn of(result: &PollResult) -> Option<Self> {
        match result {
            PollResult::Sample(_) => None,
            PollResult::Refused(refused) => Some(Self::Refused(*refused)),
            PollResult::NoAnswer => Some(Self::NoAnswer),
            PollResult::Failed(why) => Some(Self::Failed(why.clone())),
        }
    }

    /// A name for metric labels and the evidence.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::MissesUtc => "misses-utc",
            Self::ContradictsLaboratory => "contradicts-laboratory",
            Self::Smears => "smears",
            Self::TooOld => "too-old",
            Self::Discarded => "discarded",
            Self::NeverHeard => "never-heard",
            Self::NoAnswer => "no-answer",
            Self::Failed(_) => "failed",
            Self::Refused(refused) => refused.label(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissesUtc => f.write_str("its interval does not meet UTC"),
            Self::ContradictsLaboratory => {
                f.write_str("the servers of its laboratory contradict each other")
            }
            Self::Smears => f.write_str("it smears leap seconds"),
            Self::TooOld => f.write_str("its last sample is too old"),
            Self::Discarded => f.write_str("its last sample was discarded"),
            Self::NeverHeard => f.write_str("never heard"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::Failed(why) => f.write_str(why),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl Sources {
    /// Why a source is in the state that `view` says at `now`. A source that is to be relied on has
    /// a reason too when its last poll went wrong.
    #[must_use]
    pub fn reason(&self, source: usize, view: &View, now: RawInstant) -> Option<Reason> {
        let (tracked, state) = (self.tracked.get(source)?, view.states.get(source)?);
        match state {
            SourceState::Ok => tracked.trouble.clone(),
            SourceState::Falseticker => {
                let interval = self.sample(source, now).map(|it| it.at(now, self.rules.rho));
                let common = interval.zip(view.utc.ok()).and_then(|(it, utc)| it.intersection(utc));
                Some(common.map_or(Reason::MissesUtc, |_| Reason::ContradictsLaboratory))
            }
            SourceState::Excluded if tracked.left_out => Some(Reason::Smears),
            SourceState::Stale if tracked.sample.is_some() => Some(Reason::TooOld),
            SourceState::Stale => Some(Reason::Discarded),
            SourceState::Excluded | SourceState::Unreachable => {
                Some(tracked.trouble.clone().unwrap_or(Reason::NeverHeard))
            }
        }
    }

    /// What is to be said of a source, given UTC and the laboratories that do not meet it.
    pub(super) fn state(
        &self,
        source: usize,
        now: RawInstant,
        known: Option<(Interval, &[usize])>,
    ) -> SourceState {
        let tracked = &self.tracked[source];
        let Some(sample) = tracked.usable(now, self.rules.age_max) else {
            return match tracked.heard {
                _ if tracked.left_out => SourceState::Excluded,
                Heard::Sample => SourceState::Stale,
                Heard::Refusal => SourceState::Excluded,
                Heard::Silence | Heard::Never => SourceState::Unreachable,
            };
        };
        let Some((utc, false_groups)) = known else { return SourceState::Ok };
        let meets = |interval: Interval| interval.intersection(utc).is_some();
        // Where a server of a false laboratory misses UTC, that one is to blame; else they all are.
        let suspect = self.rules.voters.admit(sample)
            && false_groups.contains(&tracked.group)
            && self.intervals(tracked.group, now).all(meets);
        let blameless = meets(sample.at(now, self.rules.rho)) && !suspect;
        if blameless { SourceState::Ok } else { SourceState::Falseticker }
    }
}
