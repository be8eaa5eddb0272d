//! The task that owns what the monitor knows and decides. Every event meets a clock reading taken
//! after the event was in; actions are carried out in order.

mod breaks;
mod doubts;
mod drifts;
mod grant;
mod input;
mod kernels;
mod leap;
mod pps;
mod public;
mod show;
mod slot;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chronolease_core::confirmation::SignedConfirmation;
use chronolease_core::evidence::leaf;
use chronolease_core::id::Nonce;
use chronolease_core::sample::Sample;
use chronolease_core::stamped::{Stamped, Turn};
use chronolease_core::time::{Bound, RawInstant, Span};
use chronolease_core::wire::{ProbeAnswer, ToTsu};
use chronolease_net::clock_reader::WatchedClocks;
use chronolease_net::keys::EvidenceSigner;
use chronolease_net::observe::Health;
use chronolease_net::random;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use drifts::{Clock, Drifts};
pub use input::Input;
pub use kernels::Kernels;
pub use pps::Pulse;
use slot::Connection;
pub use slot::{Logs, Slot, Vouch};

use super::leap_list::ListFile;
use super::metrics::MonitorMetrics;
use super::records::Records;
use super::status::StatusWriter;
use crate::core::authority::{Action, ConnId, Context, Event, Facts};
use crate::core::continuity::Continuity;
use crate::core::leap::watch::LeapWatch;
use crate::core::nts::known::KnownUtc;
use crate::core::sources::{Epoch, Rounds, Sources, View};

/// The longest time without a look at everything.
const TICK_MAX: Bound = Bound::from_millis(250);

/// Everything that the engine needs.
pub struct Engine {
    /// The clocks of this box, and its clock reader's word on them.
    pub clocks: WatchedClocks,
    /// What the sources say.
    pub sources: Sources,
    /// The ends of months.
    pub leap: LeapWatch,
    /// Where the list of leap seconds is.
    pub leap_list: ListFile,
    /// How fast the clocks run.
    pub drifts: Drifts,
    /// Whether this box ran through.
    pub continuity: Continuity,
    /// What becomes of the pulse-per-second signal of this box.
    pub pps: Pulse,
    /// A ward found that it may not have.
    pub discard: bool,
    /// What the kernels of the boxes are set to do.
    pub kernels: Kernels,
    /// Tells the pollers of a break.
    pub epoch: watch::Sender<Epoch>,
    /// Tells them the date, for certificates. `None` before UTC is known, and after a break.
    pub date: watch::Sender<Option<KnownUtc>>,
    /// The TSUs.
    pub slots: Vec<Slot>,
    /// The key that signs leases.
    pub signer: Arc<EvidenceSigner>,
    /// What goes into the evidence log.
    pub records: Records,
    /// When a measurement round does.
    pub rounds: Rounds,
    /// What comes in.
    pub inputs: mpsc::Receiver<Input>,
    /// What Prometheus reads.
    pub metrics: MonitorMetrics,
    /// What persons read.
    pub status: StatusWriter,
    /// What a service manager reads.
    pub health: Health,
}

impl Engine {
    /// Runs until `stop`, then revokes every lease: nobody would watch the clocks any more.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut utc_was_known = None;
        let mut last_tick = self.clocks.clocks.raw();
        loop {
            let patience = self.patience();
            let input = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    let (now, ()) = Stamped::receive((), &self.clocks).into_turn();
                    self.everybody(&now, &Event::Stop);
                    self.records.finish(&now);
                    return;
                }
                input = self.inputs.recv() => input,
                () = tokio::time::sleep(patience) => None,
            };
            let evidence_lost = self.records.settle();
            let (now, input) = Stamped::receive(input, &self.clocks).into_turn();
            self.health.progress(now.raw_after);
            if evidence_lost {
                self.everybody(&now, &Event::EvidenceLost);
            }
            if let Some(why) = self.continuity.broken_by(now.reading()) {
                breaks::broke(&mut self, &now, why);
            }
            pps::hear(&mut self, &now);
            if let Some(list) = self.leap_list.poll(now.raw_after) {
                self.leap.set_list(list);
            }
            // Everybody gets a look now and then, even when one TSU keeps the engine busy.
            let is_tick = input.is_none() || (now.raw_after - last_tick) > TICK_MAX.as_span();
            if is_tick {
                last_tick = now.raw_after;
                self.everybody(&now, &Event::Tick);
            }
            let is_batch = matches!(input, Some(Input::Confirm { .. }));
            self.take(&now, input);
            if std::mem::take(&mut self.discard) {
                breaks::discard_all(&mut self, &now);
            }
            // Thousands of batches a second change nothing that is worth showing each time.
            if is_batch && !is_tick {
                self.records.flush(&now);
                continue;
            }
            kernels::note(&mut self, now.reading());
            self.slots.iter_mut().for_each(|slot| slot.ask_for_token(now.raw_after));
            let view = self.leap.look(&mut self.sources, now.raw_after);
            self.tell_date(&now, &view);
            if utc_was_known != Some(view.utc.is_ok()) {
                utc_was_known = Some(view.utc.is_ok());
                match &view.utc {
                    Ok(utc) => info!(half_width = %utc.half_width(), "UTC is known"),
                    Err(_) if self.leap.boundaries().crossing => {
                        info!("UTC is not known around a possible leap second");
                    }
                    Err(why) => warn!(%why, "UTC is not known"),
                }
            }
            if self.leap.boundaries().crossing {
                self.drifts.restart();
            }
            self.drifts.own(&now, &view, self.sources.rules().rho);
            self.record(&now, &view);
            self.metrics.reader(&now.reading().reader.word());
            self.show(&now, &view);
        }
    }

    /// Wakes nobody unless it is known for the first time.
    fn tell_date(&self, now: &Sample, view: &View) {
        let Ok(utc_minus_raw) = view.utc else { return };
        let rho = self.sources.rules().rho;
        let known = KnownUtc { utc_minus_raw, at: now.raw_after, rho };
        self.date.send_if_modified(|date| date.replace(known).is_none());
    }

    /// Puts what happened in this turn on its way to the disk.
    fn record(&mut self, now: &Sample, view: &View) {
        leap::tell(&mut self.leap, &mut self.records);
        doubts::tell_smears(self);
        if self.rounds.is_due(now.raw_after, view.utc.is_ok()) {
            let round = drifts::round(self, now);
            self.records.note(leaf::Event::Round(round));
        }
        self.records.flush(now);
    }

    fn take(&mut self, now: &Turn, input: Option<Input>) {
        match input {
            Some(Input::SecondOpinion { source, comparison }) => {
                doubts::compared(self, source, comparison);
            }
            Some(Input::Polled(report)) => {
                if let Some(source) = self.sources.sources().nth(report.source) {
                    self.metrics.polled(&source.name, &report.result);
                }
                self.sources.handle(&report);
                self.everybody(now, &Event::Fused);
            }
            Some(Input::Connected { ward, event, outgoing }) => {
                if let Event::Connected { conn, hello, .. } = &event {
                    let connection = Connection::new(outgoing, hello.held);
                    self.slots[ward].connections.insert(*conn, connection);
                }
                self.one(ward, now, event);
            }
            Some(Input::Answered { ward, conn, answer, received }) => {
                self.answered(ward, now, conn, answer, received);
            }
            Some(Input::Confirm { ward, conn, confirm }) => {
                self.one(ward, now, Event::Confirm { conn, confirm });
            }
            Some(Input::Cosigned { ward, conn, line }) => {
                let slot = &mut self.slots[ward];
                let tsu = slot.ward.rules().tsu.clone();
                if slot.ward.is_current(conn) && !slot.logs.cosigned(&tsu, &line, now) {
                    let closed = slot.cut(conn);
                    self.one(ward, now, closed);
                }
            }
            Some(Input::EndToEnd { ward, reply }) => self.token(ward, now, reply),
            Some(Input::Link { ward, event }) => {
                if let Event::Closed { conn } = &event {
                    self.slots[ward].connections.remove(conn);
                }
                self.one(ward, now, event);
            }
            None => {}
        }
    }

    /// The checkpoint before the clock: what is granted rests on both.
    fn answered(
        &mut self,
        ward: usize,
        now: &Turn,
        conn: ConnId,
        mut answer: ProbeAnswer,
        received: RawInstant,
    ) {
        let slot = &mut self.slots[ward];
        // A connection that does not speak for the TSU yet was not told what to prove from.
        let offer = answer.log.take().filter(|_| slot.ward.is_current(conn));
        let mut log = None;
        if let Some(offer) = offer {
            let (vouch, shown) = slot.vouch(conn, offer, now);
            log = shown;
            match vouch {
                Vouch::For(leaf) => self.records.note(leaf),
                Vouch::Broken(cause, leaf) => {
                    leaf.into_iter().for_each(|leaf| self.records.note(leaf));
                    self.one(ward, now, Event::LogBroken { cause });
                }
                Vouch::Unrecorded => self.one(ward, now, Event::PersistFailed),
                Vouch::Refused => {
                    let closed = slot.cut(conn);
                    return self.one(ward, now, closed);
                }
            }
        }
        self.one(ward, now, Event::Answered { conn, answer, received, log });
        // Sent with the grant already, if there was one.
        if let Some(closed) = self.slots[ward].witness(conn) {
            self.one(ward, now, closed);
        }
    }

    fn one(&mut self, ward: usize, now: &Turn, event: Event) {
        let out = self.handle(ward, now, event);
        self.carry_out(ward, now, out);
    }

    /// Every ward acts before any is recorded: a slow disk delays nobody's revocation.
    fn everybody(&mut self, now: &Turn, event: &Event) {
        let mut rest = Vec::new();
        for ward in 0..self.slots.len() {
            let mut out = self.handle(ward, now, event.clone());
            let records = |a: &Action| matches!(a, Action::Persist(_) | Action::Grant(..));
            let recorded = out.iter().position(records).map(|at| out.split_off(at));
            self.carry_out(ward, now, out);
            rest.push(recorded);
        }
        for (ward, out) in rest.into_iter().enumerate() {
            self.carry_out(ward, now, out.unwrap_or_default());
        }
    }

    fn handle(&mut self, ward: usize, now: &Turn, event: Event) -> Vec<Action> {
        let facts = Facts {
            utc: self.leap.look(&mut self.sources, now.raw_after).utc,
            boundaries: self.leap.boundaries(),
            vouched: self.slots[ward].logs.held(),
            recordable: self.records.trouble().is_none() && self.continuity.is_watched(),
            pps: self.pps.watch().says(),
            nonces: [Nonce::from_bytes(random::bytes()), Nonce::from_bytes(random::bytes())],
        };
        let mut out = Vec::new();
        self.slots[ward].ward.handle(Context::of(now, facts), event, &mut out);
        out
    }

    fn carry_out(&mut self, ward: usize, now: &Turn, actions: Vec<Action>) {
        let mut waiting = VecDeque::from(actions);
        while let Some(action) = waiting.pop_front() {
            for event in self.act(ward, now, action) {
                waiting.extend(self.handle(ward, now, event));
            }
        }
        let slot = &mut self.slots[ward];
        if slot.dirty && slot.persist(&slot.ward.record().clone()) {
            warn!(tsu = %slot.ward.rules().tsu, "the state could be recorded after all");
        }
    }

    /// What went wrong, for the ward to act upon.
    fn act(&mut self, ward: usize, now: &Turn, action: Action) -> Vec<Event> {
        let slot = &mut self.slots[ward];
        let tsu = slot.ward.rules().tsu.clone();
        match action {
            Action::Admit(conn) => return slot.admit(conn),
            Action::Send(conn, message) => {
                if let ToTsu::NotConfirmed(_, why) = &message {
                    self.metrics.not_confirmed(&tsu, *why);
                }
                return slot.send(conn, message).into_iter().collect();
            }
            Action::Close(conn) => drop(slot.connections.remove(&conn)),
            Action::Persist(record) => {
                return if slot.persist(&record) { Vec::new() } else { vec![Event::PersistFailed] };
            }
            Action::Grant(conn, record, terms) => {
                return self.grant(ward, now, conn, &record, &terms);
            }
            Action::Confirm(conn, confirmation) => {
                let signed = SignedConfirmation::sign(&confirmation, |m| self.signer.sign(m));
                if let Some(outgoing) = slot.outgoing(conn) {
                    let batch = confirmation.batch.sequence;
                    self.records.confirm(now, batch, signed, outgoing);
                    self.metrics.confirmed(&tsu);
                }
            }
            Action::Ended(ended) => {
                let (sequence, cause) = (ended.sequence, ended.cause);
                if cause.latches() {
                    error!(%tsu, %sequence, %cause, "the lease ended, latched");
                } else {
                    warn!(%tsu, %sequence, %cause, "the lease ended");
                }
                self.metrics.ended(&tsu, cause);
                self.records.note(leaf::Event::LeaseEnded(ended));
            }
            Action::Discard(by) => {
                error!(%tsu, %by, "the oscillators of the boxes disagree: one of them stood still");
                self.discard = true;
            }
            Action::Judged(probed) => {
                show::log_verdict(&probed);
                self.drifts.tsu(ward, &probed, slot.ward.rules().limits.rho);
                self.records.note(leaf::Event::Verdict(probed));
            }
        }
        Vec::new()
    }

    fn patience(&self) -> Duration {
        let now = self.clocks.clocks.raw();
        let until = |slot: &Slot| slot.ward.due(now) - now;
        let next = self.slots.iter().map(until).min().unwrap_or(Span::MAX).max(Span::ZERO);
        Duration::from_nanos(next.magnitude().min(TICK_MAX).as_nanos())
    }
}

#[cfg(test)]
mod tests;
