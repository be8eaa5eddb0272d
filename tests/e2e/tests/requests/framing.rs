//! The rules of HTTP (RFC 3161 3.4, RFC 9110, RFC 9112).

use std::net::Shutdown;

use chronolease_e2e::Rig;
use chronolease_e2e::http::Response;
use chronolease_e2e::tsp::{self, Outcome};
use rasn::types::Integer;

use super::rows::BAD_DATA_FORMAT;
use super::{REQUEST_BYTES_MAX, connect, good};

const TE: &str = "Transfer-Encoding: chunked\r\n";
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
/// A request that is sent behind another.
const NEXT: &[u8] = b"GET /policy HTTP/1.1\r\nHost: tsa\r\n\r\n";

pub(crate) fn statuses_are_those_of_http(rig: &Rig) {
    let query = ("Content-Type", tsp::QUERY);
    let (good, large) = (good(), vec![0; REQUEST_BYTES_MAX + 1]);
    type Case<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>, &'a [u8], u16);
    let cases: [Case<'_>; 20] = [
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
        ("PATCH", "/", Some(query), &good, 405),
        ("OPTIONS", "/", None, &[], 405),
        ("POST", "/../", Some(query), &good, 404),
        ("POST", "//", Some(query), &good, 404),
        ("POST", "/?x=1", Some(query), &good, 200),
        ("POST", "http://tsa/", Some(query), &good, 200),
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
pub(crate) fn head() -> String {
    format!("POST / HTTP/1.1\r\nHost: tsa\r\nContent-Type: {}\r\n", tsp::QUERY)
}

/// A request: the beginning of its head, further fields, and its body.
fn framed(head: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    [format!("{head}{fields}\r\n").as_bytes(), body].concat()
}

/// What an answer must be, as a whole.
#[derive(Clone, Copy)]
enum Answer {
    Token,
    /// There was no body: what RFC 3161 has for that.
    NoRequest,
    Status(u16),
}

/// In DER: PKIStatusInfo { status rejection (2), statusString, failInfo badDataFormat (5) }.
const NO_REQUEST: &[u8] = b"\x30\x37\x30\x35\x02\x01\x02\x30\x2c\x0c\x2a\
    the request is not one TimeStampReq in DER\x03\x02\x02\x04";

impl Answer {
    fn is_told_by(self, response: &Response, what: &str) {
        assert_eq!(response.header("cache-control"), Some("no-store"), "{what}");
        let status = if let Self::Status(status) = self { status } else { 200 };
        assert_eq!(response.status, status, "{what}");
        if status != 200 {
            assert_ne!(response.header("content-type"), Some(tsp::REPLY), "{what}");
            return;
        }
        let outcome = tsp::outcome(response);
        match (self, &outcome) {
            (Self::Token, Outcome::Token(_)) => {}
            (Self::NoRequest, Outcome::Rejected(BAD_DATA_FORMAT)) => {
                assert_eq!(response.body, NO_REQUEST, "{what}");
                let names: Vec<&str> = response.headers.iter().map(|(n, _)| n.as_str()).collect();
                assert_eq!(names, ["content-type", "cache-control", "content-length", "date"]);
            }
            _ => panic!("{what}: {outcome:?}"),
        }
    }
}

pub(crate) fn bodies_end_where_they_say(rig: &Rig) {
    use Answer::{NoRequest, Status, Token};
    let (good, plain) = (good(), head());
    let length = good.len();
    let one = format!("Content-Length: {length}\r\n");
    let chunked = [format!("{length:x}\r\n").as_bytes(), &good, LAST_CHUNK].concat();
    let size = REQUEST_BYTES_MAX + 1;
    let large = [format!("{size:x}\r\n").as_bytes(), &vec![0x30; size], LAST_CHUNK].concat();
    for (bytes, expected, goes_on, what) in [
        (framed(&plain, &one, &good), Token, true, "one length"),
        // RFC 9112 6.3: it is one length all the same.
        (framed(&plain, &one.repeat(2), &good), Token, true, "one length, told twice"),
        (framed(&plain, "", &[]), NoRequest, true, "no body and no length"),
        // RFC 9112 6.1: a length beside the chunks does not count, and nothing comes after them.
        (framed(&plain, TE, &chunked), Token, false, "chunks"),
        (framed(&plain, &[&one[..], TE].concat(), &chunked), Token, false, "a length, and chunks"),
        (framed(&plain, &[TE, &one].concat(), &chunked), Token, false, "chunks, and a length"),
        (framed(&plain, TE, &large), Status(413), false, "too large in chunks"),
        (framed(&plain, TE, b"zz\r\n"), Status(400), false, "a chunk of no size"),
    ] {
        let mut client = connect(rig);
        // The answer may come, and the connection end, before all of it is sent.
        let _ = client.send(&[&bytes[..], NEXT].concat());
        let response = client.response().unwrap_or_else(|e| panic!("{what}: {e}"));
        expected.is_told_by(&response, what);
        if goes_on {
            assert_eq!(response.header("connection"), None, "{what}");
            let next = client.response().unwrap_or_else(|e| panic!("behind {what}: {e}"));
            assert_eq!(next.status, 200, "behind {what}");
        } else {
            assert_eq!(response.header("connection"), Some("close"), "{what}");
            client.read_end().unwrap_or_else(|e| panic!("{what}: the connection goes on: {e}"));
        }
    }
}

/// Without a length there is no body: what comes behind the head is the next request, and no token
/// is given for it.
pub(crate) fn octets_without_a_length_are_no_body(rig: &Rig) {
    let mut client = connect(rig);
    client.send(&framed(&head(), "", &good())).expect("it listens");
    let response = client.response().expect("an answer to the head");
    Answer::NoRequest.is_told_by(&response, "a head without a length");
    let next = client.response().expect("an answer to the octets behind it");
    assert_eq!(next.status, 400, "{}", next.text());
    client.read_end().expect("which end the connection");
}

/// What could be read in two ways is refused, and nothing behind it is read any more.
pub(crate) fn what_cannot_be_framed_ends_the_connection(rig: &Rig) {
    let (good, plain) = (good(), head());
    let media_type = format!("Content-Type: {}\r\n", tsp::QUERY);
    let bare = |host: &str| format!("POST / HTTP/1.1\r\n{host}{media_type}");
    let length = good.len();
    let one = format!("Content-Length: {length}\r\n");
    let other = format!("Content-Length: {}\r\n", length + 1);
    let chunked = [format!("{length:x}\r\n").as_bytes(), &good, LAST_CHUNK].concat();
    let old = plain.replace("HTTP/1.1", "HTTP/1.0");
    let fields = "a: b\r\n".repeat(200);
    let with = |field: &str| framed(&plain, field, &good);
    let cases = [
        (framed(&bare(""), &one, &good), 400, "no Host"),
        (framed(&bare("Host: a\r\nHost: b\r\n"), &one, &good), 400, "two Hosts"),
        (with(&[&one[..], &other].concat()), 400, "two lengths"),
        (with("Content-Length: -1\r\n"), 400, "a negative length"),
        (with("Content-Length: +5\r\n"), 400, "a length with a sign"),
        (with("Content-Length: 0x20\r\n"), 400, "a length in hexadecimal"),
        (with("Content-Length: 99999999999999999999\r\n"), 400, "a length beyond all numbers"),
        (with("Content-Length: 5, 6\r\n"), 400, "two lengths in a list"),
        (with("Transfer-Encoding: gzip\r\n"), 400, "an encoding that ends nowhere"),
        (with("Transfer-Encoding: chunked, gzip\r\n"), 400, "chunks within another encoding"),
        (framed(&old, TE, &chunked), 400, "chunks in HTTP/1.0"),
        (with("Content-Length : 5\r\n"), 400, "a space before the colon"),
        (with(&format!("{one} 1\r\n")), 400, "a folded length"),
        (b"POST / HTTP/1.1\r\n no colon\r\n\r\n".to_vec(), 400, "a field without a name"),
        (framed(&plain, &fields, &good), 431, "two hundred fields"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400, "TLS"),
        (b"POST / HTTP/9.9\r\n\r\n".to_vec(), 400, "another version"),
        ([b"GET /", &[b'a'; 100_000][..], b" HTTP/1.1\r\n\r\n"].concat(), 431, "a long path"),
    ];
    for (bytes, status, what) in cases {
        let mut client = connect(rig);
        let _ = client.send(&[&bytes[..], &framed(&plain, &one, &good)].concat());
        let response = client.response().unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(response.status, status, "{what}");
        client.read_end().unwrap_or_else(|e| panic!("{what}: the connection goes on: {e}"));
    }
}

pub(crate) fn a_body_that_breaks_off_gets_no_token(rig: &Rig) {
    let good = good();
    let head = format!("{}Content-Length: {}\r\n\r\n", head(), good.len());
    let mut client = connect(rig);
    client.send(&[head.as_bytes(), &good[..20]].concat()).expect("it listens");
    client.shutdown(Shutdown::Write).expect("it is open");
    if let Ok(response) = client.response() {
        assert_eq!(response.status, 400, "{}", response.text());
    }
}

pub(crate) fn pipelined_requests_are_answered_in_order(rig: &Rig) {
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
