//! The two texts around a checkpoint: what a log sends its witness (C2SP tlog-witness,
//! add-checkpoint) and what an auditor takes away for one leaf (C2SP tlog-proof).

use core::fmt;

use super::checkpoint::{decimal, hash_from_base64, hash_to_base64};
use super::merkle::Hash;
use super::note::{NOTE_BYTES_MAX, Note, NoteError};
use super::proof::PROOF_HASHES_MAX;
use super::{LeafIndex, TreeSize};

/// The largest of either text in bytes: a note, at most 64 hashes of 45 bytes and two more lines.
pub const EXCHANGE_BYTES_MAX: usize = NOTE_BYTES_MAX + 4096;

/// What the first line of a proof file says.
const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A log asks its witness to cosign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the proof starts from: what the witness cosigned last.
    pub old: TreeSize,
    /// The consistency proof from there to the checkpoint.
    pub proof: Vec<Hash>,
    /// The checkpoint, signed by the log.
    pub note: Note,
}

/// A proof that a leaf is in a log, good without any server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafProof {
    /// The place of the leaf.
    pub index: LeafIndex,
    /// The inclusion proof from the leaf up to the root.
    pub proof: Vec<Hash>,
    /// The checkpoint, with all its cosignatures.
    pub note: Note,
}

/// Why bytes are not one of these texts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// Longer than [`EXCHANGE_BYTES_MAX`].
    #[error("a text of {0} bytes is longer than {EXCHANGE_BYTES_MAX}")]
    TooLong(usize),
    /// Not a text of this form.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The note in it is not one.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl AddCheckpoint {
    /// Reads a request.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ExchangeError> {
        let (head, note) = split(bytes)?;
        let (old, proof) = numbered_proof(head, "old ")?;
        Ok(Self { old: TreeSize::new(old), proof, note })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", hash_to_base64(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

impl LeafProof {
    /// Reads a `.tlog-proof` file. The optional `extra` line is refused: we write none, and it is
    /// not authenticated.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ExchangeError> {
        let (head, note) = split(bytes)?;
        let head = head
            .strip_prefix(PROOF_HEADER)
            .and_then(|rest| rest.strip_prefix('\n'))
            .ok_or(ExchangeError::Malformed("not a proof of version 1"))?;
        let (index, proof) = numbered_proof(head, "index ")?;
        Ok(Self { index: LeafIndex::new(index), proof, note })
    }
}

impl fmt::Display for LeafProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{PROOF_HEADER}\nindex {}", self.index)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", hash_to_base64(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

/// What stands before the first empty line, and the note after it.
fn split(bytes: &[u8]) -> Result<(&str, Note), ExchangeError> {
    if bytes.len() > EXCHANGE_BYTES_MAX {
        return Err(ExchangeError::TooLong(bytes.len()));
    }
    let text = core::str::from_utf8(bytes).map_err(|_| ExchangeError::Malformed("not UTF-8"))?;
    let (head, note) = text.split_once("\n\n").ok_or(ExchangeError::Malformed("no empty line"))?;
    Ok((head, Note::parse(note.as_bytes())?))
}

/// A line of `label` and a number, then one hash on each line.
fn numbered_proof(head: &str, label: &str) -> Result<(u64, Vec<Hash>), ExchangeError> {
    let mut lines = head.split('\n');
    let number = lines.next().and_then(|line| line.strip_prefix(label)).and_then(decimal);
    let number = number.ok_or(ExchangeError::Malformed("the number"))?;
    let proof = lines.map(hash_from_base64).collect::<Option<Vec<_>>>();
    let proof = proof.ok_or(ExchangeError::Malformed("a hash of the proof"))?;
    if proof.len() > PROOF_HASHES_MAX {
        return Err(ExchangeError::Malformed("too many hashes"));
    }
    Ok((number, proof))
}

#[cfg(test)]
mod tests;
