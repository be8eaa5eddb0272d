//! The monitor asks for real tokens where clients ask, and judges what comes back. That it finds a
//! wrong one is shown in `clock_faults`.

use chronolease_core::evidence::leaf::{EndToEndResult, Event};
use chronolease_e2e::evidence::Log;
use chronolease_e2e::rig::TSU;
use chronolease_e2e::tools::said;
use chronolease_e2e::{Options, Rig};

/// Faster than a lab's own, which is made for people.
const OFTEN: &str = "[end_to_end]\ninterval = \"200ms\"\ntimeout = \"200ms\"\n";

fn wait_for(rig: &Rig, result: &str, count: f64) {
    rig.eventually(&format!("{count} times {result}"), || match rig.end_to_end(result) {
        seen if seen >= count => Ok(()),
        seen => Err(format!(
            "{seen}; {}",
            rig.monitor_metrics().shown("chronolease_monitor_end_to_end_results_total")
        )),
    });
}

#[test]
fn the_public_endpoint_is_asked_and_what_it_says_is_judged_and_on_record() {
    let mut rig = Rig::prepared(&Options {
        end_to_end: true,
        monitor_overlay: Some(OFTEN.to_owned()),
        ..Options::default()
    });
    rig.start_sources();
    rig.start_monitor();
    wait_for(&rig, "unreachable", 1.0);
    rig.start_tsu();
    wait_for(&rig, "no-lease", 1.0);
    rig.wait_for_lease();
    wait_for(&rig, "good", 5.0);
    let metrics = rig.monitor_metrics();
    let shown = |name: &str| {
        let name = format!("chronolease_monitor_end_to_end_{name}_seconds");
        metrics.get(&name, &[("tsu", TSU)])
    };
    let [lower, upper, age] = ["error_lower", "error_upper", "age"].map(shown);
    assert!(lower.is_some_and(|lower| lower > -0.5), "{lower:?}");
    assert!(upper.is_some_and(|upper| upper < 0.5), "{upper:?}");
    assert!(age.is_some_and(|age| age >= 0.0), "{age:?}");

    // Another certificate than the TSU's: its tokens are good, and not for this monitor.
    assert_eq!(rig.monitor.sigterm().code(), Some(0), "{}", rig.monitor.tail());
    let text = std::fs::read_to_string(rig.layout().monitor_toml()).expect("it is there");
    let other = text.replace(
        "token_certificate_files = [\"pki/tsu.pem\"]",
        "token_certificate_files = [\"pki/nodes/tsu.pem\"]",
    );
    assert_ne!(text, other);
    std::fs::write(rig.layout().monitor_toml(), other).expect("the directory is ours");
    rig.start_monitor();
    rig.wait_for_lease();
    wait_for(&rig, "unverifiable", 1.0);
    assert_eq!(rig.end_to_end("good"), 0.0);
    for grave in ["wrong-time", "without-lease"] {
        assert_eq!(rig.end_to_end(grave), 0.0, "{}", rig.monitor.tail());
    }
    assert_eq!(rig.recorded("latch"), "-");
    assert_eq!(rig.monitor.sigterm().code(), Some(0), "{}", rig.monitor.tail());

    let log = Log::of_monitor(rig.layout());
    let fsck = log.fsck(rig.layout());
    assert_eq!(fsck.status.code(), Some(0), "{}", said(&fsck));
    let record = log.read(None);
    let mut seen = Vec::new();
    for leaf in &record.leaves {
        let Event::EndToEnd(it) = &leaf.event else { continue };
        assert_eq!(it.response.is_none(), it.result == EndToEndResult::Unreachable);
        assert!(it.utc_minus_raw.is_some() || it.result != EndToEndResult::Good);
        seen.push(it.result);
    }
    use EndToEndResult::{Good, NoLease, Unreachable, Unverifiable};
    for result in [Unreachable, NoLease, Good, Unverifiable] {
        assert!(seen.contains(&result), "{result:?} in {seen:?}");
    }
}
