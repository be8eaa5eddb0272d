//! A log's side of the exchange with one witness: what it offers, and what comes back.
//!
//! Both boxes have one for each peer. When a connection stands, the peer says what it holds; from
//! then on each offer proves that it continues the one before. A connection keeps its order, so an
//! offer need not wait for the answer to the last one.

use std::collections::VecDeque;

use super::cosignature::Cosignature;
use super::exchange::AddCheckpoint;
use super::merkle::Hash;
use super::note::{CosignerKey, LogKey, Note, NoteError, NoteSignature};
use super::proof::{self, Nodes, ProofError, prove_consistency};
use super::{TreeHead, TreeSize, checkpoint::Checkpoint};

/// How many offers may be without an answer; of older ones the cosignature is not kept.
const OPEN_MAX: usize = 8;

/// The offers to one witness.
#[derive(Clone, Debug)]
pub struct Offers {
    key: LogKey,
    witness: CosignerKey,
    /// What the witness holds once it has taken all that was offered.
    held: TreeHead,
    /// The last tree that was shown, with an offer or without one.
    shown: TreeHead,
    /// This log does not continue that, so the witness takes nothing.
    broken: bool,
    open: VecDeque<Note>,
}

/// An offer, with the proof that it continues the last tree that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The checkpoint, which continues the last one that was offered.
    pub add: AddCheckpoint,
    /// From the last tree that was shown to the checkpoint.
    pub since_shown: Vec<Hash>,
}

/// The witness vouched for a tree that this log does not continue: leaves were lost or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The log is shorter than what its witness holds.
    #[error("this log has {own} leaves, its witness knows of {held}: leaves were lost")]
    RolledBack {
        /// The leaves that there are.
        own: TreeSize,
        /// The leaves that there were.
        held: TreeSize,
    },
    /// The log's leaves are not those of the tree that its witness holds.
    #[error("the first {held} leaves of this log are not those that its witness knows of")]
    Forked {
        /// The size of the witness's tree.
        held: TreeSize,
    },
}

/// Why an answer is no cosignature of an offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is not a signature line of the witness, or fits none of the open offers.
    #[error("no cosignature of an offer: {0}")]
    Note(#[from] NoteError),
    /// No offer is open.
    #[error("a cosignature without an offer")]
    NothingOpen,
}

impl Offers {
    /// Of the log `key`, to the witness `witness`, which holds nothing as far as is known.
    #[must_use]
    pub fn new(key: LogKey, witness: CosignerKey) -> Self {
        let (held, shown) = (TreeHead::empty(), TreeHead::empty());
        Self { key, witness, held, shown, broken: false, open: VecDeque::new() }
    }

    /// A connection stands, and the witness says what it holds. `nodes` are those of the tree
    /// `own`.
    ///
    /// # Errors
    /// [`Broken`] when this log does not continue it. Offers can be made all the same: they show
    /// the witness what is wrong.
    pub fn met<N: Nodes + ?Sized>(
        &mut self,
        held: TreeHead,
        own: TreeSize,
        nodes: &N,
    ) -> Result<(), Broken> {
        (self.held, self.shown) = (held, held);
        self.open.clear();
        let met = continues(held, own, nodes);
        self.broken = met.is_err();
        met
    }

    /// The witness says, after [`met`](Self::met), that it was shown this later tree besides: the
    /// next proof starts there.
    ///
    /// # Errors
    /// [`Broken`] when this log does not continue it; then the witness takes no offer either.
    pub fn met_shown<N: Nodes + ?Sized>(
        &mut self,
        shown: TreeHead,
        own: TreeSize,
        nodes: &N,
    ) -> Result<(), Broken> {
        self.shown = shown;
        let met = continues(shown, own, nodes);
        self.broken |= met.is_err();
        met
    }

    /// Offers the tree `own`, whose nodes are in `nodes`. `sign` makes an Ed25519 signature.
    ///
    /// # Errors
    /// [`ProofError::MissingNode`] when `nodes` does not hold the tree.
    pub fn offer<N: Nodes + ?Sized>(
        &mut self,
        own: TreeHead,
        nodes: &N,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Offer, ProofError> {
        let old = self.held.size.min(own.size);
        let proof = prove_consistency(nodes, old, own.size)?;
        let since_shown = self.show(own, nodes)?;
        let origin = self.key.name().clone();
        let checkpoint = Checkpoint { origin, size: own.size, root: own.root };
        let note = checkpoint.sign(&self.key, sign);
        let note = note.expect("a checkpoint of the key's own log is a note");
        if !self.broken {
            self.held = own;
        }
        self.open.push_back(note.clone());
        if self.open.len() > OPEN_MAX {
            self.open.pop_front();
        }
        Ok(Offer { add: AddCheckpoint { old, proof, note }, since_shown })
    }

    /// Shows the tree `own` without offering it: the proof that it continues the last tree that
    /// was shown.
    ///
    /// # Errors
    /// [`ProofError::MissingNode`] when `nodes` does not hold the tree.
    pub fn show<N: Nodes + ?Sized>(
        &mut self,
        own: TreeHead,
        nodes: &N,
    ) -> Result<Vec<Hash>, ProofError> {
        let proof = prove_consistency(nodes, self.shown.size.min(own.size), own.size)?;
        self.shown = own;
        Ok(proof)
    }

    /// The witness answered with the signature line `line`. Returns the offer with both signatures;
    /// older offers are closed with it.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn cosigned(
        &mut self,
        line: &str,
        verify: impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool,
    ) -> Result<Note, AnswerError> {
        let signature = NoteSignature::parse(line)?;
        let mut last = AnswerError::NothingOpen;
        for at in 0..self.open.len() {
            let note = self.open[at].clone().with(signature.clone())?;
            match Cosignature::open(&note, &self.witness, &verify) {
                Ok(_) => {
                    self.open.drain(..=at);
                    return Ok(note);
                }
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }
}

/// Whether the tree `own` continues `held`.
fn continues<N: Nodes + ?Sized>(held: TreeHead, own: TreeSize, nodes: &N) -> Result<(), Broken> {
    match proof::root(nodes, held.size) {
        _ if held.size > own => Err(Broken::RolledBack { own, held: held.size }),
        Ok(root) if root == held.root => Ok(()),
        _ => Err(Broken::Forked { held: held.size }),
    }
}

#[cfg(test)]
mod tests;
