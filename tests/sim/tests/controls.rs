//! Every broken core is found out at its seed, and the sound ones are not.

use chronolease_core::broken::Condition;
use chronolease_sim::controls::{ALL, Control};

fn check(controls: impl Iterator<Item = &'static Control>) {
    let missed: Vec<&str> = controls
        .filter(|control| !control.is_found_out(control.seed))
        .map(|control| control.name)
        .collect();
    assert!(missed.is_empty(), "not found out at their seeds, or the sound cores are: {missed:#?}");
}

/// A ward latches only as its lease ends, so the live lease says no wherever the latch does:
/// without the live lease the core is found out, with the latch in place or not.
const HIDDEN_ALTOGETHER: (&str, &[Condition]) = ("witness: not latched", &[Condition::Unlatched]);

/// One defence hides what lets another one through. Each that an entry names is needed: with it in
/// place, and the others left out, the core is not found out at the entry's seed.
#[test]
fn each_defence_that_is_left_out_alone_would_hide_that_the_others_are_missing() {
    let idle: Vec<_> = ALL
        .iter()
        .filter(|control| control.left_out.len() > 1)
        .map(|control| (control.name, control.idle(control.seed)))
        .filter(|(_, idle)| !idle.is_empty())
        .collect();
    let (name, conditions) = HIDDEN_ALTOGETHER;
    assert_eq!(idle, [(name, conditions.to_vec())], "found out as well without leaving them out");
}

fn is_of_box_a(control: &Control) -> bool {
    ["judge", "holder", "issuer"].iter().any(|part| control.name.starts_with(part))
}

#[test]
fn every_broken_core_of_box_a_is_found_out() {
    check(ALL.iter().filter(|control| is_of_box_a(control)));
}

#[test]
fn every_broken_core_of_box_b_and_every_mistake_of_a_shell_is_found_out() {
    check(ALL.iter().filter(|control| !is_of_box_a(control)));
}
