//! All sources together: who can be used, who lies, and what UTC is.
//!
//! Each source keeps its newest sample, each laboratory casts one vote, and the votes are fused to
//! a bound on UTC less RAW. Nothing is ever settled by a vote among whoever is left.

pub mod backoff;
mod boundaries;
pub mod pace;
mod rounds;
mod states;

use std::collections::BTreeSet;

use chronolease_core::fusion::{Agreement, Faults, NoUtc, Vote, fuse, largest_agreement};
use chronolease_core::interval::Interval;
use chronolease_core::time::{Bound, Ppb, RawInstant, Span, Timestamp, Utc};

use super::continuity::Continuity;
use super::ntp::exchange::{Meaning, Refused, SourceSample};
pub use rounds::Rounds;
pub use states::{Reason, SourceState};

/// One configured server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in logs, metrics and alarms.
    pub name: String,
    /// The laboratory it belongs to. All servers of one laboratory have one vote.
    pub group: String,
}

/// What holds for all sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// f: how many laboratories may lie.
    pub faults: Faults,
    /// The oscillator error of this box.
    pub rho: Ppb,
    /// The RAW age beyond which a sample is no longer used.
    pub age_max: Bound,
    /// Whose samples count.
    pub voters: Voters,
}

/// Whose samples count when laboratories vote. Whoever does not vote is heard and shown all the
/// same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voters {
    /// Those of sources that prove who they are, with NTS.
    Authenticated,
    /// Plain ones too. One attacker on the path may own all of these at once.
    All,
}

impl Voters {
    const fn admit(self, sample: &SourceSample) -> bool {
        match self {
            Self::Authenticated => sample.authenticated,
            Self::All => true,
        }
    }
}

/// Counts the continuity breaks of this box. An exchange that began in an earlier epoch spans a
/// break, so what it measured means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Epoch(u64);

/// How one poll of a source went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollResult {
    /// A sound answer.
    Sample(SourceSample),
    /// An answer that gives no sample.
    Refused(Refused),
    /// Silence until the timeout.
    NoAnswer,
    /// The request could not be sent: what the system said.
    Failed(String),
}

impl PollResult {
    /// A name for metric labels.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Sample(_) => "sample",
            Self::Refused(refused) => refused.label(),
            Self::NoAnswer => "no-answer",
            Self::Failed(_) => "failed",
        }
    }
}

/// A finished poll, as a poller reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The source's position in the configured list.
    pub source: usize,
    /// The epoch in which the poll began.
    pub epoch: Epoch,
    /// How it went.
    pub result: PollResult,
}

/// What the monitor knows at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Holds UTC (nanoseconds since 1970) less RAW (nanoseconds) as long as at most f laboratories
    /// lie, or says why nothing is known.
    pub utc: Result<Interval, NoUtc>,
    /// One state per source, in the configured order.
    pub states: Vec<SourceState>,
    /// The laboratories whose vote does not meet UTC, as positions in [`Sources::groups`]. Empty
    /// while there is no UTC.
    pub false_groups: Vec<usize>,
}

/// How the last poll of a source went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Never,
    Sample,
    Refusal,
    Silence,
}

#[derive(Clone, Debug)]
struct Tracked {
    source: Source,
    /// The position of its laboratory.
    group: usize,
    sample: Option<SourceSample>,
    heard: Heard,
    /// It is not to be relied on for now, whatever it says.
    left_out: bool,
    /// What was wrong with the last poll; nothing while it is sound.
    trouble: Option<Reason>,
    /// How many samples it gave since the last new beginning.
    samples: u32,
}

impl Tracked {
    fn take(&mut self, result: &PollResult, age_max: Bound) {
        self.trouble = Reason::of(result);
        match result {
            PollResult::Sample(newer) => {
                // A start-up widens and never narrows: what the quick polls say counts together.
                let older = self.sample.filter(|older| {
                    self.samples < pace::BURST && newer.received - older.sent <= age_max.as_span()
                });
                self.sample = Some(older.map_or(*newer, |older| older.joined(newer)));
                self.samples = self.samples.saturating_add(1);
                self.heard = Heard::Sample;
            }
            PollResult::Refused(refused) => match refused.meaning() {
                Meaning::Ignored => {}
                Meaning::NoSample => self.heard = Heard::Refusal,
                Meaning::Withdrawn => {
                    self.sample = None;
                    self.heard = Heard::Refusal;
                }
            },
            PollResult::NoAnswer | PollResult::Failed(_) => self.heard = Heard::Silence,
        }
    }

    /// Its sample, unless that is too old or it is left out.
    fn usable(&self, now: RawInstant, age_max: Bound) -> Option<&SourceSample> {
        self.newest(now, age_max).filter(|_| !self.left_out)
    }

    /// Its sample, unless that is too old.
    fn newest(&self, now: RawInstant, age_max: Bound) -> Option<&SourceSample> {
        self.sample.as_ref().filter(|sample| now - sample.received <= age_max.as_span())
    }
}

/// The state of all sources. Pure: what arrives and what time it is come in as arguments.
#[derive(Clone, Debug)]
pub struct Sources {
    rules: Rules,
    groups: Vec<String>,
    tracked: Vec<Tracked>,
    epoch: Epoch,
}

impl Sources {
    /// The sources of the configuration, none of them heard yet. The guard over this box's clocks has
    /// begun by now, so that no poll begins before it: what happens to the clocks during a poll is a
    /// break, and the poll is of an earlier [`Epoch`].
    #[must_use]
    pub fn new(sources: Vec<Source>, rules: Rules, _: &Continuity) -> Self {
        let mut groups: Vec<String> = Vec::new();
        let mut tracked = Vec::with_capacity(sources.len());
        for source in sources {
            let known = groups.iter().position(|group| *group == source.group);
            let group = known.unwrap_or_else(|| {
                groups.push(source.group.clone());
                groups.len() - 1
            });
            tracked.push(Tracked {
                source,
                group,
                sample: None,
                heard: Heard::Never,
                left_out: false,
                trouble: None,
                samples: 0,
            });
        }
        Self { rules, groups, tracked, epoch: Epoch::default() }
    }

    /// What holds for all of them.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The sources in the configured order.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = &Source> {
        self.tracked.iter().map(|tracked| &tracked.source)
    }

    /// The laboratories, in the order in which the sources first name them.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The present epoch. Pollers must learn of it before they begin an exchange.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Takes a finished poll. The newest sample of a source replaces its older one, save that the
    /// samples of a start-up count together. A poll that began in an earlier epoch, or of a source
    /// that does not exist, changes nothing.
    pub fn handle(&mut self, report: &Report) {
        if report.epoch != self.epoch {
            return;
        }
        if let Some(tracked) = self.tracked.get_mut(report.source) {
            tracked.take(&report.result, self.rules.age_max);
        }
    }

    /// Forgets every sample, those in flight included: the oscillator readings before a continuity
    /// break mean nothing after it. Gives the new epoch, for the pollers.
    pub fn discard_all(&mut self) -> Epoch {
        for tracked in &mut self.tracked {
            (tracked.sample, tracked.samples) = (None, 0);
        }
        self.epoch = Epoch(self.epoch.0.wrapping_add(1));
        self.epoch
    }

    /// Leaves these sources out until told otherwise: they have no vote, whatever they say. Whether
    /// that changed anything.
    pub fn leave_out(&mut self, which: &[bool]) -> bool {
        let mut changed = false;
        for (tracked, &left_out) in self.tracked.iter_mut().zip(which) {
            changed |= tracked.left_out != left_out;
            tracked.left_out = left_out;
        }
        changed
    }

    /// How many laboratories these sources belong to.
    #[must_use]
    pub fn groups_of(&self, which: &[bool]) -> usize {
        let chosen = self.tracked.iter().zip(which).filter(|(_, chosen)| **chosen);
        chosen.map(|(tracked, _)| tracked.group).collect::<BTreeSet<_>>().len()
    }

    /// The newest sample of a source, unless it is too old at `now`, also when the source is left
    /// out. Nothing may rest on it.
    #[must_use]
    pub fn newest(&self, source: usize, now: RawInstant) -> Option<&SourceSample> {
        self.tracked.get(source)?.newest(now, self.rules.age_max)
    }

    /// Where most laboratories agree at `now`: an estimate to be looked at, nothing else.
    #[must_use]
    pub fn agreement(&self, now: RawInstant) -> Option<Agreement> {
        let votes: Vec<Vote> = self.votes(now).into_iter().map(|(_, vote)| vote).collect();
        largest_agreement(&votes)
    }

    /// The sample of a source, unless it is too old at `now`.
    #[must_use]
    pub fn sample(&self, source: usize, now: RawInstant) -> Option<&SourceSample> {
        self.tracked.get(source)?.usable(now, self.rules.age_max)
    }

    /// One vote for each laboratory that has a usable sample and may vote, with the laboratory's position in
    /// [`Sources::groups`].
    #[must_use]
    pub fn votes(&self, now: RawInstant) -> Vec<(usize, Vote)> {
        (0..self.groups.len()).filter_map(|group| Some((group, self.vote(group, now)?))).collect()
    }

    /// What is known at `now`.
    #[must_use]
    pub fn view(&self, now: RawInstant) -> View {
        let (voters, votes): (Vec<usize>, Vec<Vote>) = self.votes(now).into_iter().unzip();
        match fuse(&votes, self.rules.faults) {
            Ok(fused) => {
                let false_groups: Vec<usize> =
                    fused.falsetickers.iter().map(|&vote| voters[vote]).collect();
                let states = (0..self.tracked.len())
                    .map(|source| self.state(source, now, Some((fused.utc, &false_groups))))
                    .collect();
                View { utc: Ok(fused.utc), states, false_groups }
            }
            Err(no_utc) => {
                let states =
                    (0..self.tracked.len()).map(|source| self.state(source, now, None)).collect();
                View { utc: Err(no_utc), states, false_groups: Vec::new() }
            }
        }
    }

    /// How far the source is ahead of this box's system clock, when that showed `real` at `now`,
    /// and the uncertainty of that: the middle and the half-width of the source's interval. For
    /// display only; no judgement may rest on it.
    #[must_use]
    pub fn shown(
        &self,
        source: usize,
        now: RawInstant,
        real: Timestamp<Utc>,
    ) -> Option<(Span, Bound)> {
        let utc_minus_raw = self.sample(source, now)?.at(now, self.rules.rho);
        let real_minus_raw =
            Span::from_nanos(real.as_unix_nanos()) - Span::from_nanos(now.as_nanos());
        Some((utc_minus_raw.midpoint() - real_minus_raw, utc_minus_raw.half_width()))
    }

    fn vote(&self, group: usize, now: RawInstant) -> Option<Vote> {
        let mut members = self.intervals(group, now);
        let first = members.next()?;
        let common = members.try_fold(first, Interval::intersection);
        Some(common.map_or(Vote::Contradictory, Vote::States))
    }

    /// The intervals of a laboratory's servers that have a usable sample and may vote.
    fn intervals(&self, group: usize, now: RawInstant) -> impl Iterator<Item = Interval> {
        self.tracked
            .iter()
            .filter(move |tracked| tracked.group == group)
            .filter_map(move |tracked| tracked.usable(now, self.rules.age_max))
            .filter(|sample| self.rules.voters.admit(sample))
            .map(move |sample| sample.at(now, self.rules.rho))
    }
}

#[cfg(test)]
mod tests;
