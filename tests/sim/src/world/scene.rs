//! The kinds of worlds, and what each of them holds.

use chronolease_core::leap::list::{Entry, LeapList, history, write_list};
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::time::Timestamp;
use chronolease_monitor::core::authority::Rearm;
use chronolease_net::evidence::MemoryDisk;

use super::sources::SourceState;
use super::{BOX_A, BOX_B, Fault, Happens, Host, Options, Outcome, Path, Reader, World};
use crate::boxlog::{Identity, commission};
use crate::clock::{HostClock, Instant, MS, Truth};
use crate::dice::Dice;
use crate::figures;
use crate::oracle::Oracles;
use crate::trace::Trace;

/// A kind of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scene {
    /// Witnessed release; everything goes wrong that may.
    Witnessed,
    /// Leased; as that, but the clocks of box A neither freeze nor jump together.
    Leased,
    /// Witnessed over a leap second.
    Leap,
    /// Leased over a leap second.
    LeasedLeap,
    /// A control: leased, and box A freezes.
    LeasedFrozen,
    /// A control: box B freezes, which the assumptions exclude.
    MonitorFrozen,
    /// A control: the link without TLS. Frames come twice, and on another connection.
    Unprotected,
    /// A control: as that, leased, and the process of the TSU is often killed.
    UnprotectedLeased,
    /// A control: box A is copied, cloned and rolled back, and the monitor restarts.
    Copied,
    /// A control: as that, leased.
    LeasedCopied,
    /// A control: the process of the TSU lives through a reboot, on clocks that are wrong alike.
    Carried,
    /// A control: the process of the TSU is often killed, and held up between its clocks and the clock
    /// reader's word on them while nobody watches.
    HeldUp,
}

impl Scene {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Witnessed,
        Self::Leased,
        Self::Leap,
        Self::LeasedLeap,
        Self::LeasedFrozen,
        Self::MonitorFrozen,
        Self::Unprotected,
        Self::UnprotectedLeased,
        Self::Copied,
        Self::LeasedCopied,
        Self::Carried,
        Self::HeldUp,
    ];

    /// The kind of world of a seed.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        match seed % 20 {
            0..=13 => Self::Witnessed,
            14..=17 => Self::Leased,
            18 => Self::Leap,
            _ => Self::LeasedLeap,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Witnessed => "witnessed",
            Self::Leased => "leased",
            Self::Leap => "leap",
            Self::LeasedLeap => "leased-leap",
            Self::LeasedFrozen => "leased-frozen",
            Self::MonitorFrozen => "monitor-frozen",
            Self::Unprotected => "unprotected",
            Self::UnprotectedLeased => "unprotected-leased",
            Self::Copied => "copied",
            Self::LeasedCopied => "leased-copied",
            Self::Carried => "carried",
            Self::HeldUp => "held-up",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scene| scene.name() == name)
    }

    /// Whether tokens need the lease alone.
    #[must_use]
    pub const fn is_leased(self) -> bool {
        match self {
            Self::Leased
            | Self::LeasedLeap
            | Self::LeasedFrozen
            | Self::UnprotectedLeased
            | Self::LeasedCopied
            | Self::Carried
            | Self::HeldUp => true,
            Self::Witnessed
            | Self::Leap
            | Self::MonitorFrozen
            | Self::Unprotected
            | Self::Copied => false,
        }
    }

    const fn leaps(self) -> bool {
        matches!(self, Self::Leap | Self::LeasedLeap)
    }
}

/// How long a world lasts.
const LASTS: Instant = 60_000 * MS;

fn truth(scene: Scene, dice: &mut Dice) -> (Truth, LeapList) {
    let end = MonthEnd::of(2027, 6).expect("a month");
    let l = end.instant().as_unix_nanos();
    let begins_at = if scene.leaps() {
        l - dice.range(15_000 * MS, 35_000 * MS)
    } else {
        l - 77 * 86_400_000 * MS
    };
    let positive = dice.permille(600);
    let leap = scene.leaps().then(|| {
        // After a positive one UTC is a second less than without it; a negative one skips one.
        let (at, by) = if positive { (l, -1_000 * MS) } else { (l - 1_000 * MS, 1_000 * MS) };
        (at - begins_at, by)
    });
    let mut entries = history();
    if scene.leaps() {
        let by = if positive { 1 } else { -1 };
        entries.push(Entry { from: end, tai_minus_utc_s: 37 + by });
    }
    let at = |ns: i64| Timestamp::from_unix_nanos(ns);
    let day = 86_400_000 * MS;
    let list = write_list(at(l - 150 * day), at(l + 200 * day), &entries);
    let list = LeapList::parse(list.as_bytes(), None).expect("a list that was just written");
    (Truth { begins_at, leap }, list)
}

/// A box whose clock is this far off.
pub(super) fn host(truth: Truth, error: i64, dice: &mut Dice) -> Host {
    let boot = chronolease_core::id::BootId::from_bytes(dice.bytes());
    let raw = dice.range(10_000 * MS, 900_000 * MS);
    let ppb = dice.range(-90_000, 90_000);
    Host::new(HostClock::new(boot, raw, truth.begins_at + error, ppb), MemoryDisk::new())
}

impl World {
    pub(super) fn new(options: Options) -> Self {
        let seed = options.seed;
        let mut dice = Dice::new(seed, 1);
        let (truth, list) = truth(options.scene, &mut dice);
        let name = |(seed, tsu): (u8, usize)| Identity::new(&format!("tsu-{tsu}"), seed);
        let tsus = (2..).zip(1..=options.tsus).map(name);
        let ids: Vec<_> = [Identity::new("monitor", 1)].into_iter().chain(tsus).collect();
        let error_b = dice.range(-30_000 * MS, 30_000 * MS);
        let far = if dice.permille(100) { 400 * MS } else { 90 * MS };
        let error_a = dice.range(-far, far);
        let mut hosts = vec![host(truth, error_b, &mut dice), host(truth, error_a, &mut dice)];
        commission(&hosts[BOX_B].disk, &ids[BOX_B], &ids[BOX_A..]);
        commission(&hosts[BOX_A].disk, &ids[BOX_A], &ids[..BOX_A]);
        hosts[BOX_B].began_with = Dice::new(seed, 2);
        hosts[BOX_A].began_with = Dice::new(seed, 3);
        let source = |dice: &mut Dice| SourceState {
            error: dice.range(-3 * MS / 2, 3 * MS / 2),
            ..SourceState::default()
        };
        let sources = (0..figures::SOURCES).map(|_| source(&mut dice)).collect();
        let leased = options.scene.is_leased();
        let persons = dice.permille(120);
        let mut world = Self {
            trace: Trace::new(options.print),
            oracle: Oracles::new(leased, truth, &ids[BOX_B], &ids[BOX_A..]),
            options,
            now: 0,
            queue: std::collections::BTreeMap::new(),
            sequence: 16,
            dice,
            reader_dice: Dice::new(seed, 6),
            look_dice: Dice::new(seed, 7),
            truth,
            list,
            rearm: if persons { Rearm::TwoPersons } else { Rearm::Automatic },
            leased,
            ids,
            hosts,
            monitor: None,
            tsus: vec![None, None],
            conns: std::collections::BTreeMap::new(),
            next_conn: 0,
            paths: vec![Path::default(); 2],
            sources,
            signer_slow_until: 0,
            signer_fails_until: 0,
            liar_until: 0,
            old_frames: Vec::new(),
            ends_at: LASTS,
        };
        world.begin(persons);
        world
    }

    fn begin(&mut self, persons: bool) {
        self.oracle.persons(persons);
        self.later(0, Happens::Start { host: BOX_B, life: 0 });
        let starts = self.dice.range(0, 500 * MS);
        self.later(starts, Happens::Start { host: BOX_A, life: 0 });
        for source in 0..figures::SOURCES {
            let at = self.dice.range(10 * MS, 1_000 * MS);
            self.later(at, Happens::Poll { source });
        }
        self.later(1_000 * MS, Happens::Ask { host: BOX_A, alone: false });
        if let Some((at, by)) = self.truth.leap {
            // The kernels leap with UTC, one of them perhaps not.
            for host in [BOX_A, BOX_B] {
                if self.dice.permille(800) {
                    self.later(at, Happens::Fault(Fault::KernelLeap { host, by }));
                }
            }
        }
        self.schedule_faults();
        if self.options.watched {
            self.oracle.watches(self.hosts.len());
            for host in [BOX_B, BOX_A] {
                self.hosts[host].reader = Reader::new(Self::marker(&mut self.reader_dice));
                self.start_reader(host, 0);
            }
            self.schedule_reader_faults();
        }
        if self.options.tsus > 1 {
            self.add_second();
        }
    }

    pub(super) fn finish(self) -> Outcome {
        let mut oracle = self.oracle;
        for (host, there) in self.hosts.iter().enumerate() {
            oracle.audit(host, &there.disk);
        }
        let oracle = oracle.conclude();
        Outcome { oracle, trace_hash: self.trace.hash() }
    }
}
