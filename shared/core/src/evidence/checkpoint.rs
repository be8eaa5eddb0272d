//! Checkpoints (C2SP tlog-checkpoint): what a log states of its tree, as the text of a note.

use core::fmt;

use base64ct::{Base64, Encoding};

use super::merkle::Hash;
use super::note::{KeyName, LogKey, Note, NoteError};
use super::{TreeHead, TreeSize};

/// The size and the root of a log. Its text has three lines: origin, size, root in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log: the name of its key.
    pub origin: KeyName,
    /// How many leaves it has.
    pub size: TreeSize,
    /// The root over them.
    pub root: Hash,
}

/// Why a note is not a checkpoint of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is not a note, or not signed by the log.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text of the note is not a checkpoint.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// A checkpoint of another log than the key's.
    #[error("a checkpoint of {found}, one of {wanted} is wanted")]
    Origin {
        /// The origin in the text.
        found: KeyName,
        /// The name of the key.
        wanted: KeyName,
    },
}

impl Checkpoint {
    /// Reads the text of a note. Extension lines are allowed by C2SP and refused here: our logs
    /// write none, and nobody could audit them.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').into_iter().flat_map(|all| all.split('\n'));
        let mut line = || lines.next().ok_or(CheckpointError::Malformed("a line is missing"));
        let (origin, size, root) = (line()?, line()?, line()?);
        if lines.next().is_some() {
            return Err(CheckpointError::Malformed("there are extension lines"));
        }
        let origin = KeyName::new(origin).ok_or(CheckpointError::Malformed("the origin"))?;
        let size = decimal(size).ok_or(CheckpointError::Malformed("the size"))?;
        let root = hash_from_base64(root).ok_or(CheckpointError::Malformed("the root"))?;
        Ok(Self { origin, size: TreeSize::new(size), root })
    }

    /// Signs the checkpoint as a note of its log.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`] when `key` is another log's.
    pub fn sign(
        &self,
        key: &LogKey,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Note, CheckpointError> {
        self.require_origin(key)?;
        Ok(Note::sign(&self.to_string(), key, sign)?)
    }

    /// Reads the checkpoint of a note that the log `key` must have signed.
    ///
    /// # Errors
    /// [`CheckpointError`]; the text is not looked at before the signature fits.
    pub fn open(
        note: &Note,
        key: &LogKey,
        verify: impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool,
    ) -> Result<Self, CheckpointError> {
        note.verify(key, verify)?;
        let checkpoint = Self::parse(note.text())?;
        checkpoint.require_origin(key)?;
        Ok(checkpoint)
    }

    /// The size and the root.
    #[must_use]
    pub const fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root }
    }

    fn require_origin(&self, key: &LogKey) -> Result<(), CheckpointError> {
        if self.origin == *key.name() {
            return Ok(());
        }
        Err(CheckpointError::Origin { found: self.origin.clone(), wanted: key.name().clone() })
    }
}

/// The text: three lines, each ending in a newline.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, hash_to_base64(&self.root))
    }
}

/// A number in decimal, without sign and leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A hash in base64 with padding.
pub(super) fn hash_from_base64(text: &str) -> Option<Hash> {
    let bytes = Base64::decode_vec(text).ok()?;
    Some(Hash::from_bytes(bytes.try_into().ok()?))
}

/// A hash in base64 with padding.
pub(super) fn hash_to_base64(hash: &Hash) -> String {
    Base64::encode_string(hash.as_bytes())
}

#[cfg(test)]
mod tests;
