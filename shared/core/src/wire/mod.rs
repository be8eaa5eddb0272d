//! The messages between the boxes.
//!
//! On the link each message is a 4-byte big-endian length and that many bytes of DER. The grammar
//! is in `asn1.rs` and in `docs/protocol.md`. Decoding is strict: what does not encode back to the
//! very same bytes is refused, so one meaning has one encoding.

pub(crate) mod asn1;
mod opening;

use crate::clock_reader::ReaderWord;
use crate::confirmation::{Batch, Confirmation, NotConfirmed, SignedConfirmation};
use crate::evidence::TreeHead;
use crate::evidence::merkle::Hash;
use crate::id::{BatchSeq, BootId, Incarnation, LeaseSeq, Nonce, TsuId};
use crate::lease::{EndingCause, LeaseTerms, SignedLease};
use crate::sample::Sample;

pub use opening::Opening;

/// The version of this protocol. Both ends must speak the same one.
pub const PROTOCOL_VERSION: u8 = 6;

/// The largest message, in bytes of DER without the length in front.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// The label under which both ends of a connection derive its
/// [`ChannelBinding`](crate::id::ChannelBinding) (RFC 8446 7.5).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-chronolease-link-v1";

/// What the TSU says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToMonitor {
    /// The first message on a connection: who calls.
    Hello(Hello),
    /// The answer to a probe.
    Answer(ProbeAnswer),
    /// The lease named by a revocation, and every earlier one, is dead here.
    Revoked(LeaseSeq),
    /// The TSU cosigns the monitor's checkpoint: a line of a signed note.
    Cosigned(String),
    /// May these tokens be released?
    Confirm(Confirm),
}

/// The TSU introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Must be [`PROTOCOL_VERSION`]. With `tsu` it makes the [`Opening`].
    pub version: u8,
    /// Which ward of the monitor calls; it must fit the pinned key of the connection.
    pub tsu: TsuId,
    /// The run of the TSU.
    pub incarnation: Incarnation,
    /// The boot of box A.
    pub boot_id: BootId,
    /// The newest tree of the monitor's log that the TSU has vouched for.
    pub held: TreeHead,
}

/// A reading of the TSU's clock, taken after the probe was fully received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// The probe's nonce.
    pub nonce: Nonce,
    /// The reading.
    pub sample: Sample,
    /// What the TSU's clock reader says, right after the reading.
    pub reader: ReaderWord,
    /// A lease that the TSU ended by itself since it last said so.
    pub ended: Option<LeaseEnded>,
    /// The TSU's log. Absent before the monitor has said, in its welcome, what it holds.
    pub log: Option<LogOffer>,
}

/// The newest state of a log, offered to be vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOffer {
    /// The newest checkpoint, as [`AddCheckpoint`](crate::evidence::exchange::AddCheckpoint) writes
    /// it: it continues the last one that was offered.
    pub checkpoint: Vec<u8>,
    /// The proof that it continues the last tree that was shown on this connection, with a
    /// checkpoint or with a batch.
    pub since_shown: Vec<Hash>,
}

/// A batch waits to be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The batch.
    pub batch: Batch,
    /// The TSU's log, the intents of the batch in it.
    pub log: TreeHead,
    /// The proof that it continues the last tree that was shown on this connection.
    pub since_shown: Vec<Hash>,
}

/// The TSU ended a lease by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseEnded {
    /// Which lease.
    pub sequence: LeaseSeq,
    /// Why.
    pub cause: EndingCause,
}

/// What the monitor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToTsu {
    /// The TSU is admitted; probes follow.
    Welcome(Welcome),
    /// The TSU is not admitted; the monitor closes the connection. It may call again.
    Refused(RefusedWhy),
    /// A challenge: read your clock now.
    Probe(Nonce),
    /// A lease on the sample of the last answer.
    Grant(SignedLease),
    /// Every lease up to and including this one ends now.
    Revoke {
        /// The last lease that ends.
        up_to: LeaseSeq,
        /// Why.
        cause: EndingCause,
    },
    /// The monitor cosigns the checkpoint of the last answer, and offers its own. It comes before
    /// the grant on that answer.
    Witnessed(Witnessed),
    /// A batch may be released.
    Confirmed(SignedConfirmation),
    /// A batch may not be released.
    NotConfirmed(BatchSeq, NotConfirmed),
}

/// What the monitor holds of the TSU's log: the first proofs start there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The newest tree that the monitor has vouched for.
    pub vouched: TreeHead,
    /// The newest tree that the monitor was shown: that one, or a later one that went with a batch
    /// which it confirmed.
    pub shown: TreeHead,
}

/// Both halves of one exchange of checkpoints, as the monitor sends them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// The cosignature: a line of a signed note.
    pub cosignature: String,
    /// The newest checkpoint of the monitor's log, as
    /// [`AddCheckpoint`](crate::evidence::exchange::AddCheckpoint) writes it.
    pub checkpoint: Vec<u8>,
}

/// Why the monitor does not admit a TSU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedWhy {
    /// The versions of the protocol differ; this is the monitor's. In every version it is written
    /// alike, so that a TSU of any other can read it.
    #[error(
        "the monitor speaks protocol version {0}, and this TSU version {PROTOCOL_VERSION}: install \
         the same release on both boxes"
    )]
    Version(u8),
    /// The key of the connection is not pinned for the TSU id that the Hello names.
    #[error("the TSU id does not belong to the key of this connection")]
    Identity,
    /// A lease of another incarnation may still be alive.
    #[error("a lease of another incarnation may still be alive")]
    Wait,
    /// Another connection of this TSU is being challenged or answered its challenge.
    #[error("another connection of this TSU is alive")]
    Busy,
}

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Longer than [`MESSAGE_BYTES_MAX`].
    #[error("a message of {0} bytes is longer than {MESSAGE_BYTES_MAX}")]
    TooLong(usize),
    /// Not the DER of this grammar.
    #[error("not DER of this grammar: {0}")]
    Grammar(String),
    /// It parses, but DER would write it otherwise.
    #[error("not in canonical DER")]
    NotCanonical,
    /// A field is outside its range.
    #[error("the field {0} is outside its range")]
    Range(&'static str),
}

/// The message in DER.
#[must_use]
pub fn encode_to_monitor(message: &ToMonitor) -> Vec<u8> {
    asn1::encode(&asn1::ToMonitor::from(message))
}

/// Reads a message of the TSU.
///
/// # Errors
/// [`WireError`] for anything but one canonical message.
pub fn decode_to_monitor(der: &[u8]) -> Result<ToMonitor, WireError> {
    asn1::decode::<asn1::ToMonitor>(der)?.try_into()
}

/// The message in DER.
#[must_use]
pub fn encode_to_tsu(message: &ToTsu) -> Vec<u8> {
    asn1::encode(&asn1::ToTsu::from(message))
}

/// Reads a message of the monitor.
///
/// # Errors
/// [`WireError`] for anything but one canonical message.
pub fn decode_to_tsu(der: &[u8]) -> Result<ToTsu, WireError> {
    asn1::decode::<asn1::ToTsu>(der)?.try_into()
}

/// Lease terms in DER.
#[must_use]
pub fn encode_terms(terms: &LeaseTerms) -> Vec<u8> {
    asn1::encode(&asn1::LeaseTerms::from(terms))
}

/// Reads lease terms.
///
/// # Errors
/// [`WireError`] for anything but canonical terms.
pub fn decode_terms(der: &[u8]) -> Result<LeaseTerms, WireError> {
    asn1::decode::<asn1::LeaseTerms>(der)?.try_into()
}

/// A confirmation in DER.
#[must_use]
pub fn encode_confirmation(confirmation: &Confirmation) -> Vec<u8> {
    asn1::encode(&asn1::Confirmation::from(confirmation))
}

/// Reads a confirmation.
///
/// # Errors
/// [`WireError`] for anything but one canonical confirmation.
pub fn decode_confirmation(der: &[u8]) -> Result<Confirmation, WireError> {
    asn1::decode::<asn1::Confirmation>(der)?.try_into()
}

#[cfg(test)]
mod tests;
