//! The lease authority over one TSU (a *ward*): whom it admits, what it grants, why it ends.
//!
//! A state machine without I/O. Time, randomness and the monitor's view of UTC come in with every
//! event; what must be done comes out as actions, to be carried out in order.

mod connections;
mod crossing;
mod events;
mod flaps;
mod lease;
mod oscillators;
mod pps;
mod reader;
mod rearm;
mod record;
mod rules;
mod view;
mod witness;

use chronolease_core::broken::{Condition, kept};
use chronolease_core::evidence::{TreeHead, leaf};
use chronolease_core::fusion::NoUtc;
use chronolease_core::lease::{EndingCause, LeaseTerms};
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, RawInstant, Timestamp};
use chronolease_core::wire::{LeaseEnded, PROTOCOL_VERSION, ProbeAnswer, RefusedWhy, ToTsu};

use super::assessment::{self, Probed, Verdict};
use super::pps::PpsSays;
pub use connections::ConnId;
use connections::Connections;
use crossing::Crossing;
pub use events::{Action, Context, Event, Facts, ShownLog};
use flaps::Flaps;
use lease::{Admission, Leases};
use oscillators::Oscillators;
use reader::Readers;
use rearm::GoodRun;
pub use record::{Record, RecordError};
pub use rules::{Rearm, Rules};
pub use view::WardState;

/// The authority over one TSU.
#[derive(Debug)]
pub struct Ward {
    rules: Rules,
    record: Record,
    connections: Connections,
    leases: Leases,
    run: GoodRun,
    flaps: Flaps,
    crossing: Crossing,
    readers: Readers,
    oscillators: Oscillators,
    verdict: Option<Verdict>,
    /// The newest tree of the TSU's log that it showed with a batch which was confirmed, in this
    /// run or before.
    confirmed: TreeHead,
    /// The latch that the last event's grant cleared, in case the grant cannot be recorded.
    cleared: Option<EndingCause>,
}

impl Ward {
    /// The authority as it starts at `now`, with what was durable before.
    #[must_use]
    pub fn new(rules: Rules, record: Record, now: RawInstant) -> Self {
        let longest_ttl = rules.ttl.max(record.ttl);
        let foreign_until = now.plus(rules.limits.rho.stretch(longest_ttl));
        let hold = if record.latch.is_some() { rules.hold_latched } else { Bound::ZERO };
        Self {
            connections: Connections::new(rules.probe, rules.ttl),
            leases: Leases::new(foreign_until),
            run: GoodRun::needing(hold),
            flaps: Flaps::default(),
            crossing: Crossing::default(),
            readers: Readers::default(),
            oscillators: Oscillators::default(),
            verdict: None,
            confirmed: TreeHead::empty(),
            cleared: None,
            record,
            rules,
        }
    }

    /// As it starts with `confirmed` known: the tree that the last batch was confirmed with before.
    #[must_use]
    pub fn knowing(self, confirmed: TreeHead) -> Self {
        Self { confirmed, ..self }
    }

    /// Takes one event and appends what must be done to `out`.
    pub fn handle(&mut self, context: Context, event: Event, out: &mut Vec<Action>) {
        let context = &context;
        self.expire(context, out);
        self.cross(context, out);
        self.heed_pps(context, out);
        if !matches!(event, Event::PersistFailed | Event::EvidenceLost) {
            self.cleared = None;
        }
        match event {
            Event::Connected { conn, hello, .. } if hello.version != PROTOCOL_VERSION => {
                connections::refuse(conn, RefusedWhy::Version(PROTOCOL_VERSION), out);
            }
            Event::Connected { conn, hello, channel } => {
                let admission = self.leases.admits(&self.record, hello.incarnation, context.now);
                if admission == Admission::Wait && self.connections.current().is_none() {
                    // The holder of the lease is gone and another process is there instead.
                    self.end(context, EndingCause::Restarted, out);
                }
                self.connections.connected(conn, hello, channel, admission, context, out);
            }
            Event::Answered { conn, answer, received, log } => {
                let vouched = log.is_some_and(|log| {
                    self.shows(conn, &log.tree, &log.since_shown, context, out) && log.vouched
                });
                self.answered(context, conn, &answer, received, vouched, out);
            }
            Event::Confirm { conn, confirm } => self.confirm(context, conn, &confirm, out),
            Event::LogBroken { .. } if !kept(Condition::LogContinues) => {}
            Event::LogBroken { cause } => self.end(context, cause, out),
            Event::RevocationAcked { conn, up_to } => {
                if self.connections.is_current(conn) {
                    self.leases.acked(up_to);
                }
            }
            Event::Closed { conn } => self.connections.closed(conn),
            Event::Fused | Event::Tick => {}
            Event::PersistFailed => self.unrecorded(context, EndingCause::StateLost, out),
            Event::EvidenceLost => self.unrecorded(context, EndingCause::EvidencePoisoned, out),
            Event::Broken => {
                self.connections.forget_probes(out);
                self.oscillators.forget();
                self.end(context, EndingCause::MonitorBreak, out);
            }
            Event::WrongToken => self.end(context, EndingCause::WrongToken, out),
            Event::Stop => self.end(context, EndingCause::MonitorStopped, out),
        }
        self.keep_connections(context, out);
        self.check_utc(context, out);
    }

    /// The instant at which the next [`Event::Tick`] is due.
    #[must_use]
    pub fn due(&self, now: RawInstant) -> RawInstant {
        let idle = now.plus(self.rules.probe);
        let lease = self.leases.live_until().unwrap_or(idle);
        self.connections.due().unwrap_or(idle).min(lease).min(idle)
    }

    fn answered(
        &mut self,
        context: &Context,
        conn: ConnId,
        answer: &ProbeAnswer,
        received: RawInstant,
        vouched: bool,
        out: &mut Vec<Action>,
    ) {
        let Some(sent) = self.connections.answered(conn, answer, context.now) else { return };
        if self.connections.both_answered() {
            self.verdict = None;
            self.end(context, EndingCause::Clone, out);
            return self.connections.refuse_both(out);
        }
        if !self.connections.is_current(conn) {
            return;
        }
        if let Some(ended) = answer.ended {
            self.ended_by_tsu(context, ended, out);
        }
        let watched = self.watch_reader(context, answer, out);
        let probed = Probed { sent, received, sample: answer.sample };
        if !self.compare_oscillators(context, &probed, out) {
            return;
        }
        let Ok(utc) = context.utc else { return };
        if kept(Condition::Crossing) && self.crossing.is_in_blackout() {
            // What the clock shows there proves nothing about it.
            self.verdict = None;
            return self.run.broken();
        }
        let verdict = assessment::assess(&probed, utc, &self.rules.limits, context.now);
        self.verdict = Some(verdict);
        out.push(Action::Judged(leaf::Probed {
            tsu: self.rules.tsu.clone(),
            sent,
            received,
            answer: answer.sample,
            reader: Some(answer.reader),
            judged_at: context.now,
            utc_minus_raw: utc,
            assessment: verdict.into(),
        }));
        self.passing(context, sent, matches!(verdict, Verdict::Good(_)));
        match verdict {
            Verdict::Good(_) if watched => self.good(context, &probed, vouched, out),
            Verdict::Good(_) => self.run.broken(),
            Verdict::Bad(_) => {
                self.end_found(context, EndingCause::Deviation, Some(answer.sample), out);
            }
            Verdict::Unknown(_) | Verdict::Unusable => self.run.broken(),
        }
    }

    fn good(&mut self, context: &Context, probed: &Probed, vouched: bool, out: &mut Vec<Action>) {
        if context.pps == PpsSays::Forbids {
            return self.run.broken();
        }
        self.run.good(context.now);
        let vouched = vouched || !kept(Condition::LogContinues);
        let crossed = self.crossing.permits() || !kept(Condition::Crossing);
        let pulsed = context.pps == PpsSays::Permits;
        if !context.recordable || !vouched || !crossed || !pulsed {
            return;
        }
        if self.leases.live().is_none() {
            let waits = self.leases.revocation_pending(context.now);
            let rests = kept(Condition::LatchRests)
                && self.record.latch.is_some()
                && self.rules.rearm == Rearm::TwoPersons;
            if waits || rests || !self.run.is_enough(self.rules.good_probes) {
                return;
            }
        }
        let Some(link) = self.connections.current() else { return };
        let Some(sequence) = self.record.sequence.next() else { return };
        let terms = LeaseTerms {
            tsu: self.rules.tsu.clone(),
            incarnation: link.hello.incarnation,
            sequence,
            channel: link.channel,
            sample: probed.sample,
            ttl: self.rules.ttl,
            clock_bound: self.rules.limits.grant_within,
            rho: self.rules.limits.rho,
            policy: self.rules.policy.clone(),
            blackout: context.boundaries.next,
        };
        self.cleared = self.record.latch;
        self.record = Record {
            incarnation: Some(link.hello.incarnation),
            sequence,
            ttl: self.rules.ttl,
            latch: None,
            reported: self.record.reported,
        };
        let live_until = probed.received.plus(self.rules.limits.rho.stretch(self.rules.ttl));
        self.leases.granted(sequence, live_until);
        self.run.needs(Bound::ZERO);
        out.push(Action::Grant(link.conn, self.record.clone(), terms));
    }

    /// The TSU ended a lease by itself. It repeats that until its next lease.
    fn ended_by_tsu(&mut self, context: &Context, ended: LeaseEnded, out: &mut Vec<Action>) {
        let news = self.record.reported < ended.sequence && ended.sequence <= self.record.sequence;
        if !news {
            return;
        }
        self.record.reported = ended.sequence;
        // Also when the lease ended here for a milder cause before: a step latches all the same.
        let before = out.len();
        self.end(context, ended.cause, out);
        if !out[before..].iter().any(|action| matches!(action, Action::Persist(_))) {
            out.push(Action::Persist(self.record.clone()));
        }
    }

    /// What was not recorded did not happen: a latch is not cleared by it.
    fn unrecorded(&mut self, context: &Context, cause: EndingCause, out: &mut Vec<Action>) {
        self.record.latch = self.record.latch.or(self.cleared.take());
        self.end(context, cause, out);
    }

    fn end(&mut self, context: &Context, cause: EndingCause, out: &mut Vec<Action>) {
        self.end_found(context, cause, None, out);
    }

    /// Ends whatever lease there may be: acts first, records afterwards. `found_by` is the sample
    /// that gave it away.
    fn end_found(
        &mut self,
        context: &Context,
        cause: EndingCause,
        found_by: Option<Sample>,
        out: &mut Vec<Action>,
    ) {
        let was_live = self.leases.live().is_some();
        let latches = cause.latches() && self.record.latch.is_none();
        self.run.broken();
        if was_live {
            self.flaps.ended(cause, context.now);
        }
        self.run.needs(self.hold_after(cause, context.now));
        if !was_live && !latches {
            return;
        }
        // Even without a lease of this run there may be one from before the monitor's start.
        if let Some(link) = self.connections.current() {
            let revoke = ToTsu::Revoke { up_to: self.record.sequence, cause };
            out.push(Action::Send(link.conn, revoke));
        }
        if was_live {
            self.leases.revoked(cause, context.now);
            let (tsu, sequence) = (self.rules.tsu.clone(), self.record.sequence);
            out.push(Action::Ended(leaf::Ended { tsu, sequence, cause, found_by }));
        }
        if latches {
            self.record.latch = Some(cause);
        }
        out.push(Action::Persist(self.record.clone()));
    }

    /// A hold is never shortened by a later, milder cause, and a latched ward keeps the longer one,
    /// as does one whose leases come and go.
    fn hold_after(&self, cause: EndingCause, now: RawInstant) -> Bound {
        let asked = match cause {
            cause if cause.latches() || self.record.latch.is_some() => self.rules.hold_latched,
            EndingCause::Restarted | EndingCause::LeapSecond => Bound::ZERO,
            _ if self.flaps.are_too_many(now) => self.rules.hold_latched,
            _ => self.rules.hold,
        };
        asked.max(self.run.hold())
    }

    /// A lease that was not renewed in time has ended by itself, on both boxes.
    fn expire(&mut self, context: &Context, out: &mut Vec<Action>) {
        if !self.leases.has_expired(context.now) {
            return;
        }
        let linked = self.connections.current().is_some_and(|link| !link.is_silent());
        let cause = if linked { EndingCause::Lapsed } else { EndingCause::LinkLost };
        self.end(context, cause, out);
        self.leases.forget_expired(context.now);
    }

    /// A lease ends where a blackout begins.
    fn cross(&mut self, context: &Context, out: &mut Vec<Action>) {
        let Some(utc) = context.utc_now() else { return };
        self.crossing.look(&context.boundaries, utc);
        let crossed = self.crossing.permits() || !kept(Condition::Crossing);
        if !crossed && self.leases.live().is_some() {
            self.end(context, EndingCause::LeapSecond, out);
        }
    }

    /// A probe that was sent at `sent` was judged: a round, on the way out of a blackout. It is full
    /// when its own exchange, too, began after the boundary.
    fn passing(&mut self, context: &Context, sent: RawInstant, good: bool) {
        let (Some(utc), Some(oldest)) = (context.utc_now(), context.boundaries.oldest) else {
            return;
        };
        let since_sent = utc.lo() - (context.now - sent);
        let probed = Timestamp::from_unix_nanos(since_sent.as_nanos());
        self.crossing.judged(utc, oldest.min(probed), good);
    }

    fn check_utc(&mut self, context: &Context, out: &mut Vec<Action>) {
        let cause = match context.utc {
            Ok(_) => return,
            Err(_) if context.boundaries.crossing => EndingCause::LeapSecond,
            Err(NoUtc::QuorumLost { .. }) => EndingCause::QuorumLost,
            Err(NoUtc::NoConsensus { .. }) => EndingCause::NoConsensus,
        };
        self.run.broken();
        self.verdict = None;
        if self.leases.live().is_some() {
            self.end(context, cause, out);
        }
    }

    fn keep_connections(&mut self, context: &Context, out: &mut Vec<Action>) {
        let admits = |incarnation| self.leases.admits(&self.record, incarnation, context.now);
        self.connections.keep(context, admits, out);
        self.welcome_if_admitted(context, out);
        if self.connections.current().is_none() {
            self.verdict = None;
            self.readers.disconnected();
            self.run.broken();
        }
    }

    /// A TSU was admitted: forgets what another incarnation left behind, which is dead by now, and
    /// repeats a revocation that may not have arrived; one from before the monitor's start when it
    /// latched, for others the lease has run out by the time a new one can be granted.
    fn welcome_if_admitted(&mut self, context: &Context, out: &mut Vec<Action>) {
        let shown = self.shown(context.vouched);
        let Some(link) = self.connections.take_admitted() else { return };
        // The welcome names this tree: the TSU proves from there.
        link.shown = shown;
        self.run.broken();
        if self.record.incarnation.is_some_and(|last| last != link.hello.incarnation) {
            self.leases.forget();
        }
        if let Some(cause) = self.leases.unacked().or(self.record.latch) {
            let revoke = ToTsu::Revoke { up_to: self.record.sequence, cause };
            out.push(Action::Send(link.conn, revoke));
        }
    }
}

#[cfg(all(test, not(feature = "negative-control")))]
mod tests;
