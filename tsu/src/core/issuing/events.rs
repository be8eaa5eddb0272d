//! What happens to the pipeline, and what it wants done.

use chronolease_core::confirmation::{Batch, Confirmation, NotConfirmed, SignedConfirmation};
use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::leaf::{self, Intent};
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::{BatchSeq, ChannelBinding, LeaseSeq, Nonce, Serial};
use chronolease_core::lease::{EndingCause, LeaseTerms, SignedLease};
use chronolease_core::time::Bound;
use chronolease_core::token::{Releasable, Signed, Witnessed};
use chronolease_core::wire::{LeaseEnded, RefusedWhy};

use crate::core::holder::{Answer, GrantRefused};
use crate::core::rfc3161::{NotUsable, Rejection, Request};

/// What a token will say.
#[derive(Debug)]
pub struct Content {
    /// The request it answers.
    pub request: Request,
    /// Its serial number.
    pub serial: Serial,
    /// What is signed: the TSTInfo in DER.
    pub tst_info: Vec<u8>,
    /// SHA-256 over it.
    pub tst_info_digest: Hash,
    /// The randomness that went into the serial number.
    pub randomness: [u8; 32],
    /// Whether it was asked about before, and its batch came late.
    pub retried: bool,
}

/// The number of a request, never used twice in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// The place of one batch in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub usize);

/// A batch on its way to be signed.
pub type Unsigned = Vec<(RequestId, Witnessed<Content>)>;

/// A token on its way back.
#[derive(Debug)]
pub struct Finished {
    /// Where its batch is.
    pub lane: LaneId,
    /// The request that it answers.
    pub id: RequestId,
    /// How long it took to sign.
    pub took: Bound,
    /// `None` when it could not be signed or did not verify.
    pub token: Option<Signed<Content>>,
}

/// The evidence log did not take a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRecorded {
    /// It may take the next one, as when the disk is full.
    ForNow,
    /// It will never take anything again.
    ForGood,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A connection to the monitor stands.
    Connected(ChannelBinding),
    /// The connection to the monitor is gone.
    Disconnected,
    /// The monitor admitted this TSU.
    Welcomed,
    /// The monitor did not admit this TSU.
    Refused(RefusedWhy),
    /// The monitor asks for the clock.
    Probed(Nonce),
    /// The monitor granted a lease: as it came, and its terms once the signature was verified.
    Granted(SignedLease, LeaseTerms),
    /// The monitor's log was vouched for since the last answer.
    Vouched,
    /// One of the two logs does not continue what the other box vouched for.
    LogBroken(EndingCause),
    /// The monitor revoked every lease up to this one.
    Revoked(LeaseSeq, EndingCause),
    /// A client asks for a token.
    Requested {
        /// The number of the request.
        id: RequestId,
        /// The request.
        request: Request,
        /// Fresh randomness for the serial number.
        randomness: [u8; 32],
    },
    /// The lease with this number is durable, or it is not.
    LeaseLogged(LeaseSeq, Result<(), NotRecorded>),
    /// The intents of the batch in this lane are durable, from this leaf on; or they are not.
    Logged(LaneId, Result<LeafIndex, NotRecorded>),
    /// The monitor confirmed a batch: as it came, and what it says once the signature was verified
    /// and the log in it found to be the one that was shown.
    Confirmed(SignedConfirmation, Confirmation),
    /// The monitor did not confirm a batch.
    NotConfirmed(BatchSeq, NotConfirmed),
    /// The confirmation of the batch in this lane is durable, or it is not.
    ConfirmationLogged(LaneId, Result<(), NotRecorded>),
    /// A token is signed. It does not wait for the others of its batch.
    Finished(Box<Finished>),
    /// Time passed.
    Tick,
}

/// What the monitor is to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToLink {
    /// The answer to a probe; the link adds the log's checkpoint.
    Answer(Answer),
    /// Every lease up to this one is dead here.
    Revoked(LeaseSeq),
    /// May this batch be released? The link adds the log.
    Confirm(Batch),
}

/// What to do, in this order.
#[derive(Debug)]
pub enum Action {
    /// Send a message to the monitor.
    Send(ToLink),
    /// Make this lease durable, then report [`Event::LeaseLogged`].
    LogLease(LeaseSeq, SignedLease),
    /// Make these intents durable, then report [`Event::Logged`] for the lane.
    Log(LaneId, Vec<Intent>),
    /// Make this confirmation durable, then report [`Event::ConfirmationLogged`] for the lane.
    LogConfirmation(LaneId, SignedConfirmation),
    /// Sign the batch, and report [`Event::Finished`] for each of its tokens.
    Sign(LaneId, Unsigned),
    /// Put this on record; nobody waits for it.
    Record(leaf::Event),
    /// Answer a client.
    Reply(RequestId, Result<Releasable, Rejection>),
    /// For the log and the metrics.
    Note(Note),
}

/// What an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The monitor admitted this TSU.
    Admitted,
    /// The monitor did not admit this TSU.
    NotAdmitted(RefusedWhy),
    /// The first lease after a time without one.
    LeaseHeld(LeaseSeq),
    /// There is no lease any more.
    LeaseEnded(NoLeaseWhy),
    /// A grant was not accepted.
    GrantRefused(GrantRefused),
    /// A batch was not confirmed.
    NotConfirmed(NotConfirmed),
    /// What came as a confirmation is about something else than what was asked.
    OtherConfirmed(BatchSeq),
    /// A batch was burnt: the monitor did not answer in time, or the connection broke.
    Unanswered(BatchSeq),
    /// The certificate or its key may not be used.
    NotUsable(NotUsable),
}

/// Why there is no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLeaseWhy {
    /// It ran out.
    Expired,
    /// The guard ended it.
    Guard(LeaseEnded),
    /// The monitor revoked it.
    Revoked(LeaseSeq, EndingCause),
}

impl NoLeaseWhy {
    /// The cause as it is recorded.
    #[must_use]
    pub const fn cause(self) -> EndingCause {
        match self {
            Self::Expired => EndingCause::Lapsed,
            Self::Guard(ended) => ended.cause,
            Self::Revoked(_, cause) => cause,
        }
    }
}
