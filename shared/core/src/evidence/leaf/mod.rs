//! What the evidence log records. Each leaf is canonical DER and names the moment of its making;
//! it holds the inputs of a judgement, so that whoever reads it can judge again.
//!
//! `docs/evidence.md` has the grammar, and an example of each kind in hexadecimal.

mod asn1;
mod end_to_end;
mod event;
mod imprint;
mod round;

use crate::sample::Sample;
use crate::wire::WireError;

pub use end_to_end::{EndToEnd, EndToEndResult};
pub use event::{
    Assessment, BoxRole, Doubt, Ended, Event, Intent, IssuedToken, KernelChange, NewEpoch,
    PeerBroken, PeerEpoch, Probed, SourceDoubt, Started, TornTail,
};
pub use imprint::{HashFunction, Imprint};
pub use round::{Drift, Round, SourceReading, SourceReason, SourceState};

/// The version of the leaf format.
pub const LEAF_VERSION: u8 = 1;

/// The largest leaf in bytes: what an entry of a C2SP tile can hold.
pub const LEAF_BYTES_MAX: usize = 65_535;

/// One leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The clocks of the box when it made the leaf.
    pub made: Sample,
    /// What happened.
    pub event: Event,
}

/// Why there is no such leaf.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// Longer than [`LEAF_BYTES_MAX`].
    #[error("a leaf of {0} bytes is longer than {LEAF_BYTES_MAX}")]
    TooLong(usize),
    /// Not the canonical DER of a leaf, or a field outside its range.
    #[error(transparent)]
    Der(#[from] WireError),
}

impl Leaf {
    /// The leaf in DER.
    ///
    /// # Errors
    /// [`LeafError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, LeafError> {
        let der = crate::wire::asn1::encode(&asn1::Leaf::from(self));
        if der.len() > LEAF_BYTES_MAX { Err(LeafError::TooLong(der.len())) } else { Ok(der) }
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// [`LeafError`] for anything but one canonical leaf of a kind that this version knows.
    pub fn decode(der: &[u8]) -> Result<Self, LeafError> {
        if der.len() > LEAF_BYTES_MAX {
            return Err(LeafError::TooLong(der.len()));
        }
        Ok(crate::wire::asn1::decode_canonical::<asn1::Leaf>(der)?.try_into()?)
    }
}

#[cfg(test)]
mod tests;
