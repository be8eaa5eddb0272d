//! What happens to a ward, and what it wants done.

use chronolease_core::confirmation::Confirmation;
use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::leaf;
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::fusion::NoUtc;
use chronolease_core::id::{ChannelBinding, LeaseSeq, Nonce};
use chronolease_core::interval::Interval;
use chronolease_core::lease::{EndingCause, LeaseTerms};
use chronolease_core::stamped::Turn;
use chronolease_core::time::{RawInstant, Span};
use chronolease_core::wire::{Confirm, Hello, ProbeAnswer, ToTsu};

use super::connections::ConnId;
use super::record::Record;
use crate::core::leap::watch::{Boundaries, since_1970};
use crate::core::pps::PpsSays;

/// What the monitor knows in a turn.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// UTC - RAW on the monitor's oscillator, as it holds in this turn.
    pub utc: Result<Interval, NoUtc>,
    /// Where the ends of months lie.
    pub boundaries: Boundaries,
    /// The newest tree of the TSU's log that the monitor has vouched for.
    pub vouched: TreeHead,
    /// Whether the evidence log takes records, as far as is known, and box B's own clock reader is
    /// heard. Without either nothing is granted.
    pub recordable: bool,
    /// What the pulse-per-second signal of the monitor's box means for leases.
    pub pps: PpsSays,
    /// Fresh randomness; one for each connection that may have to be probed.
    pub nonces: [Nonce; 2],
}

/// What comes with every event. Its instant is that of a [`Turn`], so that it was read after the
/// event was in; another cannot be put there.
///
/// ```compile_fail
/// use chronolease_core::time::RawInstant;
/// use chronolease_monitor::core::authority::{Context, Facts};
/// fn late(before: RawInstant, facts: Facts) -> Context {
///     Context { now: before, facts } // private fields
/// }
/// ```
///
/// ```
/// use chronolease_core::stamped::Turn;
/// use chronolease_monitor::core::authority::{Context, Facts};
/// fn received(turn: &Turn, facts: Facts) -> Context {
///     Context::of(turn, facts)
/// }
/// ```
#[derive(Debug)]
pub struct Context {
    /// The monitor's oscillator, read after the event was fully received.
    pub(super) now: RawInstant,
    facts: Facts,
}

impl core::ops::Deref for Context {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

impl Context {
    /// These facts in this turn.
    #[must_use]
    pub const fn of(turn: &Turn, facts: Facts) -> Self {
        Self { now: turn.reading().sample.raw_after, facts }
    }

    /// UTC at `now`, if it is known: an interval of spans since 1970.
    #[must_use]
    pub fn utc_now(&self) -> Option<Interval> {
        self.facts.utc.ok().map(|utc_minus_raw| since_1970(utc_minus_raw, self.now))
    }
}

/// A log as the TSU shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownLog {
    /// The tree.
    pub tree: TreeHead,
    /// The proof that it continues the last tree that was shown on the connection.
    pub since_shown: Vec<Hash>,
    /// Whether the monitor vouched for it, and its own log continues what the TSU vouched for. If
    /// not, the next proof starts here all the same.
    pub vouched: bool,
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
        /// The checkpoint that came with it, when it continues what was shown before. Without one
        /// that is vouched for the clock is judged all the same, but nothing is granted.
        log: Option<ShownLog>,
    },
    /// A TSU asks whether a batch may be released.
    Confirm {
        /// The connection.
        conn: ConnId,
        /// The batch and the log.
        confirm: Confirm,
    },
    /// One of the two logs does not continue what the other box vouched for.
    LogBroken {
        /// A rollback or a fork.
        cause: EndingCause,
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
    /// A source was polled; [`Facts::utc`] may have changed.
    Fused,
    /// Time passed, or something in the [`Context`] changed.
    Tick,
    /// A record could not be made durable, so what it records was not done.
    PersistFailed,
    /// The evidence log will never take a record again; a grant that was just asked for was not
    /// recorded either.
    EvidenceLost,
    /// Box B's own continuity broke; its samples are gone.
    Broken,
    /// A token from the TSU's public endpoint breaks a promise.
    WrongToken,
    /// The monitor stops in good order.
    Stop,
}

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Welcome the TSU.
    Admit(ConnId),
    /// Send a message.
    Send(ConnId, ToTsu),
    /// Close a connection, after what was sent before.
    Close(ConnId),
    /// Make the record durable. The act it records has been done already.
    Persist(Record),
    /// Make the record durable, sign the terms, put the lease on evidence, and only then send it.
    /// When one of them fails, do not send, and report [`Event::PersistFailed`] or
    /// [`Event::EvidenceLost`].
    Grant(ConnId, Record, LeaseTerms),
    /// Sign the confirmation, put it on evidence, and only then send it. It need not be waited for:
    /// when it cannot be recorded it is not sent.
    Confirm(ConnId, Confirmation),
    /// For evidence, log and metrics: a lease ended, and with it all before it.
    Ended(leaf::Ended),
    /// For evidence and log: a probe was judged.
    Judged(leaf::Probed),
    /// The two boxes' oscillators disagree, by this: discard every sample of the sources, those in
    /// flight too, and report [`Event::Broken`] to every ward.
    Discard(Span),
}
