//! The directory, and what OpenSSL says of the certificates.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::config::LabConfig;
use crate::layout::{PORT_BASE, ROLES};
use crate::testing::Scratch;

fn ports() -> Ports {
    Ports::from_base(PORT_BASE).expect("the default base fits")
}

fn fresh() -> (Scratch, Layout) {
    let scratch = Scratch::new();
    let layout =
        init(&scratch.path().join("lab"), ports(), Accuracy::DEFAULT).expect("an absent directory");
    (scratch, layout)
}

/// All files below `dir`, relative to it.
fn files_below(dir: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                pending.push(path);
            } else {
                files.insert(path.strip_prefix(dir).expect("it is below").to_owned());
            }
        }
    }
    files
}

/// Standard output of `openssl`, which must succeed.
fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .output()
        .expect("these tests need openssl: apt-get install openssl");
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "openssl {arguments:?}:\n{stdout}{stderr}");
    stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("scratch paths are Unicode")
}

#[test]
fn every_promised_file_is_there() {
    let (_scratch, layout) = fresh();
    let mut expected: BTreeSet<PathBuf> =
        ["tsu.toml", "monitor.toml", "lab.toml", "leap-seconds.list"].map(PathBuf::from).into();
    expected.extend(["tsu-clock.toml", "monitor-clock.toml"].map(PathBuf::from));
    for pair in ["tsa-ca", "tsu", "node-ca", "nodes/tsu", "nodes/monitor"] {
        expected.extend([format!("pki/{pair}.pem").into(), format!("pki/{pair}.key").into()]);
    }
    for role in ROLES {
        expected.extend([
            format!("pki/persons/{role}.pem").into(),
            format!("pki/persons/{role}.key").into(),
        ]);
    }
    for name in ["tsu", "monitor"] {
        expected.extend([
            format!("pki/evidence/{name}.key").into(),
            format!("pki/evidence/{name}.pub").into(),
        ]);
    }
    expected.insert("state/monitor/tsu-1.ward".into());
    for (state, peer) in [("tsu", "monitor-1"), ("monitor", "tsu-1")] {
        let known = format!("peer/lab.chronolease.example%2F{peer}.state");
        for file in
            ["lock", "segment/0000000000000000.seg", &format!("{known}.0"), &format!("{known}.1")]
        {
            expected.insert(format!("state/{state}/evidence/{file}").into());
        }
    }
    assert_eq!(files_below(layout.dir()), expected);
}

#[test]
fn keys_are_for_their_owner_alone() {
    let (_scratch, layout) = fresh();
    let mode = |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
    let keys: Vec<_> = files_below(layout.dir())
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "key"))
        .collect();
    assert_eq!(keys.len(), 11);
    for key in keys {
        assert_eq!(mode(&layout.dir().join(&key)), 0o600, "{}", key.display());
    }
    assert_eq!(mode(&layout.state()), 0o700);
}

#[test]
fn a_second_run_starts_afresh() {
    let (_scratch, layout) = fresh();
    let read = || fs::read_to_string(layout.monitor_toml()).expect("it was written");
    let before = read();
    let kept = layout.file("hello.txt");
    let (old_state, old_log) = (layout.state().join("old"), layout.logs().join("tsu.log"));
    fs::write(&kept, "mine").expect("the directory is ours");
    fs::create_dir(&old_state).expect("the directory is ours");
    fs::create_dir(layout.logs()).expect("the directory is ours");
    fs::write(&old_log, "old").expect("the directory is ours");
    // As after a run that was cut short.
    fs::remove_file(layout.tsu_toml()).expect("it was written");

    init(layout.dir(), ports(), Accuracy::DEFAULT).expect("the lab is ours");
    assert_ne!(read(), before, "the keys are new, so the pins are");
    assert!(layout.tsu_toml().is_file());
    assert!(kept.is_file(), "not written by the lab");
    assert!(!old_state.exists() && !old_log.exists());
}

#[test]
fn a_foreign_directory_is_left_alone() {
    for (name, text) in [("thesis.tex", "years of work"), ("lab.toml", "[control]\n")] {
        let scratch = Scratch::new();
        let foreign = scratch.path().join(name);
        fs::write(&foreign, text).expect("the directory is ours");
        fs::create_dir(scratch.path().join("pki")).expect("the directory is ours");
        let refused = init(scratch.path(), ports(), Accuracy::DEFAULT);
        assert!(matches!(refused, Err(InitError::NotOurs { .. })), "{refused:?}");
        assert_eq!(fs::read_to_string(&foreign).expect("it is still there"), text);
        assert!(scratch.path().join("pki").is_dir());
    }
}

#[test]
fn an_empty_directory_is_filled() {
    let scratch = Scratch::new();
    init(scratch.path(), ports(), Accuracy::DEFAULT).expect("an empty directory");
}

#[test]
fn lab_toml_says_what_the_ports_say() {
    let (_scratch, layout) = fresh();
    let config = LabConfig::load(&layout.lab_toml()).expect("our own file");
    assert_eq!(config, LabConfig::of(ports()));
}

#[test]
fn the_accuracy_sets_the_limits() {
    for (accuracy, grant, revoke) in
        [("500ms", "125ms", "250ms"), ("100ms", "25ms", "50ms"), ("250ms", "62.5ms", "125ms")]
    {
        let scratch = Scratch::new();
        let layout = init(scratch.path(), ports(), accuracy.parse().expect("an accuracy"))
            .expect("an empty directory");
        let read = |path| fs::read_to_string(path).expect("it was written");
        let (tsu, monitor) = (read(layout.tsu_toml()), read(layout.monitor_toml()));
        for line in [format!("accuracy = \"{accuracy}\""), format!("grant_within = \"{grant}\"")] {
            assert!(tsu.contains(&line) && monitor.contains(&line), "{line}");
        }
        assert!(monitor.contains(&format!("revoke_beyond = \"{revoke}\"")), "{revoke}");
    }
}

#[test]
fn configurations_pin_the_keys_of_the_certificates() {
    let (_scratch, layout) = fresh();
    let read = |path| fs::read_to_string(path).expect("it was written");
    let (tsu, monitor) = (read(layout.tsu_toml()), read(layout.monitor_toml()));
    let mut certificates = vec![(layout.file("pki/nodes/monitor.pem"), &tsu)];
    certificates.push((layout.file("pki/nodes/tsu.pem"), &monitor));
    certificates.extend(ROLES.map(|role| (layout.person_certificate(role), &monitor)));
    for (certificate, config) in certificates {
        let scratch = Scratch::new();
        let spki = scratch.path().join("spki.pem");
        fs::write(&spki, openssl(&["x509", "-in", text(&certificate), "-noout", "-pubkey"]))
            .expect("the directory is ours");
        let der = scratch.path().join("spki.der");
        openssl(&["pkey", "-pubin", "-in", text(&spki), "-outform", "DER", "-out", text(&der)]);
        let digest = openssl(&["dgst", "-sha256", "-r", text(&der)]);
        let pin = digest.split_whitespace().next().expect("a digest");
        assert!(
            config.contains(&format!("spki_sha256 = [\"{pin}\"]")),
            "{}",
            certificate.display()
        );
    }
}

#[test]
fn the_tsu_certificate_is_fit_for_time_stamping() {
    let (_scratch, layout) = fresh();
    let (ca, tsu) = (layout.tsa_ca(), layout.file("pki/tsu.pem"));
    openssl(&[
        "verify",
        "-CAfile",
        text(&ca),
        "-purpose",
        "timestampsign",
        "-x509_strict",
        text(&tsu),
    ]);

    let shown = openssl(&["x509", "-in", text(&tsu), "-noout", "-text"]);
    let after = |heading: &str| {
        let (_, rest) = shown.split_once(heading).unwrap_or_else(|| panic!("{heading}:\n{shown}"));
        rest.trim_start().lines().next().unwrap_or_default()
    };
    assert_eq!(after("X509v3 Extended Key Usage: critical"), "Time Stamping");
    assert_eq!(after("X509v3 Key Usage: critical"), "Digital Signature");
    assert_eq!(after("X509v3 Basic Constraints: critical"), "CA:FALSE");
    assert!(after("X509v3 Private Key Usage Period:").contains("Not After"), "{shown}");
    let subject =
        openssl(&["x509", "-in", text(&tsu), "-noout", "-subject", "-nameopt", "RFC2253"]);
    for attribute in ["C=XX", "O=Chronolease Lab", "CN=tsu-1", "organizationIdentifier="] {
        assert!(subject.contains(attribute), "{attribute} in {subject}");
    }
}

#[test]
fn the_private_key_ends_a_month_before_its_certificate() {
    let (_scratch, layout) = fresh();
    let shown = openssl(&["x509", "-in", text(&layout.file("pki/tsu.pem")), "-noout", "-text"]);
    // Once for the certificate and, after it, once for the key.
    let ends: Vec<_> = shown
        .lines()
        .filter_map(|line| line.split_once("Not After"))
        .map(|(_, date)| unix_s(date.trim_start_matches([' ', ':'])))
        .collect();
    let [certificate, key] = ends[..] else { panic!("{shown}") };
    assert_eq!(certificate - key, 30 * 86_400);
}

/// A date as OpenSSL prints it, in seconds since 1970.
fn unix_s(date: &str) -> i64 {
    let output = Command::new("date").args(["-d", date, "+%s"]).output().expect("coreutils");
    let seconds = String::from_utf8_lossy(&output.stdout);
    seconds.trim().parse().unwrap_or_else(|_| panic!("no date: {date:?}"))
}

#[test]
fn boxes_are_servers_and_clients_and_persons_are_clients() {
    let (_scratch, layout) = fresh();
    let ca = layout.node_ca();
    let verify = |purpose: &str, certificate: &Path, more: &[&str]| {
        let mut arguments =
            vec!["verify", "-CAfile", text(&ca), "-x509_strict", "-purpose", purpose];
        arguments.extend(more);
        arguments.push(text(certificate));
        openssl(&arguments);
    };
    for name in ["tsu", "monitor"] {
        let certificate = layout.file(&format!("pki/nodes/{name}.pem"));
        verify("sslserver", &certificate, &["-verify_ip", "127.0.0.1"]);
        verify("sslserver", &certificate, &["-verify_hostname", "localhost"]);
        verify("sslclient", &certificate, &[]);
    }
    for role in ROLES {
        verify("sslclient", &layout.person_certificate(role), &[]);
    }
}

#[test]
fn evidence_keys_come_in_pairs() {
    let (_scratch, layout) = fresh();
    for name in ["tsu", "monitor"] {
        let key = layout.file(&format!("pki/evidence/{name}.key"));
        let public = fs::read_to_string(layout.file(&format!("pki/evidence/{name}.pub")))
            .expect("it was written");
        let derived = openssl(&["pkey", "-in", text(&key), "-pubout"]);
        assert_eq!(derived.lines().collect::<Vec<_>>(), public.lines().collect::<Vec<_>>());
        assert!(openssl(&["pkey", "-in", text(&key), "-noout", "-text"]).starts_with("ED25519"));
    }
}
