//! What the monitor does: admit, probe, grant, confirm, revoke.

use crate::state::{Challenge, Granted, Link, Message, Monitor, Reading, State, Ticks, Token, Tsu};
use crate::tsu::send;
use crate::world::{Control, World};

/// How long a challenged connection may be silent, in ticks.
pub(crate) const PROBE: Ticks = 1;

/// What the monitor's interval for UTC happens to be when it looks: its middle lies `shift` from
/// where it would be best, and it reaches `half` to either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// Not more than `half`, so that UTC lies inside unless the monitor is wrong.
    pub shift: Ticks,
    /// e.
    pub half: Ticks,
}

enum Verdict {
    Good,
    Bad,
    Unknown,
}

impl Monitor {
    /// A monitor that has never seen its TSU.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            link: None,
            challenge: None,
            lease: None,
            inherited_until: None,
            run: 0,
            hold: 1,
            ended: 0,
            next: 0,
            wrong: 0,
            early: None,
            incarnation: 0,
            sequence: 0,
            latched: false,
            confirmed: 0,
            log: Vec::new(),
        }
    }

    /// The same box and its disk, with a process that was just started.
    #[must_use]
    pub fn restarted(&self, world: &World) -> Self {
        let waits = self.incarnation != 0 && !world.breaks(Control::NoWaitAfterRestart);
        Self {
            inherited_until: waits.then_some(world.figures.wait()),
            hold: if self.latched { 2 } else { 1 },
            ended: self.sequence,
            wrong: self.wrong,
            incarnation: self.incarnation,
            sequence: self.sequence,
            latched: self.latched,
            confirmed: self.confirmed,
            log: self.log.clone(),
            ..Self::new()
        }
    }

    /// The TSU that holds the newest lease comes back at once, any other waits for its end.
    fn admits(&self, incarnation: u8) -> bool {
        let alive = self.lease.is_some() || self.inherited_until.is_some();
        self.incarnation == incarnation || self.incarnation == 0 || !alive
    }

    /// Whether a wait may be over, as its oscillator may have gained since it began.
    pub(crate) fn may_expire(&self, world: &World) -> bool {
        let over = |until: Ticks| until < world.figures.drift;
        self.lease.is_some_and(|lease| over(lease.live_until))
            || self.inherited_until.is_some_and(over)
    }

    /// Forgets what has run out, by an oscillator that has gained this much since.
    pub(crate) fn expire(&mut self, gain: Ticks) {
        if self.lease.take_if(|lease| lease.live_until < gain).is_some_and(|l| !l.revoked) {
            self.run = 0;
            self.hold = 2;
            self.ended = self.sequence;
        }
        self.inherited_until.take_if(|until| *until < gain);
    }

    /// Whether a log that has `seq` intents can have grown out of the one that was confirmed.
    fn extends(&self, world: &World, seq: u8, log: &[u8]) -> bool {
        !world.tells_logs_apart()
            || world.breaks(Control::NoFence)
            || seq >= self.confirmed
                && (log.starts_with(&self.log) || world.breaks(Control::AnyLog))
    }
}

/// Ends whatever lease there may be.
pub(crate) fn end(state: &mut State, latches: bool) {
    let monitor = &mut state.monitor;
    monitor.run = 0;
    monitor.hold = 2;
    let live = monitor.lease.as_mut().filter(|lease| !lease.revoked);
    let latches = latches && !monitor.latched;
    if live.is_none() && !latches {
        return;
    }
    monitor.latched |= latches;
    if let Some(lease) = live {
        lease.revoked = true;
        monitor.ended = monitor.sequence;
        state.memory.revocations.push((monitor.sequence, 0));
    }
    let up_to = monitor.sequence;
    if let Some(conn) = monitor.link.as_ref().map(|link| link.conn) {
        send(state, Message::Revoke { conn, up_to });
    }
}

/// Box `at` has called. TCP and TLS are one step, and a connection that a box has dropped is seen
/// to be closed.
pub(crate) fn connect(world: &World, state: &mut State, at: usize) {
    let conns = state.boxes.iter().map(|tsu| tsu.conn).max().unwrap_or_default();
    let conn = 1 + conns.max(state.monitor.link.as_ref().map_or(0, |link| link.conn));
    let Tsu { incarnation, seq, ref log, .. } = state.boxes[at];
    let link = Link {
        conn,
        incarnation,
        probed: None,
        just_probed: false,
        answered: false,
        seq,
        log: log.clone(),
    };
    let monitor = &mut state.monitor;
    let welcome = monitor.admits(incarnation);
    let Some(old) = monitor.link.as_ref().map(|link| link.conn) else {
        if !welcome {
            // The holder of the lease is gone, and another process is there instead.
            return end(state, false);
        }
        state.boxes[at].conn = conn;
        return admit(world, state, link);
    };
    state.boxes[at].conn = conn;
    state.monitor.challenge = Some(Challenge { link, since: 0 });
    ask(world, state, old);
    ask(world, state, conn);
}

fn admit(world: &World, state: &mut State, link: Link) {
    let monitor = &mut state.monitor;
    let looks = !world.breaks(Control::NoCheckAtCall);
    if looks && !monitor.extends(world, link.seq, &link.log) {
        return caught(state);
    }
    monitor.run = 0;
    monitor.next = link.seq + 1;
    if monitor.incarnation != 0 && monitor.incarnation != link.incarnation {
        monitor.lease = None;
        monitor.ended = monitor.sequence;
    }
    let revoked = monitor.lease.is_some_and(|lease| lease.revoked) || monitor.latched;
    let (conn, up_to) = (link.conn, monitor.sequence);
    monitor.link = Some(Link { probed: None, answered: false, seq: 0, log: Vec::new(), ..link });
    if revoked {
        send(state, Message::Revoke { conn, up_to });
    }
}

/// Two boxes, or one from the past: refuses whoever is there, and latches.
fn caught(state: &mut State) {
    end(state, true);
    state.monitor.link = None;
    state.monitor.challenge = None;
    state.just.caught = true;
}

/// The challenge has lasted for a probe.
pub(crate) fn settle(world: &World, state: &mut State) {
    let Some(Challenge { link, .. }) = state.monitor.challenge.take() else { return };
    let current_answered = state.monitor.link.as_ref().is_some_and(|current| current.answered);
    if current_answered || !link.answered {
        return;
    }
    state.monitor.link = None;
    if state.monitor.admits(link.incarnation) {
        admit(world, state, link);
    }
}

/// Asks the TSU for its clock.
pub(crate) fn probe(world: &World, state: &mut State) {
    if let Some(conn) = state.monitor.link.as_ref().map(|link| link.conn) {
        ask(world, state, conn);
    }
}

/// Sends a probe with a fresh nonce: whatever belongs to an older one on this connection is dead.
fn ask(world: &World, state: &mut State, conn: u8) {
    let monitor = &mut state.monitor;
    let second = monitor.challenge.as_mut().map(|c| &mut c.link);
    for link in monitor.link.iter_mut().chain(second).filter(|link| link.conn == conn) {
        link.probed = Some(0);
        link.just_probed = true;
        link.answered = false;
    }
    if !world.breaks(Control::AnyNonce) {
        let is_old = |m: &Message| matches!(m, Message::Probe { .. } | Message::Answer { .. });
        state.network.retain(|message| message.conn() != conn || !is_old(message));
        for tsu in state.boxes.iter_mut().filter(|tsu| tsu.conn == conn) {
            tsu.sampling.take_if(|sampling| sampling.for_probe);
        }
    }
    send(state, Message::Probe { conn });
}

/// A message from connection `conn` is in, and the monitor has looked at its interval since.
pub(crate) fn take(world: &World, state: &mut State, utc: Option<Interval>, message: &Message) {
    match *message {
        Message::Answer { conn, reading, ended } => {
            answered(world, state, utc, conn, reading, ended);
        }
        Message::Revoked { up_to, .. } => {
            let dead = |lease: &mut Granted| lease.revoked && lease.seq <= up_to;
            if state.monitor.lease.take_if(dead).is_some() {
                state.monitor.inherited_until = None;
            }
        }
        Message::Intents { lease, seq, gen_time, ref log, token, error, .. } => {
            let batch = Intent { lease, seq, gen_time, log, token, error };
            intended(world, state, utc, &batch);
        }
        Message::Probe { .. }
        | Message::Grant { .. }
        | Message::Revoke { .. }
        | Message::Confirm { .. }
        | Message::Refuse { .. } => unreachable!("for the TSU"),
    }
}

fn answered(
    world: &World,
    state: &mut State,
    utc: Option<Interval>,
    conn: u8,
    reading: Reading,
    ended: u8,
) {
    let monitor = &mut state.monitor;
    let second = monitor.challenge.as_mut().map(|c| &mut c.link).filter(|l| l.conn == conn);
    let is_second = second.is_some();
    let Some(link) = second.or(monitor.link.as_mut().filter(|link| link.conn == conn)) else {
        return;
    };
    let Some(sent) = link.probed.take() else { return };
    link.answered = true;
    let first = monitor.link.as_ref().is_some_and(|link| link.answered);
    if first && monitor.challenge.as_ref().is_some_and(|c| c.link.answered) {
        return caught(state);
    }
    if is_second {
        return;
    }
    if ended != 0 && monitor.lease.is_some_and(|lease| !lease.revoked && lease.seq == ended) {
        end(state, true);
    }
    let Some(utc) = utc else { return };
    match assess(world, &state.monitor, utc, sent, &reading) {
        Verdict::Good => good(world, state, conn, reading),
        Verdict::Bad => end(state, true),
        Verdict::Unknown => state.monitor.run = 0,
    }
}

/// The TSU's clock less UTC, as an interval, against E0 and `E_bad`.
fn assess(
    world: &World,
    monitor: &Monitor,
    utc: Interval,
    sent: Ticks,
    reading: &Reading,
) -> Verdict {
    let figures = &world.figures;
    if world.breaks(Control::AnyDeviation) {
        return Verdict::Good;
    }
    if reading.bracket > figures.bracket {
        return Verdict::Unknown;
    }
    let middle = monitor.wrong + utc.shift;
    let lo = reading.real() - (middle + utc.half);
    let hi = reading.real() - (sent + middle - utc.half);
    if -figures.grant_within <= lo && hi <= figures.grant_within {
        Verdict::Good
    } else if lo > figures.revoke_beyond || hi < -figures.revoke_beyond {
        Verdict::Bad
    } else {
        Verdict::Unknown
    }
}

fn good(world: &World, state: &mut State, conn: u8, reading: Reading) {
    let monitor = &mut state.monitor;
    let live = monitor.lease.is_some_and(|lease| !lease.revoked);
    if !live {
        monitor.run += 1;
        if monitor.lease.is_some() || monitor.run < monitor.hold {
            monitor.run = monitor.run.min(monitor.hold);
            return;
        }
    }
    let Some(link) = &monitor.link else { return };
    let incarnation = link.incarnation;
    monitor.sequence += 1;
    monitor.incarnation = incarnation;
    monitor.latched = false;
    let live_until = world.figures.wait();
    monitor.lease = Some(Granted {
        seq: monitor.sequence,
        incarnation,
        live_until: live_until.max(monitor.inherited_until.unwrap_or(live_until)),
        revoked: false,
        rearmed: !live && monitor.hold == 2,
    });
    monitor.run = 0;
    monitor.hold = 1;
    let seq = monitor.sequence;
    send(state, Message::Grant { conn, seq, incarnation, reading });
}

struct Intent<'a> {
    lease: u8,
    seq: u8,
    gen_time: Ticks,
    log: &'a [u8],
    token: Token,
    error: Ticks,
}

fn intended(world: &World, state: &mut State, utc: Option<Interval>, batch: &Intent<'_>) {
    let monitor = &mut state.monitor;
    let Some(link) = &monitor.link else { return };
    let (conn, incarnation) = (link.conn, link.incarnation);
    let fenced = !world.breaks(Control::NoFence);
    if fenced && batch.seq != monitor.next {
        return;
    }
    if !monitor.extends(world, batch.seq, batch.log) {
        return caught(state);
    }
    monitor.next = batch.seq + 1;
    let holds = |lease: Granted| !lease.revoked && lease.incarnation == incarnation;
    let live = monitor.lease.is_some_and(holds) && batch.lease > monitor.ended
        || world.breaks(Control::ConfirmsRevoked);
    let in_time = utc.is_some_and(|utc| is_in_time(world, monitor, utc, batch.gen_time));
    if live && in_time {
        if world.tells_logs_apart() {
            monitor.confirmed = batch.seq;
            monitor.log = batch.log.to_vec();
        }
        note_confirmed(state, incarnation);
        send(state, Message::Confirm { conn, seq: batch.seq, token: batch.token });
    } else {
        let timely = batch.error - batch.gen_time <= world.figures.queue_max;
        state.just.refused = live && utc.is_some();
        state.just.sound_refused = state.just.refused && world.checks_window && timely;
        send(state, Message::Refuse { conn, seq: batch.seq });
    }
}

/// `g_min >= m + e - A and g_max <= m - e + A`.
fn is_in_time(world: &World, monitor: &Monitor, utc: Interval, gen_time: Ticks) -> bool {
    let now = if world.breaks(Control::StaleNow) { monitor.early.unwrap_or(0) } else { 0 };
    let m = now + monitor.wrong + utc.shift;
    let e = if world.breaks(Control::NoInterval) { 0 } else { utc.half };
    let a = world.figures.accuracy + Ticks::from(world.breaks(Control::WideWindow));
    gen_time >= m + e - a && gen_time <= m - e + a || world.breaks(Control::NoWindow)
}

fn note_confirmed(state: &mut State, incarnation: u8) {
    let memory = &mut state.memory;
    if memory.confirmer != incarnation {
        if memory.confirmer != 0 {
            memory.superseded.push(memory.confirmer);
        }
        memory.confirmer = incarnation;
    }
    state.just.superseded_confirmed = memory.superseded.contains(&incarnation);
}
