//! Which connection speaks for the TSU, and the probes on it.
//!
//! One connection is current. A second one for the same TSU makes both answer a fresh challenge:
//! a silent first one is superseded, and two that answer are a clone.

use chronolease_core::broken::{Condition, kept};
use chronolease_core::evidence::TreeHead;
use chronolease_core::id::{BatchSeq, ChannelBinding, Incarnation, Nonce};
use chronolease_core::time::{Bound, RawInstant, Span};
use chronolease_core::wire::{Hello, ProbeAnswer, RefusedWhy, ToTsu};

use super::lease::Admission;
use super::{Action, Context};

/// The number of a connection, never used twice in one run of the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A connection that introduced itself.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: ConnId,
    pub(super) hello: Hello,
    pub(super) channel: ChannelBinding,
    outstanding: Option<(Nonce, RawInstant)>,
    last_answer: RawInstant,
    missed: u32,
    /// The last tree that the TSU showed of its log.
    pub(super) shown: TreeHead,
    /// The batch that comes next.
    pub(super) next_batch: BatchSeq,
}

/// A second connection, while both are challenged.
#[derive(Debug)]
struct Challenge {
    link: Link,
    deadline: RawInstant,
    current_answered: bool,
    challenger_answered: bool,
}

#[derive(Debug)]
pub(super) struct Connections {
    probe: Bound,
    silence_max: Bound,
    current: Option<Link>,
    next_probe: RawInstant,
    challenge: Option<Challenge>,
    newly_admitted: bool,
}

impl Link {
    fn new(conn: ConnId, hello: Hello, channel: ChannelBinding, now: RawInstant) -> Self {
        Self {
            conn,
            hello,
            channel,
            outstanding: None,
            last_answer: now,
            missed: 0,
            shown: TreeHead::empty(),
            next_batch: BatchSeq::new(1),
        }
    }

    /// Whether the last probes went unanswered.
    pub(super) const fn is_silent(&self) -> bool {
        self.missed > 0
    }

    fn probe(&mut self, nonce: Nonce, now: RawInstant, out: &mut Vec<Action>) {
        if self.outstanding.is_some() {
            self.missed = self.missed.saturating_add(1);
        }
        self.outstanding = Some((nonce, now));
        out.push(Action::Send(self.conn, ToTsu::Probe(nonce)));
    }

    fn answered(&mut self, answer: &ProbeAnswer, now: RawInstant) -> Option<RawInstant> {
        let (nonce, sent) = self.outstanding?;
        if nonce != answer.nonce || answer.sample.boot_id != self.hello.boot_id {
            return None;
        }
        self.outstanding = None;
        self.last_answer = now;
        self.missed = 0;
        Some(sent)
    }
}

impl Connections {
    pub(super) fn new(probe: Bound, silence_max: Bound) -> Self {
        Self {
            probe,
            silence_max,
            current: None,
            next_probe: RawInstant::from_nanos(0),
            challenge: None,
            newly_admitted: false,
        }
    }

    pub(super) const fn current(&self) -> Option<&Link> {
        self.current.as_ref()
    }

    pub(super) fn current_mut(&mut self, conn: ConnId) -> Option<&mut Link> {
        self.current.as_mut().filter(|link| link.conn == conn)
    }

    pub(super) fn is_current(&self, conn: ConnId) -> bool {
        self.current.as_ref().is_some_and(|link| link.conn == conn)
    }

    /// The link that was admitted since this was last asked.
    pub(super) fn take_admitted(&mut self) -> Option<&mut Link> {
        if core::mem::take(&mut self.newly_admitted) { self.current.as_mut() } else { None }
    }

    pub(super) fn due(&self) -> Option<RawInstant> {
        let probe = self.current.as_ref().map(|_| self.next_probe);
        let deadline = self.challenge.as_ref().map(|c| c.deadline);
        probe.into_iter().chain(deadline).min()
    }

    pub(super) fn connected(
        &mut self,
        conn: ConnId,
        hello: Hello,
        channel: ChannelBinding,
        admission: Admission,
        context: &Context,
        out: &mut Vec<Action>,
    ) {
        let mut link = Link::new(conn, hello, channel, context.now);
        // Without the challenge the newest connection is taken at its word.
        let superseded = self.current.take_if(|_| !kept(Condition::Challenge));
        out.extend(superseded.map(|link| Action::Close(link.conn)));
        let Some(current) = &mut self.current else {
            return self.admit(link, admission, context, out);
        };
        if self.challenge.is_some() {
            return refuse(conn, RefusedWhy::Busy, out);
        }
        current.probe(context.nonces[0], context.now, out);
        link.probe(context.nonces[1], context.now, out);
        self.next_probe = context.now.plus(self.probe);
        self.challenge = Some(Challenge {
            link,
            deadline: context.now.plus(self.probe),
            current_answered: false,
            challenger_answered: false,
        });
    }

    /// When the answered probe was sent; `None` when the answer fits no probe.
    pub(super) fn answered(
        &mut self,
        conn: ConnId,
        answer: &ProbeAnswer,
        now: RawInstant,
    ) -> Option<RawInstant> {
        if let Some(current) = self.current.as_mut().filter(|link| link.conn == conn) {
            let sent = current.answered(answer, now)?;
            if let Some(challenge) = &mut self.challenge {
                challenge.current_answered = true;
            }
            return Some(sent);
        }
        let challenge = self.challenge.as_mut().filter(|c| c.link.conn == conn)?;
        let sent = challenge.link.answered(answer, now)?;
        challenge.challenger_answered = true;
        Some(sent)
    }

    /// Whether two connections answered their challenge: the TSU is there twice.
    pub(super) fn both_answered(&self) -> bool {
        self.challenge.as_ref().is_some_and(|c| c.current_answered && c.challenger_answered)
    }

    pub(super) fn refuse_both(&mut self, out: &mut Vec<Action>) {
        for link in self.current.take().into_iter().chain(self.challenge.take().map(|c| c.link)) {
            refuse(link.conn, RefusedWhy::Busy, out);
        }
    }

    /// Box B's own continuity broke: an answer to a probe from before it proves nothing. A challenge
    /// is given up; the challenger may call again.
    pub(super) fn forget_probes(&mut self, out: &mut Vec<Action>) {
        if let Some(current) = &mut self.current {
            current.outstanding = None;
        }
        if let Some(challenge) = self.challenge.take() {
            refuse(challenge.link.conn, RefusedWhy::Busy, out);
        }
    }

    pub(super) fn closed(&mut self, conn: ConnId) {
        self.current.take_if(|link| link.conn == conn);
        self.challenge.take_if(|challenge| challenge.link.conn == conn);
    }

    /// Settles a challenge, gives up on silence, and sends the probe that is due.
    pub(super) fn keep(
        &mut self,
        context: &Context,
        admits: impl Fn(Incarnation) -> Admission,
        out: &mut Vec<Action>,
    ) {
        self.settle_challenge(context, admits, out);
        let silent = |link: &mut Link| {
            let since = context.now - link.last_answer;
            since > Span::ZERO && since.magnitude() > self.silence_max
        };
        if let Some(link) = self.current.take_if(silent) {
            out.push(Action::Close(link.conn));
        }
        if let Some(link) = self.current.as_mut().filter(|_| context.now >= self.next_probe) {
            link.probe(context.nonces[0], context.now, out);
            self.next_probe = context.now.plus(self.probe);
        }
    }

    fn settle_challenge(
        &mut self,
        context: &Context,
        admits: impl Fn(Incarnation) -> Admission,
        out: &mut Vec<Action>,
    ) {
        let now = context.now;
        let current_gone = self.current.is_none();
        let settled = self.challenge.take_if(|c| current_gone || now >= c.deadline);
        let Some(Challenge { link, current_answered, challenger_answered, .. }) = settled else {
            return;
        };
        if !current_gone && (current_answered || !challenger_answered) {
            return refuse(link.conn, RefusedWhy::Busy, out);
        }
        if let Some(superseded) = self.current.take() {
            out.push(Action::Close(superseded.conn));
        }
        let admission = admits(link.hello.incarnation);
        self.admit(link, admission, context, out);
    }

    fn admit(
        &mut self,
        mut link: Link,
        admission: Admission,
        context: &Context,
        out: &mut Vec<Action>,
    ) {
        match admission {
            Admission::Wait => refuse(link.conn, RefusedWhy::Wait, out),
            Admission::Now => {
                out.push(Action::Admit(link.conn));
                link.last_answer = context.now;
                self.current = Some(link);
                self.next_probe = context.now;
                self.newly_admitted = true;
            }
        }
    }
}

pub(super) fn refuse(conn: ConnId, why: RefusedWhy, out: &mut Vec<Action>) {
    out.push(Action::Send(conn, ToTsu::Refused(why)));
    out.push(Action::Close(conn));
}
