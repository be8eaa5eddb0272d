//! A real chronyd as one of the sources: the monitor's codec against one that nobody here wrote.

use std::fs;
use std::path::PathBuf;

use chronolease_e2e::process::Process;
use chronolease_e2e::{Options, Rig};
use serde_json::json;

const CHRONYD: &str = "/usr/sbin/chronyd";

#[test]
fn chronyd_serves_as_a_source_that_a_lease_rests_on() {
    let mut rig = Rig::prepared(&Options::default());
    let _chronyd = start_chronyd(&rig, "local stratum 1\n");
    hear_chronyd_as_inrim(&rig);
    rig.start_sources();
    // Three of five are left, the fewest that may decide: without chronyd there is no lease.
    rig.turn("metas", &json!({"drop": true}));
    rig.turn("sp", &json!({"drop": true}));
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();
    for (source, state) in [("inrim", "ok"), ("metas", "unreachable"), ("sp", "unreachable")] {
        rig.wait_for_source(source, state);
    }
    let answer = rig.client().ask();
    assert!(answer.token().is_some(), "{answer:?}");
    // chronyd serves the very clock that the monitor measures it against.
    let metrics = rig.monitor_metrics();
    let [offset, bound] = ["offset", "uncertainty"].map(|what| {
        let name = format!("chronolease_monitor_source_{what}_seconds");
        metrics.get(&name, &[("source", "inrim")]).expect("it is known")
    });
    assert!(bound > 0.0 && bound < 0.25, "{bound}");
    assert!(offset.abs() <= bound, "{offset} {bound}");
}

/// A chronyd without a reference answers with LI = 3 and stratum 0, which is no kiss of death.
#[test]
fn a_chronyd_that_is_not_synchronised_is_excluded_and_the_reason_told() {
    let mut rig = Rig::prepared(&Options::default());
    let _chronyd = start_chronyd(&rig, "");
    hear_chronyd_as_inrim(&rig);
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_source("inrim", "excluded");
    let reason = [("source", "inrim"), ("reason", "unsynchronised")];
    let family = "chronolease_monitor_source_reason";
    assert_eq!(rig.monitor_metrics().get(family, &reason), Some(1.0));
    // The other four bear the lease.
    rig.wait_for_lease();
}

/// chronyd that serves the system's clock if `reference` says so, whatever that clock says, and leaves
/// it alone (`-x`).
fn start_chronyd(rig: &Rig, reference: &str) -> Process {
    let program = PathBuf::from(CHRONYD);
    assert!(program.is_file(), "{CHRONYD} is missing; `make test` installs it");
    let file = |name: &str| rig.layout().file(name);
    let config = file("chrony.conf");
    let text = format!(
        "port {}\nbindaddress 127.0.0.1\ncmdport 0\nbindcmdaddress /\nallow 127/8\n\
         {reference}user root\npidfile {}\n",
        rig.spare_port(),
        file("chronyd.pid").display()
    );
    fs::write(&config, text).expect("the directory is ours");
    let config = config.to_str().expect("temporary directories have plain names");
    let log = file("chronyd.log");
    let mut chronyd = Process::new(program, &["-4", "-U", "-x", "-d", "-f", config], log);
    chronyd.start_until(|| {
        if file("chronyd.pid").exists() { Ok(()) } else { Err("no pid file".to_owned()) }
    });
    chronyd
}

fn hear_chronyd_as_inrim(rig: &Rig) {
    let lab = |(source, address): (chronolease_lab::Laboratory, std::net::SocketAddr)| {
        (source.name == "inrim").then(|| address.to_string())
    };
    let inrim = rig.ports().sources().find_map(lab).expect("it is one of the five");
    let file = rig.layout().monitor_toml();
    let text = fs::read_to_string(&file).expect("the lab wrote it");
    let heard = text.replace(&inrim, &format!("127.0.0.1:{}", rig.spare_port()));
    assert_ne!(text, heard);
    fs::write(&file, heard).expect("the directory is ours");
}
