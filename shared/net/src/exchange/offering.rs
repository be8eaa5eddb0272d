//! What this box offers a peer.

use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::note::Note;
use chronolease_core::evidence::offers::{AnswerError, Broken, Offer, Offers};
use chronolease_core::wire::LogOffer;

use super::{OwnLog, PeerLog};

/// The offers of this box's tree to one peer.
pub struct Offering {
    own: OwnLog,
    peer: PeerLog,
    offers: Offers,
}

impl Offering {
    /// Of the log `own` to `peer`.
    #[must_use]
    pub fn new(own: OwnLog, peer: PeerLog) -> Self {
        let offers = Offers::new(own.log_key(), peer.cosigner_key());
        Self { own, peer, offers }
    }

    /// A connection stands, and the peer holds the tree `held`.
    ///
    /// # Errors
    /// [`Broken`] when this box's log does not continue it. The next offer shows it to the peer.
    pub fn met(&mut self, held: TreeHead) -> Result<(), Broken> {
        // The head first: the nodes may hold more by the time that they are locked, never less.
        let size = self.own.log.head().tree.size;
        self.offers.met(held, size, &*self.own.log.nodes())
    }

    /// As [`met`](Self::met); besides what it holds, the peer was shown a later tree.
    ///
    /// # Errors
    /// [`Broken`] when this box's log does not continue both.
    pub fn met_shown(&mut self, held: TreeHead, shown: TreeHead) -> Result<(), Broken> {
        let size = self.own.log.head().tree.size;
        let nodes = self.own.log.nodes();
        self.offers.met(held, size, &*nodes).and(self.offers.met_shown(shown, size, &*nodes))
    }

    /// The newest durable tree, signed, with the proofs that it continues the last one offered
    /// and the last one shown.
    #[must_use]
    pub fn offer(&mut self) -> LogOffer {
        let tree = self.own.log.head().tree;
        let signer = &self.own.signer;
        let sign = |message: &[u8]| signer.sign(message);
        let offer = self.offers.offer(tree, &*self.own.log.nodes(), sign);
        let Offer { add, since_shown } = offer.expect("the nodes of every durable leaf are there");
        LogOffer { checkpoint: add.to_string().into_bytes(), since_shown }
    }

    /// The newest durable tree with the proof that it continues the last one shown.
    #[must_use]
    pub fn show(&mut self) -> (TreeHead, Vec<Hash>) {
        let tree = self.own.log.head().tree;
        let proof = self.offers.show(tree, &*self.own.log.nodes());
        (tree, proof.expect("the nodes of every durable leaf are there"))
    }

    /// The peer answered an offer. Returns it with both signatures, for [`OwnLog::keep`].
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn cosigned(&mut self, line: &str) -> Result<Note, AnswerError> {
        let peer = &self.peer;
        self.offers.cosigned(line, |key, message, signature| peer.verify(key, message, signature))
    }
}
