use std::fs;

use chronolease_core::time::{Bound, GenTimeDigits};
use chronolease_net::random;

use super::*;

/// The example of the documentation. It must always load.
const EXAMPLE: &str = include_str!("../../../docs/examples/tsu.toml");

/// Every key of the example that names a file, with that file.
const FILES: [(&str, &str); 8] = [
    ("signer.key_file", "keys/tsu-signing.key"),
    ("signer.certificate_file", "keys/tsu-signing.pem"),
    ("signer.chain_files[0]", "keys/tsa-issuing-ca.pem"),
    ("signer.root_file", "keys/tsa-root-ca.pem"),
    ("evidence.key_file", "keys/evidence-tsu.key"),
    ("link.certificate_file", "keys/link-tsu.pem"),
    ("link.key_file", "keys/link-tsu.key"),
    ("link.monitor_evidence_key_file", "keys/evidence-monitor.pub"),
];

/// A folder of its own that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    /// With an empty file for every name that the example gives.
    fn with_files() -> Self {
        let scratch = Self::empty();
        fs::create_dir(scratch.0.join("keys")).expect("ours");
        for (_, file) in FILES {
            fs::write(scratch.0.join(file), "").expect("ours");
        }
        scratch
    }

    fn empty() -> Self {
        let name = format!("chronolease-tsu-config-{:016x}", u64::from_be_bytes(random::bytes()));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the folder for temporary files is writable");
        Self(folder)
    }

    fn load(&self, text: &str) -> Result<Config, ConfigErrors> {
        let file = self.0.join("tsu.toml");
        fs::write(&file, text).expect("ours");
        Config::load(&file).map(|(config, _)| config)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The example with lines replaced. Each must stand in it exactly once.
fn example(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(EXAMPLE.to_owned(), |text, (line, other)| {
        assert_eq!(text.matches(line).count(), 1, "{line:?} in the example");
        text.replace(line, other)
    })
}

/// The mistakes of the changed example, each as key and message.
fn mistakes(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let errors = Scratch::with_files().load(&example(changes)).expect_err("a mistake");
    errors.as_slice().iter().map(|e| (e.key.clone(), e.message.clone())).collect()
}

/// The one mistake of the changed example must be at `key` and say `part`.
fn refused(changes: &[(&str, &str)], key: &str, part: &str) {
    let mistakes = mistakes(changes);
    assert!(
        matches!(&mistakes[..], [(at, message)] if at == key && message.contains(part)),
        "{changes:?}: expected {key}: {part}, found {mistakes:?}"
    );
}

#[test]
fn the_documented_example_loads() {
    let config = Scratch::with_files().load(EXAMPLE).expect("the example is good");
    assert_eq!(config.tsu.as_str(), "tsu-1");
    assert!(!config.allow_unwitnessed_vm);
    assert_eq!(config.token.policy, "0.4.0.2023.1.1");
    assert_eq!(config.budget.accuracy, Bound::from_millis(500));
    assert_eq!(config.budget.worst_case(), Bound::from_nanos(133_300_000));
    assert_eq!(config.signer.chain_files.len(), 1);
    assert_eq!(config.link.monitor_pins.len(), 1);
}

#[test]
fn without_its_files_the_example_lacks_the_files_and_nothing_else() {
    let errors = Scratch::empty().load(EXAMPLE).expect_err("no file is there");
    let told: Vec<&str> = errors.as_slice().iter().map(|e| e.key.as_str()).collect();
    assert_eq!(told, FILES.map(|(key, _)| key));
    for (error, (_, file)) in errors.as_slice().iter().zip(FILES) {
        assert!(error.message.contains(file), "{error}");
        assert!(error.message.contains("cannot be read"), "{error}");
    }
}

#[test]
fn what_may_be_left_out_has_the_default_of_the_design() {
    let defaults = [
        "mode = \"witnessed\"\n",
        "allow_unwitnessed_vm = false\n",
        "request_bytes_max = 16384\n",
        "connections_max = 1024\n",
        "patience = \"10s\"\n",
        "accepted_policies = []\n",
        "qualified = false\n",
        "chain = \"full\"\n",
        "self_check = \"every\"\n",
        "self_check_one_in = 100\n",
        "[lease]\naccuracy = \"500ms\"\n",
        "grant_within = \"125ms\"\n",
        "guard = \"5ms\"\n",
        "bracket = \"1ms\"\n",
        "rho_ppm = 100\n",
        "ttl = \"3s\"\n",
        "gen_time_digits = 3\n",
        "interval_max = \"60ms\"\n",
        "queue_max = \"150ms\"\n",
        "slots = 2\n",
        "[log]\nlevel = \"info\"\n",
    ];
    let text = example(&defaults.map(|line| (line, "")));
    let short = Scratch::with_files().load(&text).expect("nothing necessary is gone");
    let long = Scratch::with_files().load(EXAMPLE).expect("the example is good");
    assert_eq!(short.budget, long.budget);
    assert_eq!(short.mode, long.mode);
    assert_eq!(short.allow_unwitnessed_vm, long.allow_unwitnessed_vm);
    assert_eq!(short.token.request_policy, long.token.request_policy);
    assert_eq!(short.http.request_bytes_max, long.http.request_bytes_max);
    assert_eq!(short.http.connections_max, long.http.connections_max);
    assert_eq!(short.http.patience, long.http.patience);
    assert_eq!(short.signer.slots, long.signer.slots);
    assert_eq!(short.log_level, long.log_level);
}

#[test]
fn witnessed_is_the_default_and_its_budget_must_hold() {
    let load = |mode: &str| {
        let text = example(&[("mode = \"witnessed\"\n", mode)]);
        Scratch::with_files().load(&text).expect("good").mode
    };
    assert_eq!(load(""), load("mode = \"witnessed\"\n"));
    assert_ne!(load(""), Mode::Leased);
    assert_eq!(load("mode = \"leased\"\n"), Mode::Leased);
    let slow = ("queue_max = \"150ms\"", "queue_max = \"250ms\"");
    refused(&[slow], "lease.interval_max", "= 501.3ms, more than the accuracy of 500ms");
    let leased = ("mode = \"witnessed\"", "mode = \"leased\"");
    let text = example(&[slow, leased]);
    assert!(Scratch::with_files().load(&text).is_ok(), "it has nothing to do with a lease alone");
}

#[test]
fn a_tolerance_that_breaks_the_budget_shows_the_arithmetic() {
    refused(
        &[("grant_within = \"125ms\"", "grant_within = \"493ms\"")],
        "lease.accuracy",
        "493ms + 5ms + 300us + 2ms + 1ms = 501.3ms, more than the accuracy of 500ms",
    );
    // What the sum is made of moves it, each part by itself.
    for (line, other) in [
        ("guard = \"5ms\"", "guard = \"371.701ms\""),
        ("bracket = \"1ms\"", "bracket = \"184.36ms\""),
        ("ttl = \"3s\"", "ttl = \"3671s\""),
        ("accuracy = \"500ms\"", "accuracy = \"133.2ms\""),
    ] {
        refused(&[(line, other)], "lease.accuracy", "E0 + G + rho*TTL + 2*beta + resolution");
    }
    let leased = ("mode = \"witnessed\"", "mode = \"leased\"");
    let exact = example(&[("accuracy = \"500ms\"", "accuracy = \"133.3ms\""), leased]);
    assert!(Scratch::with_files().load(&exact).is_ok(), "the sum may reach the accuracy");
}

#[test]
fn the_digits_of_a_gen_time_must_fit_the_accuracy() {
    let digits = |n: u8| format!("gen_time_digits = {n}");
    for n in [1, 2, 4, 5] {
        refused(
            &[("gen_time_digits = 3", &digits(n))],
            "lease.gen_time_digits",
            "0, 3 or 6 digits",
        );
    }
    let (zero, six) = (digits(0), digits(6));
    refused(
        &[("gen_time_digits = 3", &zero)],
        "lease.accuracy",
        "2ms + 500ms = 632.3ms, more than",
    );
    let second = ("accuracy = \"500ms\"", "accuracy = \"1s\"");
    for (text, figure) in [(&zero, GenTimeDigits::Zero), (&six, GenTimeDigits::Six)] {
        let text = example(&[("gen_time_digits = 3", text), second]);
        let config = Scratch::with_files().load(&text).expect("it fits");
        assert_eq!(config.token_profile().digits, figure);
        assert_eq!(config.limits().digits, figure);
    }
}

#[test]
fn an_accuracy_worse_than_the_standard_allows_is_refused() {
    let changes = [("accuracy = \"500ms\"", "accuracy = \"1001ms\"")];
    refused(&changes, "lease.accuracy", "1s or better");
}

#[test]
fn a_lease_of_no_length_is_refused() {
    refused(&[("ttl = \"3s\"", "ttl = \"0s\"")], "lease.ttl", "must last");
}

#[test]
fn the_monitor_must_be_pinned() {
    let pin = "[\"00000000000000000000000000000000000000000000000000000000000000b0\"]";
    refused(&[(pin, "[]")], "link.monitor_spki_sha256", "at least one key");
    refused(&[(pin, "[\"b0\"]")], "link.monitor_spki_sha256[0]", "64 hexadecimal digits");
}

#[test]
fn a_policy_is_an_object_identifier() {
    let policy = "policy = \"0.4.0.2023.1.1\"";
    refused(&[(policy, "policy = \"best\"")], "token.policy", "an object identifier");
    let accepted = [("accepted_policies = []", "accepted_policies = [\"1.2.3\", \"3.1\"]")];
    refused(&accepted, "token.accepted_policies[1]", "an object identifier");
}

#[test]
fn single_values_are_checked() {
    for (line, other, key, part) in [
        ("id = \"tsu-1\"", "id = \"TSU 1\"", "tsu.id", "a TSU id"),
        ("kind = \"file\"", "kind = \"hsm\"", "signer.kind", "\"file\""),
        ("slots = 2", "slots = 0", "signer.slots", "from 1 to 64"),
        ("= 16384", "= 255", "http.request_bytes_max", "from 256 to 65536"),
        ("= 1024", "= 0", "http.connections_max", "from 1 to 65536"),
        ("patience = \"10s\"", "patience = \"99ms\"", "http.patience", "from 100ms to 60s"),
        ("patience = \"10s\"", "patience = \"61s\"", "http.patience", "from 100ms to 60s"),
        ("rho_ppm = 100", "rho_ppm = 1001", "lease.rho_ppm", "from 1 to 1000"),
        ("\"192.0.2.20:3162\"", "\"monitor:3162\"", "link.monitor", "an IP address"),
        ("\"127.0.0.1:3164\"", "\"192.0.2.10:8080\"", "metrics.listen", "as http.listen"),
    ] {
        refused(&[(line, other)], key, part);
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mistakes = mistakes(&[
        ("mode = \"witnessed\"", "mode = \"both\""),
        ("guard = \"5ms\"", "guard = \"5\""),
        ("slots = 2", "slot = 2"),
        ("\"127.0.0.1:3164\"", "\"everywhere\""),
    ]);
    let keys: Vec<&str> = mistakes.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["tsu.mode", "lease.guard", "signer.slot", "metrics.listen"]);
    assert!(mistakes[2].1.contains("did you mean `slots`?"), "{mistakes:?}");
}

#[test]
fn a_qualified_tsu_has_no_key_in_a_file_and_checks_every_signature() {
    let qualified = ("qualified = false", "qualified = true");
    let told = mistakes(&[qualified]);
    for (key, part) in [("signer.kind", "TIS-7.6.2-03"), ("https", "2025/1929")] {
        let found = told.iter().any(|(at, message)| at == key && message.contains(part));
        assert!(found, "{key}: {told:?}");
    }
    assert_eq!(told.len(), 2, "{told:?}");
    let sampled = ("self_check = \"every\"", "self_check = \"sampled\"");
    let config = Scratch::with_files().load(&example(&[sampled])).expect("not qualified");
    let one_in = std::num::NonZeroU64::new(100).expect("not zero");
    assert_eq!(config.token.self_check, SelfCheck::Sampled(one_in));
    let told = mistakes(&[qualified, sampled]);
    let why = told.iter().find(|(key, _)| key == "token.self_check");
    assert!(why.is_some_and(|(_, message)| message.contains("EN 319 421 7.7.1")), "{told:?}");
    assert_eq!(told.len(), 3, "nothing else goes untold: {told:?}");
    let one_in_one = ("self_check_one_in = 100", "self_check_one_in = 1");
    let told = mistakes(&[sampled, one_in_one]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "token.self_check_one_in");
}

#[test]
fn an_end_date_and_a_padding_are_read() {
    let slots = "slots = 2";
    let with = |line: &str| example(&[(slots, &format!("slots = 2\n{line}"))]);
    let load = |line: &str| Scratch::with_files().load(&with(line)).map(|c| c.signer.terms);
    let terms = load("rsa_padding = \"pss\"\nalgorithm_until = \"2031-12-31\"").expect("good");
    assert_eq!(terms.rsa_padding, Some(crate::core::rfc3161::RsaPadding::Pss));
    assert_eq!(terms.algorithm_until, crate::core::rfc3161::parse_date("2031-12-31"));
    assert!(load("rsa_padding = \"oaep\"").is_err());
    assert!(load("algorithm_until = \"2031-13-01\"").is_err());
}
