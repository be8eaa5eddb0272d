//! Watches the ends of months: keeps the plan, takes away the samples that a boundary spoilt, and
//! notices what happened there.

use core::mem;

use chronolease_core::interval::Interval;
use chronolease_core::leap::blackout::{AMBIGUOUS, Blackout};
use chronolease_core::leap::claim::{BulletinC, KernelLeap};
use chronolease_core::leap::list::LeapList;
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::leap::passage::{LeapChange, Reading, observe};
use chronolease_core::leap::plan::{Inputs, LeapPlan, Season};
use chronolease_core::time::{Bound, Ppb, RawInstant, Span, Timestamp, Utc};

use super::smears::{Smears, near};
use super::votes;
use crate::core::sources::{Rules, Sources, View};

/// How old the plan may be while UTC is known.
const PLAN_AGE_MAX: Bound = Bound::from_millis(1_000);

/// What the configuration says of leap seconds, the list left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeapRules {
    /// Where leap seconds are possible.
    pub season: Season,
    /// What operators have entered.
    pub bulletins: Vec<BulletinC>,
}

/// What a ward must know of the months' ends at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Boundaries {
    /// The last blackout that is over, for an hour.
    pub last: Option<Blackout>,
    /// The first blackout that is not over.
    pub next: Option<Blackout>,
    /// A blackout is under way, as far as can be told; when UTC is not known, that is why.
    pub crossing: bool,
    /// The earliest UTC at which an exchange began that UTC rests on now.
    pub oldest: Option<Timestamp<Utc>>,
}

impl Boundaries {
    /// Whether any instant of `utc`, an interval of spans since 1970, lies in a blackout.
    #[must_use]
    pub fn cover(&self, utc: Interval) -> bool {
        self.last.into_iter().chain(self.next).any(|blackout| blackout.covers(utc))
    }
}

/// An interval of `UTC - RAW` as one of UTC at `at`: of spans since 1970.
#[must_use]
pub fn since_1970(utc_minus_raw: Interval, at: RawInstant) -> Interval {
    utc_minus_raw.shifted(Span::from_nanos(at.as_nanos()))
}

/// The watch over the ends of months. Pure: the list, the sources and the time come in.
#[derive(Debug)]
pub struct LeapWatch {
    rules: LeapRules,
    list: Option<LeapList>,
    kernels: Vec<KernelLeap>,
    plan: Option<LeapPlan>,
    /// When the plan was made; `None` when it must be made anew.
    made: Option<RawInstant>,
    /// What it says.
    words: String,
    is_news: bool,
    /// The newest that was known of UTC.
    known: Option<Reading>,
    boundaries: Boundaries,
    changes: Vec<LeapChange>,
    smears: Smears,
}

impl LeapWatch {
    /// A watch that knows no list and no time yet.
    #[must_use]
    pub fn new(rules: LeapRules) -> Self {
        Self {
            rules,
            list: None,
            kernels: Vec::new(),
            plan: None,
            made: None,
            words: String::new(),
            is_news: false,
            known: None,
            boundaries: Boundaries { last: None, next: None, crossing: false, oldest: None },
            changes: Vec::new(),
            smears: Smears::default(),
        }
    }

    /// From now on this is the list; `None` when it is missing or was refused.
    pub fn set_list(&mut self, list: Option<LeapList>) {
        self.list = list;
        self.made = None;
    }

    /// From now on this is what the kernels of the boxes are set to do.
    pub fn set_kernels(&mut self, kernels: Vec<KernelLeap>) {
        if self.kernels != kernels {
            self.kernels = kernels;
            self.made = None;
        }
    }

    /// This box's own continuity broke: readings of RAW from before it mean nothing.
    pub const fn broken(&mut self) {
        self.known = None;
    }

    /// What the sources know at `now`, without the samples that a boundary spoilt: those are gone
    /// for good. Everything else that is asked of the watch holds as of the last look.
    pub fn look(&mut self, sources: &mut Sources, now: RawInstant) -> View {
        sources.discard_spoilt(&self.ends(), now);
        let mut view = sources.view(now);
        if let Ok(utc) = view.utc {
            self.pass(Reading { at: now, utc_minus_raw: utc }, sources.rules().rho);
            if self.is_due(now) {
                self.make(sources, utc, now);
                if sources.discard_spoilt(&self.ends(), now) {
                    view = sources.view(now);
                }
            }
            if self.smear(sources, utc, now) {
                view = sources.view(now);
            }
        }
        self.boundaries = match view.utc {
            Ok(utc) => {
                self.known = Some(Reading { at: now, utc_minus_raw: utc });
                self.boundaries_at(since_1970(utc, now), sources.oldest(now))
            }
            Err(_) => {
                let crossing = self.may_be_crossing(sources.rules(), now);
                Boundaries { crossing, oldest: None, ..self.boundaries }
            }
        };
        view
    }

    /// What a ward must know.
    #[must_use]
    pub const fn boundaries(&self) -> Boundaries {
        self.boundaries
    }

    /// The plan; there is none before UTC was known for the first time.
    #[must_use]
    pub const fn plan(&self) -> Option<&LeapPlan> {
        self.plan.as_ref()
    }

    /// The plan in words, line by line.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The plan, when it says something else than when this was last asked.
    pub fn take_news(&mut self) -> Option<&LeapPlan> {
        if mem::take(&mut self.is_news) { self.plan.as_ref() } else { None }
    }

    /// What happened at the boundaries that were passed since this was last asked.
    pub fn take_changes(&mut self) -> Vec<LeapChange> {
        mem::take(&mut self.changes)
    }

    /// The sources that smear.
    #[must_use]
    pub const fn smears(&self) -> &Smears {
        &self.smears
    }

    /// The same, to be asked for news.
    pub const fn smears_mut(&mut self) -> &mut Smears {
        &mut self.smears
    }

    fn smear(&mut self, sources: &mut Sources, utc: Interval, now: RawInstant) -> bool {
        let Self { rules, plan, smears, .. } = self;
        let matters = |end: MonthEnd| {
            let expected = plan.iter().flat_map(LeapPlan::expected);
            rules.season.holds(end) || expected.into_iter().any(|expected| expected.end == end)
        };
        let near = near(since_1970(utc, now).midpoint(), matters);
        smears.watch(sources, utc, near, now)
    }

    fn ends(&self) -> Vec<MonthEnd> {
        self.plan.iter().flat_map(LeapPlan::blackouts).map(Blackout::end).collect()
    }

    fn is_due(&self, now: RawInstant) -> bool {
        self.made.is_none_or(|made| (now - made).magnitude() >= PLAN_AGE_MAX)
    }

    fn make(&mut self, sources: &Sources, utc: Interval, now: RawInstant) {
        let votes = votes(sources, now);
        let inputs = Inputs {
            list: self.list.as_ref(),
            bulletins: &self.rules.bulletins,
            votes: &votes,
            kernels: &self.kernels,
            faults: sources.rules().faults,
            season: self.rules.season,
        };
        let middle = since_1970(utc, now).midpoint();
        let at = Timestamp::from_unix_nanos(middle.as_nanos());
        let plan = LeapPlan::make(&inputs, at, self.plan.as_ref());
        let words = plan.to_string();
        self.is_news |= words != self.words;
        self.words = words;
        self.plan = Some(plan);
        self.made = Some(now);
    }

    /// Notes the boundaries of the plan that lie between what was known before and `after`.
    fn pass(&mut self, after: Reading, rho: Ppb) {
        let (Some(before), Some(plan)) = (self.known, &self.plan) else { return };
        let was = since_1970(before.utc_minus_raw, before.at).hi();
        let is = since_1970(after.utc_minus_raw, after.at).lo();
        let list = self.list.as_ref().map(|list| *list.digest());
        for expected in plan.expected().iter().filter(|expected| expected.suspension.is_some()) {
            let l = Span::from_nanos(expected.end.instant().as_unix_nanos());
            if was < l - AMBIGUOUS.as_span() && l + AMBIGUOUS.as_span() < is {
                self.changes.push(LeapChange {
                    end: expected.end,
                    expected: expected.outlook,
                    observed: observe(&before, &after, rho),
                    before,
                    after,
                    rho,
                    list,
                });
            }
        }
    }

    fn boundaries_at(&self, utc: Interval, oldest: Option<Timestamp<Utc>>) -> Boundaries {
        let Some(plan) = &self.plan else { return Boundaries::default() };
        let earliest = Timestamp::from_unix_nanos(utc.lo().as_nanos());
        Boundaries {
            last: plan.blackouts().take_while(|blackout| blackout.until() < earliest).last(),
            next: plan.next_blackout(earliest),
            crossing: plan.covers(utc).is_some(),
            oldest,
        }
    }

    /// Whether UTC may be unknown because of a boundary: by the oscillator a blackout has begun,
    /// and the sources have not had the time yet to be polled after it.
    fn may_be_crossing(&self, rules: &Rules, now: RawInstant) -> bool {
        let (Some(known), Some(plan)) = (self.known, &self.plan) else { return false };
        let drift = rules.rho.over((now - known.at).magnitude());
        let utc = since_1970(known.utc_minus_raw.widened(drift), now);
        let patience = rules.age_max.as_span();
        let since = Interval::new(utc.lo() - patience, utc.hi()).unwrap_or(utc);
        plan.covers(since).is_some()
    }
}

#[cfg(test)]
mod tests;
