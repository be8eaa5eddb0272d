//! The faults, and what is promised for each.

use std::fmt;
use std::thread;
use std::time::Duration;

use chronolease_core::evidence::leaf::Event;
use chronolease_core::time::Span;
use chronolease_e2e::evidence::Log;
use chronolease_e2e::failing_disk::FailingDisk;
use chronolease_e2e::load::now;
use chronolease_e2e::netns::{Cut, Island};
use chronolease_e2e::process::Process;
use chronolease_e2e::stopping::Stopping;
use chronolease_e2e::{Options, Rig};

use crate::pair::{Clock, Outcome, strike};

/// What is promised.
#[derive(Clone, Copy)]
pub(crate) enum Promise {
    /// No token is sampled after the fault.
    None,
    /// None is sampled later than so many milliseconds after it.
    Within(i64),
}

impl Promise {
    pub(crate) fn holds(self, outcome: &Outcome) -> bool {
        match self {
            Self::None => outcome.sampled_after == 0,
            Self::Within(ms) => outcome.last_sample_ns.is_none_or(|ns| ns <= ms * 1_000_000),
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "no sample after it"),
            Self::Within(ms) => write!(f, "no sample after {ms} ms"),
        }
    }
}

/// A fault.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) bound: Promise,
    pub(crate) act: fn() -> Outcome,
}

/// A leased TSU may issue until its last lease has run out: TTL, and what the oscillator and the
/// guard add.
const TTL: Promise = Promise::Within(3_006);
/// At 20,000 ppm the clock leaves the oscillator by G within 250 ms. A renewal within that time
/// starts the count anew, once.
const SLEW_PPM: i64 = 20_000;
const UNTIL_THE_GUARD_TRIPS: Promise = Promise::Within(750);

/// A reader that is gone counts as lost `silence_max` (1 s) after its last report at the latest,
/// whatever becomes of its socket; what the oscillator and the guard add, as above.
const UNTIL_SILENT: Promise = Promise::Within(1_006);
/// Until then the monitor may grant, and each grant lasts for a TTL.
const UNTIL_SILENT_AND_TTL: Promise = Promise::Within(4_006);

const LEASED: &str = "[tsu]\nmode = \"leased\"\n";

/// Every fault, in the order of the table.
pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "the TSU's clock steps by 700 ms", bound: Promise::None, act: step },
    Fault { name: "the TSU's clock slews by 20,000 ppm", bound: UNTIL_THE_GUARD_TRIPS, act: slew },
    Fault { name: "monitor killed, witnessed", bound: Promise::None, act: || kill("") },
    Fault { name: "monitor killed, leased", bound: TTL, act: || kill(LEASED) },
    Fault { name: "monitor stopped (SIGSTOP), witnessed", bound: Promise::None, act: stop },
    Fault {
        name: "revocation pushed, witnessed, from the monitor's decision on",
        bound: Promise::None,
        act: || revoke(""),
    },
    Fault {
        name: "revocation pushed, leased, from the monitor's decision on",
        bound: TTL,
        act: || revoke(LEASED),
    },
    Fault { name: "link cut, witnessed", bound: Promise::None, act: || cut("") },
    Fault { name: "link cut, leased", bound: TTL, act: || cut(LEASED) },
    Fault { name: "the TSU's evidence disk fails", bound: Promise::None, act: disk },
    Fault {
        name: "clock reader killed, box A, witnessed",
        bound: UNTIL_SILENT,
        act: || kill_reader("", |rig| &mut rig.tsu_clock),
    },
    Fault {
        name: "clock reader killed, box A, leased",
        bound: UNTIL_SILENT,
        act: || kill_reader(LEASED, |rig| &mut rig.tsu_clock),
    },
    Fault {
        name: "clock reader killed, box B, witnessed",
        bound: UNTIL_SILENT,
        act: || kill_reader("", |rig| &mut rig.monitor_clock),
    },
    Fault {
        name: "clock reader killed, box B, leased",
        bound: UNTIL_SILENT_AND_TTL,
        act: || kill_reader(LEASED, |rig| &mut rig.monitor_clock),
    },
];

fn options(tsu: &str) -> Options {
    Options { tsu_overlay: Some(tsu.to_owned()), ..Options::default() }
}

fn start(rig: &mut Rig) {
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();
}

/// A pair whose TSU's clock can be moved.
fn movable() -> (Rig, Stopping) {
    let mut rig = Rig::prepared(&options(""));
    let switch = Stopping::new(rig.layout().dir(), rig.ports());
    rig.tsu.set_env(&switch.environment());
    start(&mut rig);
    (rig, switch)
}

fn step() -> Outcome {
    let (rig, switch) = movable();
    strike(rig, Clock::Wrong, |_| {
        switch.step_to(Span::from_millis(700));
        now()
    })
}

fn slew() -> Outcome {
    let (rig, switch) = movable();
    // genTime is right to 2 % of the time since the fault.
    strike(rig, Clock::True, move |_| {
        let start = now();
        thread::spawn(move || {
            let end = Span::from_millis(10_000);
            while now() - start < end {
                let moved = (now() - start).as_nanos() / 1_000_000 * SLEW_PPM;
                switch.step_to(Span::from_nanos(moved));
                thread::sleep(Duration::from_millis(1));
            }
        });
        start
    })
}

fn kill(mode: &str) -> Outcome {
    strike(Rig::with_lease(&options(mode)), Clock::True, |rig| {
        rig.monitor.sigkill();
        now()
    })
}

fn kill_reader(mode: &str, reader: fn(&mut Rig) -> &mut Process) -> Outcome {
    strike(Rig::with_lease(&options(mode)), Clock::True, |rig| {
        reader(rig).sigkill();
        now()
    })
}

fn stop() -> Outcome {
    strike(Rig::with_lease(&options("")), Clock::True, |rig| {
        rig.monitor.sigstop();
        rig.eventually("it stops", || {
            if rig.monitor.is_stopped() { Ok(()) } else { Err("it runs".to_owned()) }
        });
        now()
    })
}

/// The monitor revokes when it is asked to stop, and its log tells when it decided that.
fn revoke(mode: &str) -> Outcome {
    strike(Rig::with_lease(&options(mode)), Clock::True, |rig| {
        let ended = rig.monitor.sigterm();
        assert!(ended.success(), "{}", rig.monitor.tail());
        let leaves = Log::of_monitor(rig.layout()).read(None).leaves;
        let decided = leaves.iter().rev().find(|leaf| matches!(leaf.event, Event::LeaseEnded(_)));
        decided.expect("the ending is on record").made.real
    })
}

fn cut(mode: &str) -> Outcome {
    let mut rig = Rig::prepared(&Options::default());
    let island = Island::of(&mut rig, mode, "");
    start(&mut rig);
    strike(rig, Clock::True, |_| {
        island.cut(Cut::Down);
        now()
    })
}

fn disk() -> Outcome {
    let mut rig = Rig::prepared(&options(""));
    let disk = FailingDisk::new(rig.layout().dir());
    rig.tsu.set_env(&disk.environment());
    start(&mut rig);
    strike(rig, Clock::True, |_| {
        disk.fail();
        now()
    })
}
