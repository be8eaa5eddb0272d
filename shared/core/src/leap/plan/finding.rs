//! What is wrong with what is known about leap seconds.

use super::super::LeapSign;
use super::super::blackout::Blackout;
use super::super::claim::{Announced, Claim};
use super::super::list::LeapList;
use super::super::month_end::MonthEnd;
use super::{AFTERWARDS, DECISION, Expected, HOUR, Inputs, Outlook, is_last_day, lingers};
use crate::time::{Bound, Span, Timestamp, Utc};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Somebody should see to it.
    Warning,
    /// Somebody must see to it: issuing will be suspended, or a clock will be wrong.
    Critical,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Warning, Self::Critical];

    /// A name for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How the list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListStatus {
    /// There is none, or it was refused.
    Missing,
    /// It is good.
    Good {
        /// When it expires.
        expires: Timestamp<Utc>,
    },
    /// It is good, and expires within 60 days.
    ExpiresSoon {
        /// When.
        expires: Timestamp<Utc>,
    },
    /// It has expired.
    Expired {
        /// When.
        expires: Timestamp<Utc>,
    },
}

impl ListStatus {
    /// How long before the expiry the warning begins.
    pub const WARNING: Bound = HOUR.times(24 * 60);

    /// How a list stands at `now`.
    #[must_use]
    pub fn of(list: Option<&LeapList>, now: Timestamp<Utc>) -> Self {
        let Some(list) = list else { return Self::Missing };
        let expires = list.expires();
        if now >= expires {
            Self::Expired { expires }
        } else if expires - now <= Self::WARNING.as_span() {
            Self::ExpiresSoon { expires }
        } else {
            Self::Good { expires }
        }
    }

    /// When it expires or expired, if there is one.
    #[must_use]
    pub const fn expires(self) -> Option<Timestamp<Utc>> {
        match self {
            Self::Missing => None,
            Self::Good { expires } | Self::ExpiresSoon { expires } | Self::Expired { expires } => {
                Some(expires)
            }
        }
    }

    /// How bad that is, if it is.
    #[must_use]
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Self::Good { .. } => None,
            Self::ExpiresSoon { .. } => Some(Severity::Warning),
            Self::Missing | Self::Expired { .. } => Some(Severity::Critical),
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The list is missing, expired or about to expire.
    List(ListStatus),
    /// The claims about a month's end contradict each other.
    Disputed {
        /// Which month's end.
        end: MonthEnd,
        /// What they say.
        claims: Vec<Claim>,
    },
    /// A false leap second: no more laboratories than may lie announce one, which nobody else does.
    FalseLeap {
        /// For which month's end.
        end: MonthEnd,
        /// The laboratories.
        groups: Vec<String>,
    },
    /// A leap second is claimed where none is possible by the configuration.
    OutOfSeason {
        /// For which month's end.
        end: MonthEnd,
    },
    /// A kernel has another TAI - UTC than the list, or none.
    KernelTai {
        /// Whose.
        owner: String,
        /// What it has, in seconds; 0 when nobody has told it.
        kernel_s: i32,
        /// What the list has, in seconds.
        list_s: i32,
    },
    /// A kernel will leap at the end of a day that does not end a month.
    KernelOutOfSeason {
        /// Whose.
        owner: String,
        /// Which way.
        sign: LeapSign,
    },
    /// A leap second is expected within the hour, and a kernel is not set for it: its clock will
    /// be a second off afterwards.
    KernelNotArmed {
        /// Whose.
        owner: String,
        /// At which month's end.
        end: MonthEnd,
    },
}

impl Finding {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::List(status) => status.severity().unwrap_or(Severity::Warning),
            Self::FalseLeap { .. } | Self::KernelNotArmed { .. } => Severity::Warning,
            Self::KernelTai { kernel_s: 0, .. } => Severity::Warning,
            Self::Disputed { .. }
            | Self::OutOfSeason { .. }
            | Self::KernelTai { .. }
            | Self::KernelOutOfSeason { .. } => Severity::Critical,
        }
    }

    /// A name for logs, metrics and alarms.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::List(ListStatus::Missing) => "leap-list-missing",
            Self::List(ListStatus::Expired { .. }) => "leap-list-expired",
            Self::List(ListStatus::ExpiresSoon { .. } | ListStatus::Good { .. }) => {
                "leap-list-expires-soon"
            }
            Self::Disputed { .. } => "leap-disputed",
            Self::FalseLeap { .. } => "leap-false",
            Self::OutOfSeason { .. } => "leap-out-of-season",
            Self::KernelTai { .. } => "leap-kernel-tai",
            Self::KernelOutOfSeason { .. } => "leap-kernel-out-of-season",
            Self::KernelNotArmed { .. } => "leap-kernel-not-armed",
        }
    }
}

/// Everything that is wrong at `now`.
pub(super) fn all(inputs: &Inputs<'_>, now: Timestamp<Utc>, expected: &[Expected]) -> Vec<Finding> {
    let status = ListStatus::of(inputs.list, now);
    let mut found: Vec<Finding> =
        status.severity().map(|_| Finding::List(status)).into_iter().collect();
    for it in expected.iter().filter(|it| it.end.instant() > now) {
        if it.outlook == Outlook::Disputed {
            found.push(Finding::Disputed { end: it.end, claims: it.claims.clone() });
        }
        let claimed = it.claims.iter().any(|claim| claim.says.is_some());
        if claimed && !inputs.season.holds(it.end) {
            found.push(Finding::OutOfSeason { end: it.end });
        }
    }
    found.extend(false_leap(inputs, now));
    found.extend(kernels(inputs, now, expected));
    found
}

fn false_leap(inputs: &Inputs<'_>, now: Timestamp<Utc>) -> Option<Finding> {
    let end = MonthEnd::containing(now);
    let claims = |vote: Announced| vote != Announced::Nothing;
    let groups = inputs.groups(claims);
    let few = !groups.is_empty() && !inputs.outnumber_liars(claims) && !lingers(now);
    let others = inputs.claims(end, now).iter().any(|claim| claim.says.is_some());
    (few && !others).then_some(Finding::FalseLeap { end, groups })
}

fn kernels(inputs: &Inputs<'_>, now: Timestamp<Utc>, expected: &[Expected]) -> Vec<Finding> {
    let end = MonthEnd::containing(now);
    let list_s = inputs.list.and_then(|list| list.tai_minus_utc_s(now));
    let changing =
        [end, end.previous()].into_iter().any(|end| Blackout::around(end).covers_reading(now));
    let soon = expected.iter().any(|it| it.end == end && matches!(it.outlook, Outlook::Leap(_)))
        && end.from(now) <= DECISION.as_span();
    let just_over = now - end.previous().instant() <= AFTERWARDS.as_span();
    let mut found = Vec::new();
    for kernel in inputs.kernels {
        let (owner, kernel_s) = (kernel.owner.clone(), kernel.tai_minus_utc_s);
        if let Some(list_s) = list_s.filter(|&list_s| list_s != kernel_s && !changing) {
            found.push(Finding::KernelTai { owner: owner.clone(), kernel_s, list_s });
        }
        match kernel.armed {
            // Just after L the kernel still waits for its flag to be taken away.
            Some(sign) if !is_last_day(end, now) && !just_over => {
                found.push(Finding::KernelOutOfSeason { owner, sign });
            }
            None if soon && end.from(now) > Span::ZERO => {
                found.push(Finding::KernelNotArmed { owner, end });
            }
            _ => {}
        }
    }
    found
}
