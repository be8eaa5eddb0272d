//! How a ward gets over the ends of months: no lease from the beginning of a blackout until two
//! full GOOD rounds after it.

use chronolease_core::interval::Interval;
use chronolease_core::leap::blackout::Blackout;
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::leap::passage::{Passage, Round, Stage};
use chronolease_core::time::{Timestamp, Utc};

use crate::core::leap::watch::Boundaries;

/// The boundary that comes next or is being passed, and the last one that was.
#[derive(Debug, Default)]
pub(super) struct Crossing {
    passage: Option<(MonthEnd, Passage)>,
    passed: Option<MonthEnd>,
}

impl Crossing {
    /// Follows the plan, and notices that a blackout begins or ends. `utc` is an interval of spans
    /// since 1970.
    pub(super) fn look(&mut self, boundaries: &Boundaries, utc: Interval) {
        if self.stage() == Stage::Over || self.stage() == Stage::Ahead {
            let ends = boundaries.last.into_iter().chain(boundaries.next).map(Blackout::end);
            let end = ends.filter(|end| self.passed.is_none_or(|passed| passed < *end)).min();
            self.passage = end.map(|end| (end, Passage::over(end)));
        }
        // While good rounds are counted, nothing but a round counts.
        if !matches!(self.stage(), Stage::Settling { .. }) {
            self.take(&Round { utc, oldest: earliest(utc), good: false });
        }
    }

    /// A probe was judged, with UTC that rests on exchanges since `oldest`.
    pub(super) fn judged(&mut self, utc: Interval, oldest: Timestamp<Utc>, good: bool) {
        self.take(&Round { utc, oldest, good });
    }

    /// Whether a lease may be granted or stay in force.
    pub(super) fn permits(&self) -> bool {
        self.passage.is_none_or(|(_, passage)| passage.permits())
    }

    /// Whether readings are ambiguous, so that no probe can be judged.
    pub(super) fn is_in_blackout(&self) -> bool {
        self.stage() == Stage::Blackout
    }

    fn stage(&self) -> Stage {
        self.passage.map_or(Stage::Over, |(_, passage)| passage.stage())
    }

    fn take(&mut self, round: &Round) {
        let Some((end, passage)) = &mut self.passage else { return };
        if passage.handle(round) == Stage::Over {
            self.passed = Some(*end);
            self.passage = None;
        }
    }
}

fn earliest(utc: Interval) -> Timestamp<Utc> {
    Timestamp::from_unix_nanos(utc.lo().as_nanos())
}
