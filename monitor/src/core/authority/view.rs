//! What others may know of a ward.

use chronolease_core::evidence::TreeHead;
use chronolease_core::id::LeaseSeq;
use chronolease_core::time::RawInstant;

use super::{ConnId, Record, Rules, Verdict, Ward};

/// The state of a ward in one word, for metrics and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WardState {
    /// No lease, and no good run yet.
    None,
    /// No lease; good probes are being counted over the hold.
    Holding,
    /// A lease is live.
    Granted,
    /// Latched: the longer hold, and a reset unless re-arming is automatic.
    Latched,
}

impl WardState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::None, Self::Holding, Self::Granted, Self::Latched];

    /// The state as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Holding => "holding",
            Self::Granted => "granted",
            Self::Latched => "latched",
        }
    }
}

impl Ward {
    /// The state in one word.
    #[must_use]
    pub fn state(&self) -> WardState {
        if self.leases.live().is_some() {
            WardState::Granted
        } else if self.record.latch.is_some() {
            WardState::Latched
        } else if self.run.is_running() {
            WardState::Holding
        } else {
            WardState::None
        }
    }

    /// The rules it goes by.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is durable.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// The verdict on the last probe, if the TSU answers.
    #[must_use]
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// Whether this connection is the one that speaks for the TSU.
    #[must_use]
    pub fn is_current(&self, conn: ConnId) -> bool {
        self.connections.is_current(conn)
    }

    /// The newest tree of its log that the TSU showed, on this connection or before. `vouched` is
    /// the newest one that the monitor has vouched for.
    #[must_use]
    pub fn shown(&self, vouched: TreeHead) -> TreeHead {
        if self.confirmed.size > vouched.size { self.confirmed } else { vouched }
    }

    /// A lease that the TSU holds for certain: one that it was granted, and probed again since.
    #[must_use]
    pub fn held_lease(&self) -> Option<LeaseSeq> {
        self.leases.renewed()
    }

    /// Whether what was judged under this lease could be confirmed at `now`.
    #[must_use]
    pub fn covers(&self, lease: LeaseSeq, now: RawInstant) -> bool {
        self.leases.covers(lease, now)
    }

    /// The newest lease that was ever granted, when neither it nor any other can be alive at `now`.
    #[must_use]
    pub fn without_lease(&self, now: RawInstant) -> Option<LeaseSeq> {
        (!self.leases.may_be_alive(&self.record, now)).then_some(self.record.sequence)
    }

    /// Whether a TSU is admitted.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connections.current().is_some()
    }
}
