//! Each box is stopped (SIGSTOP) at every stage of the pipeline, for shorter and longer, with true
//! clocks, with a clock that is stepped meanwhile, and as a box that is frozen with all its clocks.
//! No token is wrong, none comes from before a stop that was too long, and issuing resumes by
//! itself. The controls show that the same stops do falsify tokens where a part is missing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chronolease_core::time::{Bound, Span, Timestamp, Utc};
use chronolease_e2e::evidence::Log;
use chronolease_e2e::load::{self, Load, now};
use chronolease_e2e::process::Process;
use chronolease_e2e::stopping::Stopping;
use chronolease_e2e::tools::said;
use chronolease_e2e::tsp::{Answer, Client};
use chronolease_e2e::{Options, Programs, Rig, wait};

/// What a lab claims.
const ACCURACY: Bound = Bound::from_millis(500);
/// genTime is cut to it.
const RESOLUTION: Bound = Bound::from_millis(1);
/// How far a clock may gain on the oscillator.
const GUARD: Bound = Bound::from_millis(5);

/// Leases come back as soon as they may.
const HASTE: &str =
    "[lease]\nprobe = \"300ms\"\ngood_probes = 1\nhold = \"100ms\"\nhold_latched = \"100ms\"\n";
const LEASED: &str = "[tsu]\nmode = \"leased\"\n";

/// Which box is stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    Tsu,
    Monitor,
}

/// A stage, with the calls that lead there from an idle pipeline: see [`Stopping`].
type Stage = (&'static str, &'static str);

const LEAVING: &str = "qdsra";

const TSU: [Stage; 11] = [
    ("request read", "q"),
    ("within the sample", "qm"),
    ("sampled", "qc"),
    ("intent written", "qw"),
    ("intent durable", "qd"),
    ("sent to the monitor", "qds"),
    ("word received", "qdsr"),
    ("confirmation durable", "qdsrd"),
    ("signed", "qdsry"),
    ("within the sample of the release", "qdsrym"),
    ("about to leave", LEAVING),
];

const MONITOR: [Stage; 6] = [
    ("received by the monitor", "r"),
    ("within the monitor's sample", "rm"),
    ("monitor sampled", "rc"),
    ("monitor's record written", "rw"),
    ("monitor's record durable", "rd"),
    ("answered", "rs"),
];

/// A stop, and what happens to the clocks of the TSU meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    /// As short as can be.
    Glimpse,
    /// Longer than a sample may be old before it is confirmed, and than the accuracy.
    Long,
    /// Longer than a lease, and than a confirmation may be old.
    BeyondTheLease,
    /// The system clock is stepped by so many milliseconds.
    Stepped(i64),
    /// All clocks stand still, as for a virtual machine that is paused.
    Frozen,
}

impl Stop {
    const OF_TSU: [Self; 6] = [
        Self::Glimpse,
        Self::Long,
        Self::BeyondTheLease,
        Self::Stepped(2_000),
        Self::Stepped(-2_000),
        Self::Frozen,
    ];
    const OF_MONITOR: [Self; 3] = [Self::Glimpse, Self::Long, Self::BeyondTheLease];

    const fn length(self) -> Bound {
        Bound::from_millis(match self {
            Self::Glimpse => 0,
            Self::Stepped(_) => 100,
            Self::Long => 700,
            Self::Frozen => 1_200,
            Self::BeyondTheLease => 3_400,
        })
    }

    const fn leaves_the_clock_true(self) -> bool {
        matches!(self, Self::Glimpse | Self::Long | Self::BeyondTheLease)
    }
}

/// A pair of which one box can be stopped.
struct Bench {
    rig: Rig,
    which: Which,
    switch: Stopping,
    told: Vec<Answer>,
    stops: usize,
}

/// What came of one stop.
struct Outcome {
    stopped: Timestamp<Utc>,
    resumed: Timestamp<Utc>,
    /// The request that was under way.
    straddling: Answer,
    /// Everything that was asked from the stop on, until issuing was resumed.
    later: Vec<Answer>,
}

impl Bench {
    fn start(which: Which, options: &Options) -> Self {
        let overlay = Some(HASTE.to_owned());
        let mut rig = Rig::prepared(&Options { monitor_overlay: overlay, ..options.clone() });
        let switch = Stopping::new(rig.layout().dir(), rig.ports());
        match which {
            Which::Tsu => {
                rig.tsu.set_env(&switch.environment());
                rig.tsu_clock.set_env(&switch.environment_of_clocks());
            }
            Which::Monitor => rig.monitor.set_env(&switch.environment()),
        }
        rig.start_sources();
        rig.start_monitor();
        rig.start_tsu();
        rig.wait_for_lease();
        Self { rig, which, switch, told: Vec::new(), stops: 0 }
    }

    const fn process(&self) -> &Process {
        match self.which {
            Which::Tsu => &self.rig.tsu,
            Which::Monitor => &self.rig.monitor,
        }
    }

    fn load(&self) -> Load {
        Load::start(self.rig.ports().tsu_http(), 2, Duration::from_millis(10))
    }

    /// Stops the box at `plan` with one request under way, and waits for what `until` says once it
    /// goes on. Then the clock is set right.
    fn stop(&self, plan: &str, stop: Stop, until: impl FnOnce(&Load, Timestamp<Utc>)) -> Outcome {
        let address = self.rig.ports().tsu_http();
        let mut client = Client::new(address);
        self.rig.eventually("an idle pipeline gives a token", || {
            let answer = client.ask();
            if answer.token().is_some() { Ok(()) } else { Err(format!("{answer:?}")) }
        });
        self.switch.arm(plan);
        let stands = AtomicBool::new(false);
        thread::scope(|scope| {
            let straddling = scope.spawn(|| {
                loop {
                    let answer = client.ask();
                    if stands.load(Ordering::SeqCst) || self.switch.is_through(plan) {
                        return answer;
                    }
                    // A busy machine lost its lease, so that the request went another way.
                    self.switch.arm(plan);
                }
            });
            self.switch.await_stop(self.process());
            stands.store(true, Ordering::SeqCst);
            let stopped = now();
            let whole_box = stop == Stop::Frozen;
            if whole_box {
                self.rig.tsu_clock.sigstop();
            }
            let load = self.load();
            wait::during(stop.length(), || thread::sleep(Duration::from_millis(1)));
            match stop {
                Stop::Stepped(ms) => self.switch.step_to(Span::from_millis(ms)),
                Stop::Frozen => self.switch.freeze_to(-stop.length().as_span()),
                Stop::Glimpse | Stop::Long | Stop::BeyondTheLease => {}
            }
            let resumed = now();
            self.process().sigcont();
            if whole_box {
                self.rig.tsu_clock.sigcont();
            }
            until(&load, resumed);
            self.switch.step_to(Span::ZERO);
            self.switch.freeze_to(Span::ZERO);
            let straddling = straddling.join().expect("a client");
            let set_right = now();
            self.rig.eventually("issuing resumes by itself", || {
                match load.count(set_right, |a| a.token().is_some()) {
                    3.. => Ok(()),
                    tokens => Err(format!("{tokens} tokens")),
                }
            });
            Outcome { stopped, resumed, straddling, later: load.finish() }
        })
    }

    /// One stop at one stage, and all that must hold. On a busy machine another thread may have
    /// brought the request to its end before the process stood still; then it is stopped again.
    fn must_be_sound(&mut self, stage: Stage, stop: Stop) {
        let missed = (0..20).take_while(|_| !self.stop_once(stage, stop)).count();
        assert!(missed < 20, "{:?} never stood still at {}", self.which, stage.0);
        self.stops += 1;
    }

    /// `false` when the answer had left before the TSU stood still. All that holds for any answer
    /// is looked at then too.
    fn stop_once(&mut self, (name, plan): Stage, stop: Stop) -> bool {
        let set_right = std::cell::Cell::new(None);
        let outcome = self.stop(plan, stop, |load, resumed| {
            if !stop.leaves_the_clock_true() {
                self.rig.eventually("the wrong clock is found out", || {
                    match load.count(resumed, Answer::is_time_not_available) {
                        0 => Err("nobody is refused".to_owned()),
                        _ => Ok(()),
                    }
                });
                set_right.set(Some(now()));
            }
        });
        let context = format!("{:?} stopped: {name}, {stop:?}", self.which);
        let Outcome { stopped, resumed, straddling, later } = outcome;
        // A process that stands still sends nothing.
        let straddles = self.which == Which::Monitor || straddling.received >= resumed;
        if let Some(token) = straddling.token()
            && straddles
        {
            let stale = token.gen_time - resumed < -RESOLUTION.as_span();
            let must_be_fresh = match (self.which, stop) {
                (Which::Tsu, Stop::BeyondTheLease) => plan != LEAVING,
                (Which::Tsu, Stop::Long) => ["q", "qm", "qc", "qw", "qd"].contains(&plan),
                _ => false,
            };
            assert!(!(must_be_fresh && stale), "{context}: from before the stop: {straddling:?}");
            // The control: what was decided on before the stop does leave, and is seen to be stale.
            let decided = plan == LEAVING && stop == Stop::BeyondTheLease;
            assert!(stale || !decided, "{context}: not from before the stop: {straddling:?}");
            // What the monitor read after the stop cannot confirm what is older than A by then.
            let beyond = token.gen_time - resumed < -ACCURACY.as_span();
            let read_after = self.which == Which::Monitor && plan == "r" && stop == Stop::Long;
            assert!(!(read_after && beyond), "{context}: confirmed too late: {straddling:?}");
        }
        // Nobody confirms while the monitor is stopped, and the TSU issues nothing by a wrong clock.
        for answer in &later {
            let unheard = self.which == Which::Monitor && answer.received < resumed;
            let wrong_clock = set_right
                .get()
                .is_some_and(|set_right| answer.sent > resumed && answer.received < set_right);
            let token = answer.token().is_some();
            assert!(!(token && (unheard || wrong_clock)), "{context}: {answer:?}");
        }
        if self.which == Which::Monitor && straddling.received < resumed {
            let sampled = straddling.token().map(|token| token.gen_time);
            assert!(sampled <= Some(stopped + GUARD.as_span()), "{context}: {straddling:?}");
        }
        self.told.push(straddling);
        self.told.extend(later);
        load::assert_sound(&self.told, ACCURACY);
        straddles
    }

    /// Both logs are sound, and every token is in the TSU's.
    fn finish(mut self) -> (usize, usize) {
        let tokens = load::assert_sound(&self.told, ACCURACY);
        assert_eq!(self.rig.tsu.sigterm().code(), Some(0), "{}", self.rig.tsu.tail());
        assert_eq!(self.rig.monitor.sigterm().code(), Some(0), "{}", self.rig.monitor.tail());
        let layout = self.rig.layout();
        for log in [Log::of_tsu(layout), Log::of_monitor(layout)] {
            let checked = log.fsck(layout);
            assert_eq!(checked.status.code(), Some(0), "{}", said(&checked));
        }
        Log::of_tsu(layout).read(None).assert_intended(&tokens);
        (self.stops, tokens.len())
    }
}

/// Stops pairs side by side, each at some of the stages.
fn stop_at_each(which: Which, stages: &[Stage], stops: &[Stop], pairs: usize) {
    let work = |stages: Vec<Stage>| {
        let mut bench = Bench::start(which, &Options::default());
        for stage in stages {
            for stop in stops {
                bench.must_be_sound(stage, *stop);
            }
        }
        bench.finish()
    };
    let work = &work;
    let (stopped, tokens) = thread::scope(|scope| {
        let share = |n| stages.iter().skip(n).step_by(pairs).copied().collect();
        let pairs: Vec<_> = (0..pairs).map(|n| scope.spawn(move || work(share(n)))).collect();
        let ended: Vec<_> = pairs.into_iter().map(|pair| pair.join()).collect();
        let ended = ended.into_iter().map(|ended| ended.expect("a pair failed, see above"));
        ended.fold((0, 0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1))
    });
    println!("{which:?}: {stopped} stops at {} stages, {tokens} tokens, none wrong", stages.len());
    assert_eq!(stopped, stages.len() * stops.len());
}

#[test]
fn no_stop_of_the_tsu_falsifies_a_token_at_any_stage() {
    stop_at_each(Which::Tsu, &TSU, &Stop::OF_TSU, 5);
}

#[test]
fn no_stop_of_the_monitor_falsifies_a_token_at_any_stage() {
    stop_at_each(Which::Monitor, &MONITOR, &Stop::OF_MONITOR, 3);
}

/// Waits for a token that is wrong, with all clocks of the TSU as `stop` leaves them.
fn falsifies(options: &Options, stop: Stop) {
    let bench = Bench::start(Which::Tsu, options);
    let outcome = bench.stop("q", stop, |load, _| {
        bench.rig.eventually("a token is wrong", || match load::wrong(&load.answers(), ACCURACY) {
            Some(_) => Ok(()),
            None => Err(format!("{} answers", load.answers().len())),
        });
    });
    let off = load::wrong(&outcome.later, ACCURACY).and_then(Answer::off_by);
    println!(
        "{stop:?} with {:?}, {:?}: a token is off by {off:?}",
        options.programs, options.tsu_overlay
    );
}

#[test]
fn the_same_stops_falsify_tokens_without_the_witness_or_the_guard() {
    let leased = Options { tsu_overlay: Some(LEASED.to_owned()), ..Options::default() };
    let broken = Options { programs: Programs::NegativeControl, ..Options::default() };
    thread::scope(|scope| {
        scope.spawn(|| falsifies(&leased, Stop::Frozen));
        scope.spawn(|| falsifies(&broken, Stop::Stepped(2_000)));
        scope.spawn(|| falsifies(&broken, Stop::Stepped(-2_000)));
        scope.spawn(|| tokens_go_on_without_a_monitor(&leased));
    });
}

/// The control of "nobody confirms while the monitor is stopped".
fn tokens_go_on_without_a_monitor(leased: &Options) {
    let bench = Bench::start(Which::Monitor, leased);
    bench.rig.monitor.sigstop();
    bench.switch.await_stop(&bench.rig.monitor);
    assert!(bench.rig.client().ask().token().is_some(), "{}", bench.rig.tsu.tail());
    bench.rig.monitor.sigcont();
}
