//! Every broken core is found out at its seed, and the sound ones are not.

use chronolease_sim::controls::{ALL, Control};

fn check(controls: impl Iterator<Item = &'static Control>) {
    let missed: Vec<&str> = controls
        .filter(|control| !control.is_found_out(control.seed))
        .map(|control| control.name)
        .collect();
    assert!(missed.is_empty(), "not found out at their seeds, or the sound cores are: {missed:#?}");
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
