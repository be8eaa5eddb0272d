//! Which laboratories and services may be sources.

use std::collections::BTreeSet;

use super::*;

/// The list of laboratories to choose from, laid over the example as it says.
#[test]
fn the_list_of_laboratories_loads_and_names_enough_for_two_liars() {
    let scratch = Scratch::with_files();
    let overlay = scratch.0.join("monitor.d");
    fs::create_dir(&overlay).expect("ours");
    let list = include_str!("../../../../docs/examples/sources.toml");
    fs::write(overlay.join("sources.toml"), list).expect("ours");
    let config = scratch.load(&example(&[("faults = 1", "faults = 2")])).expect("it is good");
    let groups: BTreeSet<&str> =
        config.sources.servers.iter().map(|server| server.laboratory.as_str()).collect();
    assert!(groups.len() >= 10, "{groups:?}");
    for group in groups {
        assert!(list.contains(&format!("\n# {group} ")), "{group} is not told of");
    }
}

#[test]
fn services_that_smear_are_refused_by_name() {
    let npl = "ntp1.npl.co.uk:123";
    for host in [
        "time.google.com",
        "TIME2.google.com.",
        "time.aws.com",
        "x.time.aws.com",
        "169.254.169.123",
        "time.facebook.com",
        "time5.facebook.com",
        "time.android.com",
    ] {
        let other = format!("{host}:123");
        refused(&[(npl, &other)], "source[2].address", "spreads leap seconds over a day");
    }
    for host in ["nottime.google.com", "time.example", "time1.facebook.com.example"] {
        good(&[(npl, &format!("{host}:123"))]);
    }
}

/// The example with these sources instead of its own, one laboratory each.
fn with_sources(authenticated: &str, sources: &[&str]) -> String {
    let start = EXAMPLE.find("[[source]]").expect("a source");
    let end = EXAMPLE.find("# The list of leap seconds").expect("what follows");
    let table = |(index, way): (usize, &&str)| {
        format!("[[source]]\nname = \"s{index}\"\nlaboratory = \"L{index}\"\n{way}\n")
    };
    let tables: String = sources.iter().enumerate().map(table).collect();
    let text = format!("{}{tables}{}", &EXAMPLE[..start], &EXAMPLE[end..]);
    text.replace("authenticated = \"mixed\"\n", authenticated)
}

const PLAIN: &str = "address = \"192.0.2.1:123\"";
const NTS: &str = "[source.nts]\nserver = \"time.example\"";

#[test]
fn by_default_laboratories_under_nts_alone_vote() {
    let load = |text: &str| Scratch::with_files().load(text);
    let config = load(&with_sources("", &[NTS, NTS, NTS, NTS, PLAIN])).expect("no mistake");
    assert_eq!(config.sources.voters, Voters::Authenticated);
    assert_eq!(config.sources.warnings(), [""; 0]);
    let told = mistakes(&with_sources("", &[NTS, NTS, NTS, PLAIN, PLAIN]));
    let [(key, message)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(key, "sources.faults");
    assert!(message.contains("2f + 2 = 4 laboratories, the [[source]] tables name 3 that are"));
    assert!(message.contains("one attacker on the path may own all of them"), "{message}");
}

#[test]
fn what_an_attacker_on_the_path_may_own_is_said_in_words() {
    let mixed = "authenticated = \"mixed\"\n";
    let warnings = |sources: &[&str]| {
        let config = Scratch::with_files().load(&with_sources(mixed, sources));
        config.expect("no mistake").sources.warnings()
    };
    let told = warnings(&[NTS, NTS, PLAIN, PLAIN]);
    let [told] = &told[..] else { panic!("{told:?}") };
    for part in ["one attacker on the path", "(L2, L3), which is 2 at once", "more than the f = 1"]
    {
        assert!(told.contains(part), "{told}");
    }
    let few = warnings(&[NTS, NTS, NTS, PLAIN]);
    assert!(matches!(&few[..], [told] if told.contains("no more than the f = 1")), "{few:?}");
    assert_eq!(warnings(&[NTS, NTS, NTS, NTS]), [""; 0]);
}

#[test]
fn a_qualified_monitor_bears_f_plain_laboratories_and_no_latch_that_resets_itself() {
    let qualified = |text: String| text.replace("qualified = false", "qualified = true");
    let mixed = "authenticated = \"mixed\"\n";
    let load = |text| Scratch::with_files().load(&qualified(text));
    assert!(load(with_sources(mixed, &[NTS, NTS, NTS, PLAIN])).is_ok());
    assert!(load(with_sources("", &[NTS, NTS, NTS, NTS, PLAIN, PLAIN])).is_ok());
    let told = mistakes(&qualified(with_sources(mixed, &[NTS, NTS, PLAIN, PLAIN])));
    let wanted = "at most f = 1 laboratories that vote may be asked in plain NTP, these are 2";
    assert!(
        matches!(&told[..], [(key, why)] if key == "sources.authenticated" && why.contains(wanted)),
        "{told:?}"
    );
    let automatic = with_sources("", &[NTS; 4]).replace("\"two-persons\"\n", "\"automatic\"\n");
    let told = mistakes(&qualified(automatic));
    assert!(matches!(&told[..], [(key, _)] if key == "lease.rearm"), "{told:?}");
}

#[test]
fn a_source_under_nts_has_a_key_exchange_and_no_address() {
    let server = |text: &str| {
        let nts = format!("[source.nts]\nserver = \"{text}\"");
        let sources = with_sources("", &[&nts, NTS, NTS, NTS]);
        Scratch::with_files().load(&sources).map(|config| config.sources.servers[0].address.clone())
    };
    for (text, address) in [
        ("time.example", "time.example:4460"),
        ("time.example:4461", "time.example:4461"),
        ("192.0.2.1", "192.0.2.1:4460"),
        ("2001:db8::1", "[2001:db8::1]:4460"),
        ("[2001:db8::1]", "[2001:db8::1]:4460"),
        ("[2001:db8::1]:4461", "[2001:db8::1]:4461"),
    ] {
        assert_eq!(server(text).expect("no mistake"), address);
    }
    assert!(server("").is_err());
    assert!(server("time.example:0").is_err());
    let both = format!("{PLAIN}\n{NTS}");
    let told = mistakes(&with_sources("", &[&both, NTS, NTS, NTS]));
    assert!(matches!(&told[..], [(key, _)] if key == "source[0].address"), "{told:?}");
    let neither = mistakes(&with_sources("", &["", NTS, NTS, NTS, NTS]));
    assert!(matches!(&neither[..], [(key, _)] if key == "source[0].address"), "{neither:?}");
    let no_roots = format!("{NTS}\nca_files = [\"nowhere.pem\"]");
    let told = mistakes(&with_sources("", &[&no_roots, NTS, NTS, NTS]));
    assert!(matches!(&told[..], [(key, _)] if key == "source[0].nts.ca_files[0]"), "{told:?}");
}
