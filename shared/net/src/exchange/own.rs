//! This box's own log, as the exchange needs it.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chronolease_core::evidence::checkpoint::{Checkpoint, CheckpointError};
use chronolease_core::evidence::note::{CosignerKey, KeyName, LogKey, Note};
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, RawInstant};

use crate::evidence::{Checkpoints, Files, Log};
use crate::keys::{EvidenceSigner, EvidenceVerifier};

/// How often a cosigned checkpoint goes into the history; in between only the newest is kept. The
/// peer's log holds every one.
const HISTORY: Bound = Bound::from_millis(60_000);

/// This box's own log: its name, its key, and where its cosigned checkpoints are kept. Clones are
/// handles to the same.
#[derive(Clone)]
pub struct OwnLog {
    pub(super) origin: KeyName,
    pub(super) signer: Arc<EvidenceSigner>,
    pub(super) log: Log,
    checkpoints: Arc<Mutex<Kept>>,
}

struct Kept {
    files: Checkpoints,
    in_history: Option<RawInstant>,
}

/// Why the newest checkpoint of a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not a checkpoint that this box's key signed.
    #[error("the newest checkpoint is none that this box's key signed: {0}")]
    Damaged(#[from] CheckpointError),
    /// It is another log's.
    #[error("the file \"checkpoint\" is not of the log {0}")]
    Origin(KeyName),
}

impl OwnLog {
    /// Of an open log. `folder` is where it is, `origin` its name, `signer` the key of its
    /// checkpoints.
    #[must_use]
    pub fn new(
        files: Arc<dyn Files>,
        folder: &Path,
        origin: KeyName,
        signer: Arc<EvidenceSigner>,
        log: Log,
    ) -> Self {
        let kept = Kept { files: Checkpoints::new(files, folder), in_history: None };
        Self { origin, signer, log, checkpoints: Arc::new(Mutex::new(kept)) }
    }

    pub(super) fn log_key(&self) -> LogKey {
        LogKey::new(self.origin.clone(), self.signer.public_key())
    }

    pub(super) fn cosigner_key(&self) -> CosignerKey {
        CosignerKey::new(self.origin.clone(), self.signer.public_key())
    }

    /// Keeps a cosigned checkpoint as the newest, for the next opening of the log; from time to
    /// time it goes into the history too. Durable when it returns. Blocks on the disk.
    ///
    /// # Errors
    /// The file system's.
    pub fn keep(&self, note: &Note, now: &Sample) -> io::Result<()> {
        let mut kept = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let at = now.raw_before;
        let rests = |last: RawInstant| (at - last).magnitude() < HISTORY;
        if kept.in_history.is_some_and(rests) {
            return kept.files.renew(note.to_string().as_bytes());
        }
        kept.in_history = Some(at);
        kept.files.store(note.to_string().as_bytes())
    }
}

/// The newest checkpoint of the log in `folder` that a witness cosigned, if there is one. It must
/// be signed by `signer` in the name that it bears.
///
/// # Errors
/// [`SealedError`].
pub fn newest(
    files: Arc<dyn Files>,
    folder: &Path,
    signer: &EvidenceSigner,
) -> Result<Option<Checkpoint>, SealedError> {
    let newest = Checkpoints::new(files, folder).newest()?;
    Ok(newest.map(|note| opened(&note, signer)).transpose()?)
}

/// The checkpoint in `note`, which must be signed by `signer` in the name that it bears.
pub(super) fn opened(note: &[u8], signer: &EvidenceSigner) -> Result<Checkpoint, CheckpointError> {
    let note = Note::parse(note)?;
    let origin = Checkpoint::parse(note.text())?.origin;
    let key = LogKey::new(origin, signer.public_key());
    let verify = |public: &[u8; 32], message: &[u8], signature: &[u8; 64]| {
        EvidenceVerifier::from_public_key(*public).is_ok_and(|key| key.verify(message, signature))
    };
    Checkpoint::open(&note, &key, verify)
}
