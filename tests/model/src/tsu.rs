//! What the TSU does: sample, judge, log, ask for a confirmation, sign, release.

use crate::state::{
    Batch, Clock, Just, Lease, Message, Reading, Sampling, Stage, State, Ticks, Token, Tsu,
};
use crate::world::{Control, Mode, World};

/// Sends a message. A second one that says the same changes nothing.
pub(crate) fn send(state: &mut State, message: Message) {
    if !state.network.contains(&message) {
        state.network.push(message);
    }
}

impl Tsu {
    /// A process that was just started.
    #[must_use]
    pub const fn new(incarnation: u8, branch: u8) -> Self {
        Self {
            incarnation,
            branch,
            counter: 0,
            conn: 0,
            raw: 0,
            frozen: false,
            sampling: None,
            answered: None,
            kept: None,
            lease: None,
            newest: 0,
            withdrawn: 0,
            ended: 0,
            seq: 0,
            log: Vec::new(),
            batches: Vec::new(),
        }
    }

    /// The same box, its clocks and its disk, with a process that was just started.
    #[must_use]
    pub fn restarted(&self, incarnation: u8) -> Self {
        Self {
            raw: self.raw,
            seq: self.seq,
            log: self.log.clone(),
            ..Self::new(incarnation, self.branch)
        }
    }

    /// A reading in one step.
    #[must_use]
    pub const fn read(&self, clock: Clock) -> Reading {
        Reading { raw: self.raw + clock.gain, offset: clock.offset, bracket: 0 }
    }

    /// The connection is gone; batches without an answer are burnt.
    pub fn hang_up(&mut self) {
        self.conn = 0;
        self.answered = None;
        self.batches.retain(|batch| batch.stage == Stage::Signing);
    }

    /// Judges a reading under the lease. One that shows the clock to have moved ends the lease.
    fn judge(&mut self, world: &World, reading: &Reading) -> Option<u8> {
        let lease = self.lease?;
        let figures = &world.figures;
        let age = reading.raw + reading.bracket - lease.since;
        let bracket =
            (0..=figures.bracket).contains(&reading.bracket) || world.breaks(Control::AnyBracket);
        if age > figures.ttl || !bracket {
            return None;
        }
        let moved = (reading.offset - lease.reading.offset).abs();
        if moved > figures.guard && !world.breaks(Control::NoGuard) {
            self.lease = None;
            self.answered = None;
            self.withdrawn = self.withdrawn.max(lease.seq);
            self.ended = lease.seq;
            return None;
        }
        Some(lease.seq)
    }

    /// Takes a grant, if it is for this run and for the reading that was last answered.
    fn granted(&mut self, world: &World, seq: u8, incarnation: u8, reading: Reading) {
        let fits = incarnation == self.incarnation
            && seq > self.newest.max(self.withdrawn)
            && self.answered == Some(reading)
            && reading.bracket <= world.figures.bracket;
        if fits {
            let arrival = world.breaks(Control::TtlFromArrival);
            let since = if arrival { self.raw } else { reading.raw };
            self.lease = Some(Lease { seq, reading, since });
            self.newest = seq;
            self.ended = 0;
        }
    }
}

/// A message for box `at` is in.
pub(crate) fn take(world: &World, state: &mut State, at: usize, message: &Message, clock: Clock) {
    let tsu = &mut state.boxes[at];
    match *message {
        Message::Probe { .. } if world.figures.bracket > 0 => begin_sample(tsu, true, clock),
        Message::Probe { .. } => {
            let reading = tsu.read(clock);
            answer(world, state, at, reading);
        }
        Message::Grant { seq, incarnation, reading, .. } => {
            tsu.granted(world, seq, incarnation, reading);
        }
        Message::Revoke { conn, up_to } => {
            tsu.withdrawn = tsu.withdrawn.max(up_to);
            tsu.lease.take_if(|lease| lease.seq <= up_to);
            send(state, Message::Revoked { conn, up_to });
        }
        Message::Confirm { seq, token, .. } => {
            let withdrawn = tsu.withdrawn;
            let is_it =
                |b: &&mut Batch| b.stage == Stage::Intended && (b.seq, b.token) == (seq, token);
            if let Some(batch) = tsu.batches.iter_mut().find(is_it) {
                batch.stage = Stage::Signing;
            }
            tsu.batches.retain(|b| b.lease > withdrawn || b.token != token);
        }
        Message::Refuse { seq, .. } => {
            tsu.batches.retain(|b| b.stage != Stage::Intended || b.seq != seq);
        }
        Message::Answer { .. } | Message::Revoked { .. } | Message::Intents { .. } => {
            unreachable!("for the monitor")
        }
    }
}

/// Reads RAW; REAL and RAW again follow.
pub(crate) fn begin_sample(tsu: &mut Tsu, for_probe: bool, clock: Clock) {
    tsu.sampling = Some(Sampling { for_probe, raw: tsu.raw + clock.gain, real: None });
}

/// The next step of a sample: REAL, then RAW again.
pub(crate) fn go_on_sampling(world: &World, state: &mut State, at: usize, clock: Clock) {
    let tsu = &mut state.boxes[at];
    let Some(sampling) = &mut tsu.sampling else { return };
    let Some((real, read_at)) = sampling.real else {
        sampling.real = Some((tsu.raw + clock.gain + clock.offset, 0));
        return;
    };
    let Sampling { for_probe, raw, .. } = *sampling;
    let reading = Reading { raw, offset: real - raw, bracket: tsu.raw + clock.gain - raw };
    tsu.sampling = None;
    if for_probe {
        answer(world, state, at, reading);
    } else {
        close(world, state, at, reading, read_at);
    }
}

fn answer(world: &World, state: &mut State, at: usize, reading: Reading) {
    let tsu = &mut state.boxes[at];
    tsu.judge(world, &reading);
    tsu.answered = Some(reading);
    let answer = Message::Answer { conn: tsu.conn, reading, ended: tsu.ended };
    send(state, answer);
}

/// A request is in and the clock was read at `read_at`, which stands for recv too: an earlier recv
/// makes P1 only easier to keep.
pub(crate) fn close(world: &World, state: &mut State, at: usize, reading: Reading, read_at: Ticks) {
    let tsu = &mut state.boxes[at];
    let Some(lease) = tsu.judge(world, &reading) else { return };
    let witnessed = world.mode == Mode::Witnessed;
    let token = Token { incarnation: tsu.incarnation, counter: tsu.counter, branch: tsu.branch };
    if witnessed {
        tsu.seq += 1;
    }
    if world.tells_logs_apart() {
        tsu.counter += 1;
        tsu.log.push(tsu.branch);
        state.left.batches -= 1;
    }
    let (late, phase) = (is_late(world, state, lease, read_at), state.phase);
    let tsu = &mut state.boxes[at];
    let stage = match witnessed && !world.breaks(Control::NoWait) {
        true => Stage::Intended,
        false => Stage::Signing,
    };
    let seq = tsu.seq;
    let mut batch =
        Batch { stage, lease, token, seq, gen_time: 0, reaches_recv: true, exact: true, late };
    if world.breaks(Control::CheckThenRead) {
        batch.stage = Stage::Unread { recv: read_at };
    } else {
        print(world, phase, &mut batch, reading.real(), read_at, read_at);
    }
    let (gen_time, conn, log) = (batch.gen_time, tsu.conn, tsu.log.clone());
    tsu.batches.push(batch);
    if witnessed {
        let error = if world.checks_window { gen_time - read_at } else { 0 };
        send(state, Message::Intents { conn, lease, seq, gen_time, log, token, error });
    }
}

/// What is broken when the TSU judges first: only now the clock is read.
pub(crate) fn read_late(world: &World, state: &mut State, at: usize, index: usize, clock: Clock) {
    let (tsu, phase) = (&mut state.boxes[at], state.phase);
    let real = tsu.read(clock).real();
    let batch = &mut tsu.batches[index];
    if let Stage::Unread { recv } = batch.stage {
        print(world, phase, batch, real, recv, 0);
        batch.stage = Stage::Signing;
    }
}

/// Cuts REAL to what a token shows, and notes how that stands to the truth.
fn print(world: &World, phase: Ticks, batch: &mut Batch, real: Ticks, recv: Ticks, read_at: Ticks) {
    let figures = &world.figures;
    batch.gen_time = real - (phase + real).rem_euclid(figures.resolution + 1);
    batch.reaches_recv = batch.gen_time + figures.accuracy >= recv;
    batch.exact = (batch.gen_time - read_at).abs() <= figures.accuracy;
}

fn is_late(world: &World, state: &State, lease: u8, read_at: Ticks) -> bool {
    let revoked = state.memory.revocations.iter().find(|(up_to, _)| lease <= *up_to);
    revoked.is_some_and(|(_, since)| match world.mode {
        Mode::Witnessed => true,
        Mode::Leased => read_at - since > world.figures.outlives(),
    })
}

/// The batch is signed: looks again, and lets it go unless its lease was withdrawn. That look may
/// trip the guard too, which a look at any other moment does as well; so here it does not.
pub(crate) fn release(world: &World, state: &mut State, at: usize, index: usize) {
    let tsu = &mut state.boxes[at];
    let batch = tsu.batches.remove(index);
    if batch.lease <= tsu.withdrawn && !world.breaks(Control::NoSecondLook) {
        return;
    }
    let token = batch.token;
    let same_serial = |other: &Token| {
        (other.incarnation, other.counter) == (token.incarnation, token.counter)
            && other.branch != token.branch
    };
    let rearmed = state.monitor.lease.is_some_and(|l| l.rearmed && l.seq == batch.lease);
    state.just = Just {
        released: true,
        rearmed,
        breaks_p1: batch.gen_time > world.figures.accuracy || !batch.reaches_recv,
        breaks_p2: !batch.exact,
        breaks_p3: world.tells_logs_apart() && state.memory.released.iter().any(same_serial),
        breaks_p4: batch.late,
        after_revoked: batch.lease <= tsu.withdrawn,
        ..Just::default()
    };
    if world.tells_logs_apart() && !state.memory.released.contains(&token) {
        state.memory.released.push(token);
    }
}
