//! What is done to the clocks, and what must come of it.

use std::fmt;
use std::thread;
use std::time::Duration;

use chronolease_core::time::{Span, Timestamp, Utc};
use chronolease_e2e::Programs;
use chronolease_lab::Accuracy;

use crate::bench::{Bench, Load};
use crate::dice::Dice;
use crate::ledger::{Stepped, Tally};

/// The longest that a change comes after the recovery from the one before: longer than from one
/// probe to the next, so that it meets every part of a lease's life.
const BEFORE_CHANGE_MS: u64 = 1_500;
/// The longest that a stepped clock is kept once the first request was refused.
const AFTER_REFUSAL_MS: u64 = 500;
/// The longest that a step lasts that is taken back before anybody may have noticed.
const GLIMPSE_MS: u64 = 5;
/// How long a slew is held.
const SLEW: Duration = Duration::from_secs(60);
/// Tokens that must be issued after the last change.
const TOKENS_AFTER: usize = 100;
/// Before every request.
const EVER: Timestamp<Utc> = Timestamp::from_unix_nanos(0);

/// The longest step back that the negative control waits out.
const MADE_UP_FOR_MS: i64 = 10_000;
/// The accuracy of the tight column.
const TIGHT: &str = "100ms";

/// About 150 requests a second.
const STEP_LOAD: Load = Load { clients: 2, pause: Duration::from_millis(12) };
/// About 30 requests a second.
const SLEW_LOAD: Load = Load { clients: 1, pause: Duration::from_millis(30) };

/// What happens to a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It jumps by so many milliseconds.
    Step(i64),
    /// It runs fast by so many parts in a million.
    Slew(i64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(ms) => write!(f, "step of {ms:+} ms"),
            Self::Slew(ppm) => write!(f, "slew of {ppm:+} ppm"),
        }
    }
}

/// How one TSU fared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    /// Tokens before the first change.
    pub(crate) before: usize,
    /// Tokens after the last change.
    pub(crate) after: usize,
    /// Times that the clock was put wrong while tokens flowed, kept wrong until the lease ended,
    /// and set right again.
    pub(crate) changes: usize,
    /// Leases that ended because the TSU's own guard found the clock out.
    pub(crate) guarded: usize,
    /// All tokens and refusals.
    pub(crate) tally: Tally,
}

impl Report {
    /// The reports of two TSUs together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            before: self.before + other.before,
            after: self.after + other.after,
            changes: self.changes + other.changes,
            guarded: self.guarded + other.guarded,
            tally: self.tally.and(other.tally),
        }
    }
}

/// How often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Tokens before the first change, at least.
    pub(crate) before: usize,
    /// Changes.
    pub(crate) changes: usize,
    /// Steps besides that are taken back within [`GLIMPSE_MS`].
    pub(crate) glimpses: usize,
}

/// Puts a fault on a clock under load and takes it away again, over and over. Panics when a token
/// is wrong, or made while the clock was stepped away.
pub(crate) fn guarded(fault: Fault, plan: Plan, mut dice: Dice) -> Report {
    let bench = Bench::start(Programs::Release, accuracy(fault));
    let mut stepped = Vec::new();
    let (before, after) = bench.under_load(load(fault), || {
        let before = bench.await_tokens(plan.before, EVER);
        for change in 0..plan.changes + plan.glimpses {
            await_instant(&bench, &mut dice);
            match fault {
                Fault::Step(ms) => stepped.push(step(&bench, ms, |out| {
                    if change < plan.changes {
                        bench.await_refusal(out);
                        pause(dice.below(AFTER_REFUSAL_MS));
                    } else {
                        pause(dice.below(GLIMPSE_MS));
                    }
                })),
                Fault::Slew(ppm) => slew(&bench, ppm),
            }
            bench.clock.step_to(Span::ZERO);
        }
        (before, bench.await_tokens(TOKENS_AFTER, bench.now()))
    });
    // A step's tokens must be nearer to the truth than to where it leads.
    let limit = match fault {
        Fault::Step(ms) => Span::from_millis(ms / 2).magnitude(),
        Fault::Slew(_) => accuracy(fault).bound(),
    };
    bench.must_be_sound(limit, &stepped);
    let guarded = bench.endings_by_guard();
    Report { before, after, changes: plan.changes, guarded, tally: bench.ledger.tally() }
}

/// Steps the clock, and says when it was stepped for certain.
fn step(bench: &Bench, ms: i64, hold: impl FnOnce(Timestamp<Utc>)) -> Stepped {
    bench.clock.step_to(Span::from_millis(ms));
    let out = bench.now();
    hold(out);
    Stepped { out, back: bench.now() }
}

/// Slews the clock for a minute, which ends the lease.
fn slew(bench: &Bench, ppm: i64) {
    let start = bench.now();
    let slew = bench.clock.slew(ppm);
    thread::sleep(SLEW);
    bench.await_refusal(start);
    drop(slew);
    let drift = bench.clock.offset();
    assert!(
        drift.magnitude() > accuracy(Fault::Slew(ppm)).bound(),
        "{drift} would not falsify a token"
    );
}

/// The negative control of [`guarded`]: the error of the first wrong token.
///
/// Guard and verdict are switched off, the rule that genTime never goes back is not. After a step
/// back it alone refuses every request until the clock has made up for the step. For an hour no
/// test can wait, so such a step comes before the first token, when there is no genTime to go back
/// from.
pub(crate) fn unguarded(fault: Fault, mut dice: Dice) -> Span {
    let bench = Bench::start(Programs::NegativeControl, accuracy(fault));
    if let Fault::Step(ms) = fault
        && ms < -MADE_UP_FOR_MS
    {
        bench.clock.step_to(Span::from_millis(ms));
        return bench.under_load(load(fault), || bench.await_wrong_token());
    }
    bench.under_load(load(fault), || {
        await_instant(&bench, &mut dice);
        let _slew = match fault {
            Fault::Step(ms) => {
                bench.clock.step_to(Span::from_millis(ms));
                None
            }
            Fault::Slew(ppm) => Some(bench.clock.slew(ppm)),
        };
        bench.await_wrong_token()
    })
}

/// Guard and verdict are switched off, and the monitor asks the public endpoint: the cause by which
/// it ends the lease after a fault.
pub(crate) fn watched(fault: Fault) -> &'static str {
    let bench = Bench::watched(accuracy(fault));
    bench.rig.eventually("a good token", || match bench.rig.end_to_end("good") {
        0.0 => Err("none yet".to_owned()),
        _ => Ok(()),
    });
    assert_eq!(bench.rig.end_to_end("wrong-time"), 0.0, "{}", bench.rig.monitor.tail());
    if let Fault::Step(ms) = fault {
        bench.clock.step_to(Span::from_millis(ms));
    }
    bench.rig.eventually("the monitor latches", || match bench.rig.endings("wrong-token") {
        0.0 => Err(format!("wrong-time: {}", bench.rig.end_to_end("wrong-time"))),
        _ => Ok("wrong-token"),
    })
}

/// A random instant while tokens flow.
fn await_instant(bench: &Bench, dice: &mut Dice) {
    loop {
        bench.await_tokens(1, bench.now());
        pause(dice.below(BEFORE_CHANGE_MS));
        // A busy machine may have lost its lease meanwhile.
        if bench.ledger.tokens_flow() {
            return;
        }
    }
}

fn pause(ms: u64) {
    thread::sleep(Duration::from_millis(ms));
}

fn load(fault: Fault) -> Load {
    match fault {
        Fault::Step(_) => STEP_LOAD,
        Fault::Slew(_) => SLEW_LOAD,
    }
}

/// A minute at 2000 ppm leads beyond what the tokens of the tight column claim, no further.
fn accuracy(fault: Fault) -> Accuracy {
    match fault {
        Fault::Step(_) => Accuracy::DEFAULT,
        Fault::Slew(_) => TIGHT.parse().expect("it is an accuracy"),
    }
}
