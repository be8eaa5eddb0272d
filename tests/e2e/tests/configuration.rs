//! Configurations that are refused, with every mistake and its place, and those that are not.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use chronolease_e2e::rig::lay_over;
use chronolease_e2e::tools::{expect, run_with, said};
use chronolease_e2e::{Options, Program, Programs, Rig};

/// EX_CONFIG of sysexits.h.
const EX_CONFIG: i32 = 78;

/// A daemon with a configuration that can be spoilt.
struct Daemon {
    rig: Rig,
    program: Program,
    name: &'static str,
    good: String,
}

/// How a run ended.
struct Ended {
    code: Option<i32>,
    said: String,
}

/// What stands in place of what, and the key and words that the refusal must hold. The place is
/// that of the new text's first key.
type Mistake<'a> = (&'a str, &'a str, &'a str, &'a str);

impl Daemon {
    fn both() -> [Self; 2] {
        [(Program::Tsu, "tsu"), (Program::Monitor, "monitor")].map(|(program, name)| {
            let rig = Rig::prepared(&Options::default());
            let good = fs::read_to_string(rig.layout().file(&format!("{name}.toml")));
            Self { rig, program, name, good: good.expect("the lab wrote it") }
        })
    }

    fn file(&self) -> PathBuf {
        self.rig.layout().file(&format!("{}.toml", self.name))
    }

    /// Runs it on its configuration file with these arguments and variables.
    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let program = Programs::Release.path(self.program);
        let program = program.to_str().expect("programs have plain names");
        let file = self.file();
        let config = file.to_str().expect("temporary directories have plain names");
        let arguments = [&["--config", config], arguments].concat();
        let output = run_with(self.rig.layout().dir(), program, &arguments, environment);
        Ended { code: output.status.code(), said: said(&output) }
    }

    /// Expects that it refuses its configuration, checking or starting, in the same words.
    fn refusal(&self, environment: &[(&str, &str)]) -> String {
        let checked = self.run(&["--check-config"], environment);
        assert_eq!(checked.code, Some(EX_CONFIG), "{}", checked.said);
        let started = self.run(&[], environment);
        assert_eq!(started.code, Some(EX_CONFIG), "{}", started.said);
        assert_eq!(checked.said, started.said);
        checked.said
    }

    /// Makes all of these mistakes at once and expects to be told of each, and of no other.
    fn expect_told(&self, mistakes: &[Mistake<'_>]) {
        let mut text = self.good.clone();
        for (old, new, ..) in mistakes {
            assert_eq!(text.matches(old).count(), 1, "{old} is to stand there once");
            text = text.replace(old, new);
        }
        fs::write(self.file(), &text).expect("the directory is ours");
        let told = self.refusal(&[]);
        for (_, new, key, words) in mistakes {
            let name = key.rsplit('.').next().unwrap_or(key);
            let start = text.find(new).expect("it was put there");
            let offset = start + new.find(name).expect("the key stands in the new text");
            let line = line_at(&text, offset);
            let place = format!("{}:{line}:1: {key}: ", self.file().display());
            let mut lines = told.lines();
            let found = lines.any(|line| line.contains(&place) && line.contains(words));
            assert!(found, "{place}... {words}\nis not in:\n{told}");
        }
        let plural = if mistakes.len() == 1 { "" } else { "s" };
        let count = format!("{} error{plural} in the configuration", mistakes.len());
        assert!(told.contains(&count), "{count}:\n{told}");
        fs::write(self.file(), &self.good).expect("the directory is ours");
    }
}

/// The line, from 1, that `offset` lies in.
fn line_at(text: &str, offset: usize) -> usize {
    1 + text[..offset].matches('\n').count()
}

/// The tolerances of a lab at an accuracy that they do not fit.
const BUDGET: Mistake<'static> = (
    "accuracy = \"500ms\"",
    "accuracy = \"130ms\"",
    "lease.accuracy",
    "E0 + G + rho*TTL + 2*beta + resolution = 125ms + 5ms + 300us + 2ms + 1ms = 133.3ms, more than \
     the accuracy of 130ms",
);

#[test]
fn every_mistake_is_told_with_its_place() {
    let [tsu, monitor] = Daemon::both();
    let tsu_mistakes: [Mistake<'_>; 4] = [
        ("[http]\n", "[http]\ncolour = 1\n", "http.colour", "unknown key"),
        (
            "key_file = \"pki/tsu.key\"",
            "key_file = \"pki/no.key\"",
            "signer.key_file",
            "pki/no.key",
        ),
        BUDGET,
        (
            "mode = \"witnessed\"",
            "mode = \"both\"",
            "tsu.mode",
            "expected \"witnessed\" or \"leased\", found \"both\"",
        ),
    ];
    let monitor_mistakes: [Mistake<'_>; 4] = [
        ("[sources]\n", "[sources]\nfautls = 1\n", "sources.fautls", "unknown key"),
        (
            "key_file = \"pki/evidence/monitor.key\"",
            "key_file = \"pki/no/monitor.key\"",
            "evidence.key_file",
            "pki/no/",
        ),
        ("revoke_beyond = \"250ms\"", "revoke_beyond = \"90ms\"", "lease.revoke_beyond", "E_bad"),
        ("probe = \"1s\"", "probe = \"2s\"", "lease.probe", "2 * 2s = 4s"),
    ];
    for (daemon, mistakes) in [(&tsu, &tsu_mistakes), (&monitor, &monitor_mistakes)] {
        for mistake in mistakes {
            daemon.expect_told(&[*mistake]);
        }
        daemon.expect_told(&mistakes[..3]);
    }
    // The monitor's budget breaks at its own tolerance too.
    let beyond =
        ("revoke_beyond = \"250ms\"", "revoke_beyond = \"130ms\"", "lease.revoke_beyond", "");
    let narrow = BUDGET;
    let text = monitor.good.replace(narrow.0, narrow.1).replace(beyond.0, beyond.1);
    fs::write(monitor.file(), text).expect("the directory is ours");
    assert!(monitor.refusal(&[]).contains(narrow.3));
}

#[test]
fn a_good_configuration_passes_and_shows_where_its_values_come_from() {
    for daemon in Daemon::both() {
        let checked = daemon.run(&["--check-config"], &[]);
        assert_eq!((checked.code, checked.said.contains("good")), (Some(0), true));

        lay_over(daemon.rig.layout(), daemon.name, "[lease]\nguard = \"4ms\"\n");
        let prefix = format!("CHRONOLEASE_{}_", daemon.name.to_uppercase());
        let (bracket, pace) = (format!("{prefix}LEASE__BRACKET"), format!("{prefix}LEASE__TTL"));
        let shown = daemon.run(&["config", "show"], &[(&bracket, "2ms")]);
        assert_eq!(shown.code, Some(0), "{}", shown.said);
        let overlay = daemon.rig.layout().file(&format!("{}.d/overlay.toml", daemon.name));
        let at = daemon.good.find("accuracy =").expect("it is set");
        let line = line_at(&daemon.good, at);
        for expected in [
            format!("accuracy = \"500ms\" # {}:{line}", daemon.file().display()),
            format!("guard = \"4ms\" # {}:2", overlay.display()),
            format!("bracket = \"2ms\" # {bracket}"),
        ] {
            assert!(shown.said.lines().any(|l| l == expected), "{expected}\n{}", shown.said);
        }
        let told = daemon.refusal(&[(&pace, "soon")]);
        assert!(told.contains(&format!("{pace}: lease.ttl: ")), "{told}");
        let unknown = format!("{prefix}LEASE__TTTL");
        let told = daemon.refusal(&[(&unknown, "3s")]);
        assert!(told.contains(&format!("{unknown}: lease.tttl: unknown key")), "{told}");
    }
}

#[test]
fn files_that_are_missing_or_unfit_are_named() {
    for daemon in Daemon::both() {
        let of_p256 = ["pkey", "-in", "pki/tsu.key", "-pubout", "-out", "pki/p256.pub"];
        expect(daemon.rig.layout().dir(), "openssl", &of_p256);
        // A file, the key that names it, and another file in its place.
        let files: &[[&str; 3]] = match daemon.program {
            Program::Tsu => &[
                ["pki/tsu.key", "signer.key_file", "pki/evidence/tsu.key"],
                ["pki/tsu.pem", "signer.certificate_file", "pki/tsu.key"],
                ["pki/tsa-ca.pem", "signer.root_file", "pki/tsu.key"],
                ["pki/nodes/tsu.pem", "link.certificate_file", "pki/nodes/monitor.pem"],
                ["pki/nodes/tsu.key", "link.key_file", "pki/nodes/monitor.key"],
                ["pki/evidence/monitor.pub", "link.monitor_evidence_key_file", "pki/p256.pub"],
                ["pki/evidence/tsu.key", "evidence.key_file", "pki/tsu.key"],
            ],
            _ => &[
                ["pki/nodes/monitor.pem", "link.certificate_file", "pki/nodes/tsu.pem"],
                ["pki/nodes/monitor.key", "link.key_file", "pki/nodes/tsu.key"],
                ["pki/evidence/monitor.key", "evidence.key_file", "pki/tsu.key"],
                ["pki/evidence/tsu.pub", "tsu.evidence_key_file", "pki/p256.pub"],
            ],
        };
        for [name, key, other] in files {
            let file = daemon.rig.layout().file(name);
            let kept = fs::read(&file).expect("the lab wrote it");
            let other = fs::read(daemon.rig.layout().file(other)).expect("it is there");
            for unfit in [b"no key at all\n", &other[..]] {
                fs::write(&file, unfit).expect("the directory is ours");
                let told = daemon.refusal(&[]);
                for word in [key, &file.display().to_string()[..]] {
                    assert!(told.contains(word), "{word}: {told}");
                }
            }
            fs::write(&file, kept).expect("the directory is ours");
        }
        fs::remove_file(daemon.file()).expect("the lab wrote it");
        let told = daemon.refusal(&[]);
        assert!(told.contains(&daemon.file().display().to_string()), "{told}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    for daemon in Daemon::both() {
        let ports = daemon.rig.ports();
        let addresses = match daemon.program {
            Program::Tsu => vec![ports.tsu_http(), ports.tsu_metrics()],
            _ => vec![ports.link(), ports.admin(), ports.monitor_metrics()],
        };
        for address in addresses {
            let _taken = TcpListener::bind(address).expect("the port is ours");
            let ended = daemon.run(&[], &[]);
            assert_eq!(ended.code, Some(1), "{}", ended.said);
            assert!(ended.said.contains(&address.to_string()), "{address}: {}", ended.said);
        }
    }
}

#[test]
fn a_tsu_that_the_monitor_does_not_know_says_why_it_is_not_admitted_and_says_it_once() {
    let mut rig = Rig::prepared(&Options::default());
    lay_over(rig.layout(), "tsu", "[tsu]\nid = \"tsu-9\"\n");
    lay_over(rig.layout(), "monitor", "[log]\nlevel = \"debug\"\n");
    rig.start_monitor();
    rig.start_tsu();
    rig.eventually("attempts", || {
        match rig.monitor.log().matches("a TSU was refused again").count() {
            3.. => Ok(()),
            attempts => Err(format!("{attempts}: {}", rig.tsu.tail())),
        }
    });
    let why = "its key is not pinned for the TSU tsu-9";
    let log = rig.monitor.log();
    let warned = |line: &&str| line.contains(why) && line.contains("WARN");
    assert_eq!(log.lines().filter(warned).count(), 1, "{log}");
    let told = "the monitor did not admit this TSU: the TSU id does not belong to the key";
    assert_eq!(rig.tsu.log().matches(told).count(), 1, "{}", rig.tsu.tail());
    assert_eq!(rig.tsu.sigterm().code(), Some(0));
}

/// Makes a certificate for HTTPS, as of `made`, for thirty days.
fn certify_https(rig: &Rig, made: &str) {
    let request =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let of = ["-subj", "/CN=localhost", "-days", "30"];
    let files = ["-keyout", "pki/https.key", "-out", "pki/https.pem"];
    let openssl = [&["-f", made, "openssl"][..], &request, &of, &files].concat();
    expect(rig.layout().dir(), "faketime", &openssl);
}

/// What openssl tells of a certificate behind this word, a date, in seconds since 1970.
fn date_of(rig: &Rig, certificate: &str, shown: &[&str], word: &str) -> f64 {
    let folder = rig.layout().dir();
    let openssl = [&["x509", "-in", certificate, "-noout"], shown].concat();
    let said = expect(folder, "openssl", &openssl);
    let date = said.trim().split(word).nth(1).unwrap_or_else(|| panic!("{said}"));
    let seconds = expect(folder, "date", &["-u", "-d", date, "+%s"]);
    seconds.trim().parse().expect("a number")
}

/// Clients of HTTPS would refuse it, so a check does. A start goes on: HTTP carries tokens.
#[test]
fn a_certificate_of_https_that_is_not_valid_now_is_a_mistake_and_a_warning() {
    let [mut daemon, _] = Daemon::both();
    let overlay = format!(
        "[https]\nlisten = \"127.0.0.1:{}\"\ncertificate_file = \"../pki/https.pem\"\n\
         key_file = \"../pki/https.key\"\n",
        daemon.rig.spare_port()
    );
    lay_over(daemon.rig.layout(), "tsu", &overlay);
    for (made, told) in [("-1d", None), ("+10d", Some("valid from")), ("-60d", Some("expired at"))]
    {
        certify_https(&daemon.rig, made);
        let checked = daemon.run(&["--check-config"], &[]);
        let Some(told) = told else {
            assert_eq!(checked.code, Some(0), "{}", checked.said);
            continue;
        };
        assert_eq!(checked.code, Some(EX_CONFIG), "{}", checked.said);
        for word in ["https.certificate_file", "pki/https.pem", told, "RFC 5280 4.1.2.5"] {
            assert!(checked.said.contains(word), "{word}: {}", checked.said);
        }
    }
    let rig = &mut daemon.rig;
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    rig.eventually("a token over HTTP", || {
        let answer = rig.client().ask();
        answer.token().map(drop).ok_or_else(|| format!("{answer:?}"))
    });
    let log = rig.tsu.log();
    let warned = |line: &str| line.contains("WARN") && line.contains("https.certificate_file");
    assert_eq!(log.lines().filter(|line| warned(line)).count(), 1, "{log}");
    // The key of a lab ends before its certificate does.
    let key = date_of(rig, "pki/tsu.pem", &["-ext", "privateKeyUsagePeriod"], "Not After: ");
    let [certificate, https] = ["pki/tsu.pem", "pki/https.pem"]
        .map(|certificate| date_of(rig, certificate, &["-enddate"], "notAfter="));
    assert!(key < certificate, "{key} {certificate}");
    let shown = rig.tsu_metrics();
    for (name, end) in [("signs_until", key), ("https_certificate_until", https)] {
        let series = format!("chronolease_tsu_{name}_timestamp_seconds");
        assert_eq!(shown.get(&series, &[]), Some(end), "{series}");
    }
}
