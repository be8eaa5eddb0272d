//! The issuing pipeline: from requests to released tokens, batch by batch.
//!
//! `sample, judge, log, witness, sign, verify, release`. A state machine without I/O: events come
//! in with a clock sample that was taken after the event was in, actions go out. There is one of
//! it, so it is the one sequencer that gives tokens their time.
//!
//! A batch closes when a signing slot is free and somebody waits. All its tokens are built from
//! one sample: the one that came with the event that closed it.

mod stages;

use std::collections::VecDeque;

use chronolease_core::id::{ChannelBinding, LeaseSeq, Nonce, Serial};
use chronolease_core::lease::{EndingCause, LeaseTerms};
use chronolease_core::sample::Sample;
use chronolease_core::token::{Draft, Releasable, Signed, Witnessed};
use chronolease_core::wire::{LeaseEnded, RefusedWhy, ToMonitor};

use super::holder::{GrantRefused, Holder, Terms};
use super::rfc3161::{FailInfo, NotUsable, Rejection, Request, SerialSource, TsuCertificate};

/// The most tokens in one batch, so that one batch never keeps a slot for long.
pub const BATCH_MAX: usize = 32;

/// The most requests that wait for a slot; beyond it the pipeline takes no more in.
pub const WAITING_MAX: usize = 1_024;

const NO_TIME: Rejection =
    Rejection::new(FailInfo::TimeNotAvailable, "the TSA's time source is not available");
const NO_KEY: Rejection =
    Rejection::new(FailInfo::SystemFailure, "the TSA's certificate or key may not be used now");
const NO_SIGNATURE: Rejection = Rejection::new(FailInfo::SystemFailure, "the TSA could not sign");

/// What a token will say, besides its time.
#[derive(Debug)]
pub struct Content {
    /// The request it answers.
    pub request: Request,
    /// Its serial number.
    pub serial: Serial,
}

/// The number of a request, never used twice in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// The number of a signing slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotId(pub usize);

/// A batch on its way to a signing slot.
pub type Unsigned = Vec<(RequestId, Witnessed<Content>)>;

/// A batch on its way back. `None` stands for a token that could not be signed or did not verify.
pub type Finished = Vec<(RequestId, Option<Signed<Content>>)>;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A connection to the monitor stands.
    Connected(ChannelBinding),
    /// The connection to the monitor is gone.
    Disconnected,
    /// The monitor admitted this TSU.
    Welcomed,
    /// The monitor did not admit this TSU.
    Refused(RefusedWhy),
    /// The monitor asks for the clock.
    Probed(Nonce),
    /// The monitor granted a lease, and its signature was verified.
    Granted(LeaseTerms),
    /// The monitor revoked every lease up to this one.
    Revoked(LeaseSeq, EndingCause),
    /// A client asks for a token.
    Requested {
        /// The number of the request.
        id: RequestId,
        /// The request.
        request: Request,
        /// Fresh randomness for the serial number.
        randomness: [u8; 32],
    },
    /// A slot is done with a batch.
    Finished(SlotId, Finished),
    /// Time passed.
    Tick,
}

/// What to do, in this order.
#[derive(Debug)]
pub enum Action {
    /// Send a message to the monitor.
    Send(ToMonitor),
    /// Sign a batch in this slot.
    Sign(SlotId, Unsigned),
    /// Answer a client.
    Reply(RequestId, Result<Releasable, Rejection>),
    /// For the log and the metrics.
    Note(Note),
}

/// What an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The monitor admitted this TSU.
    Admitted,
    /// The monitor did not admit this TSU.
    NotAdmitted(RefusedWhy),
    /// The first lease after a time without one.
    LeaseHeld(LeaseSeq),
    /// There is no lease any more.
    LeaseEnded(NoLeaseWhy),
    /// A grant was not accepted.
    GrantRefused(GrantRefused),
    /// The certificate or its key may not be used.
    NotUsable(NotUsable),
}

/// Why there is no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLeaseWhy {
    /// It ran out.
    Expired,
    /// The guard ended it.
    Guard(LeaseEnded),
    /// The monitor revoked it.
    Revoked(LeaseSeq, EndingCause),
}

/// The pipeline.
#[derive(Debug)]
pub struct Issuer {
    holder: Holder,
    serials: SerialSource,
    certificate: TsuCertificate,
    waiting: VecDeque<(RequestId, Draft<Pending>)>,
    free: Vec<SlotId>,
    held: bool,
}

/// A request that waits for its serial number.
#[derive(Debug)]
struct Pending {
    request: Request,
    randomness: [u8; 32],
}

impl Issuer {
    /// A pipeline with `slots` signing slots, and no lease.
    #[must_use]
    pub fn new(me: Terms, certificate: TsuCertificate, slots: usize) -> Self {
        Self {
            serials: SerialSource::new(me.boot_id, me.incarnation),
            holder: Holder::new(me),
            certificate,
            waiting: VecDeque::new(),
            free: (0..slots).map(SlotId).collect(),
            held: false,
        }
    }

    /// Whether it takes further requests in.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    /// Whether a lease was held when last looked at.
    #[must_use]
    pub const fn holds_lease(&self) -> bool {
        self.held
    }

    /// Whether somebody waits although a slot is free: the last sample was taken through a pause,
    /// and [`Event::Tick`] with a fresh one may do.
    #[must_use]
    pub fn wants_another_sample(&self) -> bool {
        !self.waiting.is_empty() && !self.free.is_empty()
    }

    /// Takes one event and appends what must be done to `out`. `now` was sampled after the event
    /// was in.
    pub fn handle(&mut self, now: &Sample, event: Event, out: &mut Vec<Action>) {
        let why = self.take(now, event, out);
        self.close_batch(now, out);
        self.note_lease(why, out);
    }

    /// Returns why the lease ended, if the event says so.
    fn take(&mut self, now: &Sample, event: Event, out: &mut Vec<Action>) -> Option<NoLeaseWhy> {
        match event {
            Event::Connected(channel) => self.holder.connected(channel),
            Event::Disconnected => self.holder.disconnected(),
            Event::Welcomed => out.push(Action::Note(Note::Admitted)),
            Event::Refused(reason) => out.push(Action::Note(Note::NotAdmitted(reason))),
            Event::Probed(nonce) => {
                let answer = self.holder.probed(now, nonce);
                out.push(Action::Send(ToMonitor::Answer(answer)));
            }
            Event::Granted(lease) => {
                if let Err(refused) = self.holder.granted(lease) {
                    out.push(Action::Note(Note::GrantRefused(refused)));
                }
            }
            Event::Revoked(up_to, cause) => {
                self.holder.revoked(up_to);
                out.push(Action::Send(ToMonitor::Revoked(up_to)));
                return Some(NoLeaseWhy::Revoked(up_to, cause));
            }
            Event::Requested { id, request, randomness } => {
                self.waiting.push_back((id, Draft::new(Pending { request, randomness })));
            }
            Event::Finished(slot, batch) => {
                self.free.push(slot);
                self.release(now, batch, out);
            }
            Event::Tick => {
                // A look at the clock even when nobody asks for a token.
                let _ = self.holder.judge(now);
            }
        }
        None
    }

    /// Closes a batch if a slot is free; without a lease everybody who waits is told at once.
    fn close_batch(&mut self, now: &Sample, out: &mut Vec<Action>) {
        if self.waiting.is_empty() {
            return;
        }
        if self.holder.lease().is_none() {
            return self.reject_waiting(NO_TIME, out);
        }
        let Some(slot) = self.free.pop() else { return };
        match self.holder.judge(now) {
            Ok(judged) => match self.certificate.usable_at(now.real) {
                Ok(()) => {
                    let count = self.waiting.len().min(BATCH_MAX);
                    let drafts = self.waiting.drain(..count);
                    let batch = stages::judge(drafts, &judged, |pending| Content {
                        serial: self.serials.next(
                            &pending.randomness,
                            self.holder.nonce(),
                            pending.request.digest(),
                        ),
                        request: pending.request,
                    });
                    self.holder.used(&judged);
                    let batch = stages::witness(stages::log(batch));
                    return out.push(Action::Sign(slot, batch));
                }
                Err(not_usable) => {
                    out.push(Action::Note(Note::NotUsable(not_usable)));
                    self.reject_waiting(NO_KEY, out);
                }
            },
            // They go on waiting for the next sample; see `wants_another_sample`.
            Err(refusal) if refusal.is_worth_a_retry() => {}
            Err(_) => self.reject_waiting(NO_TIME, out),
        }
        self.free.push(slot);
    }

    fn reject_waiting(&mut self, rejection: Rejection, out: &mut Vec<Action>) {
        let waiting = self.waiting.drain(..);
        out.extend(waiting.map(|(id, _)| Action::Reply(id, Err(rejection))));
    }

    /// Before release: the key and the certificate still good, the clock still sound, the lease
    /// not withdrawn. A lease that ran out meanwhile is no reason to hold back what was sampled in
    /// time.
    fn release(&mut self, now: &Sample, batch: Finished, out: &mut Vec<Action>) {
        // A step since the sample does not falsify these tokens, but it ends the lease, and what a
        // dead lease covers stays inside.
        let _ = self.holder.judge(now);
        let usable = self.certificate.usable_at(now.real);
        if let Err(not_usable) = usable {
            out.push(Action::Note(Note::NotUsable(not_usable)));
        }
        for (id, signed) in batch {
            let reply = match signed {
                None => Err(NO_SIGNATURE),
                Some(_) if usable.is_err() => Err(NO_KEY),
                Some(token) => stages::release(token, &self.holder).ok_or(NO_TIME),
            };
            out.push(Action::Reply(id, reply));
        }
    }

    fn note_lease(&mut self, why: Option<NoLeaseWhy>, out: &mut Vec<Action>) {
        match (self.held, self.holder.lease().map(|lease| lease.sequence)) {
            (false, Some(sequence)) => out.push(Action::Note(Note::LeaseHeld(sequence))),
            (true, None) => {
                let guard = self.holder.ended().map(NoLeaseWhy::Guard);
                let why = why.or(guard).unwrap_or(NoLeaseWhy::Expired);
                out.push(Action::Note(Note::LeaseEnded(why)));
            }
            (false, None) | (true, Some(_)) => {}
        }
        self.held = self.holder.lease().is_some();
    }
}

#[cfg(all(test, not(feature = "negative-control")))]
mod tests;
