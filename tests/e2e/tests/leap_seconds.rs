//! The plan for leap seconds, as the lab's monitor shows it, and a list that is damaged.

use std::fs;

use chronolease_e2e::tools::{run_with, said};
use chronolease_e2e::{Options, Program, Programs, Rig};

fn leap(rig: &Rig, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    rig.monitor_metrics().get(&format!("chronolease_monitor_leap_{name}"), labels)
}

/// In words, by the API and by the log: that there is no list, and what follows.
fn explained(rig: &Rig) {
    let status = rig.status();
    let plan = status["leap_seconds"]["plan"].as_array().expect("lines").clone();
    let lines: Vec<&str> = plan.iter().filter_map(|line| line.as_str()).collect();
    assert!(lines[0].starts_with("The list of leap seconds is missing"), "{lines:?}");
    let suspended = "Issuing is suspended from 23:59:58 to 00:00:02 UTC and until two full good \
                     rounds after";
    let line = lines.iter().find(|line| line.contains(suspended));
    let line = line.unwrap_or_else(|| panic!("{lines:?}"));
    let log = rig.monitor.log();
    assert!(log.contains(&format!("leap seconds: {line}")), "{line}\n{log}");
}

#[test]
fn the_plan_is_shown_and_follows_the_list() {
    let rig = Rig::with_lease(&Options::default());
    let critical = [("severity", "critical")];
    assert!(leap(&rig, "list_days_to_expiry", &[]).is_some_and(|days| days > 1_000.0));
    assert_eq!(leap(&rig, "next_boundary_timestamp_seconds", &[]), None);
    assert_eq!(leap(&rig, "suspended", &[]), Some(0.0));
    assert_eq!(leap(&rig, "findings", &critical), Some(0.0));

    let list = rig.layout().leap_list();
    let good = fs::read_to_string(&list).expect("the lab wrote it");
    fs::write(&list, good.replace("\t37\t", "\t38\t")).expect("the directory is ours");
    rig.eventually("the damaged list counts as missing", || {
        let found = leap(&rig, "findings", &critical);
        if found == Some(1.0) { Ok(()) } else { Err(format!("{found:?}")) }
    });
    assert_eq!(leap(&rig, "list_days_to_expiry", &[]), None);
    explained(&rig);
    // Without a list the next end of June or December is suspended, and until then nothing is.
    let next = leap(&rig, "next_boundary_timestamp_seconds", &[]).expect("there is one");
    assert!(next > 0.0 && next % 86_400.0 == 0.0, "{next}");
    let mut client = rig.client();
    assert!(client.ask().token().is_some());

    fs::write(&list, good).expect("the directory is ours");
    rig.eventually("the list is good again", || {
        let found = leap(&rig, "findings", &critical);
        if found == Some(0.0) { Ok(()) } else { Err(format!("{found:?}")) }
    });
    assert_eq!(rig.endings("leap-second"), 0.0);
}

#[test]
fn a_list_that_is_damaged_or_gone_does_not_pass_the_check() {
    let rig = Rig::prepared(&Options::default());
    let program = Programs::Release.path(Program::Monitor);
    let program = program.to_str().expect("programs have plain names");
    let check = || {
        let config = ["--config", "monitor.toml", "--check-config"];
        let output = run_with(rig.layout().dir(), program, &config, &[]);
        (output.status.code(), said(&output))
    };
    assert_eq!(check().0, Some(0));
    let list = rig.layout().leap_list();
    let good = fs::read_to_string(&list).expect("the lab wrote it");
    fs::write(&list, good.replace("\t37\t", "\t38\t")).expect("the directory is ours");
    let (code, told) = check();
    assert_eq!(code, Some(78), "{told}");
    assert!(told.contains("leap_seconds.file: "), "{told}");
    assert!(told.contains("leap-seconds.list: line "), "{told}");
    fs::remove_file(&list).expect("the lab wrote it");
    let (code, told) = check();
    assert_eq!((code, told.contains("cannot be read")), (Some(78), true), "{told}");
}
