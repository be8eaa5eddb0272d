//! The witness: whether to cosign another log's checkpoint (C2SP tlog-witness), without I/O.
//!
//! For each log it knows the newest checkpoint that it ever cosigned. It cosigns only what that
//! one is a beginning of. To cosign takes two steps, so that a witness that dies between them
//! forgets nothing it has said: [`Witness::add_checkpoint`] gives a [`Persist`]; only when that is
//! on disk may the caller trade it, with [`Witness::persisted`], for a [`Cosign`]. Until then the
//! witness refuses further checkpoints of that log.

use std::collections::BTreeMap;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::cosignature::{Cosignature, CosignedAt};
use super::exchange::AddCheckpoint;
use super::note::{CosignerKey, KeyName, LogKey, Note, NoteError, NoteSignature};
use super::proof::{ProofError, verify_consistency};
use super::{TreeHead, TreeSize};

/// A checkpoint as its log signed it, with the signature that was found to fit and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What the note says.
    pub checkpoint: Checkpoint,
    /// The note itself.
    pub note: Note,
}

/// The logs that a witness looks after.
#[derive(Debug, Default)]
pub struct Witness {
    logs: BTreeMap<KeyName, Watched>,
}

#[derive(Debug)]
struct Watched {
    key: LogKey,
    newest: Option<Signed>,
    /// Handed out as a [`Persist`] and not yet reported durable.
    pending: Option<(Signed, CosignedAt)>,
}

/// The first step of a success: write this down, and hand it back when it is durable. If it cannot
/// be written, drop it: the witness then says no more about this log until it is loaded anew, for
/// nobody knows what the disk holds.
#[derive(Debug)]
#[must_use]
pub struct Persist {
    signed: Signed,
}

/// The second step: the checkpoint is durable and may be cosigned.
#[derive(Debug)]
#[must_use]
pub struct Cosign {
    signed: Signed,
    at: CosignedAt,
}

/// Why a checkpoint is not cosigned. The numbers are the HTTP codes of tlog-witness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: not a checkpoint, or the old size is larger than the new one.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// 404: no log of this name is watched.
    #[error("the log {0} is not watched")]
    UnknownOrigin(KeyName),
    /// 403: the log did not sign it.
    #[error("bad signature: {0}")]
    BadSignature(NoteError),
    /// 409: the proof does not start where the witness stands. Nothing is wrong; ask again with a
    /// proof from `size`.
    #[error("the newest checkpoint cosigned has size {size}")]
    Conflict {
        /// The size to prove from.
        size: TreeSize,
    },
    /// 409 too: the log signed a smaller tree than it had before. Its disk was rolled back, or
    /// somebody sent an old note again; the notes alone cannot tell.
    #[error("rolled back: size {} after {}", .0.offered.checkpoint.size, .0.known.checkpoint.size)]
    Rollback(Box<Evidence>),
    /// 422: two roots for one size, both signed by the log: it forked, and this proves it.
    #[error("forked: two roots at size {}", .0.known.checkpoint.size)]
    Fork(Box<Evidence>),
    /// 422: the proof from the known to the offered checkpoint fails. Either the proof is wrong or
    /// the log forked.
    #[error("inconsistent with size {}: {why}", evidence.known.checkpoint.size)]
    Inconsistent {
        /// Both checkpoints.
        evidence: Box<Evidence>,
        /// What is wrong with the proof.
        why: ProofError,
    },
    /// 422: the first checkpoint of a log, and it contradicts itself.
    #[error("the first checkpoint is inconsistent: {0}")]
    InconsistentFirst(ProofError),
    /// 503: an earlier checkpoint of this log is not yet durable. Ask again.
    #[error("an earlier checkpoint is not durable yet")]
    Busy,
}

/// Two checkpoints of one log, both signed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What the witness cosigned before.
    pub known: Signed,
    /// What it was asked to cosign.
    pub offered: Signed,
}

/// Why a log cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// A log of this name is watched already.
    #[error("the log {0} is watched already")]
    Twice(KeyName),
    /// What was kept of the log is not a checkpoint that it signed.
    #[error("the stored checkpoint is damaged: {0}")]
    Stored(#[from] CheckpointError),
}

impl Signed {
    /// Reads a note that the log `key` must have signed, and drops all other signatures.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(
        note: &[u8],
        key: &LogKey,
        verify: impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool,
    ) -> Result<Self, CheckpointError> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::open(&note, key, &verify)?;
        let signature = note.verify(key, verify)?.clone();
        Ok(Self { checkpoint, note: note.only(signature) })
    }
}

impl Witness {
    /// A witness of no logs.
    #[must_use]
    pub const fn new() -> Self {
        Self { logs: BTreeMap::new() }
    }

    /// Takes up a log. `newest` is the note of the last [`Persist`] of this log, or `None` if
    /// there never was one; its signature is verified again.
    ///
    /// # Errors
    /// [`WatchError`].
    pub fn watch(
        &mut self,
        key: LogKey,
        newest: Option<&[u8]>,
        verify: impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool,
    ) -> Result<(), WatchError> {
        let origin = key.name().clone();
        if self.logs.contains_key(&origin) {
            return Err(WatchError::Twice(origin));
        }
        let newest = newest.map(|note| Signed::open(note, &key, verify)).transpose()?;
        self.logs.insert(origin, Watched { key, newest, pending: None });
        Ok(())
    }

    /// The newest checkpoint cosigned of this log.
    #[must_use]
    pub fn newest(&self, origin: &KeyName) -> Option<&Signed> {
        self.logs.get(origin)?.newest.as_ref()
    }

    /// Judges a checkpoint. `verify(public key, message, signature)` checks Ed25519; `now` becomes
    /// the time of the cosignature.
    ///
    /// # Errors
    /// [`Refusal`]; the witness is then as it was before.
    pub fn add_checkpoint(
        &mut self,
        request: &AddCheckpoint,
        now: CosignedAt,
        verify: impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool,
    ) -> Result<Persist, Refusal> {
        // The origin says which key to verify with; it is trusted for nothing else before.
        let claimed = Checkpoint::parse(request.note.text())
            .map_err(|_| Refusal::Malformed("the note is not a checkpoint"))?;
        let Some(log) = self.logs.get_mut(&claimed.origin) else {
            return Err(Refusal::UnknownOrigin(claimed.origin));
        };
        let signature = request.note.verify(&log.key, verify).map_err(Refusal::BadSignature)?;
        let note = request.note.clone().only(signature.clone());
        let offered = Signed { checkpoint: claimed, note };
        if log.pending.is_some() {
            return Err(Refusal::Busy);
        }
        log.judge(request, &offered)?;
        log.pending = Some((offered.clone(), now));
        Ok(Persist { signed: offered })
    }

    /// Takes note that `done` is durable. `None` when this witness did not hand it out.
    pub fn persisted(&mut self, done: Persist) -> Option<Cosign> {
        let log = self.logs.get_mut(&done.signed.checkpoint.origin)?;
        let (signed, at) = log.pending.take_if(|(pending, _)| *pending == done.signed)?;
        log.newest = Some(signed.clone());
        Some(Cosign { signed, at })
    }
}

impl Watched {
    fn judge(&self, request: &AddCheckpoint, offered: &Signed) -> Result<(), Refusal> {
        let new = offered.checkpoint.head();
        if request.old > new.size {
            return Err(Refusal::Malformed("the old size is larger than the new one"));
        }
        let Some(known) = &self.newest else {
            if request.old != TreeSize::EMPTY {
                return Err(Refusal::Conflict { size: TreeSize::EMPTY });
            }
            return verify_consistency(&TreeHead::empty(), &new, &request.proof)
                .map_err(Refusal::InconsistentFirst);
        };
        let old = known.checkpoint.head();
        let evidence = || Box::new(Evidence { known: known.clone(), offered: offered.clone() });
        // Two signed roots of one size are a fork, whatever size the proof claims to start from.
        if new.size == old.size && new.root != old.root {
            return Err(Refusal::Fork(evidence()));
        }
        if new.size < old.size {
            return Err(Refusal::Rollback(evidence()));
        }
        if request.old != old.size {
            return Err(Refusal::Conflict { size: old.size });
        }
        verify_consistency(&old, &new, &request.proof)
            .map_err(|why| Refusal::Inconsistent { evidence: evidence(), why })
    }
}

impl Persist {
    /// What to write down: [`Witness::watch`] takes its note.
    #[must_use]
    pub const fn signed(&self) -> &Signed {
        &self.signed
    }
}

impl Cosign {
    /// What is cosigned.
    #[must_use]
    pub const fn signed(&self) -> &Signed {
        &self.signed
    }

    /// Cosigns, with `sign` making an Ed25519 signature of `key`. The line is the answer to the
    /// log.
    #[must_use]
    pub fn sign(&self, key: &CosignerKey, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> NoteSignature {
        Cosignature::sign(self.at, self.signed.note.text(), sign).to_note_signature(key)
    }
}

#[cfg(test)]
mod tests;
