//! What goes on record of the sources, and how often.

use chronolease_core::evidence::leaf::{self, Round, SourceReading};
use chronolease_core::time::{Bound, RawInstant};

use super::{SourceState, Sources, Tracked, Voters};

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
    /// What all sources say at `now`, and what follows.
    #[must_use]
    pub fn round(&self, now: RawInstant) -> Round {
        let view = self.view(now);
        let reading = |(tracked, state): (&Tracked, &SourceState)| SourceReading {
            name: tracked.source.name.clone(),
            group: tracked.source.group.clone(),
            state: (*state).into(),
            interval: tracked
                .usable(now, self.rules.age_max)
                .map(|sample| sample.at(now, self.rules.rho)),
            authenticated: tracked
                .usable(now, self.rules.age_max)
                .is_some_and(|sample| sample.authenticated),
        };
        Round {
            faults: self.rules.faults,
            sources: self.tracked.iter().zip(&view.states).map(reading).collect(),
            authenticated_only: self.rules.voters == Voters::Authenticated,
            utc: view.utc,
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
    fn a_round_says_why_nothing_is_known() {
        let round = heard(&FIVE, &[0, 0]).round(raw(0));
        assert_eq!(round.faults, Faults(1));
        assert_eq!(round.utc, Err(NoUtc::QuorumLost { usable: 2, required: 3 }));
    }
}
