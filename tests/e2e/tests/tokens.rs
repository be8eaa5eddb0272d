//! What a client gets while the lease is held, judged by openssl and by the clock of this machine.

use std::collections::HashSet;
use std::fs;

use chronolease_core::time::Bound;
use chronolease_e2e::tools::{expect, run, said};
use chronolease_e2e::tsp::{self, Token};
use chronolease_e2e::{Options, Rig};

/// What a lab claims.
const ACCURACY: Bound = Bound::from_millis(500);

const CONNECTIONS: usize = 4;
const BURST: usize = 100;

#[test]
fn tokens_are_right_and_any_client_can_verify_them() {
    let rig = Rig::with_lease(&Options::default());
    for hash in ["-sha256", "-sha384", "-sha512"] {
        openssl_verifies(&rig, hash);
    }
    openssl_needs_the_certificate_when_it_was_not_asked_for(&rig);
    media_types_are_those_of_the_rfc(&rig);
    a_token_without_a_nonce_echoes_none(&rig);
    a_burst_is_right_and_every_serial_is_its_own(&rig);
    let metrics = rig.tsu_metrics();
    let granted = metrics.get("chronolease_tsu_requests_total", &[("result", "granted")]);
    // Three for openssl with certificates, one without, one for the media types, one without a
    // nonce.
    assert_eq!(granted, Some((CONNECTIONS * BURST + 6) as f64));
    assert_eq!(metrics.get("chronolease_tsu_lease_held", &[]), Some(1.0));
}

/// Asks as the guide of the demo says.
fn ask_with_curl(rig: &Rig, query: &[&str]) {
    let folder = rig.layout().dir();
    fs::write(folder.join("hello.txt"), "hello\n").expect("the directory is ours");
    fs::write(folder.join("other.txt"), "hullo\n").expect("the directory is ours");
    expect(folder, "openssl", &[&["ts", "-query", "-out", "hello.tsq"], query].concat());
    let url = format!("http://{}/", rig.ports().tsu_http());
    let media_type = format!("Content-Type: {}", tsp::QUERY);
    let post = ["-sSf", "-D", "head.txt", "-H", &media_type, "--data-binary", "@hello.tsq"];
    expect(folder, "curl", &[&post[..], &["-o", "hello.tsr", &url]].concat());
}

fn received(rig: &Rig) -> Token {
    let der = fs::read(rig.layout().file("hello.tsr")).expect("curl wrote it");
    match tsp::parse(&der) {
        tsp::Outcome::Token(token) => *token,
        other => panic!("no token: {other:?}"),
    }
}

fn openssl_verifies(rig: &Rig, hash: &str) {
    ask_with_curl(rig, &["-data", "hello.txt", hash, "-cert"]);
    let verify = ["ts", "-verify", "-in", "hello.tsr", "-CAfile", "pki/tsa-ca.pem"];
    let folder = rig.layout().dir();
    for what in [["-data", "hello.txt"], ["-queryfile", "hello.tsq"]] {
        let told = expect(folder, "openssl", &[&verify[..], &what].concat());
        assert!(told.contains("Verification: OK"), "{hash}: {told}");
    }
    let other = run(folder, "openssl", &[&verify[..], &["-data", "other.txt"]].concat());
    assert!(!other.status.success(), "{hash}: another text verifies: {}", said(&other));
    let token = received(rig);
    assert!(token.has_certificates);
    assert!(token.nonce.is_some(), "openssl sends a nonce");
    assert_eq!(token.accuracy, ACCURACY);
    let text = expect(folder, "openssl", &["ts", "-reply", "-in", "hello.tsr", "-text"]);
    assert!(text.contains("Accuracy: unspecified seconds, 0x01F4 millis"), "{text}");
    assert!(text.contains("Policy OID: 0.4.0.2023.1.1"), "{text}");
}

fn openssl_needs_the_certificate_when_it_was_not_asked_for(rig: &Rig) {
    ask_with_curl(rig, &["-data", "hello.txt", "-sha256"]);
    assert!(!received(rig).has_certificates);
    let folder = rig.layout().dir();
    let verify = ["ts", "-verify", "-data", "hello.txt", "-in", "hello.tsr"];
    let verify = [&verify[..], &["-CAfile", "pki/tsa-ca.pem"]].concat();
    let without = run(folder, "openssl", &verify);
    assert!(!without.status.success(), "nobody gave it the certificate: {}", said(&without));
    let told = expect(folder, "openssl", &[&verify[..], &["-untrusted", "pki/tsu.pem"]].concat());
    assert!(told.contains("Verification: OK"), "{told}");
}

fn media_types_are_those_of_the_rfc(rig: &Rig) {
    ask_with_curl(rig, &["-data", "hello.txt", "-sha256", "-cert"]);
    let head = fs::read_to_string(rig.layout().file("head.txt")).expect("curl wrote it");
    assert!(head.to_ascii_lowercase().contains(&format!("content-type: {}\r", tsp::REPLY)));
}

fn a_token_without_a_nonce_echoes_none(rig: &Rig) {
    let answer = rig.client().ask_for(&tsp::request(b"hello"));
    assert_eq!(answer.token().expect("a token").nonce, None);
}

/// Clients on several connections, each with tokens of its own.
fn a_burst_is_right_and_every_serial_is_its_own(rig: &Rig) {
    let answers = std::thread::scope(|scope| {
        let ask = || {
            let mut client = rig.client();
            (0..BURST).map(|_| client.ask()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|t| t.join().expect("it asks")).collect::<Vec<_>>()
    });
    let mut serials = HashSet::new();
    for connection in &answers {
        let mut previous = None;
        for answer in connection {
            let token = answer.token().unwrap_or_else(|| panic!("no token: {answer:?}"));
            assert!(answer.off_by() <= Some(ACCURACY), "{answer:?}");
            assert_eq!(token.accuracy, ACCURACY);
            assert_eq!(token.gen_time.as_unix_nanos() % 1_000_000, 0, "whole milliseconds");
            assert!(previous <= Some(token.gen_time), "genTime ran backwards: {answer:?}");
            previous = Some(token.gen_time);
            assert!(serials.insert(token.serial.clone()), "twice: {}", token.serial);
        }
    }
    assert_eq!(serials.len(), CONNECTIONS * BURST);
    let whole = |token: &Token| token.gen_time.as_unix_nanos() % 1_000_000_000 == 0;
    let tokens = answers.iter().flatten().filter_map(tsp::Answer::token);
    assert!(!tokens.into_iter().all(whole), "genTime has no milliseconds");
}
