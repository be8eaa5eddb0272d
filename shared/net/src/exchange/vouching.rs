//! What this box vouches for.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::cosignature::CosignedAt;
use chronolease_core::evidence::exchange::{AddCheckpoint, ExchangeError};
use chronolease_core::evidence::leaf::PeerBroken;
use chronolease_core::evidence::note::KeyName;
use chronolease_core::evidence::witness::{Evidence, Persist, Refusal, WatchError, Witness};
use chronolease_core::lease::EndingCause;
use chronolease_core::sample::Sample;

use super::{OwnLog, PeerLog};
use crate::evidence::{Files, PeerError, PeerState, PeerStore};

/// The witness of one peer's log, with its state on disk.
pub struct Vouching {
    own: OwnLog,
    peer: PeerLog,
    files: Arc<dyn Files>,
    folder: PathBuf,
    witness: Witness,
    store: PeerStore,
    /// The disk failed between the judgement and the cosignature: what it holds is not known.
    unsure: bool,
}

/// A tree of the peer, vouched for.
#[derive(Debug)]
pub struct Vouched {
    /// The cosignature, for the peer: a line of a signed note.
    pub line: String,
    /// The peer's checkpoint with both signatures, for this box's own log.
    pub note: Vec<u8>,
    /// The tree.
    pub tree: TreeHead,
}

/// Why a tree of the peer is not vouched for.
#[derive(Debug, thiserror::Error)]
pub enum VouchError {
    /// The peer signed a tree that does not continue what was vouched for.
    #[error("{why}")]
    Broken {
        /// What goes on record.
        record: PeerBroken,
        /// In words.
        why: String,
    },
    /// It is not an offer, or it does not fit what was vouched for before. The peer may try again
    /// on a new connection.
    #[error("not an offer to vouch for: {0}")]
    Offer(String),
    /// It could not be written down.
    #[error("what is vouched for cannot be recorded: {0}")]
    Disk(#[source] io::Error),
}

/// Why nothing can be vouched for.
#[derive(Debug, thiserror::Error)]
pub enum PeerTrouble {
    /// There is no state of the peer. One that was lost held what this box has vouched for.
    #[error("nothing is known of the peer's log {0}, not even that it is new")]
    Absent(KeyName),
    /// There is a state of this peer already.
    #[error("the state of the peer's log {0} is there already; it is left as it is")]
    Present(KeyName),
    /// The state cannot be had.
    #[error(transparent)]
    State(#[from] PeerError),
    /// The note in the state is not the peer's.
    #[error(transparent)]
    Note(#[from] WatchError),
    /// It cannot be written.
    #[error("the state of the peer's log cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// Notes that nothing was vouched for yet, for a peer that is new. Never done at a start: a state
/// that is gone must be noticed.
///
/// # Errors
/// [`PeerTrouble`].
pub fn commission(
    files: Arc<dyn Files>,
    folder: &Path,
    origin: &KeyName,
) -> Result<(), PeerTrouble> {
    let (mut store, state) = PeerStore::open(files, folder, origin.as_str())?;
    if state.is_some() {
        return Err(PeerTrouble::Present(origin.clone()));
    }
    Ok(store.store(&PeerState { tree: TreeHead::empty(), note: Vec::new() })?)
}

/// The newest note of the peer's log `origin` that this box vouched for, empty when there never
/// was one. Its state stays.
///
/// # Errors
/// [`PeerTrouble`].
pub(crate) fn vouched_note(
    files: Arc<dyn Files>,
    folder: &Path,
    origin: &KeyName,
) -> Result<Vec<u8>, PeerTrouble> {
    let (_, state) = PeerStore::open(files, folder, origin.as_str())?;
    Ok(state.ok_or_else(|| PeerTrouble::Absent(origin.clone()))?.note)
}

impl Vouching {
    /// Opens the state of `peer` in the log's `folder`.
    ///
    /// # Errors
    /// [`PeerTrouble`].
    pub fn open(
        files: Arc<dyn Files>,
        folder: &Path,
        own: OwnLog,
        peer: PeerLog,
    ) -> Result<Self, PeerTrouble> {
        let (store, witness) = load(&files, folder, &peer)?;
        let folder = folder.to_owned();
        Ok(Self { own, peer, files, folder, witness, store, unsure: false })
    }

    /// The newest tree of the peer's that this box has vouched for.
    #[must_use]
    pub fn held(&self) -> TreeHead {
        let newest = self.witness.newest(&self.peer.origin);
        newest.map_or_else(TreeHead::empty, |signed| signed.checkpoint.head())
    }

    /// Judges an offer. Durable when it returns: from then on this box will not vouch for anything
    /// that does not continue it. Blocks on the disk. `now` gives the cosignature its time.
    ///
    /// # Errors
    /// [`VouchError`].
    pub fn take(&mut self, offer: &[u8], now: &Sample) -> Result<Vouched, VouchError> {
        self.take_if(offer, now, |_| Ok(()))
    }

    /// As [`take`](Self::take), and vouches for the tree only if it continues, by `shown`, what
    /// this box knows of the log besides.
    ///
    /// # Errors
    /// [`VouchError`].
    pub fn take_if(
        &mut self,
        offer: &[u8],
        now: &Sample,
        shown: impl FnOnce(&TreeHead) -> Result<(), EndingCause>,
    ) -> Result<Vouched, VouchError> {
        if self.unsure {
            let loaded = load(&self.files, &self.folder, &self.peer);
            let loaded = loaded.map_err(|why| VouchError::Disk(io::Error::other(why)))?;
            (self.store, self.witness) = loaded;
            self.unsure = false;
        }
        let at = CosignedAt::at(now.real);
        let at = at.ok_or_else(|| VouchError::Offer("this box's clock is before 1970".into()))?;
        let offer = AddCheckpoint::parse(offer)
            .map_err(|error: ExchangeError| VouchError::Offer(error.to_string()))?;
        let peer = &self.peer;
        let verify = |key: &[u8; 32], m: &[u8], s: &[u8; 64]| peer.verify(key, m, s);
        let persist = self.witness.add_checkpoint(&offer, at, verify).map_err(refused)?;
        match shown(&persist.signed().checkpoint.head()) {
            Ok(()) => self.cosign(persist),
            Err(cause) => {
                // The witness is read anew from the disk, which knows nothing of this offer.
                self.unsure = true;
                let known = self.witness.newest(&self.peer.origin);
                let known = known.map_or_else(Vec::new, |held| held.note.to_string().into_bytes());
                let offered = persist.signed().note.to_string().into_bytes();
                let record = PeerBroken { cause, known, offered };
                let why = "it does not continue a tree that was shown with a batch".to_owned();
                Err(VouchError::Broken { record, why })
            }
        }
    }

    fn cosign(&mut self, persist: Persist) -> Result<Vouched, VouchError> {
        let signed = persist.signed();
        let tree = signed.checkpoint.head();
        let state = PeerState { tree, note: signed.note.to_string().into_bytes() };
        if let Err(why) = self.store.store(&state) {
            self.unsure = true;
            return Err(VouchError::Disk(why));
        }
        let cosign = self.witness.persisted(persist).expect("this witness handed it out");
        let signature = cosign.sign(&self.own.cosigner_key(), |m| self.own.signer.sign(m));
        let line = signature.to_string();
        let note = cosign.signed().note.clone().with(signature);
        let note = note.expect("a note with one signature has room for another");
        Ok(Vouched { line, note: note.to_string().into_bytes(), tree })
    }
}

fn load(
    files: &Arc<dyn Files>,
    folder: &Path,
    peer: &PeerLog,
) -> Result<(PeerStore, Witness), PeerTrouble> {
    let origin = &peer.origin;
    let (store, state) = PeerStore::open(Arc::clone(files), folder, origin.as_str())?;
    let state = state.ok_or_else(|| PeerTrouble::Absent(origin.clone()))?;
    let newest = (!state.note.is_empty()).then_some(&state.note[..]);
    let mut witness = Witness::new();
    witness.watch(peer.log_key(), newest, |key, m, s| peer.verify(key, m, s))?;
    Ok((store, witness))
}

fn refused(refusal: Refusal) -> VouchError {
    let why = refusal.to_string();
    let broken = |cause, Evidence { known, offered }: Evidence| VouchError::Broken {
        record: PeerBroken {
            cause,
            known: known.note.to_string().into_bytes(),
            offered: offered.note.to_string().into_bytes(),
        },
        why: why.clone(),
    };
    match refusal {
        Refusal::Rollback(evidence) => broken(EndingCause::Rollback, *evidence),
        Refusal::Fork(evidence) | Refusal::Inconsistent { evidence, .. } => {
            broken(EndingCause::Fork, *evidence)
        }
        Refusal::Malformed(_)
        | Refusal::UnknownOrigin(_)
        | Refusal::BadSignature(_)
        | Refusal::Conflict { .. }
        | Refusal::InconsistentFirst(_)
        | Refusal::Busy => VouchError::Offer(why),
    }
}
