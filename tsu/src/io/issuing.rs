//! The task that drives the issuing pipeline: it brings every event together with a clock sample
//! taken after the event was in, and carries the actions out.

use std::collections::HashMap;
use std::time::Duration;

use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::leaf;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, RawInstant};
use chronolease_core::token::Releasable;
use chronolease_net::observe::Health;
use chronolease_net::random;
use chronolease_net::recorder::{self, RecordError, Recorder};
use chronolease_sys::Clocks;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::metrics::TsuMetrics;
use super::signer::SignerPool;
use crate::core::issuing::{
    Action, Event, Finished, Issuer, LaneId, NoLeaseWhy, NotRecorded, Note, RequestId, ToLink,
    WAITING_MAX,
};
use crate::core::rfc3161::{Rejection, Request};

/// How many batches can be in flight at most.
pub const LANES_MAX: usize = 256;

/// How often the clock is looked at when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// How long a record that nobody waits for may stay in memory.
const FLUSH: Bound = Bound::from_millis(100);

/// How much is laid aside at most for the next batch.
const ASIDE_MAX: usize = 256;

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
    pub signers: SignerPool,
    /// The evidence log.
    pub recorder: Recorder,
    /// What comes from the link to the monitor.
    pub link: mpsc::Receiver<Event>,
    /// What goes to the monitor.
    pub to_monitor: mpsc::Sender<ToLink>,
    /// What comes from clients.
    pub requests: mpsc::Receiver<Incoming>,
    /// What comes back from the signing threads.
    pub finished: mpsc::Receiver<(LaneId, Finished)>,
    /// What Prometheus reads.
    pub metrics: TsuMetrics,
    /// What a service manager reads.
    pub health: Health,
}

/// What the loop keeps between events.
#[derive(Debug)]
struct Running {
    clients: HashMap<RequestId, oneshot::Sender<Reply>>,
    next: u64,
    logged: mpsc::Sender<Event>,
    /// What nobody waits for: it goes to the disk with the next batch, or within [`FLUSH`].
    aside: Vec<leaf::Event>,
    /// Where it comes back when the log did not take it.
    returned: mpsc::Sender<Vec<leaf::Event>>,
    /// When that was last tried without a batch.
    flushed: RawInstant,
    trouble: Option<String>,
}

impl Running {
    /// Keeps what the log did not take for a better time. When that takes long, the digests of
    /// tokens go first: their intents are on record.
    fn take_back(&mut self, events: Vec<leaf::Event>) {
        self.aside.splice(0..0, events);
        if self.aside.len() > ASIDE_MAX {
            self.aside.retain(|event| !matches!(event, leaf::Event::Issued(_)));
            self.aside.truncate(ASIDE_MAX);
        }
    }
}

impl Driver {
    /// Runs until `stop`, which comes after the last client was answered. Losing the signing
    /// threads ends it too: a TSU that cannot sign must not look alive.
    pub async fn run(mut self, stop: CancellationToken) {
        // Each lane has at most one batch on its way to the disk; beside them there are leases.
        let (logged, mut logged_in) = mpsc::channel(LANES_MAX);
        let (returned, mut returned_in) = mpsc::channel(LANES_MAX);
        let mut running = Running {
            clients: HashMap::new(),
            next: 0,
            logged,
            aside: Vec::new(),
            returned,
            flushed: self.clocks.raw(),
            trouble: None,
        };
        let mut out = Vec::new();
        loop {
            let patience = self.patience();
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    return self.flush(&self.clocks.sample(), &mut running);
                }
                Some(event) = self.link.recv() => event,
                Some((lane, batch)) = self.finished.recv() => Event::Finished(lane, batch),
                Some(event) = logged_in.recv() => event,
                Some(events) = returned_in.recv() => {
                    running.take_back(events);
                    continue;
                }
                Some(incoming) = self.requests.recv(), if self.issuer.has_room() => {
                    running.next += 1;
                    let id = RequestId(running.next);
                    running.clients.insert(id, incoming.reply);
                    Event::Requested { id, request: incoming.request, randomness: random::bytes() }
                }
                () = tokio::time::sleep(patience) => Event::Tick,
            };
            let now = self.clocks.sample_within(self.bracket);
            self.health.progress(now.raw_after);
            // By the oscillator, for there is no tick while clients keep asking.
            if (now.raw_after - running.flushed).magnitude() >= FLUSH {
                running.flushed = now.raw_after;
                self.flush(&now, &mut running);
            }
            self.issuer.handle(&now, event, &mut out);
            for action in out.drain(..) {
                if !self.act(&now, action, &mut running) {
                    return error!("the signing threads are gone");
                }
            }
            self.show(&mut running.trouble);
        }
    }

    /// `false` when the signing threads are gone.
    fn act(&self, now: &Sample, action: Action, running: &mut Running) -> bool {
        match action {
            Action::Send(message) => {
                // A link that does not take messages is about to be closed.
                let _ = self.to_monitor.try_send(message);
            }
            Action::LogLease(sequence, lease) => {
                let events = vec![leaf::Event::LeaseGranted(lease)];
                let done = move |recorded: Result<LeafIndex, NotRecorded>| {
                    Event::LeaseLogged(sequence, recorded.map(drop))
                };
                self.log(now, events, running, done);
            }
            Action::Log(lane, intents) => {
                let events = intents.into_iter().map(leaf::Event::Intent).collect();
                self.log(now, events, running, move |recorded| Event::Logged(lane, recorded));
            }
            Action::Sign(lane, batch) => return self.signers.give(lane, batch),
            Action::Record(event) => running.aside.push(event),
            Action::Reply(id, reply) => {
                // A client that went away is no reason to lose the others' tokens.
                if let Some(client) = running.clients.remove(&id) {
                    let _ = client.send(reply);
                }
            }
            Action::Note(note) => self.note(&note),
        }
        true
    }

    /// Puts events on their way to the disk, and what was laid aside before them; the pipeline
    /// hears through `done` where the first of the events stands.
    fn log(
        &self,
        now: &Sample,
        events: Vec<leaf::Event>,
        running: &mut Running,
        done: impl FnOnce(Result<LeafIndex, NotRecorded>) -> Event + Send + 'static,
    ) {
        let aside = std::mem::take(&mut running.aside);
        let before = aside.len();
        let submitted = self.recorder.submit(now, aside.iter().cloned().chain(events).collect());
        let (logged, returned) = (running.logged.clone(), running.returned.clone());
        tokio::spawn(async move {
            let recorded = match submitted {
                Ok(pending) => pending.committed().await.map_err(RecordError::from),
                Err(failure) => Err(failure),
            };
            let first = recorded.map(|committed| recorder::place(&committed, before));
            if first.is_err() && !aside.is_empty() {
                let _ = returned.send(aside).await;
            }
            let recorded = first.map_err(|failure| {
                debug!(%failure, "not on record, so nothing is signed on it");
                if failure.is_final() { NotRecorded::ForGood } else { NotRecorded::ForNow }
            });
            // The pipeline is gone only when the TSU stops.
            let _ = logged.send(done(recorded)).await;
        });
    }

    /// Puts what was laid aside on its way to the disk by itself.
    fn flush(&self, now: &Sample, running: &mut Running) {
        let aside = std::mem::take(&mut running.aside);
        if aside.is_empty() {
            return;
        }
        let submitted = self.recorder.submit(now, aside.clone());
        let returned = running.returned.clone();
        tokio::spawn(async move {
            let recorded = match submitted {
                Ok(pending) => pending.committed().await.is_ok(),
                Err(_) => false,
            };
            if !recorded {
                let _ = returned.send(aside).await;
            }
        });
    }

    fn show(&self, last_trouble: &mut Option<String>) {
        let trouble = self.recorder.trouble();
        if trouble != *last_trouble {
            match &trouble {
                Some(why) => error!(%why, "the evidence log takes nothing: no tokens"),
                None => info!("the evidence log takes records again"),
            }
            last_trouble.clone_from(&trouble);
        }
        self.metrics.evidence(self.recorder.size(), trouble.is_some());
        let no_lease = (!self.issuer.holds_lease()).then(|| "no lease".to_owned());
        self.health.set_unready(no_lease.into_iter().chain(trouble).collect());
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
            }
            Note::GrantRefused(why) => {
                warn!(%why, "a lease was not accepted");
                self.metrics.grant_refused();
            }
            Note::NotUsable(why) => error!(%why, "not issuing"),
        }
    }
}
