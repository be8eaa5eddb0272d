//! Box B on a virtual machine: refused unless it is allowed, and what is allowed is on record.

use chronolease_core::evidence::leaf::Event;
use chronolease_e2e::evidence::Log;
use chronolease_e2e::rig::lay_over;
use chronolease_e2e::tools::{run_with, said};
use chronolease_e2e::{Options, Program, Programs, Rig};

/// EX_CONFIG of sysexits.h.
const EX_CONFIG: i32 = 78;

/// Whether this machine is virtual the monitor says itself, so both kinds are tested where they are.
#[test]
fn a_virtual_box_b_is_refused_unless_it_is_allowed_and_that_is_on_record() {
    let mut rig = Rig::prepared(&Options::default());
    rig.start_monitor();
    let metric = rig.monitor_metrics().get("chronolease_monitor_virtual", &[]);
    let is_virtual = metric.expect("shown from the start") > 0.0;
    assert_eq!(rig.monitor.sigterm().code(), Some(0), "{}", rig.monitor.tail());
    let leaves = Log::of_monitor(rig.layout()).read(None).leaves;
    let started = leaves.iter().rev().find_map(|leaf| match &leaf.event {
        Event::Started(started) => Some(started),
        _ => None,
    });
    assert_eq!(started.expect("on record").virtual_allowed, is_virtual);

    lay_over(rig.layout(), "monitor", "[monitor]\nallow_virtual_monitor = false\n");
    let program = Programs::Release.path(Program::Monitor);
    let (program, file) = (program.to_str(), rig.layout().monitor_toml());
    let config = file.to_str().expect("temporary directories have plain names");
    let arguments = ["--config", config, "--check-config"];
    let program = program.expect("programs have plain names");
    let output = run_with(rig.layout().dir(), program, &arguments, &[]);
    let expected = if is_virtual { EX_CONFIG } else { 0 };
    assert_eq!(output.status.code(), Some(expected), "{}", said(&output));
    assert_eq!(said(&output).contains("monitor.allow_virtual_monitor = true"), is_virtual);
}
