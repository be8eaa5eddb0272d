//! Which lease may still be alive at the TSU, as far as the monitor can know.

use chronolease_core::broken::{Condition, kept};
use chronolease_core::id::{Incarnation, LeaseSeq};
use chronolease_core::lease::EndingCause;
use chronolease_core::time::RawInstant;

use super::record::Record;

/// Whether a TSU that introduced itself may be admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// At once.
    Now,
    /// Not yet: a lease of another incarnation may still be alive.
    Wait,
}

/// The newest lease. Older ones are covered by it: a TSU holds one lease at a time, and within one
/// run a newer one lasts longer.
#[derive(Debug)]
struct Newest {
    sequence: LeaseSeq,
    /// The first lease of the unbroken run that this one renews.
    first: LeaseSeq,
    /// When it has run out at the TSU for certain, on the monitor's oscillator.
    live_until: RawInstant,
    revoked: Option<EndingCause>,
    acked: bool,
}

#[derive(Debug)]
pub(super) struct Leases {
    newest: Option<Newest>,
    /// Until then a lease from before this start may be alive at some incarnation.
    inherited_until: RawInstant,
}

impl Leases {
    pub(super) const fn new(inherited_until: RawInstant) -> Self {
        Self { newest: None, inherited_until }
    }

    /// The lease that stands: granted, not revoked, not run out when last looked at.
    pub(super) fn live(&self) -> Option<LeaseSeq> {
        self.newest.as_ref().filter(|n| n.revoked.is_none()).map(|n| n.sequence)
    }

    /// Whether what was judged under this lease may be confirmed: it is the lease that stands, or
    /// one that it renews without a break.
    pub(super) fn covers(&self, sequence: LeaseSeq, now: RawInstant) -> bool {
        self.newest.as_ref().is_some_and(|n| {
            n.revoked.is_none() && now <= n.live_until && (n.first..=n.sequence).contains(&sequence)
        })
    }

    pub(super) fn live_until(&self) -> Option<RawInstant> {
        self.newest.as_ref().filter(|n| n.revoked.is_none()).map(|n| n.live_until)
    }

    /// A lease from before this start may have been longer than today's, and it lives on when the
    /// new one never arrives.
    pub(super) fn granted(&mut self, sequence: LeaseSeq, live_until: RawInstant) {
        let live_until = live_until.max(self.inherited_until);
        let renewed = self.newest.as_ref().filter(|n| n.revoked.is_none()).map(|n| n.first);
        let first = renewed.unwrap_or(sequence);
        self.newest = Some(Newest { sequence, first, live_until, revoked: None, acked: false });
    }

    pub(super) fn revoked(&mut self, cause: EndingCause, now: RawInstant) {
        if let Some(newest) = &mut self.newest {
            newest.revoked = Some(cause);
            newest.acked = newest.live_until < now;
        }
    }

    pub(super) fn acked(&mut self, up_to: LeaseSeq) {
        if let Some(newest) =
            self.newest.as_mut().filter(|n| n.revoked.is_some() && n.sequence <= up_to)
        {
            newest.acked = true;
        }
    }

    /// A revoked lease counts as alive until the TSU says it is dead or it has run out.
    pub(super) fn revocation_pending(&self, now: RawInstant) -> bool {
        self.newest.as_ref().is_some_and(|n| n.revoked.is_some() && !n.acked && now <= n.live_until)
    }

    /// The cause of a revocation that nobody confirmed.
    pub(super) fn unacked(&self) -> Option<EndingCause> {
        self.newest.as_ref().filter(|n| !n.acked).and_then(|n| n.revoked)
    }

    pub(super) fn has_expired(&self, now: RawInstant) -> bool {
        self.live_until().is_some_and(|until| now > until)
    }

    pub(super) fn forget_expired(&mut self, now: RawInstant) {
        self.newest.take_if(|newest| now > newest.live_until);
    }

    pub(super) fn forget(&mut self) {
        self.newest = None;
    }

    /// At most one incarnation may be able to issue. The one that holds the newest lease comes
    /// back at once; any other waits until that lease has run out for certain, or is known dead.
    pub(super) fn admits(
        &self,
        record: &Record,
        incarnation: Incarnation,
        now: RawInstant,
    ) -> Admission {
        if record.incarnation == Some(incarnation) {
            return Admission::Now;
        }
        let waits = match &self.newest {
            Some(_) => kept(Condition::IncarnationWait),
            None => kept(Condition::RestartWait),
        };
        let alive = waits && self.may_be_alive(record, now);
        if alive { Admission::Wait } else { Admission::Now }
    }

    /// Whether any lease may be alive at any incarnation of the TSU.
    pub(super) fn may_be_alive(&self, record: &Record, now: RawInstant) -> bool {
        match &self.newest {
            Some(newest) => now <= newest.live_until && !newest.acked,
            None => record.incarnation.is_some() && now <= self.inherited_until,
        }
    }

    /// The lease that stands, if it renewed another: the TSU has answered since the first grant.
    pub(super) fn renewed(&self) -> Option<LeaseSeq> {
        let newest = self.newest.as_ref().filter(|n| n.revoked.is_none() && n.first < n.sequence);
        newest.map(|n| n.sequence)
    }
}
