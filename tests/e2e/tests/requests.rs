//! Requests as no client should send them: an answer that fits, never a panic or a hang.

use std::net::Shutdown;

use chronolease_e2e::http::{self, Client};
use chronolease_e2e::tsp::{self, Outcome};
use chronolease_e2e::{Options, Rig};
use rasn::types::{Integer, ObjectIdentifier};

const BAD_ALG: usize = 0;
const BAD_REQUEST: usize = 2;
const BAD_DATA_FORMAT: usize = 5;
const UNACCEPTED_POLICY: usize = 15;
const UNACCEPTED_EXTENSION: usize = 16;

/// The largest request of a lab's TSU.
const REQUEST_BYTES_MAX: usize = 16_384;

#[test]
fn odd_requests_get_the_answer_that_fits() {
    let mut rig = Rig::with_lease(&Options::default());
    // A client that does not get on with it must not be in the way of the others.
    let mut slow = connect(&rig);
    slow.send(b"POST / HTTP/1.1\r\nHost:").expect("it listens");

    rejections_name_their_reason(&rig);
    sound_requests_of_every_kind_are_granted(&rig);
    every_truncation_is_refused(&rig);
    statuses_are_those_of_http(&rig);
    framing_must_be_plain(&rig);
    a_body_that_breaks_off_gets_no_token(&rig);
    pipelined_requests_are_answered_in_order(&rig);

    slow.send(b" x\r\nContent-Length: 0\r\n\r\n").expect("it still waits");
    assert_eq!(slow.response().expect("a response").status, 415);
    let answer = rig.client().ask();
    assert!(answer.token().is_some(), "{answer:?}");
    assert_eq!(rig.tsu.sigterm().code(), Some(0));
    let log = rig.tsu.log();
    assert!(!log.contains("panicked"), "{log}");
}

fn connect(rig: &Rig) -> Client {
    Client::connect(rig.ports().tsu_http()).expect("the TSU listens")
}

fn post(rig: &Rig, body: &[u8]) -> http::Response {
    let headers = [("Content-Type", tsp::QUERY)];
    connect(rig).request("POST", "/", &headers, Some(body)).expect("an answer")
}

fn assert_rejected(rig: &Rig, body: &[u8], bit: usize, what: &str) {
    let outcome = tsp::outcome(&post(rig, body));
    assert!(matches!(outcome, Outcome::Rejected(b) if b == bit), "{what}: {outcome:?}");
}

fn good() -> Vec<u8> {
    tsp::encode(&tsp::request(b"hello"))
}

fn rejections_name_their_reason(rig: &Rig) {
    let oid = |arcs: &[u32]| ObjectIdentifier::new(arcs.to_vec()).expect("an object identifier");
    let mut sha1 = tsp::request(b"hello");
    sha1.message_imprint.hash_algorithm.algorithm = oid(&[1, 3, 14, 3, 2, 26]);
    sha1.message_imprint.hashed_message = vec![0; 20].into();
    let mut short = tsp::request(b"hello");
    short.message_imprint.hashed_message = vec![0; 31].into();
    let mut policy = tsp::request(b"hello");
    policy.req_policy = Some(oid(&[1, 2, 3, 4]));
    let mut version = tsp::request(b"hello");
    version.version = 2;
    let mut nonce = tsp::request(b"hello");
    let octets_65 = [&[0x02, 65, 1][..], &[0; 64]].concat();
    nonce.nonce = Some(rasn::der::decode(&octets_65).expect("an INTEGER in DER"));
    for (request, bit, what) in [
        (sha1, BAD_ALG, "SHA-1"),
        (short, BAD_DATA_FORMAT, "a digest of 31 octets"),
        (policy, UNACCEPTED_POLICY, "an unknown policy"),
        (version, BAD_REQUEST, "version 2"),
        (nonce, BAD_DATA_FORMAT, "a nonce of 65 octets"),
    ] {
        assert_rejected(rig, &tsp::encode(&request), bit, what);
    }
    // [0] { Extension { 1.2.3, OCTET STRING 00 } }, at the end of the SEQUENCE.
    let extensions = [0xa0, 0x09, 0x30, 0x07, 0x06, 0x02, 0x2a, 0x03, 0x04, 0x01, 0x00];
    let mut extended = [good(), extensions.to_vec()].concat();
    extended[1] += u8::try_from(extensions.len()).expect("it is short");
    assert_rejected(rig, &extended, UNACCEPTED_EXTENSION, "an extension");
    let indefinite = [&[0x30, 0x80][..], &good()[2..], &[0, 0]].concat();
    for (body, what) in [
        (vec![], "nothing"),
        (b"hello, may I have a token?".to_vec(), "text"),
        (vec![0xff; REQUEST_BYTES_MAX], "the largest garbage"),
        (vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff], "a length of 4 GiB"),
        ([0x30, 0x80].repeat(1_000), "deep nesting"),
        ([good(), vec![0]].concat(), "a byte behind the end"),
        (indefinite, "BER"),
    ] {
        assert_rejected(rig, &body, BAD_DATA_FORMAT, what);
    }
}

/// The rows of the checklist that let a request in.
fn sound_requests_of_every_kind_are_granted(rig: &Rig) {
    let mut client = rig.client();
    let arcs = |last| vec![2, 16, 840, 1, 101, 3, 4, 2, last];
    for (last, octets) in [(1, 32), (2, 48), (3, 64), (8, 32), (9, 48), (10, 64)] {
        for parameters in [None, Some(vec![0x05, 0x00])] {
            let mut request = tsp::request(b"hello");
            let algorithm = &mut request.message_imprint.hash_algorithm;
            algorithm.algorithm = ObjectIdentifier::new(arcs(last)).expect("an identifier");
            algorithm.parameters = parameters.map(rasn::types::Any::new);
            request.message_imprint.hashed_message = vec![0x5a; octets].into();
            let answer = client.ask_for(&request);
            assert!(answer.token().is_some(), "{last}: {answer:?}");
        }
    }
    let long = [&[0x02, 20][..], &[0x7f; 20]].concat();
    let longest = [&[0x02, 64][..], &[0x7f; 64]].concat();
    for nonce in [&[2, 1, 0][..], &[2, 1, 0xff], &long, &longest] {
        let mut request = tsp::request(b"hello");
        request.nonce = Some(rasn::der::decode(nonce).expect("an INTEGER in DER"));
        request.cert_req = true;
        let answer = client.ask_for(&request);
        assert!(answer.token().is_some(), "{nonce:02x?}: {answer:?}");
    }
    // certReq FALSE, written out although it is the default.
    let mut written = [good(), vec![1, 1, 0]].concat();
    written[1] += 3;
    match tsp::outcome(&post(rig, &written)) {
        Outcome::Token(token) => assert!(!token.has_certificates),
        other => panic!("{other:?}"),
    }
}

fn every_truncation_is_refused(rig: &Rig) {
    let good = good();
    let mut client = connect(rig);
    for end in 0..=good.len() {
        let headers = [("Content-Type", tsp::QUERY)];
        let response = client.request("POST", "/", &headers, Some(&good[..end]));
        let outcome = tsp::outcome(&response.expect("an answer"));
        match outcome {
            Outcome::Rejected(BAD_DATA_FORMAT) => assert!(end < good.len()),
            Outcome::Token(_) => assert_eq!(end, good.len()),
            other => panic!("{end} bytes: {other:?}"),
        }
    }
}

fn statuses_are_those_of_http(rig: &Rig) {
    let query = ("Content-Type", tsp::QUERY);
    let (good, large) = (good(), vec![0; REQUEST_BYTES_MAX + 1]);
    type Case<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>, &'a [u8], u16);
    let cases: [Case<'_>; 14] = [
        ("POST", "/", Some(query), &large, 413),
        ("POST", "/", Some(("Content-Type", "application/octet-stream")), &good, 415),
        ("POST", "/", Some(("Content-Type", tsp::REPLY)), &good, 415),
        ("POST", "/", None, &good, 415),
        ("POST", "/", Some(("Content-Type", "Application/Timestamp-Query; x=1")), &good, 200),
        ("GET", "/", None, &[], 200),
        ("GET", "/chain.pem", None, &[], 200),
        ("GET", "/policy", None, &[], 200),
        ("GET", "/disclosure.json", None, &[], 200),
        ("PUT", "/", Some(query), &good, 405),
        ("DELETE", "/", None, &[], 405),
        ("POST", "/policy", Some(query), &good, 405),
        ("POST", "/tsa", Some(query), &good, 404),
        ("GET", "/metrics", None, &[], 404),
    ];
    for (method, path, header, body, status) in cases {
        let response = connect(rig).request(method, path, header.as_slice(), Some(body));
        let response = response.expect("an answer");
        assert_eq!(response.status, status, "{method} {path} {header:?}: {}", response.text());
        if status == 405 {
            let allowed = if path == "/" { "POST,GET,HEAD" } else { "GET,HEAD" };
            assert_eq!(response.header("allow"), Some(allowed), "{method} {path}");
        }
        assert_eq!(response.header("cache-control"), Some("no-store"), "{method} {path}");
    }
    // The refusal comes before the body does, so that nobody uploads in vain.
    let mut client = connect(rig);
    let head = format!("{}Content-Length: 1000000000000\r\n\r\n", head());
    client.send(head.as_bytes()).expect("it listens");
    assert_eq!(client.response().expect("an answer").status, 413);
}

/// A request's head without its end.
fn head() -> String {
    format!("POST / HTTP/1.1\r\nHost: tsa\r\nContent-Type: {}\r\n", tsp::QUERY)
}

/// What is read of the first response to these bytes.
fn raw(rig: &Rig, bytes: &[u8]) -> Option<u16> {
    let mut client = connect(rig);
    // The answer may come, and the connection end, before all of it is sent.
    let _ = client.send(bytes);
    client.response().ok().map(|response| response.status)
}

fn framing_must_be_plain(rig: &Rig) {
    let good = good();
    let with =
        |fields: &str, body: &[u8]| [format!("{}{fields}\r\n", head()).as_bytes(), body].concat();
    let length = good.len();
    let chunk = |size: usize| {
        [format!("{size:x}\r\n").as_bytes(), &vec![0x30; size], b"\r\n0\r\n\r\n"].concat()
    };
    let chunked = [format!("{length:x}\r\n").as_bytes(), &good, b"\r\n0\r\n\r\n"].concat();
    let te = "Transfer-Encoding: chunked\r\n";
    let one = format!("Content-Length: {length}\r\n");
    let other = format!("Content-Length: {}\r\n", length + 1);
    for (bytes, status, what) in [
        (with(&one, &good), 200, "one length"),
        (with(te, &chunked), 200, "chunks"),
        (with(te, &chunk(REQUEST_BYTES_MAX + 1)), 413, "too large in chunks"),
        (with(te, b"zz\r\n"), 400, "a chunk of no size"),
        (with(&[&one[..], &other].concat(), &good), 400, "two lengths"),
        (with("Content-Length: -1\r\n", &good), 400, "a negative length"),
        (with("Content-Length: 0x20\r\n", &good), 400, "a length in hexadecimal"),
        (with(&one.repeat(2), &good), 200, "one length, told twice"),
        (b"POST / HTTP/1.1\r\n no colon\r\n\r\n".to_vec(), 400, "a field without a name"),
        (
            [b"GET / HTTP/1.1\r\nHost: x\r\n", &b"a: b\r\n".repeat(200)[..], b"\r\n"].concat(),
            431,
            "two hundred fields",
        ),
        (with("Transfer-Encoding: gzip\r\n", &good), 400, "an encoding that ends nowhere"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400, "TLS"),
        (b"POST / HTTP/9.9\r\n\r\n".to_vec(), 400, "another version"),
        ([b"GET /", &[b'a'; 100_000][..], b" HTTP/1.1\r\n\r\n"].concat(), 431, "a long path"),
    ] {
        assert_eq!(raw(rig, &bytes), Some(status), "{what}");
    }
    // RFC 9112 6.1: refuse, or take the chunks alone and close the connection.
    let both = with(&[&one[..], te].concat(), &chunked);
    let mut client = connect(rig);
    client.send(&[&both[..], &both].concat()).expect("it listens");
    let first = client.response().expect("an answer").status;
    assert!([200, 400].contains(&first), "{first}");
    assert!(client.read_end().is_ok(), "the connection goes on after both");
}

fn a_body_that_breaks_off_gets_no_token(rig: &Rig) {
    let good = good();
    let head = format!("{}Content-Length: {}\r\n\r\n", head(), good.len());
    let mut client = connect(rig);
    client.send(&[head.as_bytes(), &good[..20]].concat()).expect("it listens");
    client.shutdown(Shutdown::Write).expect("it is open");
    if let Ok(response) = client.response() {
        assert_eq!(response.status, 400, "{}", response.text());
    }
}

fn pipelined_requests_are_answered_in_order(rig: &Rig) {
    let one = |nonce: u32| {
        let mut request = tsp::request(b"hello");
        request.nonce = Some(Integer::from(nonce));
        let body = tsp::encode(&request);
        let head = format!("{}Content-Length: {}\r\n\r\n", head(), body.len());
        [head.as_bytes(), &body].concat()
    };
    let mut client = connect(rig);
    client.send(&[one(1), one(2), one(3)].concat()).expect("it listens");
    for nonce in 1..=3_u32 {
        match tsp::outcome(&client.response().expect("an answer")) {
            Outcome::Token(token) => assert_eq!(token.nonce, Some(Integer::from(nonce))),
            other => panic!("{other:?}"),
        }
    }
}
