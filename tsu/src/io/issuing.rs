//! The task that drives the issuing pipeline: it brings every event together with a clock sample
//! taken after the event was in, and carries the actions out.

use std::collections::HashMap;
use std::time::Duration;

use chronolease_core::time::Bound;
use chronolease_core::token::Releasable;
use chronolease_core::wire::ToMonitor;
use chronolease_net::observe::Health;
use chronolease_net::random;
use chronolease_sys::Clocks;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::metrics::TsuMetrics;
use super::signer::Slots;
use crate::core::issuing::{
    Action, Event, Finished, Issuer, NoLeaseWhy, Note, RequestId, SlotId, WAITING_MAX,
};
use crate::core::rfc3161::{Rejection, Request};

/// How often the clock is looked at when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// A client's answer.
pub type Reply = Result<Releasable, Rejection>;

/// A client's request on its way to the pipeline.
#[derive(Debug)]
pub struct Incoming {
    /// The request.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Reply>,
}

/// The queue for requests, with the pipeline's own bound.
#[must_use]
pub fn queue() -> (mpsc::Sender<Incoming>, mpsc::Receiver<Incoming>) {
    mpsc::channel(WAITING_MAX)
}

/// Everything that the task needs.
#[derive(Debug)]
pub struct Driver {
    /// The pipeline.
    pub issuer: Issuer,
    /// The clocks of this box.
    pub clocks: Clocks,
    /// beta: the bracket that a sample should keep.
    pub bracket: Bound,
    /// The signing threads.
    pub slots: Slots,
    /// What comes from the link to the monitor.
    pub link: mpsc::Receiver<Event>,
    /// What goes to the monitor.
    pub to_monitor: mpsc::Sender<ToMonitor>,
    /// What comes from clients.
    pub requests: mpsc::Receiver<Incoming>,
    /// What comes back from the signing threads.
    pub finished: mpsc::Receiver<(SlotId, Finished)>,
    /// What Prometheus reads.
    pub metrics: TsuMetrics,
    /// What a service manager reads.
    pub health: Health,
}

impl Driver {
    /// Runs until `stop`, which comes after the last client was answered. Losing a signing thread
    /// ends it too: a TSU that cannot sign must not look alive.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut clients: HashMap<RequestId, oneshot::Sender<Reply>> = HashMap::new();
        let mut next = 0u64;
        let mut out = Vec::new();
        loop {
            let patience = self.patience();
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(event) = self.link.recv() => event,
                Some((slot, batch)) = self.finished.recv() => Event::Finished(slot, batch),
                Some(incoming) = self.requests.recv(), if self.issuer.has_room() => {
                    next += 1;
                    let id = RequestId(next);
                    clients.insert(id, incoming.reply);
                    Event::Requested { id, request: incoming.request, randomness: random::bytes() }
                }
                () = tokio::time::sleep(patience) => Event::Tick,
            };
            let now = self.clocks.sample_within(self.bracket);
            self.health.progress(now.raw_after);
            self.issuer.handle(&now, event, &mut out);
            for action in out.drain(..) {
                match action {
                    Action::Send(message) => {
                        // A link that does not take messages is about to be closed.
                        let _ = self.to_monitor.try_send(message);
                    }
                    Action::Sign(slot, batch) => {
                        if !self.slots.give(slot, batch) {
                            return error!(?slot, "a signing thread is gone");
                        }
                    }
                    Action::Reply(id, reply) => {
                        // A client that went away is no reason to lose the others' tokens.
                        if let Some(client) = clients.remove(&id) {
                            let _ = client.send(reply);
                        }
                    }
                    Action::Note(note) => self.note(&note),
                }
            }
        }
    }

    fn patience(&self) -> Duration {
        if self.issuer.wants_another_sample() { Duration::from_millis(1) } else { TICK }
    }

    fn note(&self, note: &Note) {
        match note {
            Note::Admitted => info!("the monitor admitted this TSU"),
            Note::NotAdmitted(why) => info!(%why, "the monitor did not admit this TSU"),
            Note::LeaseHeld(sequence) => {
                info!(%sequence, "holding a lease: issuing");
                self.metrics.lease_held(true);
                self.health.set_unready(Vec::new());
            }
            Note::LeaseEnded(why) => {
                match why {
                    NoLeaseWhy::Expired => warn!("the lease ran out: not issuing"),
                    NoLeaseWhy::Guard(ended) => {
                        error!(sequence = %ended.sequence, cause = %ended.cause,
                            "the guard ended the lease: not issuing");
                    }
                    NoLeaseWhy::Revoked(up_to, cause) => {
                        warn!(%up_to, %cause, "the monitor revoked the lease: not issuing");
                    }
                }
                self.metrics.lease_held(false);
                self.health.set_unready(vec!["no lease".to_owned()]);
            }
            Note::GrantRefused(why) => {
                warn!(%why, "a lease was not accepted");
                self.metrics.grant_refused();
            }
            Note::NotUsable(why) => error!(%why, "not issuing"),
        }
    }
}
