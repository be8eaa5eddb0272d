//! The simulated world: boxes, network, disks and sources, driven by one queue of events. No
//! threads, no clock, no order but that of the queue: the same options give the same history.

mod acting;
mod boxes;
mod faults;
mod first_look;
mod network;
mod reader;
mod scene;
mod second;
mod sources;
mod trouble;

use std::collections::{BTreeMap, VecDeque};

use chronolease_core::broken::{self, Condition};
use chronolease_core::clock_reader::Mark;
use chronolease_core::leap::list::LeapList;
use chronolease_core::sample::Sample;
use chronolease_core::time::Span;
use chronolease_monitor::core::authority::Rearm;
use chronolease_monitor::core::sources::Report;
use chronolease_net::evidence::MemoryDisk;
use chronolease_tsu::core::issuing::{self, Finished, Unsigned};

use crate::boxlog::Identity;
use crate::clock::{HostClock, Instant, MS, Truth};
use crate::dice::Dice;
use crate::monitor::{self, Monitor};
use crate::oracle::{Oracle, Oracles};
use crate::trace::Trace;
use crate::tsu::Tsu;
pub(crate) use boxes::Shown;
pub use faults::Fault;
use network::Conn;
use reader::{Ear, News, Reader};
pub use scene::Scene;
use sources::SourceState;

/// The place of box B among the hosts.
pub const BOX_B: usize = 0;
/// The place of box A.
pub const BOX_A: usize = 1;

/// A mistake of a shell, which the simulator must find: the shells are not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slip {
    /// The monitor's clock is read before the event is in, not after.
    MonitorStaleNow,
    /// The TSU's clock is read before the event is in, not after.
    TsuStaleNow,
    /// The monitor sends a confirmation before it is on record.
    AnswersEarly,
    /// The mark that a lease rests on is taken after the clocks were read, not before.
    LateMark,
    /// The monitor looks at its clock reader with its first event, when it polls already.
    LateLook,
    /// The monitor keeps the records of all wards in the file of the first.
    OneRecord,
    /// The monitor tells every ward that the log of one does not continue.
    ToldToAll,
}

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything that happens follows from it.
    pub seed: u64,
    /// The kind of world.
    pub scene: Scene,
    /// What the cores do not ask for.
    pub left_out: Vec<Condition>,
    /// What the shells do wrong.
    pub slips: Vec<Slip>,
    /// The boxes have clock readers. Without, nobody sees anything: the guard is on its own.
    pub watched: bool,
    /// How many TSUs the monitor has, one or two.
    pub tsus: usize,
    /// Whether the history is printed.
    pub print: bool,
}

impl Options {
    /// The world of this seed, with nothing broken. Of three, two have clock readers.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let (scene, watched) = (Scene::of(seed), !seed.is_multiple_of(3));
        Self {
            seed,
            scene,
            left_out: Vec::new(),
            slips: Vec::new(),
            watched,
            tsus: 1,
            print: false,
        }
    }
}

/// What comes to a process.
#[derive(Debug)]
enum Item {
    Tsu(Box<issuing::Event>),
    Monitor(Box<monitor::Input>),
}

impl Item {
    fn monitor(input: monitor::Input) -> Self {
        Self::Monitor(Box::new(input))
    }

    fn tsu(event: issuing::Event) -> Self {
        Self::Tsu(Box::new(event))
    }
}

/// What a process does, some time after it decided.
#[derive(Debug)]
enum Deed {
    Tsu(issuing::Action),
    Monitor(monitor::Out),
}

/// When a process read its clocks, and where its clock reader's watch stood before.
#[derive(Clone, Copy, Debug)]
struct Began {
    at: Instant,
    mark: Mark,
}

/// The reading with which a process decided, and the turn in which it did.
#[derive(Clone, Copy, Debug)]
struct Made {
    sample: Sample,
    turn: u64,
}

/// What happens at an instant. A host's life ends what was meant for its process.
#[derive(Debug)]
enum Happens {
    /// A frame reaches a box.
    Frame { conn: u64, to_monitor: bool, bytes: Vec<u8> },
    /// A box learns that the other end closed the connection.
    HangUp { conn: u64, to_monitor: bool },
    /// The TSU calls the monitor.
    Dial { host: usize, life: u64 },
    /// The handshake is through.
    Accept { host: usize, life: u64 },
    /// A process that was paused while it read its clocks has read them.
    Read { host: usize, life: u64, item: Item, first: Box<Sample>, began: Began },
    /// A process that was held up when it had read its clocks asks for the clock reader's word.
    Word { host: usize, life: u64, item: Item, first: Box<Sample>, began: Began },
    /// A process does what it decided.
    Act { host: usize, life: u64, made: Box<Made>, deeds: Vec<Deed> },
    /// Nothing came to a process for a while.
    Tick { host: usize, life: u64, tick: u64 },
    /// The disk has written.
    Disk { host: usize, life: u64 },
    /// A token is signed, or could not be.
    Signed { host: usize, life: u64, finished: Box<Finished> },
    /// A source is polled.
    Poll { source: usize },
    /// Its answer is there.
    Polled { life: u64, report: Box<Report> },
    /// A client asks.
    Ask { host: usize, alone: bool },
    /// A process starts.
    Start { host: usize, life: u64 },
    /// Something happens to the clock reader of a box, or to who listens.
    Reader { host: usize, news: News },
    /// Something goes wrong.
    Fault(Fault),
    /// A frozen or suspended box goes on.
    GoOn { host: usize, suspended: bool, since: Instant, board_clock: bool },
    /// The clock of box A is set right.
    Correct { host: usize },
    /// An end to what lasted.
    Calm(Fault),
}

/// A box.
struct Host {
    clock: HostClock,
    disk: MemoryDisk,
    /// A copy of the disk that somebody kept.
    copy: Option<MemoryDisk>,
    inbox: VecDeque<Item>,
    /// Its process does nothing before that.
    stopped_until: Instant,
    busy_until: Instant,
    life: u64,
    tick: u64,
    disk_due: bool,
    disk_delay: (i64, i64),
    /// The randomness with which its process began.
    began_with: Dice,
    last_sample: Option<Sample>,
    reader: Reader,
    /// Of its process.
    ear: Ear,
}

/// The path between a TSU's box and the monitor.
#[derive(Clone, Copy, Debug, Default)]
struct Path {
    blocked_until: Instant,
    slow_until: Instant,
    slow_by: i64,
}

/// The world.
pub struct World {
    options: Options,
    now: Instant,
    queue: BTreeMap<(Instant, u64), Happens>,
    sequence: u64,
    dice: Dice,
    /// For all that has to do with clock readers: without them the same seed is the same world.
    reader_dice: Dice,
    /// For how soon the monitor looks at its clocks.
    look_dice: Dice,
    truth: Truth,
    list: LeapList,
    rearm: Rearm,
    leased: bool,
    /// Of box B, and of each TSU.
    ids: Vec<Identity>,
    hosts: Vec<Host>,
    monitor: Option<Monitor>,
    tsus: Vec<Option<Tsu>>,
    conns: BTreeMap<u64, Conn>,
    next_conn: u64,
    paths: Vec<Path>,
    sources: Vec<SourceState>,
    signer_slow_until: Instant,
    signer_fails_until: Instant,
    liar_until: Instant,
    /// Frames of old connections, where TLS is left out.
    old_frames: Vec<Vec<u8>>,
    oracle: Oracles,
    trace: Trace,
    ends_at: Instant,
}

/// What came of a world.
pub struct Outcome {
    /// What the oracle saw.
    pub oracle: Oracle,
    /// Over the whole history.
    pub trace_hash: String,
}

/// Lives a world through.
#[must_use]
pub fn simulate(options: Options) -> Outcome {
    broken::leave_out(&options.left_out);
    let mut world = World::new(options);
    while let Some(((at, _), happens)) = world.queue.pop_first() {
        if at > world.ends_at {
            break;
        }
        world.now = at;
        world.happen(happens);
    }
    let outcome = world.finish();
    broken::leave_out(&[]);
    outcome
}

impl World {
    fn later(&mut self, at: Instant, happens: Happens) {
        self.sequence += 1;
        self.queue.insert((at.max(self.now), self.sequence), happens);
    }

    fn after(&mut self, delay: i64, happens: Happens) {
        self.later(self.now + delay, happens);
    }

    fn slips(&self, slip: Slip) -> bool {
        self.options.slips.contains(&slip)
    }

    /// The host whose process must run for this to happen, with the life it was meant for.
    fn needs(&self, happens: &Happens) -> Option<(usize, Option<u64>)> {
        match happens {
            Happens::Frame { conn, to_monitor, .. } | Happens::HangUp { conn, to_monitor } => {
                let host = if *to_monitor { BOX_B } else { self.conns.get(conn)?.host };
                Some((host, None))
            }
            Happens::Accept { host, life } => {
                let stopped = self.hosts[BOX_B].stopped_until > self.now;
                Some(if stopped { (BOX_B, None) } else { (*host, Some(*life)) })
            }
            Happens::Dial { host, life }
            | Happens::Read { host, life, .. }
            | Happens::Word { host, life, .. }
            | Happens::Act { host, life, .. }
            | Happens::Tick { host, life, .. }
            | Happens::Disk { host, life }
            | Happens::Signed { host, life, .. } => Some((*host, Some(*life))),
            Happens::Polled { life, .. } => Some((BOX_B, Some(*life))),
            Happens::Ask { host, .. } => Some((*host, None)),
            Happens::Poll { .. } => Some((BOX_B, None)),
            Happens::Reader { host, news } => Some((*host, Some(news.life()?))),
            Happens::Start { .. }
            | Happens::Fault(_)
            | Happens::GoOn { .. }
            | Happens::Correct { .. }
            | Happens::Calm(_) => None,
        }
    }

    fn happen(&mut self, happens: Happens) {
        if let Some((host, life)) = self.needs(&happens) {
            if life.is_some_and(|life| life != self.hosts[host].life) {
                return;
            }
            let until = self.hosts[host].stopped_until;
            if until > self.now {
                return self.later(until, happens);
            }
        }
        match happens {
            Happens::Frame { conn, to_monitor, bytes } => self.arrived(conn, to_monitor, bytes),
            Happens::HangUp { conn, to_monitor } => self.hung_up(conn, to_monitor),
            Happens::Dial { host, .. } => self.dial(host),
            Happens::Accept { host, .. } => self.accept(host),
            Happens::Read { host, item, first, began, .. } => self.read(host, item, &first, began),
            Happens::Word { host, item, first, began, .. } => {
                self.decide(host, item, &first, began);
            }
            Happens::Act { host, made, deeds, .. } => self.act(host, &made, deeds),
            Happens::Tick { host, tick, .. } => self.tick(host, tick),
            Happens::Disk { host, .. } => self.written(host),
            Happens::Signed { host, finished, .. } => {
                self.push(host, Item::tsu(issuing::Event::Finished(finished)));
            }
            Happens::Poll { source } => self.poll(source),
            Happens::Polled { report, .. } => {
                let report = self.polled(*report);
                self.oracle.polled(self.now, &report);
                self.push(BOX_B, Item::monitor(monitor::Input::Polled(report)));
            }
            Happens::Ask { host, alone } => self.ask(host, alone),
            Happens::Start { host, life } => self.start(host, life),
            Happens::Reader { host, news } => self.of_reader(host, news),
            Happens::Fault(fault) => self.fault(fault),
            Happens::GoOn { host, suspended, since, board_clock } => {
                self.go_on(host, suspended, since, board_clock);
            }
            Happens::Correct { host } => self.correct(host),
            Happens::Calm(fault) => self.calm(fault),
        }
    }

    /// A client asks; the next one is on its way.
    fn ask(&mut self, host: usize, alone: bool) {
        let now = self.now;
        if let Some(Some(tsu)) = self.tsus.get_mut(host)
            && tsu.issuer.has_room()
        {
            let event = tsu.requested(now);
            self.oracle.counts().requests += 1;
            self.push(host, Item::tsu(event));
        }
        if alone {
            return;
        }
        let next = self.dice.range(20 * MS, 500 * MS);
        let host = BOX_A + self.dice.index(self.hosts.len() - 1);
        self.after(next, Happens::Ask { host, alone: false });
        if self.dice.permille(200) {
            // Another one at nearly the same time.
            let soon = self.dice.range(0, MS);
            self.after(next + soon, Happens::Ask { host, alone: true });
        }
    }

    /// Hands a batch to the signing threads.
    fn sign(&mut self, host: usize, lane: issuing::LaneId, batch: Unsigned) {
        let life = self.hosts[host].life;
        for (id, token) in batch {
            let slow = self.now < self.signer_slow_until;
            let (lo, hi) = if slow { (100 * MS, 4_500 * MS) } else { (MS / 5, 2 * MS) };
            let takes = self.dice.range(lo, hi);
            let fails = self.now < self.signer_fails_until && self.dice.permille(500);
            let Some(Some(tsu)) = self.tsus.get_mut(host) else { return };
            let token = if fails { None } else { tsu.sign(token) };
            let thread = usize::from(tsu.threads[1] < tsu.threads[0]);
            let at = tsu.threads[thread].max(self.now) + takes;
            tsu.threads[thread] = at;
            let took = Span::from_nanos(takes).magnitude();
            let finished = Box::new(Finished { lane, id, took, token });
            self.later(at, Happens::Signed { host, life, finished });
        }
    }
}
