//! What a source can be ill with, one illness after the other, against the shipped monitor; and the
//! second opinion on sources, by hand and in service.

use chronolease_core::evidence::leaf::{Event, Leaf, Round, SourceReading};
use chronolease_e2e::evidence::Log;
use chronolease_e2e::tools::{run, said};
use chronolease_e2e::{Options, Program, Programs, Rig};
use serde_json::{Value, json};

/// An illness, and what the monitor calls it.
struct Illness {
    source: &'static str,
    ill: Value,
    well: Value,
    state: &'static str,
    /// The result of its polls.
    result: &'static str,
}

fn illnesses() -> Vec<Illness> {
    let ill = |source, ill, well, state, result| Illness { source, ill, well, state, result };
    let off = |source, ms: i64| {
        let (wrong, right) = (json!({"offset_ms": ms}), json!({"offset_ms": 0}));
        ill(source, wrong, right, "falseticker", "sample")
    };
    vec![
        off("ptb", 100),
        off("npl", -1_000),
        off("metas", 3_600_000),
        ill("sp", json!({"stratum": 0}), json!({"stratum": 1}), "excluded", "stratum"),
        ill("inrim", json!({"stratum": 16}), json!({"stratum": 1}), "excluded", "stratum"),
        ill(
            "ptb",
            json!({"root_dispersion_ms": 51}),
            json!({"root_dispersion_ms": 0.1}),
            "excluded",
            "root-distance",
        ),
        ill("npl", json!({"refid": "GOOG"}), json!({"refid": "NPL"}), "excluded", "smear"),
        ill("metas", json!({"mode": 5}), json!({"mode": 4}), "excluded", "mode"),
        // These two say nothing of the clock, so the older sample lasts until its age.
        ill(
            "sp",
            json!({"return_delay_ms": 250}),
            json!({"return_delay_ms": 0}),
            "excluded",
            "delay",
        ),
        ill(
            "inrim",
            json!({"stratum": 0, "refid": "DENY"}),
            json!({"stratum": 1, "refid": "INRI"}),
            "excluded",
            "kiss-deny",
        ),
    ]
}

/// Why a source is in its state, as the monitor tells an auditor.
fn told(rig: &Rig, source: &str) -> Option<String> {
    let status = rig.status();
    let sources = status["sources"].as_array().expect("a list");
    let shown = sources.iter().find(|it| it["name"] == source).expect("it is configured");
    assert_eq!(shown["reason"].is_null(), shown["why"].is_null(), "{shown}");
    shown["reason"].as_str().map(str::to_owned)
}

#[test]
fn every_illness_of_a_source_is_named_and_the_lease_outlives_all_of_them() {
    let rig = Rig::with_lease(&Options::default());
    for Illness { source, ill, well, state, result } in illnesses() {
        let polls = || {
            let labels = [("source", source), ("result", result)];
            let family = "chronolease_monitor_source_polls_total";
            rig.monitor_metrics().get(family, &labels).unwrap_or(0.0)
        };
        let before = polls();
        rig.turn(source, &ill);
        rig.wait_for_source(source, state);
        rig.eventually(&format!("{source} is counted as {result}"), || match polls() {
            now if now > before => Ok(()),
            now => Err(now.to_string()),
        });
        let reason = if state == "falseticker" { "misses-utc" } else { result };
        assert_eq!(told(&rig, source).as_deref(), Some(reason), "{source}");
        let labels = [("source", source), ("reason", reason)];
        let family = "chronolease_monitor_source_reason";
        assert_eq!(rig.monitor_metrics().get(family, &labels), Some(1.0), "{labels:?}");
        rig.turn(source, &well);
        rig.wait_for_source(source, "ok");
        rig.eventually(&format!("{source} is sound"), || match told(&rig, source) {
            None => Ok(()),
            Some(reason) => Err(reason),
        });
        assert_eq!(rig.monitor_metrics().get(family, &labels), None, "{labels:?}");
    }
    assert!(rig.is_ready());
    let metrics = rig.monitor_metrics();
    let get = |name: &str| metrics.get(&format!("chronolease_monitor_{name}"), &[]);
    let shown = ["groups_usable", "groups_faults", "groups_required"].map(get);
    assert_eq!(shown, [Some(5.0), Some(1.0), Some(3.0)]);
    let known = [("state", "known")];
    assert_eq!(metrics.get("chronolease_monitor_utc_state", &known), Some(1.0));
    for cause in ["no-consensus", "quorum-lost", "lapsed", "deviation"] {
        assert_eq!(rig.endings(cause), 0.0, "{cause}");
    }
    every_illness_is_on_record(rig);
}

fn every_illness_is_on_record(mut rig: Rig) {
    rig.monitor.sigterm();
    let record = Log::of_monitor(rig.layout()).read(None);
    let rounds: Vec<&Round> = record.leaves.iter().filter_map(round).collect();
    for Illness { source, state, result, .. } in illnesses() {
        let reason = if state == "falseticker" { "misses-utc" } else { result };
        let is_told = |reading: &SourceReading| {
            let word = reading.reason.as_ref().map(|it| it.word.as_str());
            reading.name == source && word == Some(reason)
        };
        let told = rounds.iter().any(|round| round.sources.iter().any(is_told));
        assert!(told, "{source}: {reason}");
    }
    assert!(rounds.iter().any(|round| round.estimate.is_some()));
    // Box B's own clocks, and those of the TSU once they were judged.
    assert!(rounds.iter().all(|round| !round.drifts.is_empty()));
    assert!(rounds.iter().any(|round| round.drifts.len() == 2));
}

fn round(leaf: &Leaf) -> Option<&Round> {
    match &leaf.event {
        Event::Round(round) => Some(round),
        _ => None,
    }
}

#[test]
fn sources_are_probed_by_two_clients_before_and_in_service() {
    let options = Options {
        monitor_overlay: Some("[sources]\nsecond_opinion = \"1s\"\n".to_owned()),
        ..Options::default()
    };
    let mut rig = Rig::prepared(&options);
    rig.start_sources();
    let program = Programs::Release.path(Program::Monitor);
    let program = program.to_str().expect("programs have plain names");
    let probe = || {
        let arguments = ["--config", "monitor.toml", "sources", "probe"];
        let output = run(rig.layout().dir(), program, &arguments);
        (output.status.code(), said(&output))
    };
    // Both clients see the same lie.
    rig.turn("ptb", &json!({"offset_ms": 5_000}));
    let (code, told) = probe();
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told.lines().filter(|line| line.contains("  agree  ")).count(), 5, "{told}");
    let ptb = told.lines().find(|line| line.starts_with("ptb ")).expect("a line for each");
    assert!(ptb.contains("PTB") && ptb.contains("  5.0") || ptb.contains("  4.99"), "{told}");

    rig.turn("sp", &json!({"drop": true}));
    let (code, told) = probe();
    assert_eq!(code, Some(1), "{told}");
    let sp = told.lines().find(|line| line.starts_with("sp ")).expect("a line for each");
    assert!(sp.contains("no answer"), "{told}");
    assert!(told.contains("1 of 5 sources cannot be relied on"), "{told}");

    for source in ["ptb", "sp"] {
        rig.turn(source, &json!({"offset_ms": 0, "drop": false}));
    }
    rig.start_monitor();
    for source in ["ptb", "npl", "metas", "sp", "inrim"] {
        rig.eventually(&format!("two clients agree about {source}"), || {
            let metrics = rig.monitor_metrics();
            let family = "chronolease_monitor_source_second_opinions_total";
            match metrics.get(family, &[("source", source), ("result", "agree")]) {
                Some(count) if count >= 1.0 => Ok(()),
                _ => Err(metrics.shown(family)),
            }
        });
        let family = "chronolease_monitor_source_clients_disagree";
        let shown = rig.monitor_metrics().get(family, &[("source", source)]);
        assert_eq!(shown, Some(0.0), "{source}");
    }
}

/// What `--check-config` adds up, term by term.
#[test]
fn the_error_budget_is_told_term_by_term() {
    let rig = Rig::prepared(&Options::default());
    let program = Programs::Release.path(Program::Monitor);
    let program = program.to_str().expect("programs have plain names");
    let output = run(rig.layout().dir(), program, &["--config", "monitor.toml", "--check-config"]);
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for (term, length) in [
        ("root distance", "50ms"),
        ("half the delay", "100ms"),
        ("2*e_max", "120ms"),
        ("queue_max", "150ms"),
        ("A: accuracy", "500ms"),
    ] {
        let line = told.lines().find(|line| line.contains(term));
        assert!(line.is_some_and(|line| line.ends_with(length)), "{term} {length}\n{told}");
    }
}
