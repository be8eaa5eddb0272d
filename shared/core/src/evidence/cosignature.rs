//! Cosignatures (C2SP tlog-cosignature): a witness states that, at a certain second, this was the
//! largest tree it had seen of a log, and that all it had seen before are beginnings of it.
//!
//! Only cosignature/v1 (Ed25519, type 0x04) is made and checked. ML-DSA-44 (type 0x06) has another
//! message and longer keys; such signatures on a note are ignored like all unknown ones.

use super::note::{CosignerKey, Note, NoteError, NoteSignature};
use crate::time::{Timestamp, Utc};

/// The second at which a cosignature was made: seconds since 1970 UTC, at most 2^63 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CosignedAt(u64);

impl CosignedAt {
    /// From seconds since 1970; `None` above 2^63 - 1.
    #[must_use]
    pub fn from_unix_s(unix_s: u64) -> Option<Self> {
        i64::try_from(unix_s).is_ok().then_some(Self(unix_s))
    }

    /// The second that `reading` lies in; `None` before 1970.
    #[must_use]
    pub fn at(reading: Timestamp<Utc>) -> Option<Self> {
        u64::try_from(reading.as_unix_nanos()).ok().map(|ns| Self(ns / 1_000_000_000))
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn as_unix_s(self) -> u64 {
        self.0
    }
}

/// A cosignature, by its type. A reader meets more types over time: see the module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cosignature {
    /// cosignature/v1, type 0x04.
    Ed25519 {
        /// When it was made.
        at: CosignedAt,
        /// Ed25519 over [`message`].
        signature: [u8; 64],
    },
}

/// What a cosignature/v1 signs: two lines of its own, then the text of the checkpoint's note.
#[must_use]
pub fn message(at: CosignedAt, checkpoint_text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {}\n{checkpoint_text}", at.as_unix_s()).into_bytes()
}

impl Cosignature {
    /// Cosigns the text of a checkpoint's note.
    #[must_use]
    pub fn sign(
        at: CosignedAt,
        checkpoint_text: &str,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Self {
        Self::Ed25519 { at, signature: sign(&message(at, checkpoint_text)) }
    }

    /// The cosignature as a signature of the note, in the name of `key`.
    #[must_use]
    pub fn to_note_signature(&self, key: &CosignerKey) -> NoteSignature {
        let Self::Ed25519 { at, signature } = self;
        let bytes = [at.as_unix_s().to_be_bytes().as_slice(), signature].concat();
        NoteSignature::new(key.name().clone(), key.id(), bytes)
    }

    /// Reads what follows the key id of a cosignature/v1.
    fn from_note_signature(signature: &NoteSignature) -> Option<Self> {
        let (at, signature) = signature.bytes().split_first_chunk::<8>()?;
        let at = CosignedAt::from_unix_s(u64::from_be_bytes(*at))?;
        Some(Self::Ed25519 { at, signature: signature.try_into().ok()? })
    }

    /// When it was made.
    #[must_use]
    pub const fn at(&self) -> CosignedAt {
        let Self::Ed25519 { at, .. } = self;
        *at
    }

    /// The newest cosignature of `key` on the note. `verify(public key, message, signature)` checks
    /// Ed25519. Signatures of other keys and types are ignored; one in the name of `key` that does
    /// not fit condemns the note.
    ///
    /// # Errors
    /// [`NoteError::NotSigned`], [`NoteError::BadSignature`].
    pub fn open(
        note: &Note,
        key: &CosignerKey,
        verify: impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool,
    ) -> Result<Self, NoteError> {
        let mut newest: Option<Self> = None;
        for line in note.signed_as(key) {
            let cosignature = Self::from_note_signature(line).filter(|cosignature| {
                let Self::Ed25519 { at, signature } = cosignature;
                verify(key.public(), &message(*at, note.text()), signature)
            });
            let found = cosignature.ok_or_else(|| NoteError::BadSignature(key.name().clone()))?;
            if newest.as_ref().is_none_or(|known| known.at() < found.at()) {
                newest = Some(found);
            }
        }
        newest.ok_or_else(|| NoteError::NotSigned(key.name().clone()))
    }
}

#[cfg(test)]
mod tests;
