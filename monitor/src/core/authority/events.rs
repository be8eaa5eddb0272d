//! What happens to a ward, and what it wants done.

use chronolease_core::fusion::NoUtc;
use chronolease_core::id::{ChannelBinding, LeaseSeq, Nonce};
use chronolease_core::interval::Interval;
use chronolease_core::lease::{EndingCause, LeaseTerms};
use chronolease_core::time::RawInstant;
use chronolease_core::wire::{Hello, ProbeAnswer, ToTsu};

use super::connections::ConnId;
use super::record::Record;
use crate::core::assessment::Verdict;

/// What comes with every event.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The monitor's oscillator, read after the event was fully received.
    pub now: RawInstant,
    /// UTC - RAW on the monitor's oscillator, as it holds at `now`.
    pub utc: Result<Interval, NoUtc>,
    /// Fresh randomness; one for each connection that may have to be probed.
    pub nonces: [Nonce; 2],
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A TSU introduced itself; its pinned key fits the id in the Hello.
    Connected {
        /// The connection.
        conn: ConnId,
        /// The introduction.
        hello: Hello,
        /// What binds a lease to the connection.
        channel: ChannelBinding,
    },
    /// A TSU answered a probe.
    Answered {
        /// The connection.
        conn: ConnId,
        /// The answer.
        answer: ProbeAnswer,
        /// The monitor's oscillator, read when the answer was in.
        received: RawInstant,
    },
    /// A TSU confirmed that leases up to this one are dead.
    RevocationAcked {
        /// The connection.
        conn: ConnId,
        /// The last dead lease.
        up_to: LeaseSeq,
    },
    /// A connection is gone.
    Closed {
        /// The connection.
        conn: ConnId,
    },
    /// A source was polled; [`Context::utc`] may have changed.
    Fused,
    /// Time passed.
    Tick,
    /// A record could not be made durable.
    PersistFailed,
    /// Box B's own continuity broke; its samples are gone.
    Broken,
    /// The monitor stops in good order.
    Stop,
}

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a message.
    Send(ConnId, ToTsu),
    /// Close a connection, after what was sent before.
    Close(ConnId),
    /// Make the record durable. The act it records has been done already.
    Persist(Record),
    /// Make the record durable, then sign the terms and send the grant. When the record cannot be
    /// made durable, do not grant, and report [`Event::PersistFailed`].
    Grant(ConnId, Record, LeaseTerms),
    /// For the log and the metrics: a lease ended.
    Ended(LeaseSeq, EndingCause),
    /// For the log: a probe was judged.
    Judged(Verdict),
}
