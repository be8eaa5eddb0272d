use std::fs;

use chronolease_net::random;

use super::*;
use crate::core::authority::Rearm;
use crate::core::sources::Voters;

mod laboratories;

/// The example of the documentation. It must always load.
const EXAMPLE: &str = include_str!("../../../docs/examples/monitor.toml");

/// Every key of the example that names a file, with that file.
const FILES: [(&str, &str); 5] = [
    ("link.certificate_file", "keys/link-monitor.pem"),
    ("link.key_file", "keys/link-monitor.key"),
    ("evidence.key_file", "keys/evidence-monitor.key"),
    ("tsu[0].token_certificate_files[0]", "keys/tsu-signing.pem"),
    ("tsu[0].evidence_key_file", "keys/evidence-tsu.pub"),
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
        let tag = u64::from_be_bytes(random::bytes());
        let folder = std::env::temp_dir().join(format!("chronolease-monitor-config-{tag:016x}"));
        fs::create_dir(&folder).expect("the folder for temporary files is writable");
        Self(folder)
    }

    fn load(&self, text: &str) -> Result<Config, ConfigErrors> {
        let file = self.0.join("monitor.toml");
        fs::write(&file, text).expect("ours");
        Config::load(&file).map(|(config, _)| config)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The example with parts replaced. Each must stand in it exactly once.
fn example(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(EXAMPLE.to_owned(), |text, (part, other)| {
        assert_eq!(text.matches(part).count(), 1, "{part:?} in the example");
        text.replace(part, other)
    })
}

fn good(changes: &[(&str, &str)]) -> Config {
    Scratch::with_files().load(&example(changes)).expect("no mistake")
}

/// The mistakes of a text, each as key and message.
fn mistakes(text: &str) -> Vec<(String, String)> {
    let errors = Scratch::with_files().load(text).expect_err("a mistake");
    errors.as_slice().iter().map(|e| (e.key.clone(), e.message.clone())).collect()
}

/// The one mistake of the changed example must be at `key` and say `part`.
fn refused(changes: &[(&str, &str)], key: &str, part: &str) {
    let mistakes = mistakes(&example(changes));
    assert!(
        matches!(&mistakes[..], [(at, message)] if at == key && message.contains(part)),
        "{changes:?}: expected {key}: {part}, found {mistakes:?}"
    );
}

#[test]
fn two_listeners_have_two_addresses() {
    let (link, admin) = ("\"192.0.2.20:3162\"", "\"192.0.2.20:3163\"");
    refused(&[(admin, link)], "admin.listen", "the same address as link.listen");
}

#[test]
fn the_documented_example_loads() {
    let config = good(&[]);
    let groups: std::collections::BTreeSet<&str> =
        config.sources.servers.iter().map(|server| server.laboratory.as_str()).collect();
    assert_eq!((config.sources.servers.len(), groups.len()), (6, 5));
    let roles: Vec<Role> = config.persons.iter().map(|person| person.role).collect();
    assert_eq!(roles, [Role::Auditor, Role::Operator, Role::Officer, Role::Administrator]);
    let rules = &config.wards[0].rules;
    assert_eq!((rules.tsu.as_str(), rules.policy.as_str()), ("tsu-1", "0.4.0.2023.1.1"));
    assert_eq!(rules.rearm, Rearm::TwoPersons);
    assert!(!config.allow_virtual_monitor);
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
fn the_evidence_log_is_where_and_what_the_example_says() {
    let evidence = good(&[]).evidence;
    assert_eq!(evidence.dir, std::path::Path::new("/var/lib/chronolease/monitor/evidence"));
    assert_eq!(evidence.origin.as_str(), "monitor.tsa.example/evidence");
    assert_eq!((evidence.segment_bytes, evidence.reserve_bytes), (64 << 20, 256 << 20));
}

#[test]
fn what_may_be_left_out_has_the_default_of_the_design() {
    let defaults = [
        "qualified = false\n",
        "allow_virtual_monitor = false\n",
        "[log]\nlevel = \"info\"\n",
        "faults = 1\n",
        "poll = \"16s\"\n",
        "timeout = \"1s\"\n",
        "age_max = \"64s\"\n",
        "stratum_max = 4\n",
        "root_distance_max = \"50ms\"\n",
        "delay_max = \"200ms\"\n",
        "reference_age_max = \"1h\"\n",
        "accuracy = \"500ms\"\n",
        "grant_within = \"125ms\"\n",
        "revoke_beyond = \"250ms\"\n",
        "guard = \"5ms\"\n",
        "bracket = \"1ms\"\n",
        "rho_ppm = 100\n",
        "ttl = \"3s\"\n",
        "gen_time_digits = 3\n",
        "interval_max = \"60ms\"\n",
        "queue_max = \"150ms\"\n",
        "probe = \"1s\"\n",
        "good_probes = 5\n",
        "hold = \"10s\"\n",
        "hold_latched = \"60s\"\n",
        "rearm = \"two-persons\"\n",
        "months = \"half-year\"\n",
        "limit = \"5ms\"\njitter = \"1ms\"\nrequired = false\n",
        "interval = \"60s\"\ntimeout = \"10s\"\n",
        "segment_mib = 64\n",
        "reserve_mib = 256\n",
    ];
    let (short, long) = (good(&defaults.map(|line| (line, ""))), good(&[]));
    assert_eq!(short.wards[0].rules, long.wards[0].rules);
    assert_eq!(short.leap.rules, long.leap.rules);
    assert_eq!(short.end_to_end, long.end_to_end);
    assert_eq!(short.pps, long.pps);
    assert_eq!(short.sources.faults, long.sources.faults);
    assert_eq!(short.sources.poll, long.sources.poll);
    assert_eq!(short.sources.timeout, long.sources.timeout);
    assert_eq!(short.sources.age_max, long.sources.age_max);
    assert_eq!(short.sources.caps, long.sources.caps);
    assert_eq!(short.allow_virtual_monitor, long.allow_virtual_monitor);
    assert_eq!(short.log_level, long.log_level);
    let sizes = |config: &Config| (config.evidence.segment_bytes, config.evidence.reserve_bytes);
    assert_eq!(sizes(&short), sizes(&long));
}

#[test]
fn what_is_borne_of_an_edge_is_neither_nothing_nor_too_much_to_tell() {
    for (line, key) in [("limit = \"5ms\"", "limit"), ("jitter = \"1ms\"", "jitter")] {
        for value in ["0s", "251ms"] {
            let changed = format!("{key} = \"{value}\"");
            refused(&[(line, &changed)], &format!("pps.{key}"), "at most 250ms");
        }
        good(&[(line, &format!("{key} = \"250ms\""))]);
    }
    assert!(good(&[("required = false", "required = true")]).pps.required);
}

#[test]
fn samples_live_for_four_polls_when_nothing_else_is_said() {
    let config = good(&[("poll = \"16s\"", "poll = \"2s\""), ("age_max = \"64s\"\n", "")]);
    assert_eq!(config.sources.age_max, chronolease_core::time::Bound::from_millis(8_000));
}

#[test]
fn a_tolerance_that_breaks_the_budget_shows_the_arithmetic() {
    let changes = [("guard = \"5ms\"", "guard = \"372ms\"")];
    let arithmetic = "125ms + 372ms + 300us + 2ms + 1ms = 500.3ms, more than the accuracy of 500ms";
    refused(&changes, "lease.accuracy", arithmetic);
    refused(&[("ttl = \"3s\"", "ttl = \"3671s\"")], "lease.accuracy", "rho*TTL");
    let exact = ("guard = \"5ms\"", "guard = \"371.7ms\"");
    refused(&[exact], "lease.interval_max", "= 768ms, more than the accuracy of 500ms");
    let narrow = [
        exact,
        ("interval_max = \"60ms\"", "interval_max = \"500us\""),
        ("queue_max = \"150ms\"", "queue_max = \"1ms\""),
    ];
    good(&narrow);
}

#[test]
fn the_revoking_limit_lies_between_the_granting_limit_and_the_accuracy() {
    let line = "revoke_beyond = \"250ms\"";
    for wrong in ["125ms", "100ms", "500.000001ms"] {
        let other = format!("revoke_beyond = \"{wrong}\"");
        refused(&[(line, &other)], "lease.revoke_beyond", "must lie above grant_within");
    }
    for right in ["125.000001ms", "500ms"] {
        good(&[(line, &format!("revoke_beyond = \"{right}\""))]);
    }
}

#[test]
fn a_lease_outlasts_two_probes() {
    let line = "probe = \"1s\"";
    for wrong in ["0s", "1501ms"] {
        refused(&[(line, &format!("probe = \"{wrong}\""))], "lease.probe", "must outlast two");
    }
    good(&[(line, "probe = \"1500ms\"")]);
}

#[test]
fn a_latch_never_shortens_the_hold() {
    let line = "hold_latched = \"60s\"";
    refused(&[(line, "hold_latched = \"9s\"")], "lease.hold_latched", "shorter than the hold");
    good(&[(line, "hold_latched = \"10s\"")]);
}

#[test]
fn bearing_liars_takes_enough_laboratories() {
    let two = [("faults = 1", "faults = 2")];
    refused(&two, "sources.faults", "2f + 2 = 6 laboratories, the [[source]] tables name 5");
    good(&[("faults = 1", "faults = 0")]);
    // Six servers, but of three laboratories.
    let fewer = [("\"METAS\"", "\"PTB\""), ("\"INRIM\"", "\"NPL\"")];
    refused(&fewer, "sources.faults", "at least 2f + 2 = 4 laboratories");
}

#[test]
fn polls_timeouts_and_ages_fit_together() {
    let timeout = [("timeout = \"1s\"", "timeout = \"17s\"")];
    refused(&timeout, "sources.timeout", "may take 17s, but one starts every 16s");
    let no_timeout = [("timeout = \"1s\"", "timeout = \"0s\"")];
    refused(&no_timeout, "sources.timeout", "takes no time");
    let no_pause = mistakes(&example(&[("poll = \"16s\"", "poll = \"0s\"")]));
    assert!(no_pause.iter().any(|(key, _)| key == "sources.poll"), "{no_pause:?}");
    let age = [("age_max = \"64s\"", "age_max = \"15s\"")];
    refused(&age, "sources.age_max", "dropped at 15s, before the next poll at 16s");
}

#[test]
fn sources_tsus_and_persons_are_told_apart() {
    let source = [("\"ptb-2\"", "\"ptb-1\"")];
    refused(&source, "source[1].name", "\"ptb-1\" names another source");
    let person = [("\"s.officer\"", "\"o.operator\"")];
    refused(&person, "person[2].name", "one person, one role");
    refused(&[("0c02\"", "0c01\"")], "person[1].spki_sha256", "twice or for another");
    let pin = format!("\"{}a0\"", "0".repeat(62));
    refused(&[(&pin, &format!("{pin}, {pin}"))], "tsu[0].spki_sha256", "twice or for another");
    let log = "evidence_key_file = \"keys/evidence-tsu.pub\"\nevidence_origin = \"log/2\"\n";
    let tsu = format!("\n[[tsu]]\nid = \"tsu-1\"\npolicy = \"1.2.3\"\n{log}spki_sha256 = [\"");
    let second = format!("{EXAMPLE}{tsu}{}\"]\n", "d0".repeat(32));
    let told = mistakes(&second);
    assert!(matches!(&told[..], [(key, _)] if key == "tsu[1].id"), "{told:?}");
    let second = second.replace("id = \"tsu-1\"\npolicy = \"1", "id = \"tsu-2\"\npolicy = \"1");
    let told = mistakes(&second.replace("log/2", "tsa.example/tsu-1"));
    assert!(matches!(&told[..], [(key, _)] if key == "tsu[1].evidence_origin"), "{told:?}");
}

#[test]
fn a_monitor_without_a_tsu_is_refused() {
    let start = EXAMPLE.find("[[tsu]]").expect("a TSU");
    let end = EXAMPLE.find("# One person").expect("persons follow");
    let told = mistakes(&format!("{}{}", &EXAMPLE[..start], &EXAMPLE[end..]));
    assert!(matches!(&told[..], [(key, message)] if key == "tsu" && message.contains("[[tsu]]")));
}

#[test]
fn nobody_is_pinned_by_nothing() {
    let pin = "[\"00000000000000000000000000000000000000000000000000000000000000a0\"]";
    refused(&[(pin, "[]")], "tsu[0].spki_sha256", "at least one key");
    refused(&[(pin, "[\"a0\"]")], "tsu[0].spki_sha256[0]", "64 hexadecimal digits");
}

#[test]
fn single_values_are_checked() {
    for (part, other, key, message) in [
        ("id = \"tsu-1\"", "id = \"TSU 1\"", "tsu[0].id", "a TSU id"),
        ("name = \"npl\"", "name = \"n.p.l\"", "source[2].name", "a name of a-z"),
        ("npl.co.uk:123", "npl.co.uk", "source[2].address", "host:port"),
        ("npl.co.uk:123", "npl.co.uk:0", "source[2].address", "host:port"),
        ("role = \"officer\"", "role = \"boss\"", "person[2].role", "\"auditor\""),
        ("rearm = \"two-persons\"", "rearm = \"two-person\"", "lease.rearm", "did you mean"),
        ("stratum_max = 4", "stratum_max = 16", "sources.stratum_max", "from 1 to 15"),
        ("faults = 1", "faults = 17", "sources.faults", "from 0 to 16"),
        ("good_probes = 5", "good_probes = 0", "lease.good_probes", "from 1 to 1000"),
        ("tsa.example/evidence", "tsa.example/e+e", "evidence.origin", "a log name"),
        ("segment_mib = 64", "segment_mib = 1", "evidence.segment_mib", "from 2 to 1024"),
    ] {
        refused(&[(part, other)], key, message);
    }
}

#[test]
fn bulletins_are_read_with_their_month_and_sign() {
    use chronolease_core::leap::LeapSign;
    let table = |number: u16, month: &str, says: &str| {
        format!(
            "[[leap_seconds.bulletin_c]]\nnumber = {number}\nmonth = \"{month}\"\nsays = \"{says}\"\n"
        )
    };
    let with = |tables: &str| example(&[("[lease]\n", &format!("{tables}\n[lease]\n"))]);
    let both = [table(72, "2026-12", "none"), table(73, "2027-06", "negative")].concat();
    let config = Scratch::with_files().load(&with(&both)).expect("no mistake");
    let read =
        config.leap.rules.bulletins.iter().map(|it| (it.number, it.about.to_string(), it.says));
    let expected = [
        (72, "31 December 2026".to_owned(), None),
        (73, "30 June 2027".to_owned(), Some(LeapSign::Delete)),
    ];
    assert_eq!(read.collect::<Vec<_>>(), expected);
    for (tables, key, part) in [
        (
            [table(72, "2026-13", "none"), String::new()],
            "leap_seconds.bulletin_c[0].month",
            "2026-12",
        ),
        (
            [table(72, "2026-12", "maybe"), String::new()],
            "leap_seconds.bulletin_c[0].says",
            "positive",
        ),
        (
            [table(72, "2026-12", "none"), table(72, "2027-06", "none")],
            "leap_seconds.bulletin_c[1].number",
            "twice",
        ),
    ] {
        let found = mistakes(&with(&tables.concat()));
        assert!(
            matches!(&found[..], [(at, message)] if at == key && message.contains(part)),
            "{key}: {found:?}"
        );
    }
}

#[test]
fn a_pin_without_a_list_is_a_mistake() {
    let pin = format!("sha256 = \"{}\"\n", "0".repeat(64));
    let file = "file = \"leap-seconds.list\"\n";
    refused(&[(file, &pin)], "leap_seconds.sha256", "no file");
    let config = good(&[(file, &format!("{file}{pin}"))]);
    assert!(config.leap.pin.is_some());
}

#[test]
fn a_public_endpoint_is_plain_http_with_certificates_and_a_policy() {
    let config = good(&[]);
    let public = config.wards[0].public.as_ref().expect("the example asks");
    assert_eq!(public.endpoint.to_string(), "http://192.0.2.10:3161/");
    assert_eq!(public.endpoint.address, "192.0.2.10:3161");
    assert_eq!(config.end_to_end.interval, chronolease_core::time::Bound::from_millis(60_000));
    let url = "endpoint = \"http://192.0.2.10:3161/\"\n";
    let certificates = "token_certificate_files = [\"keys/tsu-signing.pem\"]\n";
    let silent = good(&[(url, ""), (certificates, "")]);
    assert_eq!(silent.wards[0].public, None, "it need not be asked");
    for (wrong, ok) in [
        ("https://192.0.2.10/", false),
        ("192.0.2.10:3161", false),
        ("http:///tsa", false),
        ("http://user@192.0.2.10/", false),
        ("http://tsa.example", true),
        ("http://[2001:db8::1]:3161/tsa", true),
    ] {
        let other = format!("endpoint = \"{wrong}\"\n");
        let changes = [(url, other.as_str())];
        if ok {
            good(&changes);
        } else {
            refused(&changes, "tsu[0].endpoint", "plain HTTP");
        }
    }
    refused(&[(certificates, "")], "tsu[0].token_certificate_files", "signed with one");
    refused(&[(url, "")], "tsu[0].token_certificate_files", "no use without");
    let policy = ("policy = \"0.4.0.2023.1.1\"", "policy = \"ours\"");
    refused(&[policy], "tsu[0].policy", "dotted");
    refused(&[("timeout = \"10s\"", "timeout = \"61s\"")], "end_to_end.timeout", "61s");
}
