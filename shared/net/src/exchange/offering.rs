//! What this box offers a peer.

use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::note::Note;
use chronolease_core::evidence::offers::{AnswerError, Broken, Offers};

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

    /// The newest durable tree with the proof that it continues the last one offered, signed: the
    /// text of an [`AddCheckpoint`](chronolease_core::evidence::exchange::AddCheckpoint).
    #[must_use]
    pub fn offer(&mut self) -> Vec<u8> {
        let tree = self.own.log.head().tree;
        let signer = &self.own.signer;
        let sign = |message: &[u8]| signer.sign(message);
        let offer = self.offers.offer(tree, &*self.own.log.nodes(), sign);
        offer.expect("the nodes of every durable leaf are there").to_string().into_bytes()
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
