//! The exchange of checkpoints with a peer (design 7): each box offers the tree of its own log, and
//! vouches for its peer's.
//!
//! [`Offering`] is the one half, [`Vouching`] the other; a box has both for each peer. They share
//! the box's [`OwnLog`]. Nothing here waits for the network; [`Vouching`] and [`OwnLog::keep`] wait
//! for the disk.

pub mod epoch;
mod offering;
mod own;
mod vouching;

use std::fmt;

use chronolease_core::evidence::note::{CosignerKey, KeyName, LogKey};

use crate::keys::EvidenceVerifier;

pub use offering::Offering;
pub use own::{OwnLog, SealedError, newest};
pub(crate) use vouching::vouched_note;
pub use vouching::{PeerTrouble, VouchError, Vouched, Vouching, commission};

/// The peer's log: its name, and the key that signs its checkpoints and its cosignatures.
#[derive(Clone, Debug)]
pub struct PeerLog {
    /// The name.
    pub origin: KeyName,
    /// The key.
    pub key: EvidenceVerifier,
}

impl PeerLog {
    /// The key as that of a log.
    fn log_key(&self) -> LogKey {
        LogKey::new(self.origin.clone(), *self.key.public_key())
    }

    /// The key as that of a witness.
    fn cosigner_key(&self) -> CosignerKey {
        CosignerKey::new(self.origin.clone(), *self.key.public_key())
    }

    /// Checks an Ed25519 signature of the peer. It has one key, so `public` is always that.
    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        public == self.key.public_key() && self.key.verify(message, signature)
    }
}

impl fmt::Display for PeerLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}

#[cfg(test)]
mod tests;
