//! Time sources that lie, fall silent, or tell that they do not know.

use chronolease_core::time::Bound;
use chronolease_e2e::rig::TSU;
use chronolease_e2e::{Options, Rig, tsp, wait};
use chronolease_sys::Clocks;
use serde_json::{Value, json};

/// What a lab claims.
const ACCURACY: Bound = Bound::from_millis(500);
/// How long a lab's TSU must have behaved well after a lapse.
const HOLD: Bound = Bound::from_millis(3_000);
/// How long it takes a lab's monitor to ask every source twice.
const TWO_POLLS: Bound = Bound::from_millis(2_000);

fn leases_granted(rig: &Rig) -> f64 {
    let granted = "chronolease_monitor_leases_granted_total";
    rig.monitor_metrics().get(granted, &[("tsu", TSU)]).expect("it is known")
}

fn expect_token(client: &mut tsp::Client) {
    let answer = client.ask();
    assert!(answer.off_by().is_some_and(|off| off <= ACCURACY), "{answer:?}");
}

/// Asks for tokens without a pause while `rig` comes to show `state` for `source` and then renews
/// its lease `renewals` times. Every answer must be a token.
fn tokens_go_on(rig: &Rig, source: &str, state: &str, renewals: f64) {
    let mut client = rig.client();
    let mut enough = None;
    let what = format!("{source} is {state} and the lease is renewed all the same");
    rig.eventually(&what, || {
        for _ in 0..5 {
            expect_token(&mut client);
        }
        let metrics = rig.monitor_metrics();
        let family = "chronolease_monitor_source_state";
        let shown = metrics.get(family, &[("source", source), ("state", state)]);
        let granted = leases_granted(rig);
        if shown == Some(1.0) && granted >= *enough.get_or_insert(granted + renewals) {
            Ok(())
        } else {
            Err(format!("{granted} leases, {}", metrics.shown(family)))
        }
    });
}

#[test]
fn one_bad_source_is_named_and_tokens_go_on() {
    let rig = Rig::with_lease(&Options::default());
    let cases: [(&str, Value, Value, &str); 4] = [
        ("ptb", json!({"offset_ms": 500}), json!({"offset_ms": 0}), "falseticker"),
        ("npl", json!({"leap": "unsynchronised"}), json!({"leap": "none"}), "excluded"),
        ("metas", json!({"drop": true}), json!({"drop": false}), "unreachable"),
        // An answer to something else is no answer, as an attacker beside the path may send it.
        ("sp", json!({"wrong_origin": true}), json!({"wrong_origin": false}), "unreachable"),
    ];
    for (source, wrong, right, state) in &cases {
        rig.turn(source, wrong);
        tokens_go_on(&rig, source, state, 2.0);
        let shown = rig.monitor_metrics();
        let offset = shown.get("chronolease_monitor_source_offset_seconds", &[("source", source)]);
        match *state {
            "falseticker" => assert!(offset.is_some_and(|s| (0.4..0.6).contains(&s)), "{offset:?}"),
            _ => assert_eq!(offset, None, "nothing is known of a source that is {state}"),
        }
        rig.turn(source, right);
        tokens_go_on(&rig, source, "ok", 0.0);
    }
    for cause in ["no-consensus", "quorum-lost", "lapsed", "link-lost", "deviation"] {
        assert_eq!(rig.endings(cause), 0.0, "{cause}");
    }
}

#[test]
fn too_many_bad_sources_end_the_lease_until_they_are_right_again() {
    let rig = Rig::with_lease(&Options::default());
    let lie = [("ptb", json!({"offset_ms": 500})), ("npl", json!({"offset_ms": -700}))];
    let fall_silent = ["metas", "sp", "inrim"].map(|name| (name, json!({"drop": true})));
    for (cause, knobs) in [("no-consensus", &lie[..]), ("quorum-lost", &fall_silent)] {
        the_lease_ends_and_comes_back(&rig, cause, knobs);
    }
}

fn the_lease_ends_and_comes_back(rig: &Rig, cause: &str, knobs: &[(&str, Value)]) {
    let clocks = Clocks::open().expect("this box has clocks");
    let mut client = rig.client();
    for (source, wrong) in knobs {
        expect_token(&mut client);
        rig.turn(source, wrong);
    }
    rig.eventually("the TSU refuses", || {
        let answer = client.ask();
        if answer.is_time_not_available() {
            return Ok(());
        }
        assert!(answer.off_by().is_some_and(|off| off <= ACCURACY), "{answer:?}");
        Err(format!("{answer:?}"))
    });
    // From the first refusal on it refuses every time, while the monitor goes round.
    wait::during(TWO_POLLS, || {
        let answer = client.ask();
        assert!(answer.is_time_not_available(), "{answer:?}");
    });
    rig.eventually("the monitor counts the ending", || match rig.endings(cause) {
        1.0 => Ok(()),
        endings => Err(endings.to_string()),
    });
    assert!(!rig.is_ready());
    let metrics = rig.monitor_metrics();
    let held = [("tsu", TSU), ("state", "granted")];
    assert_eq!(metrics.get("chronolease_monitor_lease_state", &held), Some(0.0));
    assert_eq!(metrics.get("chronolease_monitor_utc_known", &[]), Some(0.0));

    let before = clocks.raw();
    for (source, _) in knobs {
        rig.turn(source, &json!({"offset_ms": 0, "drop": false}));
    }
    let answer = rig.eventually("tokens come back", || {
        let answer = client.ask();
        if answer.is_time_not_available() { Err(format!("{answer:?}")) } else { Ok(answer) }
    });
    let waited = clocks.raw() - before;
    assert!(answer.off_by().is_some_and(|off| off <= ACCURACY), "{answer:?}");
    assert!(waited >= HOLD.as_span(), "back after {waited}, which is less than the hold");
    assert_eq!(rig.endings(cause), 1.0);
    for (source, _) in knobs {
        rig.wait_for_source(source, "ok");
    }
}
