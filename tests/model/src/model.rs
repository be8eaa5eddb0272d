//! The worlds as Stateright sees them: which steps there are, and what each leads to.

use stateright::{Model, Property};

use crate::monitor::{self, Interval, PROBE};
use crate::properties;
use crate::state::{Clock, Just, Left, Memory, Message, Monitor, Stage, State, Ticks, Tsu};
use crate::tsu;
use crate::world::{Control, Mode, World};

/// A copy of box A is not restored when it is older than this many ticks.
pub(crate) const SNAPSHOT_AGE_MAX: Ticks = 3;

/// One step. `at` names a box: 0 is box A, 1 its clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// One tick of UTC passes.
    Tick,
    /// A box and all its clocks stand still.
    Freeze { at: usize },
    /// It goes on.
    Thaw { at: usize },
    /// Box A's clock and the monitor's interval are moved to the same distance from UTC.
    BothWrong { to: Ticks },
    /// The TSU is killed and started again.
    Crash { at: usize },
    /// The monitor is killed and started again.
    MonitorCrash,
    /// A running copy of box A comes up.
    CloneRunning,
    /// Box A's state directory is copied, and started on another box.
    CloneDisk,
    /// Box A is copied, to be restored later.
    Copy,
    /// Box A goes on from its copy, as if nothing had been since.
    RestoreRunning,
    /// Box A is started again with the state directory of its copy.
    RestoreDisk,
    /// A TSU calls the monitor.
    Connect { at: usize },
    /// A connection is cut.
    Cut { at: usize },
    /// The monitor probes.
    Probe,
    /// The monitor ends the challenge.
    Settle,
    /// The monitor ends the lease.
    Revoke,
    /// The monitor finds a lease or a wait from before its start to be over.
    Expire,
    /// A request comes in, the clock is read, the batch is judged and goes its way.
    Request { at: usize, clock: Clock },
    /// A sample begins: RAW is read.
    BeginSample { at: usize, clock: Clock },
    /// REAL is read, or RAW again.
    GoOnSampling { at: usize, clock: Clock },
    /// The clock is read after the judgement: only when that is what is broken.
    ReadLate { at: usize, batch: usize, clock: Clock },
    /// A sample is kept for later: only when that is what is broken.
    KeepSample { at: usize, clock: Clock },
    /// The monitor reads its clock before a message is in: only when that is what is broken.
    ReadEarly,
    /// A batch is signed, and released unless its lease was withdrawn.
    Release { at: usize, batch: usize },
    /// A message for a TSU arrives, and then it reads its clock if it is asked for it; `again` when
    /// the message may arrive once more.
    ToTsu { at: usize, message: Message, again: bool, clock: Clock },
    /// A message for the monitor arrives, and then it looks at its interval, if it has one.
    ToMonitor { message: Message, again: bool, utc: Option<Interval> },
}

impl Message {
    /// The connection that it travels on.
    #[must_use]
    pub const fn conn(&self) -> u8 {
        match self {
            Self::Probe { conn }
            | Self::Answer { conn, .. }
            | Self::Grant { conn, .. }
            | Self::Revoke { conn, .. }
            | Self::Revoked { conn, .. }
            | Self::Intents { conn, .. }
            | Self::Confirm { conn, .. }
            | Self::Refuse { conn, .. } => *conn,
        }
    }

    pub(crate) const fn conn_mut(&mut self) -> &mut u8 {
        match self {
            Self::Probe { conn }
            | Self::Answer { conn, .. }
            | Self::Grant { conn, .. }
            | Self::Revoke { conn, .. }
            | Self::Revoked { conn, .. }
            | Self::Intents { conn, .. }
            | Self::Confirm { conn, .. }
            | Self::Refuse { conn, .. } => conn,
        }
    }

    const fn is_for_monitor(&self) -> bool {
        matches!(self, Self::Answer { .. } | Self::Revoked { .. } | Self::Intents { .. })
    }
}

impl Model for World {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let left = Left {
            crashes: self.faults.crashes,
            monitor_crashes: self.faults.monitor_crashes,
            clones: self.faults.clone.into(),
            snapshots: self.faults.rollback.into(),
            batches: self.batches.unwrap_or(0),
        };
        vec![State {
            phase: 0,
            boxes: vec![Tsu::new(1, 0)],
            snapshot: None,
            snapshot_age: 0,
            monitor: Monitor::new(),
            network: Vec::new(),
            left,
            incarnations: 1,
            memory: Memory::default(),
            just: Just::default(),
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let stuck = |tsu: &Tsu| tsu.frozen && -tsu.raw >= self.faults.freeze;
        if !state.boxes.iter().any(stuck) {
            steps.push(Step::Tick);
        }
        for (at, tsu) in state.boxes.iter().enumerate() {
            self.freezing(at, tsu, steps);
            if !tsu.frozen {
                self.tsu_steps(state, at, tsu, steps);
            }
        }
        self.box_steps(state, steps);
        self.monitor_steps(state, steps);
        self.deliveries(state, steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        next.just = Just::default();
        self.take_step(&mut next, step);
        next.tidy(self);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(self)
    }
}

impl World {
    fn freezing(&self, at: usize, tsu: &Tsu, steps: &mut Vec<Step>) {
        if tsu.frozen {
            steps.push(Step::Thaw { at });
        } else if -tsu.raw < self.faults.freeze {
            steps.push(Step::Freeze { at });
        }
    }

    /// Everything that the clocks of box `at` may show.
    fn clocks(&self, state: &State, at: usize) -> Vec<Clock> {
        let middle = if at == 0 { state.monitor.wrong } else { 0 };
        let reach = self.faults.clock;
        (0..=self.figures.drift)
            .flat_map(|gain| (-reach..=reach).map(move |by| Clock { gain, offset: middle + by }))
            .collect()
    }

    fn tsu_steps(&self, state: &State, at: usize, tsu: &Tsu, steps: &mut Vec<Step>) {
        let monitor = &state.monitor;
        let known = |conn| {
            let second = monitor.challenge.as_ref().map(|c| &c.link);
            monitor.link.iter().chain(second).any(|link| link.conn == conn)
        };
        if tsu.conn == 0 {
            if monitor.link.is_none() || monitor.challenge.is_none() {
                steps.push(Step::Connect { at });
            }
        } else if self.faults.cuts || !known(tsu.conn) {
            steps.push(Step::Cut { at });
        }
        let clocks = self.clocks(state, at);
        if tsu.sampling.is_some() {
            steps.extend(clocks.into_iter().map(|clock| Step::GoOnSampling { at, clock }));
            return;
        }
        let linked = self.mode == Mode::Leased || tsu.conn != 0;
        let may_begin = !self.tells_logs_apart() || state.left.batches > 0;
        if tsu.lease.is_some() && tsu.batches.len() < self.lanes && linked && may_begin {
            steps.extend(clocks.iter().map(|&clock| match self.figures.bracket {
                0 => Step::Request { at, clock },
                _ => Step::BeginSample { at, clock },
            }));
        }
        if self.breaks(Control::StaleSample) {
            steps.extend(clocks.iter().map(|&clock| Step::KeepSample { at, clock }));
        }
        for (batch, b) in tsu.batches.iter().enumerate() {
            match b.stage {
                Stage::Unread { .. } => {
                    let reads = clocks.iter().map(|&clock| Step::ReadLate { at, batch, clock });
                    steps.extend(reads);
                }
                Stage::Signing => steps.push(Step::Release { at, batch }),
                Stage::Intended => {}
            }
        }
    }

    fn box_steps(&self, state: &State, steps: &mut Vec<Step>) {
        if state.left.crashes > 0 {
            steps.extend((0..state.boxes.len()).map(|at| Step::Crash { at }));
        }
        if state.left.clones > 0 {
            steps.extend([Step::CloneRunning, Step::CloneDisk]);
        }
        if state.left.snapshots > 0 {
            steps.push(Step::Copy);
        }
        if state.snapshot.is_some() {
            steps.extend([Step::RestoreRunning, Step::RestoreDisk]);
        }
    }

    fn monitor_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let monitor = &state.monitor;
        if monitor.link.as_ref().is_some_and(|link| !link.just_probed) {
            steps.push(Step::Probe);
        }
        if monitor.challenge.as_ref().is_some_and(|challenge| challenge.since <= -PROBE) {
            steps.push(Step::Settle);
        }
        if self.faults.revocations && monitor.lease.is_some_and(|lease| !lease.revoked) {
            steps.push(Step::Revoke);
        }
        if state.left.monitor_crashes > 0 {
            steps.push(Step::MonitorCrash);
        }
        if monitor.may_expire(self) {
            steps.push(Step::Expire);
        }
        if self.breaks(Control::BothWrongAlike) {
            let reach = self.figures.accuracy + 1;
            let moves = [-reach, 0, reach].into_iter().filter(|to| *to != monitor.wrong);
            steps.extend(moves.map(|to| Step::BothWrong { to }));
        }
        if self.breaks(Control::StaleNow) && monitor.link.is_some() {
            steps.push(Step::ReadEarly);
        }
    }

    fn deliveries(&self, state: &State, steps: &mut Vec<Step>) {
        let copies = if self.faults.duplicates { vec![false, true] } else { vec![false] };
        for message in &state.network {
            for &again in &copies {
                if message.is_for_monitor() {
                    let intervals = self.intervals(message);
                    steps.extend(intervals.into_iter().map(|utc| Step::ToMonitor {
                        message: message.clone(),
                        again,
                        utc,
                    }));
                } else {
                    let to = |tsu: &Tsu| tsu.conn == message.conn() && !tsu.frozen;
                    let free = |tsu: &Tsu| {
                        tsu.sampling.is_none() || !matches!(message, Message::Probe { .. })
                    };
                    if let Some(at) = state.boxes.iter().position(|tsu| to(tsu) && free(tsu)) {
                        let is_probe = matches!(message, Message::Probe { .. });
                        let clocks = match is_probe {
                            true => self.clocks(state, at),
                            false => vec![Clock::default()],
                        };
                        steps.extend(clocks.into_iter().map(|clock| Step::ToTsu {
                            at,
                            message: message.clone(),
                            again,
                            clock,
                        }));
                    }
                }
            }
        }
    }

    /// Every interval that the monitor may have when it looks. UTC lies at either end or in the
    /// middle; one without consensus, or too wide, is none.
    fn intervals(&self, message: &Message) -> Vec<Option<Interval>> {
        if matches!(message, Message::Revoked { .. }) {
            return vec![None];
        }
        let wrong = self.faults.monitor_wrong;
        let some = (0..=self.figures.interval_max).flat_map(|half| {
            let reach = half + wrong;
            (-reach..=reach).map(move |shift| Some(Interval { shift, half }))
        });
        std::iter::once(None).chain(some).collect()
    }

    fn take_step(&self, state: &mut State, step: Step) {
        match step {
            Step::Tick => state.tick(self),
            Step::Freeze { at } => state.boxes[at].frozen = true,
            Step::Thaw { at } => state.boxes[at].frozen = false,
            Step::BothWrong { to } => state.monitor.wrong = to,
            Step::Expire => state.monitor.expire(self.figures.drift),
            Step::Connect { at } => monitor::connect(self, state, at),
            Step::Cut { at } => state.boxes[at].hang_up(),
            Step::Probe => monitor::probe(self, state),
            Step::Settle => monitor::settle(self, state),
            Step::Revoke => monitor::end(state, false),
            Step::Request { at, clock } => {
                let now = state.boxes[at].read(clock);
                let stale = state.boxes[at].kept.take();
                tsu::close(self, state, at, stale.unwrap_or(now), 0);
            }
            Step::BeginSample { at, clock } => {
                tsu::begin_sample(&mut state.boxes[at], false, clock);
            }
            Step::GoOnSampling { at, clock } => tsu::go_on_sampling(self, state, at, clock),
            Step::ReadLate { at, batch, clock } => tsu::read_late(self, state, at, batch, clock),
            Step::KeepSample { at, clock } => {
                state.boxes[at].kept = Some(state.boxes[at].read(clock));
            }
            Step::ReadEarly => state.monitor.early = Some(0),
            Step::Release { at, batch } => tsu::release(self, state, at, batch),
            Step::ToTsu { at, message, again, clock } => {
                arrive(state, &message, again);
                tsu::take(self, state, at, &message, clock);
            }
            Step::ToMonitor { message, again, utc } => {
                arrive(state, &message, again);
                monitor::take(self, state, utc, &message);
            }
            Step::Crash { .. }
            | Step::MonitorCrash
            | Step::CloneRunning
            | Step::CloneDisk
            | Step::Copy
            | Step::RestoreRunning
            | Step::RestoreDisk => self.take_box_step(state, &step),
        }
    }

    fn take_box_step(&self, state: &mut State, step: &Step) {
        match step {
            Step::Crash { at } => {
                state.left.crashes -= 1;
                state.incarnations += 1;
                state.boxes[*at] = state.boxes[*at].restarted(state.incarnations);
            }
            Step::MonitorCrash => {
                state.left.monitor_crashes -= 1;
                state.monitor = state.monitor.restarted(self);
            }
            Step::CloneRunning => {
                state.left.clones -= 1;
                let mut clone = state.boxes[0].clone();
                clone.hang_up();
                clone.branch = 1;
                state.boxes.push(clone);
            }
            Step::CloneDisk => {
                state.left.clones -= 1;
                state.incarnations += 1;
                let clone = Tsu { branch: 1, ..state.boxes[0].restarted(state.incarnations) };
                state.boxes.push(Tsu { raw: 0, ..clone });
            }
            Step::Copy => {
                state.left.snapshots -= 1;
                state.snapshot = Some(state.boxes[0].clone());
            }
            Step::RestoreRunning => {
                if let Some(mut copy) = state.snapshot.take() {
                    copy.hang_up();
                    copy.branch = 1;
                    state.boxes[0] = copy;
                }
            }
            Step::RestoreDisk => {
                if let Some(copy) = state.snapshot.take() {
                    state.incarnations += 1;
                    let (seq, log) = (copy.seq, copy.log);
                    let now = state.boxes[0].restarted(state.incarnations);
                    state.boxes[0] = Tsu { seq, log, branch: 1, ..now };
                }
            }
            _ => unreachable!("no step of a whole box"),
        }
    }
}

fn arrive(state: &mut State, message: &Message, again: bool) {
    if !again {
        state.network.retain(|other| other != message);
    }
}
