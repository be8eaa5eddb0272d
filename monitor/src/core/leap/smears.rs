//! Sources that smear, told by their behaviour around a possible boundary.

use chronolease_core::interval::Interval;
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::leap::smear::{HISTORY_MIN, Residual, Smear, WINDOW, detect};
use chronolease_core::time::{Bound, RawInstant, Span};

use super::residual;
use crate::core::sources::Sources;

/// The distance of the points that a drift is told by.
const SPACING: Bound = Bound::from_millis(60_000);

/// How far back a drift is looked for: what lies before the smear began would hide it.
const HISTORY: Bound = HISTORY_MIN.times(2);

/// A source that was found to smear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its position in the configured list.
    pub source: usize,
    /// How it drifts.
    pub smear: Smear,
}

/// The histories of all sources around one boundary. A source that was found stays so until the
/// boundary is far: its own steady drift is gone in the middle of a smear and in its end.
#[derive(Debug, Default)]
pub struct Smears {
    near: Option<MonthEnd>,
    histories: Vec<Vec<Residual>>,
    found: Vec<Option<Smear>>,
    last: Option<RawInstant>,
    news: Vec<Found>,
    undecided: bool,
}

impl Smears {
    /// Takes note of how far the sources are from the fused `utc_minus_raw` at `now`, when `near`
    /// is the boundary within a day that matters. Leaves those out that smear, unless they are in
    /// more laboratories than may lie: then it may be the others, and nobody can tell. Whether that
    /// changed whom UTC rests on.
    pub fn watch(
        &mut self,
        sources: &mut Sources,
        utc_minus_raw: Interval,
        near: Option<MonthEnd>,
        now: RawInstant,
    ) -> bool {
        let count = sources.sources().len();
        if self.near != near {
            *self = Self { near, ..Self::default() };
            self.found = vec![None; count];
            self.histories = vec![Vec::new(); count];
            return sources.leave_out(&vec![false; count]);
        }
        let Some(end) = near else { return false };
        if self.last.is_some_and(|last| now - last < SPACING.as_span()) {
            return false;
        }
        self.last = Some(now);
        let rho = sources.rules().rho;
        for source in 0..count {
            let Some(sample) = sources.newest(source, now) else { continue };
            let history = &mut self.histories[source];
            let newest = residual(sample, utc_minus_raw, now, rho);
            history.retain(|point| newest.at - point.at <= HISTORY.as_span());
            history.push(newest);
            if self.found[source].is_none() {
                self.found[source] = detect(history, end);
                let found = self.found[source].map(|smear| Found { source, smear });
                self.news.extend(found);
            }
        }
        let smearing: Vec<bool> = self.found.iter().map(Option::is_some).collect();
        self.undecided = sources.groups_of(&smearing) > sources.rules().faults.0;
        let left_out = if self.undecided { vec![false; count] } else { smearing };
        sources.leave_out(&left_out)
    }

    /// What was found since this was last asked.
    pub fn take_news(&mut self) -> Vec<Found> {
        core::mem::take(&mut self.news)
    }

    /// How a source drifts that smears.
    #[must_use]
    pub fn of(&self, source: usize) -> Option<Smear> {
        self.found.get(source).copied().flatten()
    }

    /// Sources of more laboratories than may lie seem to smear, so that none is left out.
    #[must_use]
    pub const fn is_undecided(&self) -> bool {
        self.undecided
    }
}

/// The end of a month that `such` holds for and from which `utc`, a span since 1970, is no further
/// than a smear can be.
#[must_use]
pub fn near(utc: Span, such: impl Fn(MonthEnd) -> bool) -> Option<MonthEnd> {
    let now = chronolease_core::time::Timestamp::from_unix_nanos(utc.as_nanos());
    let next = MonthEnd::containing(now);
    let is_near = |end: &MonthEnd| (end.instant() - now).magnitude() <= WINDOW && such(*end);
    [next.previous(), next].into_iter().find(is_near)
}

#[cfg(test)]
mod tests;
