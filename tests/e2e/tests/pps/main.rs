//! A pulse-per-second signal on box B that is shifted, lost and doubled, and what becomes of the
//! lease. The reader is the one that ships; a thread stands for the device.

mod reader;

use chronolease_core::evidence::leaf::Event;
use chronolease_core::lease::EndingCause;
use chronolease_core::pps::PpsState;
use chronolease_e2e::evidence::Log;
use chronolease_e2e::{Options, Rig};
use reader::{Reader, Signal};

/// `pps.limit` in these tests is 5 ms.
const BEYOND_NS: i64 = 6_000_000;

const ANOMALIES: [(Signal, PpsState); 3] = [
    (Signal::Pulses(BEYOND_NS), PpsState::Shifted),
    (Signal::Gone, PpsState::Lost),
    (Signal::Doubled, PpsState::Doubled),
];

/// Everything runs, the signal is good, and the TSU holds a lease.
fn start(required: bool) -> (Rig, Reader) {
    let overlay = format!("[pps]\nlimit = \"5ms\"\njitter = \"1ms\"\nrequired = {required}\n");
    let mut rig = Rig::prepared(&Options { monitor_overlay: Some(overlay), ..Options::default() });
    rig.start_sources();
    let reader = Reader::start(&rig.layout().monitor_clock_socket());
    rig.start_monitor_alone();
    rig.start_tsu();
    wait_for_signal(&rig, PpsState::Good);
    rig.wait_for_lease();
    assert!(rig.client().ask().token().is_some());
    (rig, reader)
}

fn wait_for_signal(rig: &Rig, state: PpsState) {
    rig.eventually(&format!("the signal is {state}"), || {
        let metrics = rig.monitor_metrics();
        let family = "chronolease_monitor_pps_state";
        match metrics.get(family, &[("state", state.label())]) {
            Some(1.0) => Ok(()),
            _ => Err(metrics.shown(family)),
        }
    });
}

/// How often the signal became this anomaly so far.
fn anomalies(rig: &Rig, state: PpsState) -> f64 {
    let family = "chronolease_monitor_pps_anomalies_total";
    rig.monitor_metrics().get(family, &[("state", state.label())]).expect("from the start")
}

/// The monitor ends in good order; the states of the signal and the endings of leases on its record.
fn recorded(mut rig: Rig) -> (Vec<PpsState>, Vec<EndingCause>) {
    assert_eq!(rig.monitor.sigterm().code(), Some(0), "{}", rig.monitor.tail());
    let (mut states, mut endings) = (Vec::new(), Vec::new());
    for leaf in Log::of_monitor(rig.layout()).read(None).leaves {
        match leaf.event {
            Event::PpsChange(change) => {
                assert!(change.is_consistent(), "{change:?}");
                states.push(change.to);
            }
            Event::LeaseEnded(ended) => endings.push(ended.cause),
            _ => {}
        }
    }
    (states, endings)
}

#[test]
fn an_anomaly_ends_the_lease_where_the_signal_is_needed_and_it_comes_back_with_the_signal() {
    let (rig, reader) = start(true);
    for (count, (signal, state)) in (1_u32..).zip(ANOMALIES) {
        reader.set(signal);
        rig.wait_until_unready();
        let refused = rig.client().ask();
        assert!(refused.is_time_not_available(), "{refused:?}");
        wait_for_signal(&rig, state);
        assert_eq!(rig.endings("pps-anomaly"), f64::from(count));
        let status = rig.status();
        let shown = (&status["pps"]["state"], &status["pps"]["anomaly"]);
        assert_eq!(shown, (&state.label().into(), &true.into()), "{status}");
        assert_eq!(status["tsus"][0]["latched_by"], serde_json::Value::Null, "{status}");

        reader.set(Signal::Pulses(0));
        rig.wait_for_lease();
        assert!(rig.client().ask().token().is_some());
    }
    let told = rig.monitor.log();
    assert!(told.contains("the PPS signal is an anomaly"), "{told}");
    let (states, endings) = recorded(rig);
    for (_, state) in ANOMALIES {
        assert!(states.contains(&state), "{state} in {states:?}");
    }
    let anomaly = |cause: &&EndingCause| **cause == EndingCause::PpsAnomaly;
    assert_eq!(endings.iter().filter(anomaly).count(), ANOMALIES.len(), "{endings:?}");
}

/// The control: the same signals, and nothing but alarms.
#[test]
fn an_anomaly_alarms_and_the_lease_goes_on_where_the_signal_is_not_needed() {
    let (rig, reader) = start(false);
    let granted = |rig: &Rig| {
        let family = "chronolease_monitor_leases_granted_total";
        rig.monitor_metrics().get(family, &[("tsu", chronolease_e2e::rig::TSU)]).expect("counted")
    };
    for (signal, state) in ANOMALIES {
        reader.set(signal);
        rig.eventually(&format!("the signal became {state}"), || {
            let seen = anomalies(&rig, state);
            if seen > 0.0 { Ok(()) } else { Err(format!("{seen} times")) }
        });
        // The lease is renewed beside the anomaly.
        let before = granted(&rig);
        rig.eventually("the lease is renewed", || {
            if granted(&rig) >= before + 2.0 { Ok(()) } else { Err(granted(&rig).to_string()) }
        });
        wait_for_signal(&rig, state);
        assert!(rig.client().ask().token().is_some());
        reader.set(Signal::Pulses(0));
        wait_for_signal(&rig, PpsState::Good);
    }
    assert_eq!(rig.endings("pps-anomaly"), 0.0);
    let told = rig.monitor.log();
    assert!(told.contains("the PPS signal is an anomaly"), "{told}");
    let (states, endings) = recorded(rig);
    for (_, state) in ANOMALIES {
        assert!(states.contains(&state), "{state} in {states:?}");
    }
    assert!(!endings.contains(&EndingCause::PpsAnomaly), "{endings:?}");
}
