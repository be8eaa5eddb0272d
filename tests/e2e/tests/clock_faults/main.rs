//! A TSU whose clock is stepped or slewed under load: no wrong token leaves it, and none that was
//! sampled after a step. The same faults with guard and probe verdict switched off do lead to
//! wrong tokens.
//!
//! The clock is faked with libfaketime, for the TSU alone; the truth is this machine's own clock.

mod bench;
mod dice;
mod fake_clock;
mod ledger;
mod scenario;
mod wards;

use std::collections::BTreeMap;
use std::thread;

use crate::dice::Dice;
use crate::scenario::{Fault, Plan, Report};

const TOKENS_BEFORE: usize = 2_000;
const CHANGES: usize = 20;

/// Every step is for a TSU of its own.
const STEPS: [Fault; 6] = [
    Fault::Step(700),
    Fault::Step(-700),
    Fault::Step(2_000),
    Fault::Step(-2_000),
    Fault::Step(3_600_000),
    Fault::Step(-3_600_000),
];

const SLEWS: [Fault; 2] = [Fault::Slew(2_000), Fault::Slew(-2_000)];

/// A slew takes its time, so this many TSUs share the slews, half of them each way.
const SLEWED: usize = 10;

/// Acts on a TSU for each of the faults, on all at the same time. Panics when one of them does.
fn at_once<T: Send>(
    faults: impl IntoIterator<Item = Fault>,
    act: impl Fn(Fault, Dice) -> T + Sync,
) -> Vec<(Fault, T)> {
    let mut dice = Dice::new();
    let act = &act;
    thread::scope(|scope| {
        let begin = |fault| {
            let dice = dice.fork();
            (fault, scope.spawn(move || act(fault, dice)))
        };
        let begun: Vec<_> = faults.into_iter().map(begin).collect();
        let ended: Vec<_> = begun.into_iter().map(|(fault, act)| (fault, act.join())).collect();
        let results = ended.into_iter().map(|(fault, result)| match result {
            Ok(result) => (fault, result),
            Err(_) => panic!("{fault}: failed, see above"),
        });
        results.collect()
    })
}

#[test]
fn no_change_of_the_clock_falsifies_a_token() {
    let steps = Plan { before: TOKENS_BEFORE, changes: CHANGES, glimpses: 3 };
    let slews = Plan { before: TOKENS_BEFORE / SLEWED, changes: CHANGES / SLEWED, glimpses: 0 };
    let faults = STEPS.into_iter().chain(SLEWS.into_iter().cycle().take(SLEWED));
    let reports = at_once(faults, |fault, dice| {
        let plan = if matches!(fault, Fault::Step(_)) { steps } else { slews };
        scenario::guarded(fault, plan, dice)
    });
    let mut kinds: BTreeMap<String, Report> = BTreeMap::new();
    for (fault, report) in reports {
        let kind = match fault {
            Fault::Step(_) => fault.to_string(),
            Fault::Slew(ppm) => format!("slew of +-{} ppm", ppm.abs()),
        };
        let sum = kinds.entry(kind).or_default();
        *sum = sum.and(report);
    }
    for (kind, Report { before, after, changes, guarded, tally }) in &kinds {
        println!(
            "{kind}: {before} tokens before, {changes} changes, {after} tokens after; in all \
             {tally}; {guarded} leases ended by the guard"
        );
        assert!(*before >= TOKENS_BEFORE && *changes >= CHANGES, "{kind}");
    }
    assert_eq!(kinds.len(), STEPS.len() + 1);
}

#[test]
fn without_guard_and_verdict_every_fault_falsifies_tokens() {
    for (fault, error) in at_once(STEPS.into_iter().chain(SLEWS), scenario::unguarded) {
        println!("{fault}, guard and verdict switched off: a token is off by {error}");
    }
}

/// The promise is broken already when it is found: the last line of defence, and the only one that
/// is left when guard, witness and verdict fail.
#[test]
fn without_guard_and_verdict_the_monitor_finds_a_wrong_token_where_clients_get_theirs() {
    let found = scenario::watched(Fault::Step(3_600_000));
    println!("a step of an hour, guard and verdict switched off: found, latched as {found}");
}
