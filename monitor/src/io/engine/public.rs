//! Tokens that were asked for at the public endpoints.

use chronolease_core::evidence::leaf::{self, EndToEndResult};
use chronolease_core::stamped::Turn;
use tracing::{error, info, warn};

use super::Engine;
use super::slot::{Public, Slot};
use crate::core::authority::Event;
use crate::core::end_to_end::{Found, Known, Reply};

impl Engine {
    /// Judges what came of a question. A broken promise ends the lease first and is recorded after.
    pub(super) fn token(&mut self, ward: usize, now: &Turn, reply: Reply) {
        let known = Known {
            now: now.raw_after,
            utc: self.leap.look(&mut self.sources, now.raw_after).utc,
            boundaries: self.leap.boundaries(),
        };
        let Slot { ward: authority, public, .. } = &mut self.slots[ward];
        let Some(Public { probe, .. }) = public else { return };
        let Some(leaf) = probe.answered(authority, &known, reply) else { return };
        let result = leaf.result;
        if let Some(found) = probe.last() {
            log(authority.rules().tsu.as_str(), found);
        }
        self.metrics.token(&leaf.tsu, result);
        if result.is_grave() {
            self.one(ward, now, Event::WrongToken);
        }
        self.records.note(leaf::Event::EndToEnd(leaf));
    }
}

fn log(tsu: &str, Found { result, why, .. }: &Found) {
    let label = result.label();
    match result {
        EndToEndResult::WrongTime => {
            error!(tsu, why, "a token from the public endpoint has a wrong time: P1 is broken");
        }
        EndToEndResult::WithoutLease => {
            error!(tsu, why, "a token from the public endpoint was made without a lease");
        }
        result if result.is_alarming() => {
            warn!(tsu, result = label, why, "no good token from the public endpoint");
        }
        EndToEndResult::NoUtc => info!(tsu, result = label, why, "a token cannot be judged"),
        _ => tracing::debug!(tsu, result = label, why, "asked the public endpoint"),
    }
}
