//! What goes on record of the sources, and how often.

use chronolease_core::evidence::leaf::{self, Round, SourceReading, SourceReason};
use chronolease_core::time::{Bound, RawInstant};

use super::{SourceState, Sources, Tracked, Voters};

/// What a system says of a poll that failed may be of any length.
const DETAIL_CHARS_MAX: usize = 200;

/// Says when a round goes on record: once in each poll, and whenever UTC comes or goes.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    poll: Bound,
    last: Option<(RawInstant, bool)>,
}

impl Rounds {
    /// For sources that are polled this often.
    #[must_use]
    pub const fn new(poll: Bound) -> Self {
        Self { poll, last: None }
    }

    /// Whether one goes on record at `now`, when UTC is known or not. It counts as done then.
    pub fn is_due(&mut self, now: RawInstant, utc_known: bool) -> bool {
        let due = self.last.is_none_or(|(at, was_known)| {
            was_known != utc_known || now - at >= self.poll.as_span()
        });
        if due {
            self.last = Some((now, utc_known));
        }
        due
    }
}

impl Sources {
    /// What all sources say at `now`, and what follows. How clocks run is not known here.
    #[must_use]
    pub fn round(&self, now: RawInstant) -> Round {
        let view = self.view(now);
        let reason = |source| {
            self.reason(source, &view, now).map(|reason| SourceReason {
                word: reason.label().to_owned(),
                detail: reason.to_string().chars().take(DETAIL_CHARS_MAX).collect(),
            })
        };
        let reading =
            |(source, (tracked, state)): (usize, (&Tracked, &SourceState))| SourceReading {
                name: tracked.source.name.clone(),
                group: tracked.source.group.clone(),
                state: (*state).into(),
                interval: tracked
                    .usable(now, self.rules.age_max)
                    .map(|sample| sample.at(now, self.rules.rho)),
                authenticated: tracked
                    .usable(now, self.rules.age_max)
                    .is_some_and(|sample| sample.authenticated),
                reason: reason(source),
            };
        Round {
            faults: self.rules.faults,
            sources: self.tracked.iter().zip(&view.states).enumerate().map(reading).collect(),
            authenticated_only: self.rules.voters == Voters::Authenticated,
            utc: view.utc,
            estimate: self.agreement(now),
            drifts: Vec::new(),
        }
    }
}

impl From<SourceState> for leaf::SourceState {
    fn from(state: SourceState) -> Self {
        match state {
            SourceState::Ok => Self::Ok,
            SourceState::Falseticker => Self::Falseticker,
            SourceState::Stale => Self::Stale,
            SourceState::Unreachable => Self::Unreachable,
            SourceState::Excluded => Self::Excluded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{FIVE, heard, raw};
    use super::*;
    use crate::core::ntp::exchange::Refused;
    use crate::core::sources::{PollResult, Report};
    use chronolease_core::fusion::{Faults, NoUtc, Vote, fuse};

    #[test]
    fn a_round_is_due_once_a_poll_and_when_utc_comes_or_goes() {
        let mut rounds = Rounds::new(Bound::from_millis(16_000));
        let due = [(0, false), (1, true), (16_001, true), (16_002, false), (16_003, true)];
        let not_yet = [(0, false), (16_000, true), (16_001, true), (16_002, false), (32_002, true)];
        for ((at, known), (later, still)) in due.into_iter().zip(not_yet) {
            assert!(rounds.is_due(raw(at), known), "{at}");
            assert!(!rounds.is_due(raw(later), still), "{later}");
        }
    }

    #[test]
    fn a_round_holds_what_it_takes_to_fuse_again() {
        let round = heard(&FIVE, &[500, 1, 2, 3]).round(raw(10));
        let states: Vec<leaf::SourceState> = round.sources.iter().map(|s| s.state).collect();
        use leaf::SourceState::{Falseticker, Ok, Unreachable};
        assert_eq!(states, [Falseticker, Ok, Ok, Ok, Unreachable]);
        let groups: Vec<&str> = round.sources.iter().map(|s| s.group.as_str()).collect();
        assert_eq!((groups, round.sources[0].name.as_str()), (FIVE.to_vec(), "ntp0"));
        let votes: Vec<Vote> =
            round.sources.iter().filter_map(|s| s.interval).map(Vote::States).collect();
        let again = fuse(&votes, round.faults).map(|fused| fused.utc);
        assert!(again.is_ok());
        assert_eq!(round.utc, again);
    }

    #[test]
    fn a_round_says_why_each_source_is_in_its_state_and_where_most_agree() {
        let mut sources = heard(&FIVE, &[500, 1, 2, 3]);
        let refused = PollResult::Refused(Refused::Stratum { stratum: 16 });
        let epoch = sources.epoch();
        sources.handle(&Report { source: 3, epoch, result: refused });
        let failed = PollResult::Failed("no route to host ".repeat(100));
        sources.handle(&Report { source: 2, epoch, result: failed });
        let round = sources.round(raw(10));
        let words: Vec<Option<&str>> =
            round.sources.iter().map(|s| Some(s.reason.as_ref()?.word.as_str())).collect();
        let [liar, sick, never] = ["misses-utc", "stratum", "never-heard"].map(Some);
        // Its older sample still counts; what was wrong with its last poll is told all the same.
        assert_eq!(words, [liar, None, Some("failed"), sick, never]);
        let detail = |source: usize| &round.sources[source].reason.as_ref().expect("told").detail;
        assert_eq!(detail(3), "stratum 16 outside the range");
        assert_eq!(detail(2).len(), 200);
        let estimate = round.estimate.expect("somebody is heard");
        assert_eq!((estimate.votes, round.utc), (2, Ok(estimate.interval)));
    }

    #[test]
    fn a_round_says_why_nothing_is_known() {
        let round = heard(&FIVE, &[0, 0]).round(raw(0));
        assert_eq!(round.faults, Faults(1));
        assert_eq!(round.utc, Err(NoUtc::QuorumLost { usable: 2, required: 3 }));
    }
}
