//! The issuing pipeline: from requests to released tokens, batch by batch.
//!
//! `sample, judge, log, witness, sign, verify, release`. A state machine without I/O: events come
//! in with a reading of the clocks that was taken after the event was in, actions go out. There is one of
//! it, so it is the one sequencer that gives tokens their time.
//!
//! A batch closes when a lane is free, somebody waits, and no other batch is on its way to the disk
//! and the monitor, unless a full one waits: whoever comes meanwhile shares the next write and the
//! next question. All its tokens are built from one sample: the one that came with the event that
//! closed it. While one batch is signed the next one is on its way, so that the signing threads do
//! not wait for it; where signatures are slow it starts out when they have little left to do. A
//! token is released as soon as it is signed; its lane is free when all of its batch are.

mod asking;
mod events;
mod signing;
mod stages;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::leaf;
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::LeaseSeq;
use chronolease_core::lease::SignedLease;
use chronolease_core::stamped::{Reading, Stamped};
use chronolease_core::time::{Bound, GenTime};
use chronolease_core::token::{Draft, Judged};

use super::holder::{Holder, Mode, Terms};
use super::rfc3161::{FailInfo, Rejection, Request, SerialSource, TokenBuilder};
use asking::Asking;
pub use events::{
    Action, Content, Event, Finished, LaneId, NoLeaseWhy, NotRecorded, Note, RequestId, ToLink,
    Unsigned,
};
use signing::Signing;
use stages::Unlogged;

/// The most tokens in one batch, so that one batch never keeps a slot for long.
pub const BATCH_MAX: usize = 32;

/// The most requests that wait for a slot; beyond it the pipeline takes no more in.
pub const WAITING_MAX: usize = 1_024;

/// From here on a signature takes as long as a batch's way to the disk and the monitor, or nearly so.
const SLOW_SIGNATURE: Bound = Bound::from_nanos(200_000);

const NO_TIME: Rejection =
    Rejection::new(FailInfo::TimeNotAvailable, "the TSA's time source is not available");
const NO_KEY: Rejection =
    Rejection::new(FailInfo::SystemFailure, "the TSA's certificate or key may not be used now");
const NO_SIGNATURE: Rejection = Rejection::new(FailInfo::SystemFailure, "the TSA could not sign");

const NO_RECORD: Rejection =
    Rejection::new(FailInfo::SystemFailure, "the TSA could not record the request");

/// The pipeline.
#[derive(Debug)]
pub struct Issuer {
    holder: Holder,
    serials: SerialSource,
    builder: Arc<TokenBuilder>,
    waiting: VecDeque<(RequestId, Draft<Pending>)>,
    logging: BTreeMap<LaneId, Unlogged>,
    asking: Asking,
    signing: BTreeMap<LaneId, Signing>,
    /// How long the last signature took.
    signature: Bound,
    lanes: usize,
    free: Vec<LaneId>,
    held: Option<LeaseSeq>,
    lease_record: Option<LeaseRecord>,
}

/// The newest lease as it came, and whether the evidence log has it. Nothing is issued under a
/// lease that is not on record.
#[derive(Debug)]
struct LeaseRecord {
    sequence: LeaseSeq,
    signed: SignedLease,
    stands: Stands,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// It is still to be written, or could not be.
    Due,
    /// It is on its way to the disk.
    Writing,
    /// It is durable.
    Durable,
}

/// A request that waits for its serial number.
#[derive(Debug)]
struct Pending {
    request: Request,
    randomness: [u8; 32],
    retried: bool,
}

impl Issuer {
    /// A pipeline for `lanes` batches in flight, and no lease.
    #[must_use]
    pub fn new(me: Terms, builder: Arc<TokenBuilder>, lanes: usize) -> Self {
        Self {
            serials: SerialSource::new(me.boot_id, me.incarnation),
            holder: Holder::new(me),
            builder,
            waiting: VecDeque::new(),
            logging: BTreeMap::new(),
            asking: Asking::default(),
            signing: BTreeMap::new(),
            signature: Bound::ZERO,
            lanes,
            free: (0..lanes).map(LaneId).collect(),
            held: None,
            lease_record: None,
        }
    }

    /// The pipeline, with the latest genTime that an earlier run may have released: no token of
    /// this run carries an earlier one.
    #[must_use]
    pub fn resuming(mut self, high_water: Option<GenTime>) -> Self {
        self.holder.resume(high_water);
        self
    }

    /// Whether it takes further requests in.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    /// Whether a lease was held when last looked at.
    #[must_use]
    pub const fn holds_lease(&self) -> bool {
        self.held.is_some()
    }

    /// Whether somebody waits although a lane is free: the last sample was taken through a pause,
    /// and [`Event::Tick`] with a fresh one may do.
    #[must_use]
    pub fn wants_another_sample(&self) -> bool {
        let writes = self.lease_record.as_ref().is_some_and(|r| r.stands != Stands::Durable);
        self.is_batch_due() && !self.free.is_empty() && !writes && self.can_ask()
    }

    /// Whether those who wait make a batch: a full one, or one that finds the way free and does not
    /// come to signers with enough to do for now.
    fn is_batch_due(&self) -> bool {
        let way_is_free = self.logging.is_empty() && self.asking.is_idle();
        let to_sign: usize = self.signing.values().map(Signing::left).sum();
        let wanted = self.signature < SLOW_SIGNATURE || to_sign <= 2 * self.lanes;
        self.waiting.len() >= BATCH_MAX || (way_is_free && wanted && !self.waiting.is_empty())
    }

    /// Whether a batch could be confirmed, if that is needed.
    fn can_ask(&self) -> bool {
        self.mode() == Mode::Leased || self.asking.is_open()
    }

    /// Takes one event, with the reading that was taken after it was in, and appends what must be
    /// done to `out`.
    pub fn handle(&mut self, stamped: Stamped<Event>, out: &mut Vec<Action>) {
        let (now, event) = stamped.into_parts();
        let now = &now;
        // Before the event, which may be an answer that comes too late; after it, since it may be
        // the end of the connection or of the lease.
        self.burn_unanswered(now, out);
        let why = self.take(now, event, out);
        self.burn_unanswered(now, out);
        self.close_batch(now, out);
        self.note_lease(now, why, out);
    }

    /// Returns why the lease ended, if the event says so.
    fn take(&mut self, now: &Reading, event: Event, out: &mut Vec<Action>) -> Option<NoLeaseWhy> {
        match event {
            Event::Connected(channel) => {
                self.holder.connected(channel);
                self.asking.connected(channel);
            }
            Event::Disconnected => {
                self.holder.disconnected();
                self.asking.disconnected();
            }
            Event::Welcomed => {
                self.asking.welcomed();
                out.push(Action::Note(Note::Admitted));
            }
            Event::Refused(reason) => out.push(Action::Note(Note::NotAdmitted(reason))),
            Event::Probed(nonce) => {
                let answer = self.holder.probed(now, nonce);
                out.push(Action::Send(ToLink::Answer(answer)));
            }
            Event::Vouched => self.holder.vouched(),
            Event::LogBroken(cause) => self.holder.log_broken(cause),
            Event::Granted(signed, lease) => match self.holder.granted(now, lease) {
                Ok(sequence) => {
                    self.lease_record = Some(LeaseRecord { sequence, signed, stands: Stands::Due });
                    self.lease_is_durable(out);
                }
                Err(refused) => out.push(Action::Note(Note::GrantRefused(refused))),
            },
            Event::Revoked(up_to, cause) => {
                self.holder.revoked(up_to);
                out.push(Action::Send(ToLink::Revoked(up_to)));
                return Some(NoLeaseWhy::Revoked(up_to, cause));
            }
            Event::Requested { id, request, randomness } => {
                let pending = Pending { request, randomness, retried: false };
                self.waiting.push_back((id, Draft::new(pending)));
            }
            Event::LeaseLogged(sequence, recorded) => self.lease_logged(sequence, recorded, out),
            Event::Logged(lane, recorded) => self.logged(now, lane, recorded, out),
            Event::Confirmed(signed, confirmation) => {
                self.confirmed(now, signed, &confirmation, out);
            }
            Event::NotConfirmed(sequence, why) => self.not_confirmed(sequence, why, out),
            Event::ConfirmationLogged(lane, recorded) => {
                self.confirmation_logged(now, lane, recorded, out);
            }
            Event::Finished(finished) => self.finished(now, *finished, out),
            Event::Tick => {
                // A look at the clock even when nobody asks for a token.
                let _ = self.holder.judge(now);
            }
        }
        None
    }

    /// Closes a batch if a lane is free; without a lease everybody who waits is told at once.
    fn close_batch(&mut self, now: &Reading, out: &mut Vec<Action>) {
        if self.waiting.is_empty() {
            return;
        }
        if self.holder.lease().is_none() {
            return self.reject_waiting(NO_TIME, out);
        }
        // Before anything that waits for a disk: a lease that runs out meanwhile must be noticed.
        let judged = match self.holder.judge(now) {
            Ok(judged) => judged,
            // They go on waiting for the next sample; see `wants_another_sample`.
            Err(refusal) if refusal.is_worth_a_retry() => return,
            Err(_) => return self.reject_waiting(NO_TIME, out),
        };
        if !self.lease_is_durable(out) || !self.can_ask() {
            // They go on waiting until the disk has the lease, and the monitor listens.
            return;
        }
        if !self.is_batch_due() {
            return;
        }
        let Some(&lane) = self.free.last() else { return };
        if !self.may_sign(now, out) {
            return self.reject_waiting(NO_KEY, out);
        }
        let count = self.waiting.len().min(BATCH_MAX);
        let (serials, builder) = (&mut self.serials, &self.builder);
        let nonce = self.holder.nonce();
        let batch = stages::judge(self.waiting.drain(..count), &judged, |pending| {
            let Pending { request, randomness, retried } = pending;
            let gen_time = judged.gen_time();
            let serial = serials.next(&randomness, nonce, gen_time, &request);
            let tst_info = builder.tst_info(&request, &serial, gen_time);
            let tst_info_digest = Hash::of(&tst_info);
            Content { request, serial, tst_info, tst_info_digest, randomness, retried }
        });
        self.holder.used(&judged);
        self.free.pop();
        out.push(Action::Log(lane, stages::intents(&batch)));
        self.logging.insert(lane, batch);
    }

    /// Whether the lease is on record. If it is neither that nor on its way, it is sent there.
    fn lease_is_durable(&mut self, out: &mut Vec<Action>) -> bool {
        let Some(record) = &mut self.lease_record else { return false };
        if record.stands == Stands::Due {
            record.stands = Stands::Writing;
            out.push(Action::LogLease(record.sequence, record.signed.clone()));
        }
        record.stands == Stands::Durable
    }

    fn lease_logged(
        &mut self,
        sequence: LeaseSeq,
        recorded: Result<(), NotRecorded>,
        out: &mut Vec<Action>,
    ) {
        if recorded == Err(NotRecorded::ForGood) {
            self.holder.evidence_lost();
        }
        let Some(record) = self.lease_record.as_mut().filter(|r| r.sequence == sequence) else {
            return;
        };
        match recorded {
            Ok(()) => record.stands = Stands::Durable,
            Err(_) => {
                record.stands = Stands::Due;
                self.reject_waiting(NO_RECORD, out);
            }
        }
    }

    /// No record, no token. With it, the tokens are signed if their lease still stands.
    fn logged(
        &mut self,
        now: &Reading,
        lane: LaneId,
        recorded: Result<LeafIndex, NotRecorded>,
        out: &mut Vec<Action>,
    ) {
        let Some(batch) = self.logging.remove(&lane) else { return };
        let _ = self.holder.judge(now);
        let stands = |(_, token): &(RequestId, Judged<Content>)| {
            self.holder.permit(token.judged().lease()).is_some()
        };
        let rejection = match recorded {
            Err(why) => {
                if why == NotRecorded::ForGood {
                    self.holder.evidence_lost();
                }
                NO_RECORD
            }
            Ok(_) if !batch.iter().all(stands) => NO_TIME,
            Ok(_) if !self.may_sign(now, out) => NO_KEY,
            Ok(first) => {
                let batch = stages::log(batch, first);
                return match self.mode() {
                    Mode::Leased => self.sign(lane, stages::witness(batch, None), None, out),
                    Mode::Witnessed(witness) => self.ask(now, lane, batch, witness.queue_max, out),
                };
            }
        };
        self.free.push(lane);
        reject(batch, rejection, out);
    }

    fn may_sign(&self, now: &Reading, out: &mut Vec<Action>) -> bool {
        let usable = self.builder.certificate().usable_at(now.sample.real);
        if let Err(not_usable) = usable {
            out.push(Action::Note(Note::NotUsable(not_usable)));
        }
        usable.is_ok()
    }

    fn reject_waiting(&mut self, rejection: Rejection, out: &mut Vec<Action>) {
        let waiting = self.waiting.drain(..);
        out.extend(waiting.map(|(id, _)| Action::Reply(id, Err(rejection))));
    }

    fn note_lease(&mut self, now: &Reading, why: Option<NoLeaseWhy>, out: &mut Vec<Action>) {
        let holds = self.holder.lease().map(|lease| lease.sequence);
        match (self.held, holds) {
            (None, Some(sequence)) => out.push(Action::Note(Note::LeaseHeld(sequence))),
            (Some(sequence), None) => {
                let guard = self.holder.ended().map(NoLeaseWhy::Guard);
                let why = why.or(guard).unwrap_or(NoLeaseWhy::Expired);
                out.push(Action::Note(Note::LeaseEnded(why)));
                out.push(Action::Record(leaf::Event::LeaseEnded(leaf::Ended {
                    tsu: self.holder.me().tsu.clone(),
                    sequence,
                    cause: why.cause(),
                    found_by: Some(now.sample),
                })));
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.held = holds;
    }
}

fn reject(batch: Unlogged, rejection: Rejection, out: &mut Vec<Action>) {
    out.extend(batch.into_iter().map(|(id, _)| Action::Reply(id, Err(rejection))));
}

#[cfg(all(test, not(feature = "negative-control")))]
mod tests;
