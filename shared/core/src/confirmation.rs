//! The witness: the monitor's signed word on a batch of tokens, which permits their release.
//!
//! The TSU logs what it is about to sign, then asks ([`Batch`]). The monitor reads its own UTC
//! after the question is in. When every genTime of the batch lies within the accuracy of that
//! reading, whatever the TSU's clocks say, it answers with a [`Confirmation`]. [`judge`] is that
//! comparison.

use crate::broken::{Condition, kept};
use crate::coded::coded;
use crate::evidence::TreeHead;
use crate::evidence::merkle::{CompactRange, Hash, leaf_hash};
use crate::id::{BatchSeq, ChannelBinding, Incarnation, LeaseSeq, TsuId};
use crate::interval::Interval;
use crate::time::{Bound, GenTime, RawInstant, Timestamp, Utc};
use crate::wire::{self, WireError};

/// The earliest and the latest genTime of a batch, as the tokens print them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenTimes {
    min: GenTime,
    max: GenTime,
}

/// A batch of tokens whose intents are on record at the TSU. The link adds the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number on this connection, from 1 and without gaps.
    pub sequence: BatchSeq,
    /// The lease that its sample was judged under.
    pub lease: LeaseSeq,
    /// The root over the tokens; see [`root`].
    pub root: Hash,
    /// What the tokens print.
    pub gen_times: GenTimes,
}

/// What the monitor states and signs when it confirms a batch.
///
/// It says: "when I read UTC as `utc` within `half_width`, after I was asked, each genTime of this
/// batch lay within the accuracy of every instant of that reading; the lease stood, and the log
/// continued all that I had seen of it."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The TSU that may release.
    pub tsu: TsuId,
    /// The run of that TSU that may release.
    pub incarnation: Incarnation,
    /// The session: the connection that it was asked over.
    pub channel: ChannelBinding,
    /// The batch.
    pub batch: Batch,
    /// The TSU's log, the intents of the batch in it.
    pub log: TreeHead,
    /// m: the middle of the monitor's UTC interval.
    pub utc: Timestamp<Utc>,
    /// e: half the width of that interval.
    pub half_width: Bound,
}

/// A confirmation in DER with the monitor's signature, as it travels and as both logs keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedConfirmation {
    /// The confirmation in canonical DER.
    pub der: Vec<u8>,
    /// Ed25519 over [`SignedConfirmation::message`].
    pub signature: Vec<u8>,
}

/// Why a received confirmation is not one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmationError {
    /// It does not parse.
    #[error("the confirmation does not parse: {0}")]
    Der(#[from] WireError),
    /// The signature does not fit the monitor's evidence key.
    #[error("the signature on the confirmation does not fit the monitor's evidence key")]
    Signature,
}

/// What the witness goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WitnessLimits {
    /// A: the accuracy printed in tokens.
    pub accuracy: Bound,
    /// e_max: the widest reading that may confirm.
    pub half_width_max: Bound,
}

/// Why a batch is not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotConfirmed {
    /// The lease that it names ended, or was never granted to this connection's run.
    #[error("its lease is not live")]
    NoLease,
    /// Too few laboratories agree on UTC.
    #[error("UTC is not known")]
    NoUtc,
    /// UTC is known, but less well than e_max.
    #[error("UTC is not known well enough")]
    Wide,
    /// A genTime may lie further in the past than the accuracy: the batch came late, or the clock
    /// is slow.
    #[error("a genTime is too early")]
    TooEarly,
    /// A genTime may lie further in the future than the accuracy: the clock is fast.
    #[error("a genTime is too late")]
    TooLate,
    /// UTC, or a genTime, lies in the blackout around a possible leap second.
    #[error("it lies in the blackout around a possible leap second")]
    Blackout,
    /// The monitor cannot record it.
    #[error("the monitor cannot record it")]
    NoRecord,
}

impl GenTimes {
    /// Of these tokens; `None` when there are none.
    #[must_use]
    pub fn of(gen_times: impl IntoIterator<Item = GenTime>) -> Option<Self> {
        let mut all = gen_times.into_iter();
        let first = all.next()?;
        let widen = |Self { min, max }: Self, next: GenTime| Self {
            min: next.min(min),
            max: next.max(max),
        };
        Some(all.fold(Self { min: first, max: first }, widen))
    }

    /// From the earliest to the latest; `None` when they are the wrong way round.
    #[must_use]
    pub fn new(min: GenTime, max: GenTime) -> Option<Self> {
        (min <= max).then_some(Self { min, max })
    }

    /// The earliest.
    #[must_use]
    pub const fn min(self) -> GenTime {
        self.min
    }

    /// The latest.
    #[must_use]
    pub const fn max(self) -> GenTime {
        self.max
    }
}

/// The root over the tokens of a batch: the Merkle tree hash (RFC 9162 2.1.1) over leaves that are
/// the SHA-256 of each TSTInfo in DER, in the order of their intents.
#[must_use]
pub fn root<'a>(tst_info_digests: impl IntoIterator<Item = &'a Hash>) -> Hash {
    let mut range = CompactRange::new();
    tst_info_digests.into_iter().for_each(|digest| range.append(leaf_hash(digest.as_bytes())));
    range.root()
}

/// m and e: UTC on the monitor at `now`, which was read after the batch was in. `utc_minus_raw`
/// holds at `now`.
#[must_use]
pub fn reading(utc_minus_raw: Interval, now: RawInstant) -> (Timestamp<Utc>, Bound) {
    let raw = Timestamp::from_unix_nanos(now.as_nanos());
    (raw + utc_minus_raw.midpoint(), utc_minus_raw.half_width())
}

/// Whether each genTime lies within the accuracy of every instant that the reading `utc +-
/// half_width` admits: `g_min >= m + e - A` and `g_max <= m - e + A`.
///
/// # Errors
/// [`NotConfirmed`].
pub fn judge(
    gen_times: GenTimes,
    utc: Timestamp<Utc>,
    half_width: Bound,
    limits: &WitnessLimits,
) -> Result<(), NotConfirmed> {
    if cfg!(feature = "negative-control") {
        return Ok(());
    }
    if kept(Condition::HalfWidth) && half_width > limits.half_width_max {
        return Err(NotConfirmed::Wide);
    }
    // In i128, where nothing overflows and nothing saturates in anybody's favour.
    let at = |gen_time: GenTime| i128::from(gen_time.as_unix_nanos());
    let (m, e) = (i128::from(utc.as_unix_nanos()), i128::from(half_width.as_nanos()));
    let accuracy = i128::from(limits.accuracy.as_nanos());
    if kept(Condition::LowerEdge) && at(gen_times.min) < m + e - accuracy {
        return Err(NotConfirmed::TooEarly);
    }
    if kept(Condition::UpperEdge) && at(gen_times.max) > m - e + accuracy {
        return Err(NotConfirmed::TooLate);
    }
    Ok(())
}

impl SignedConfirmation {
    /// What stands before the confirmation in the signed message, so that the signature can never
    /// pass for one over anything else.
    pub const CONTEXT: &'static [u8] = b"chronolease/confirmation/v1\0";

    /// Encodes `confirmation` and lets `sign` sign it.
    #[must_use]
    pub fn sign(confirmation: &Confirmation, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Self {
        let der = wire::encode_confirmation(confirmation);
        let signature = sign(&Self::message(&der)).to_vec();
        Self { der, signature }
    }

    /// The bytes that are signed: the context, then the confirmation.
    #[must_use]
    pub fn message(der: &[u8]) -> Vec<u8> {
        [Self::CONTEXT, der].concat()
    }

    /// Reads the confirmation after `verify` found the signature to fit the message.
    ///
    /// # Errors
    /// [`ConfirmationError`].
    pub fn open(
        &self,
        verify: impl FnOnce(&[u8], &[u8]) -> bool,
    ) -> Result<Confirmation, ConfirmationError> {
        if !verify(&Self::message(&self.der), &self.signature) {
            return Err(ConfirmationError::Signature);
        }
        Ok(wire::decode_confirmation(&self.der)?)
    }
}

coded! {
    NotConfirmed {
        NoLease = 1, "no-lease";
        NoUtc = 2, "no-utc";
        Wide = 3, "wide";
        TooEarly = 4, "too-early";
        TooLate = 5, "too-late";
        NoRecord = 6, "no-record";
        Blackout = 7, "blackout";
    }
}

#[cfg(all(test, not(feature = "negative-control")))]
mod tests;
