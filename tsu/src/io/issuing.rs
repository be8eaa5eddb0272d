//! The task that drives the issuing pipeline: it brings every event together with a clock sample
//! taken after the event was in, and carries the actions out.

mod recording;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use chronolease_core::evidence::leaf;
use chronolease_core::stamped::Stamped;
use chronolease_core::token::Releasable;
use chronolease_net::clock_reader::WatchedClocks;
use chronolease_net::observe::Health;
use chronolease_net::random;
use chronolease_net::recorder::Recorder;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::metrics::TsuMetrics;
use super::signer::SignerPool;
use crate::core::issuing::{
    Action, Event, Finished, Issuer, NoLeaseWhy, Note, RequestId, ToLink, WAITING_MAX,
};
use crate::core::rfc3161::{Rejection, Request};
use recording::{Recording, Waits};

/// How many batches can be in flight at most.
pub const LANES_MAX: usize = 256;

/// How often the clock is looked at when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// How many events are taken at most before the other tasks have their turn, and before a look at
/// all that may come, the order to stop included.
const READY_MAX: u32 = 32;

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
    /// The clocks of this box, sampled within beta, and the clock reader's word on them.
    pub clocks: WatchedClocks,
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
    pub finished: mpsc::Receiver<Vec<Finished>>,
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
    /// Copies of one snapshot give no two different tokens one serial even if this repeats.
    randomness: random::Supply,
    /// How many events were there already when they were looked for.
    in_a_row: u32,
    /// Signed tokens that wait for their turn.
    finished: VecDeque<Finished>,
    recording: Recording,
    shown: Option<Shown>,
}

/// What was told last.
#[derive(Debug, PartialEq)]
struct Shown {
    trouble: Option<String>,
    lease: bool,
}

impl Running {
    /// Notes where the answer to a request goes.
    fn requested(&mut self, incoming: Incoming) -> Event {
        self.next += 1;
        let id = RequestId(self.next);
        self.clients.insert(id, incoming.reply);
        let randomness = self.randomness.bytes();
        Event::Requested { id, request: incoming.request, randomness }
    }
}

impl Driver {
    /// Runs until `stop`, which comes after the last client was answered. Losing the signing
    /// threads ends it too: a TSU that cannot sign must not look alive.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut running = Running {
            clients: HashMap::new(),
            next: 0,
            randomness: random::Supply::default(),
            in_a_row: 0,
            finished: VecDeque::new(),
            recording: Recording::new(self.recorder.clone(), self.clocks.clocks.raw()),
            shown: None,
        };
        let mut out = Vec::new();
        loop {
            let event = match self.ready(&mut running) {
                Some(event) => event,
                None => match self.next(&mut running, &stop).await {
                    Some(event) => event,
                    None => return self.last_records(running),
                },
            };
            let stamped = Stamped::receive(event, &self.clocks);
            let now = stamped.now().sample;
            self.health.progress(now.raw_after);
            self.metrics.clock_reader(stamped.now().reader.heard());
            running.recording.flush_if_due(&now);
            self.issuer.handle(stamped, &mut out);
            for action in out.drain(..) {
                if !self.act(action, &mut running) {
                    return error!("the signing threads are gone");
                }
            }
            running.recording.submit(&now);
            self.show(&mut running.shown);
        }
    }

    /// What is there already. To ask everybody, and leave word with those who have nothing yet, is a
    /// large part of what an event costs; so it is done when there is nothing, and once in a while.
    fn ready(&mut self, running: &mut Running) -> Option<Event> {
        running.in_a_row += 1;
        if running.in_a_row > READY_MAX {
            return None;
        }
        if let Ok(event) = self.link.try_recv() {
            return Some(event);
        }
        if running.finished.is_empty()
            && let Ok(tokens) = self.finished.try_recv()
        {
            running.finished.extend(tokens);
        }
        if let Some(token) = running.finished.pop_front() {
            return Some(Event::Finished(Box::new(token)));
        }
        if let Some(event) = running.recording.recorded_by_now() {
            return Some(event);
        }
        let incoming = self.issuer.has_room().then(|| self.requests.try_recv().ok()).flatten()?;
        Some(running.requested(incoming))
    }

    /// Waits for what comes next; `None` when the end is asked for.
    async fn next(&mut self, running: &mut Running, stop: &CancellationToken) -> Option<Event> {
        if running.in_a_row > READY_MAX {
            // What is there already costs nothing of what a task may use up in its turn; and one
            // thread may serve the link, the clock reader and the connections as well.
            tokio::task::yield_now().await;
        }
        running.in_a_row = 0;
        let patience = self.patience();
        Some(tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            Some(event) = self.link.recv() => event,
            Some(token) = next_finished(&mut running.finished, &mut self.finished) => {
                Event::Finished(Box::new(token))
            }
            Some(event) = running.recording.recorded() => event,
            Some(incoming) = self.requests.recv(), if self.issuer.has_room() => {
                running.requested(incoming)
            }
            // A step or a loss ends the lease at once, not only when somebody asks for a token.
            () = self.clocks.reader.changed() => Event::Tick,
            () = tokio::time::sleep(patience) => {
                self.metrics.tasks(Handle::current().metrics().num_alive_tasks());
                Event::Tick
            }
        })
    }

    fn last_records(&self, mut running: Running) {
        running.recording.flush(&self.clocks.clocks.sample());
    }

    /// `false` when the signing threads are gone.
    fn act(&self, action: Action, running: &mut Running) -> bool {
        let recording = &mut running.recording;
        match action {
            Action::Send(message) => {
                // A link that does not take messages is about to be closed.
                let _ = self.to_monitor.try_send(message);
            }
            Action::LogLease(sequence, lease) => {
                let lease = leaf::Event::LeaseGranted(lease);
                recording.gather(Waits::Lease(sequence), vec![lease]);
            }
            Action::Log(lane, intents) => {
                let intents = intents.into_iter().map(leaf::Event::Intent).collect();
                recording.gather(Waits::Batch(lane), intents);
            }
            Action::LogConfirmation(lane, signed) => {
                let confirmed = leaf::Event::Confirmed(signed);
                recording.gather(Waits::Confirmation(lane), vec![confirmed]);
            }
            Action::Sign(lane, batch) => return self.signers.give(lane, batch),
            Action::Record(event) => recording.lay_aside(event),
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

    /// Tells service managers and Prometheus what changed; most events change neither lease nor log.
    fn show(&self, shown: &mut Option<Shown>) {
        let now = Shown { trouble: self.recorder.trouble(), lease: self.issuer.holds_lease() };
        self.metrics.evidence(self.recorder.size(), now.trouble.is_some());
        if shown.as_ref() == Some(&now) {
            return;
        }
        let before = shown.take().and_then(|shown| shown.trouble);
        match &now.trouble {
            trouble if *trouble == before => {}
            Some(why) => error!(%why, "the evidence log takes nothing: no tokens"),
            None => info!("the evidence log takes records again"),
        }
        let no_lease = (!now.lease).then(|| "no lease".to_owned());
        self.health.set_unready(no_lease.into_iter().chain(now.trouble.clone()).collect());
        *shown = Some(now);
    }

    fn patience(&self) -> Duration {
        if self.issuer.wants_another_sample() { Duration::from_millis(1) } else { TICK }
    }

    fn note(&self, note: &Note) {
        match note {
            Note::Admitted => info!("the monitor admitted this TSU"),
            // The link tells it too, once.
            Note::NotAdmitted(why) => debug!(%why, "the monitor did not admit this TSU"),
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
            Note::NotConfirmed(why) => {
                warn!(%why, "the monitor did not confirm a batch");
                self.metrics.not_confirmed(*why);
            }
            Note::OtherConfirmed(batch) => {
                error!(%batch, "the monitor confirmed something else than it was asked");
            }
            Note::Unanswered(batch) => warn!(%batch, "the monitor did not answer about a batch"),
            Note::NotUsable(why) => error!(%why, "not issuing"),
        }
    }
}

/// The next signed token, of those that were handed over before or of the next ones. May be dropped
/// and called again.
async fn next_finished(
    waiting: &mut VecDeque<Finished>,
    handed_over: &mut mpsc::Receiver<Vec<Finished>>,
) -> Option<Finished> {
    while waiting.is_empty() {
        waiting.extend(handed_over.recv().await?);
    }
    waiting.pop_front()
}

#[cfg(all(test, not(feature = "negative-control")))]
mod tests;
