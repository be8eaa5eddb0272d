//! How a lease is granted.

use chronolease_core::evidence::leaf;
use chronolease_core::lease::{LeaseTerms, SignedLease};
use chronolease_core::stamped::Turn;
use chronolease_core::wire::ToTsu;
use chronolease_net::keys::EvidenceSigner;
use tracing::warn;

use super::Engine;
use crate::core::authority::{ConnId, Event, Record};

impl Engine {
    /// The record, the leaf, the checkpoint that holds the leaf, the lease: in this order.
    pub(super) fn grant(
        &mut self,
        ward: usize,
        now: &Turn,
        conn: ConnId,
        record: &Record,
        terms: &LeaseTerms,
    ) -> Vec<Event> {
        let slot = &mut self.slots[ward];
        if !slot.persist(record) {
            return vec![Event::PersistFailed];
        }
        let lease = sign(&self.signer, terms);
        let recorded = self.records.commit(now, leaf::Event::LeaseGranted(lease.clone()));
        if let Err(why) = recorded {
            warn!(tsu = %terms.tsu, sequence = %terms.sequence, %why, "not granted");
            let lost = why.is_final();
            return vec![if lost { Event::EvidenceLost } else { Event::PersistFailed }];
        }
        self.metrics.granted(&terms.tsu);
        let closed = slot.witness(conn);
        closed.or_else(|| slot.send(conn, ToTsu::Grant(lease))).into_iter().collect()
    }
}

fn sign(key: &EvidenceSigner, terms: &LeaseTerms) -> SignedLease {
    let signed = SignedLease::sign(terms, |message| {
        Ok::<_, std::convert::Infallible>(key.sign(message).to_vec())
    });
    match signed {
        Ok(lease) => lease,
        Err(never) => match never {},
    }
}
