//! A TSU whose certificate, key or figures do not fit does not start: it says why, names the clause,
//! and exits with the code for a wrong configuration. Every row is one change away from a set-up
//! that starts and issues a token.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chronolease_core::time::Bound;
use chronolease_e2e::rig::lay_over;
use chronolease_e2e::tools::{expect, run_with, said};
use chronolease_e2e::{Options, Program, Programs, Rig};

/// EX_CONFIG of sysexits.h.
const EX_CONFIG: i32 = 78;

/// A part of a set-up and its value. Those with a dot, and `https`, are settings of `tsu.toml`; the
/// others make the certificate.
type Part<'a> = (&'a str, &'a str);

/// What every set-up has, where it does not say otherwise.
const BASE: [Part<'_>; 8] = [
    // The key file, and whose certificate it is when it is another's.
    ("key", "pki/tsu.key"),
    ("issuer", "pki/tsa-ca"),
    // When it is made, as faketime reads it, and how long it lasts.
    ("made", "-1d"),
    ("days", "365"),
    ("subject", "/C=XX/O=Chronolease Lab/CN=tsu-1"),
    ("usage", "critical, digitalSignature"),
    ("purpose", "critical, timeStamping"),
    ("constraints", "CA:FALSE"),
];

/// A lab: 500 ms of accuracy, three digits, a certificate of the root.
const PLAIN: &[Part<'_>] = &[];
/// An issuing CA between the TSU and the root.
const CHAINED: &[Part<'_>] = &[("issuer", "pki/ca"), ("signer.chain_files", "[\"../pki/ca.pem\"]")];
/// A suite and a key whose ends are planned.
const LEGACY: &[Part<'_>] = &[
    ("key", "pki/rsa3072.key"),
    ("days", "20000"),
    ("key ends", "20700101000000Z"),
    ("signer.rsa_padding", "\"pkcs1\""),
    ("signer.algorithm_until", "\"2099-12-31\""),
];
/// The least that EN 319 421 and a genTime may say, and a certificate that ends in some days.
const WHOLE_SECONDS: &[Part<'_>] =
    &[("lease.accuracy", "\"1000ms\""), ("lease.gen_time_digits", "0"), ("days", "20")];
const SECURE: &[Part<'_>] = &[HTTPS];
const SAMPLED: &[Part<'_>] = &[HTTPS, ("token.self_check", "\"sampled\"")];
/// Every set-up that starts.
const GOOD: [(&str, &[Part<'_>]); 6] = [
    ("plain", PLAIN),
    ("chained", CHAINED),
    ("legacy", LEGACY),
    ("whole seconds", WHOLE_SECONDS),
    ("over HTTPS", SECURE),
    ("sampled", SAMPLED),
];
/// Nothing but a certified device is missing, which this build cannot use: of all that is wrong with
/// a row of it, one complaint is there without the change already.
const QUALIFIED: &[Part<'_>] = &[HTTPS, ("token.qualified", "true")];

const HTTPS: Part<'_> = (
    "https",
    "{ listen = \"127.0.0.1:PORT\", certificate_file = \"../pki/nodes/tsu.pem\", \
     key_file = \"../pki/nodes/tsu.key\" }",
);

/// Name, set-up, the part that is changed, to what (nothing: it is left out), and what the one
/// complaint about it says.
type Row<'a> = (&'a str, &'a [Part<'a>], &'a str, Option<&'a str>, &'a [&'a str]);

const ABOUT_CERTIFICATES: [Row<'_>; 19] = [
    ("not valid yet", PLAIN, "made", Some("+30d"), &["tsu.pem", "valid from", "RFC 5280 4.1.2.5"]),
    ("expired", PLAIN, "made", Some("-400d"), &["tsu.pem", "expired at", "RFC 5280 4.1.2.5"]),
    ("no EKU", PLAIN, "purpose", None, &["extendedKeyUsage is missing (RFC 3161 2.3)"]),
    ("another EKU", PLAIN, "purpose", Some("critical, serverAuth"), &[NOT_SOLE]),
    ("two EKUs", PLAIN, "purpose", Some("critical, timeStamping, serverAuth"), &[NOT_SOLE]),
    ("EKU not critical", PLAIN, "purpose", Some("timeStamping"), &["not critical (RFC 3161 2.3)"]),
    ("no keyUsage", PLAIN, "usage", None, &["keyUsage is missing (EN 319 422 6)"]),
    (
        "keyUsage not critical",
        PLAIN,
        "usage",
        Some("digitalSignature"),
        &["keyUsage is not critical (EN 319 412-2 4.3.2)"],
    ),
    (
        "keyCertSign",
        PLAIN,
        "usage",
        Some("critical, digitalSignature, keyCertSign"),
        &["keyUsage is not", "and nothing else", "EN 319 412-2 4.3.2", "TIS-7.7.1-08"],
    ),
    ("a CA's", PLAIN, "constraints", Some("critical, CA:TRUE"), &["a CA's", "TIS-7.7.1-08"]),
    ("no country", PLAIN, "subject", Some("/O=Lab/CN=tsu-1"), &["no countryName", NAMES]),
    ("no organization", PLAIN, "subject", Some("/C=XX/CN=tsu-1"), &["no organizationName", NAMES]),
    ("no name", PLAIN, "subject", Some("/C=XX/O=Lab"), &["no commonName", NAMES]),
    (
        "a key for longer than its certificate",
        LEGACY,
        "key ends",
        Some("99991231235959Z"),
        &["privateKeyUsagePeriod", "EN 319 421 TIS-7.6.7-04"],
    ),
    (
        "a key that has ended",
        LEGACY,
        "key ends",
        Some("20200101000000Z"),
        &["not be used after 2020-01-01T00:00:00Z", "EN 319 421 TIS-7.7.1-09"],
    ),
    (
        "a key that has not begun",
        LEGACY,
        "key begins",
        Some("20690101000000Z"),
        &["used from 2069-01-01T00:00:00Z only", "EN 319 421 TIS-7.7.1-09"],
    ),
    (
        "a chain that is missing",
        CHAINED,
        "signer.chain_files",
        None,
        &["no valid chain", "signer.chain_files", "EN 319 421 TIS-7.6.4-05"],
    ),
    (
        "a root that issued something else",
        PLAIN,
        "signer.root_file",
        Some("\"../pki/node-ca.pem\""),
        &["no valid chain", "EN 319 421 TIS-7.6.4-05"],
    ),
    (
        "the certificate of another key",
        PLAIN,
        "certified key",
        Some("pki/nodes/tsu.key"),
        &["pki/tsu.key", "does not belong to the certificate", "EN 319 421 TIS-7.6.4-04"],
    ),
];

const NOT_SOLE: &str = "extendedKeyUsage is not timeStamping alone (RFC 3161 2.3)";
const NAMES: &str = "(EN 319 422 6, EN 319 412-3 4.2.1)";

const ABOUT_ALGORITHMS: [Row<'_>; 5] = [
    (
        "an algorithm that is outdated",
        LEGACY,
        "signer.algorithm_until",
        Some("\"2020-12-31\""),
        &["signer.algorithm_until", "outdated since 2020-12-31", "TS 119 312", "TIS-7.6.2-05"],
    ),
    (
        "an algorithm that ends before the certificate",
        LEGACY,
        "days",
        Some("36500"),
        &["outlives", "signer.algorithm_until", "EN 319 421 TIS-7.6.5-01"],
    ),
    (
        "a legacy suite without an end",
        LEGACY,
        "signer.algorithm_until",
        None,
        &["legacy", "signer.algorithm_until", "TS 119 312"],
    ),
    (
        "a padding that nobody chose",
        LEGACY,
        "signer.rsa_padding",
        None,
        &["signer.rsa_padding", "TS 119 312"],
    ),
    (
        "RSA of 2048 bits",
        LEGACY,
        "key",
        Some("pki/rsa2048.key"),
        &["RSA of 3072 or 4096 bits", "outdated", "TS 119 312, EN 319 421 TIS-7.6.2-05"],
    ),
];

const ABOUT_FIGURES: [Row<'_>; 7] = [
    (
        "an accuracy beyond a second",
        WHOLE_SECONDS,
        "lease.accuracy",
        Some("\"1001ms\""),
        &["lease.accuracy", "1s or better", "EN 319 421 TIS-7.7.2-03"],
    ),
    (
        "whole seconds at half a second",
        PLAIN,
        "lease.gen_time_digits",
        Some("0"),
        &["resolution", "632.3ms, more than the accuracy of 500ms", "EN 319 422 5.2.2"],
    ),
    (
        "half a second in whole seconds",
        WHOLE_SECONDS,
        "lease.accuracy",
        Some("\"500ms\""),
        &["resolution", "632.3ms, more than the accuracy of 500ms", "EN 319 422 5.2.2"],
    ),
    (
        "four digits",
        PLAIN,
        "lease.gen_time_digits",
        Some("4"),
        &["lease.gen_time_digits", "0, 3 or 6 digits", "EN 319 422 5.2.2"],
    ),
    (
        "a qualified TSU's key in a file",
        SECURE,
        "token.qualified",
        Some("true"),
        &["signer.kind", "certified device", "EN 319 421 TIS-7.6.2-03"],
    ),
    (
        "a qualified TSU without HTTPS",
        QUALIFIED,
        "https",
        None,
        &["https", "over HTTPS", "CIR (EU) 2025/1929"],
    ),
    (
        "a qualified TSU that samples",
        QUALIFIED,
        "token.self_check",
        Some("\"sampled\""),
        &["token.self_check", "\"every\"", "EN 319 421 7.7.1"],
    ),
];

/// All parts of a set-up.
type SetUp<'a> = BTreeMap<&'a str, &'a str>;

fn set_up<'a>(parts: &[Part<'a>]) -> SetUp<'a> {
    BASE.iter().chain(parts).copied().collect()
}

/// Makes the key, unless it is there.
fn generate(folder: &Path, key: &str) {
    if folder.join(key).exists() {
        return;
    }
    let options = match key {
        "pki/rsa3072.key" => ["RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
        "pki/rsa2048.key" => ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        _ => ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    };
    expect(folder, "openssl", &[&["genpkey", "-out", key, "-algorithm"][..], &options].concat());
}

/// Makes the issuing CA, unless it is there.
fn found_ca(folder: &Path) {
    if folder.join("pki/ca.pem").exists() {
        return;
    }
    let mut ca = set_up(&[("key", "pki/ca.key"), ("subject", "/C=XX/O=Lab/CN=Issuing CA")]);
    ca.extend([("constraints", "critical, CA:TRUE"), ("usage", "critical, keyCertSign")]);
    ca.remove("purpose");
    certify(folder, &ca, "pki/ca.pem");
}

/// Makes the certificate of a set-up.
fn certify(folder: &Path, parts: &SetUp<'_>, out: &str) {
    generate(folder, parts["key"]);
    if parts["issuer"] == "pki/ca" {
        found_ca(folder);
    }
    let extensions = [
        ("usage", "keyUsage"),
        ("purpose", "extendedKeyUsage"),
        ("constraints", "basicConstraints"),
    ];
    let extension = |(part, name): (&str, &str)| {
        parts.get(part).map(|value| format!("{name} = {value}\n")).unwrap_or_default()
    };
    let extensions = extensions.map(extension).concat() + &key_period(parts);
    fs::write(folder.join("extensions.cnf"), extensions).expect("the directory is ours");
    let key = parts.get("certified key").unwrap_or(&parts["key"]);
    let request = ["req", "-new", "-key", key, "-subj", parts["subject"], "-out", "tsu.csr"];
    expect(folder, "openssl", &request);
    let by = ["pem", "key"].map(|kind| format!("{}.{kind}", parts["issuer"]));
    let issued = ["x509", "-req", "-in", "tsu.csr", "-out", out, "-days", parts["days"]];
    let by = ["-CA", &by[0], "-CAkey", &by[1], "-set_serial", "0x1234"];
    let with = ["-sha256", "-extfile", "extensions.cnf"];
    let openssl = [&["-f", parts["made"], "openssl"][..], &issued, &by, &with].concat();
    expect(folder, "faketime", &openssl);
}

/// privateKeyUsagePeriod { notBefore [0], notAfter [1] } (RFC 3280 4.2.1.4).
fn key_period(parts: &SetUp<'_>) -> String {
    let dates = [(0x80_u8, "key begins"), (0x81, "key ends")].map(|(tag, part)| {
        parts.get(part).map_or(vec![], |date| [&[tag, 15][..], date.as_bytes()].concat())
    });
    let content = dates.concat();
    if content.is_empty() {
        return String::new();
    }
    let octets = u8::try_from(content.len()).expect("two dates are short");
    let der = [&[0x30, octets][..], &content].concat();
    let hexadecimal: Vec<String> = der.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("2.5.29.16 = DER:{}\n", hexadecimal.join(":"))
}

/// Makes the certificate and the configuration of a set-up.
fn make(rig: &Rig, parts: &SetUp<'_>) {
    certify(rig.layout().dir(), parts, "pki/tsu.pem");
    let is_setting = |part: &str| part.contains('.') || part == "https";
    let settings = parts.iter().filter(|(part, _)| is_setting(part));
    let mut overlay: String = settings.map(|(key, value)| format!("{key} = {value}\n")).collect();
    overlay.push_str(&format!("signer.key_file = \"../{}\"\n", parts["key"]));
    lay_over(rig.layout(), "tsu", &overlay.replace("PORT", &rig.spare_port().to_string()));
}

/// What the TSU says against its files: nothing, or it refuses to start, with a line for each
/// complaint.
fn complaints(rig: &Rig, what: &str) -> Vec<String> {
    let program = Programs::Release.path(Program::Tsu);
    let program = program.to_str().expect("programs have plain names");
    let file = rig.layout().tsu_toml();
    let config = ["--config", file.to_str().expect("temporary directories have plain names")];
    let run = |more: &[&str]| {
        let output = run_with(rig.layout().dir(), program, &[&config[..], more].concat(), &[]);
        (output.status.code(), said(&output))
    };
    let (code, checked) = run(&["--check-config"]);
    if code == Some(0) {
        return Vec::new();
    }
    assert_eq!(code, Some(EX_CONFIG), "{what}: {checked}");
    assert_eq!(run(&[]), (code, checked.clone()), "{what}");
    let counts = |line: &&str| line.ends_with(" in the configuration");
    let complaints = checked.lines().filter(|line| !counts(line));
    complaints.map(|line| line.replacen("chronolease-tsu: ", "", 1)).collect()
}

/// Each change brings one complaint, which says all its words.
fn each_is_refused(rows: &[Row<'_>]) {
    let rig = Rig::prepared(&Options::default());
    let mut good: BTreeMap<&[Part<'_>], Vec<String>> = BTreeMap::new();
    for (what, parts, changed, value, words) in rows {
        let mut parts_of_it = set_up(parts);
        let before = good.entry(parts).or_insert_with(|| {
            make(&rig, &parts_of_it);
            complaints(&rig, what)
        });
        let was = match value {
            Some(value) => parts_of_it.insert(changed, value),
            None => parts_of_it.remove(changed),
        };
        assert_ne!(was, *value, "{what}: nothing is changed");
        make(&rig, &parts_of_it);
        let mut told = complaints(&rig, what);
        told.retain(|complaint| !before.contains(complaint));
        let [complaint] = &told[..] else { panic!("{what}: one complaint, not {told:#?}") };
        for word in *words {
            assert!(complaint.contains(word), "{what}: {word} is not in {complaint}");
        }
    }
    // Nothing is wrong before the change, but with a qualified TSU, and there just one thing.
    for (parts, complaints) in good {
        let qualified = parts == QUALIFIED;
        assert_eq!(complaints.len(), usize::from(qualified), "{parts:?}: {complaints:?}");
        assert!(!qualified || complaints[0].contains("signer.kind"), "{complaints:?}");
    }
}

#[test]
fn a_certificate_that_does_not_fit_refuses_to_start() {
    each_is_refused(&ABOUT_CERTIFICATES);
}

#[test]
fn an_algorithm_that_does_not_fit_refuses_to_start() {
    each_is_refused(&ABOUT_ALGORITHMS);
}

#[test]
fn figures_and_files_that_do_not_fit_refuse_to_start() {
    each_is_refused(&ABOUT_FIGURES);
}

/// Without this, a row might be refused for something that it has in common with all the others.
#[test]
fn every_set_up_that_rows_are_changes_of_starts_and_issues_a_token() {
    let start = |(what, parts): (&'static str, &'static [Part<'static>])| {
        let mut rig = Rig::prepared(&Options::default());
        let parts = set_up(parts);
        make(&rig, &parts);
        assert_eq!(complaints(&rig, what), Vec::<String>::new(), "{what}");
        rig.start_sources();
        rig.start_monitor();
        rig.start_tsu();
        (what, parts, rig)
    };
    for (what, parts, rig) in GOOD.map(start) {
        let token = rig.eventually(&format!("{what}: a token"), || {
            let answer = rig.client().ask();
            answer.token().cloned().ok_or_else(|| format!("{answer:?}"))
        });
        let second = parts.contains_key("lease.accuracy");
        let accuracy = Bound::from_millis(if second { 1_000 } else { 500 });
        assert_eq!(token.accuracy, accuracy, "{what}");
        let whole = token.gen_time.as_unix_nanos() % 1_000_000_000 == 0;
        assert!(whole || !second, "{what}: {:?}", token.gen_time);
        let warned = rig.tsu.log().contains("its algorithm ends: no token is signed after it");
        assert_eq!(warned, parts["days"] == "20", "{what}: {}", rig.tsu.tail());
    }
}
