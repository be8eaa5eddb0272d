//! All that is said about the coming months' ends, put together: what is expected, when issuing is
//! suspended, and what is wrong.
//!
//! The rules, in one place:
//!
//! - What the list says, what more than f laboratories announce, and what Bulletin C or a kernel
//!   says without being contradicted, suspends.
//! - A month's end at which a leap second is possible and of which nobody with authority says
//!   anything suspends.
//! - A contradiction is told at once, and suspends when it stands an hour before L.
//! - Silence never releases: laboratories that announce nothing do not stand in for a list. Only
//!   the list and Bulletin C can say that there is no leap second.
//! - From an hour before L on, a suspension is not taken back.

mod finding;
mod words;

use core::fmt;

use super::LeapSign;
use super::blackout::Blackout;
use super::claim::{Announced, BulletinC, Claim, Claimant, GroupVote, KernelLeap};
use super::list::LeapList;
use super::month_end::MonthEnd;
use crate::fusion::Faults;
use crate::interval::Interval;
use crate::time::{Bound, Span, Timestamp, Utc};

pub use finding::{Finding, ListStatus, Severity};

const HOUR: Bound = Bound::from_millis(3_600_000);

/// How long before L a contradiction must be settled; from then on suspensions stand.
pub const DECISION: Bound = HOUR;

/// How long after L a suspension stays in the plan.
pub const AFTERWARDS: Bound = HOUR;

/// How long into a month announcements are taken for remains of the last one's.
pub const LINGER: Bound = HOUR.times(24);

/// How many months ahead are looked at.
pub const MONTHS_AHEAD: usize = 12;

/// At which months' ends a leap second is possible without anybody announcing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Season {
    /// June and December, as all leap seconds so far.
    HalfYears,
    /// Every month, as the rules permit (ITU-R TF.460-6).
    EveryMonth,
}

impl Season {
    /// Whether a leap second is possible there.
    #[must_use]
    pub const fn holds(self, end: MonthEnd) -> bool {
        match self {
            Self::HalfYears => end.is_half_year(),
            Self::EveryMonth => true,
        }
    }
}

/// Everything that is known about leap seconds.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The list; `None` when it is missing or was refused.
    pub list: Option<&'a LeapList>,
    /// What operators have entered.
    pub bulletins: &'a [BulletinC],
    /// What each laboratory with a usable sample announces.
    pub votes: &'a [GroupVote],
    /// The kernels of both boxes.
    pub kernels: &'a [KernelLeap],
    /// f: how many laboratories may lie.
    pub faults: Faults,
    /// Where leap seconds are possible.
    pub season: Season,
}

/// What is to be expected of a month's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// No leap second, by somebody with authority and against nobody.
    Nothing,
    /// A leap second, against nobody.
    Leap(LeapSign),
    /// Nobody with authority says anything.
    Unknown,
    /// The claims contradict each other.
    Disputed,
}

/// Why issuing is suspended over a month's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The list has a leap second there.
    Listed,
    /// More laboratories than may lie announce one.
    Announced,
    /// Bulletin C or a kernel says so, and nobody contradicts.
    Claimed,
    /// The claims contradicted each other an hour before.
    Disputed,
    /// The list is missing or expires before, and no Bulletin C speaks of it.
    Unknown,
}

/// One month's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Which.
    pub end: MonthEnd,
    /// What is to be expected.
    pub outlook: Outlook,
    /// Who says what, as far as it counts.
    pub claims: Vec<Claim>,
    /// Why issuing is suspended over it, if it is.
    pub suspension: Option<Reason>,
}

/// The plan. It prints as the explanation that API and log give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeapPlan {
    made: Timestamp<Utc>,
    list: ListStatus,
    tai_minus_utc_s: Option<i32>,
    expected: Vec<Expected>,
    findings: Vec<Finding>,
}

impl LeapPlan {
    /// Makes the plan as of `now`, which may be off by minutes. `previous` is the last plan: what
    /// it suspends near its L stays suspended. After a start there is none.
    #[must_use]
    pub fn make(inputs: &Inputs<'_>, now: Timestamp<Utc>, previous: Option<&Self>) -> Self {
        let current = MonthEnd::containing(now);
        let past = (now - current.previous().instant() <= AFTERWARDS.as_span())
            .then(|| current.previous());
        let months = core::iter::successors(Some(current), |end| Some(end.next()));
        let mut expected: Vec<Expected> = past
            .into_iter()
            .chain(months.take(MONTHS_AHEAD))
            .chain(inputs.beyond(current, MONTHS_AHEAD))
            .map(|end| inputs.expect(end, now))
            .collect();
        for old in previous.into_iter().flat_map(|plan| &plan.expected) {
            keep(&mut expected, old, now);
        }
        let findings = finding::all(inputs, now, &expected);
        expected.retain(|it| {
            let open = matches!(it.outlook, Outlook::Leap(_) | Outlook::Disputed);
            it.suspension.is_some() || open || inputs.season.holds(it.end)
        });
        let tai_minus_utc_s = inputs.list.and_then(|list| list.tai_minus_utc_s(now));
        Self {
            made: now,
            list: ListStatus::of(inputs.list, now),
            tai_minus_utc_s,
            expected,
            findings,
        }
    }

    /// When it was made.
    #[must_use]
    pub const fn made(&self) -> Timestamp<Utc> {
        self.made
    }

    /// How the list stands.
    #[must_use]
    pub const fn list(&self) -> ListStatus {
        self.list
    }

    /// The months' ends that matter, in the order of time.
    #[must_use]
    pub fn expected(&self) -> &[Expected] {
        &self.expected
    }

    /// What is wrong, for alarms.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Every blackout, in the order of time.
    pub fn blackouts(&self) -> impl Iterator<Item = Blackout> {
        let suspended = self.expected.iter().filter(|it| it.suspension.is_some());
        suspended.map(|it| Blackout::around(it.end))
    }

    /// The first blackout that is not over at `now`.
    #[must_use]
    pub fn next_blackout(&self, now: Timestamp<Utc>) -> Option<Blackout> {
        self.blackouts().find(|blackout| now <= blackout.until())
    }

    /// The blackout that any instant of `utc` lies in. `utc` is an interval of spans since 1970.
    #[must_use]
    pub fn covers(&self, utc: Interval) -> Option<Blackout> {
        self.blackouts().find(|blackout| blackout.covers(utc))
    }
}

/// From an hour before L to an hour after, what was suspended stays so, whoever has fallen silent:
/// a laboratory stops announcing in the very moment when the month is over.
fn keep(expected: &mut Vec<Expected>, old: &Expected, now: Timestamp<Utc>) {
    let to_l = old.end.from(now);
    let near = -AFTERWARDS.as_span() <= to_l && to_l <= DECISION.as_span();
    if !near || old.suspension.is_none() {
        return;
    }
    match expected.iter_mut().find(|it| it.end == old.end) {
        Some(it) if it.suspension.is_some() && to_l > Span::ZERO => {}
        // Once L is past, those who announced it speak of another month: the old word stands.
        Some(it) if to_l <= Span::ZERO => *it = old.clone(),
        Some(it) => it.suspension = old.suspension,
        None => {
            expected.push(old.clone());
            expected.sort_by_key(|it| it.end);
        }
    }
}

impl Inputs<'_> {
    /// Leap seconds of the list beyond the months that are looked at anyway.
    fn beyond(&self, current: MonthEnd, months: usize) -> Vec<MonthEnd> {
        let horizon = (0..months).fold(current, |end, _| end.next());
        let leaps = self.list.into_iter().flat_map(LeapList::leaps);
        leaps.map(|(end, _)| end).filter(|&end| end >= horizon).collect()
    }

    fn expect(&self, end: MonthEnd, now: Timestamp<Utc>) -> Expected {
        let claims = self.claims(end, now);
        let outlook = outlook(&claims);
        let leap = |by: fn(&Claimant) -> bool| {
            claims.iter().any(|claim| claim.says.is_some() && by(&claim.by))
        };
        let late = end.from(now) <= DECISION.as_span();
        let suspension = if leap(|by| *by == Claimant::List) {
            Some(Reason::Listed)
        } else if leap(|by| matches!(by, Claimant::Groups(_))) {
            Some(Reason::Announced)
        } else {
            match outlook {
                Outlook::Leap(_) => Some(Reason::Claimed),
                Outlook::Disputed => late.then_some(Reason::Disputed),
                Outlook::Unknown => self.season.holds(end).then_some(Reason::Unknown),
                Outlook::Nothing => None,
            }
        };
        Expected { end, outlook, claims, suspension }
    }

    /// Every claim about `end` that counts.
    fn claims(&self, end: MonthEnd, now: Timestamp<Utc>) -> Vec<Claim> {
        let mut claims = Vec::new();
        if let Some(says) = self.list.and_then(|list| list.says(end)) {
            claims.push(Claim { by: Claimant::List, says });
        }
        for bulletin in self.bulletins.iter().filter(|bulletin| bulletin.about == end) {
            claims.push(Claim { by: Claimant::Bulletin(bulletin.number), says: bulletin.says });
        }
        if end != MonthEnd::containing(now) {
            return claims;
        }
        for kernel in self.kernels.iter().filter(|_| is_last_day(end, now)) {
            if let Some(sign) = kernel.armed {
                let by = Claimant::Kernel(kernel.owner.clone());
                claims.push(Claim { by, says: Some(sign) });
            }
        }
        if self.outnumber_liars(|vote| vote != Announced::Nothing) && !lingers(now) {
            for sign in [LeapSign::Insert, LeapSign::Delete] {
                let names = self.groups(|vote| vote.claims(sign));
                if !names.is_empty() {
                    claims.push(Claim { by: Claimant::Groups(names), says: Some(sign) });
                }
            }
        }
        // In the last hour everybody who follows a leap second announces it; silence contradicts
        // one that others claim, but is no authority on its own.
        let claimed = claims.iter().any(|claim| claim.says.is_some());
        let late = end.from(now) <= DECISION.as_span();
        if claimed && late && self.outnumber_liars(|vote| vote == Announced::Nothing) {
            let names = self.groups(|vote| vote == Announced::Nothing);
            claims.push(Claim { by: Claimant::Groups(names), says: None });
        }
        claims
    }

    /// The names of the laboratories whose vote is such.
    fn groups(&self, such: impl Fn(Announced) -> bool) -> Vec<String> {
        let votes = self.votes.iter().filter(|vote| such(vote.announced));
        votes.map(|vote| vote.group.clone()).collect()
    }

    /// Whether more laboratories vote so than may lie, so that an honest one is among them.
    fn outnumber_liars(&self, such: impl Fn(Announced) -> bool) -> bool {
        self.votes.iter().filter(|vote| such(vote.announced)).count() > self.faults.0
    }
}

fn outlook(claims: &[Claim]) -> Outlook {
    match claims {
        [] => Outlook::Unknown,
        [first, rest @ ..] if rest.iter().any(|claim| claim.says != first.says) => {
            Outlook::Disputed
        }
        [first, ..] => first.says.map_or(Outlook::Nothing, Outlook::Leap),
    }
}

/// Whether `now` lies in the last UTC day of the month, at whose end kernels act.
fn is_last_day(end: MonthEnd, now: Timestamp<Utc>) -> bool {
    end.from(now) <= HOUR.times(24).as_span()
}

/// Whether what laboratories announce may be a remainder of the last month's end.
fn lingers(now: Timestamp<Utc>) -> bool {
    now - MonthEnd::containing(now).previous().instant() < LINGER.as_span()
}

impl Outlook {
    /// The number that stands for it in a leaf.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Nothing => 1,
            Self::Leap(LeapSign::Insert) => 2,
            Self::Leap(LeapSign::Delete) => 3,
            Self::Unknown => 4,
            Self::Disputed => 5,
        }
    }

    /// What this number stands for in a leaf.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Nothing),
            2 => Some(Self::Leap(LeapSign::Insert)),
            3 => Some(Self::Leap(LeapSign::Delete)),
            4 => Some(Self::Unknown),
            5 => Some(Self::Disputed),
            _ => None,
        }
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no leap second"),
            Self::Leap(sign) => fmt::Display::fmt(sign, f),
            Self::Unknown => f.write_str("unknown"),
            Self::Disputed => f.write_str("disputed"),
        }
    }
}

#[cfg(test)]
mod tests;
