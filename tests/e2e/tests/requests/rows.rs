//! The rows on requests of RFC 3161 2.4.1 and EN 319 422 5.1: one hostile request for each, and
//! what must be let in.

use chronolease_e2e::Rig;
use chronolease_e2e::tsp::{self, Outcome};
use rasn::types::ObjectIdentifier;

use super::{REQUEST_BYTES_MAX, connect, good, post};

const BAD_ALG: usize = 0;
const BAD_REQUEST: usize = 2;
pub(crate) const BAD_DATA_FORMAT: usize = 5;
const UNACCEPTED_POLICY: usize = 15;
const UNACCEPTED_EXTENSION: usize = 16;

/// What a lab's TSU says when nobody names a policy, and what this one accepts besides.
const OWN_POLICY: &str = "0.4.0.2023.1.1";
pub(crate) const ANOTHER_POLICY: &str = "1.2.3.4.5";

const VERSION: &[u8] = &[2, 1, 1];
const NULL: &[u8] = &[5, 0];
/// 2.16.840.1.101.3.4.2 without its last arc.
const NIST_HASHES: [u8; 8] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];
const SHA_256: u8 = 1;

/// An element in DER whose content is `parts`.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let octets = u8::try_from(content.len()).expect("it is short");
    let length = if octets < 0x80 { vec![octets] } else { vec![0x81, octets] };
    [vec![tag], length, content].concat()
}

fn request(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, parts)
}

/// A messageImprint of the hash with this OID and these parameters over `octets` octets.
fn imprint_of(oid: &[u8], parameters: &[u8], octets: usize) -> Vec<u8> {
    let algorithm = element(0x30, &[&element(6, &[oid]), parameters]);
    element(0x30, &[&algorithm, &element(4, &[&vec![0x5a; octets]])])
}

/// The same for a hash of NIST.
fn imprint(last_arc: u8, parameters: &[u8], octets: usize) -> Vec<u8> {
    imprint_of(&[&NIST_HASHES[..], &[last_arc]].concat(), parameters, octets)
}

pub(crate) fn rejections_name_their_reason(rig: &Rig) {
    let mut client = connect(rig);
    let cases = [badly_formed(), badly_encoded(), not_supported()];
    for (what, body, bit) in cases.into_iter().flatten() {
        let headers = [("Content-Type", tsp::QUERY)];
        let response = client.request("POST", "/", &headers, Some(&body)).expect("an answer");
        let outcome = tsp::outcome(&response);
        assert!(matches!(outcome, Outcome::Rejected(b) if b == bit), "{what}: {outcome:?}");
    }
}

type Case = (&'static str, Vec<u8>, usize);

/// R1, R4, R7: not one TimeStampReq.
fn badly_formed() -> Vec<Case> {
    let sound = imprint(SHA_256, NULL, 32);
    let with_nonce = |octets: usize| {
        let nonce = element(2, &[&vec![0x7f; octets]]);
        request(&[VERSION, &sound, &nonce])
    };
    let cases = [
        ("nothing", vec![]),
        ("text", b"hello, may I have a token?".to_vec()),
        ("the largest garbage", vec![0xff; REQUEST_BYTES_MAX]),
        ("a length of 4 GiB", vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        ("deep nesting", [0x30, 0x80].repeat(1_000)),
        ("an empty SEQUENCE", request(&[])),
        ("a byte behind the end", [good(), vec![0]].concat()),
        ("two requests", [good(), good()].concat()),
        ("no imprint", request(&[VERSION])),
        ("an imprint before the version", request(&[&sound, VERSION])),
        ("certReq before the nonce", request(&[VERSION, &sound, &[1, 1, 0xff], &[2, 1, 9]])),
        ("two nonces", request(&[VERSION, &sound, &[2, 1, 9], &[2, 1, 9]])),
        ("a digest of 31 octets", request(&[VERSION, &imprint(SHA_256, NULL, 31)])),
        ("a digest of 33 octets", request(&[VERSION, &imprint(SHA_256, NULL, 33)])),
        ("no digest", request(&[VERSION, &imprint(SHA_256, NULL, 0)])),
        ("a SHA-512 as long as a SHA-256", request(&[VERSION, &imprint(3, NULL, 32)])),
        ("a nonce of 65 octets", with_nonce(65)),
        ("extensions without one", request(&[VERSION, &sound, &[0xa0, 0]])),
    ];
    cases.map(|(what, body)| (what, body, BAD_DATA_FORMAT)).into()
}

/// R1: what other decoders may let through, but not DER.
fn badly_encoded() -> Vec<Case> {
    let sound = imprint(SHA_256, NULL, 32);
    let plain = request(&[VERSION, &sound]);
    // The digest in two segments (BER).
    let segments = element(0x24, &[&element(4, &[&[0x5a; 16]]), &element(4, &[&[0x5a; 16]])]);
    let algorithm =
        element(0x30, &[&element(6, &[&[&NIST_HASHES[..], &[SHA_256]].concat()]), NULL]);
    let cases = [
        ("indefinite length", [&[0x30, 0x80][..], &plain[2..], &[0, 0]].concat()),
        ("a length in more octets than it needs", [&[0x30, 0x81][..], &plain[1..]].concat()),
        ("a version in two octets", request(&[&[2, 2, 0, 1], &sound])),
        ("a nonce with a zero in front", request(&[VERSION, &sound, &[2, 2, 0, 1]])),
        ("a nonce of no octets", request(&[VERSION, &sound, &[2, 0]])),
        ("certReq 01", request(&[VERSION, &sound, &[1, 1, 1]])),
        ("a digest in segments", request(&[VERSION, &element(0x30, &[&algorithm, &segments])])),
        ("a SET instead of the SEQUENCE", element(0x31, &[VERSION, &sound])),
    ];
    cases.map(|(what, body)| (what, body, BAD_DATA_FORMAT)).into()
}

/// R2, R3, R5, R6, R9: a TimeStampReq that no token answers.
fn not_supported() -> Vec<Case> {
    let sound = imprint(SHA_256, NULL, 32);
    let with = |imprint: Vec<u8>| request(&[VERSION, &imprint]);
    let sha_1 = imprint_of(&[0x2b, 0x0e, 3, 2, 0x1a], NULL, 20);
    let md_5 = imprint_of(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5], NULL, 16);
    let ripemd_160 = imprint_of(&[0x2b, 0x24, 3, 2, 1], NULL, 20);
    // [0] { Extension { 1.2.3, (critical,) OCTET STRING 00 } }
    let plain = [0xa0, 9, 0x30, 7, 6, 2, 0x2a, 3, 4, 1, 0];
    let critical = [0xa0, 12, 0x30, 10, 6, 2, 0x2a, 3, 1, 1, 0xff, 4, 1, 0];
    vec![
        ("version 0", request(&[&[2, 1, 0], &sound]), BAD_REQUEST),
        ("version 2", request(&[&[2, 1, 2], &sound]), BAD_REQUEST),
        ("SHA-1", with(sha_1), BAD_ALG),
        ("MD5", with(md_5), BAD_ALG),
        ("RIPEMD-160", with(ripemd_160), BAD_ALG),
        ("SHA-224", with(imprint(4, NULL, 28)), BAD_ALG),
        ("SHA-512/256", with(imprint(6, NULL, 32)), BAD_ALG),
        ("SHAKE-256", with(imprint(12, NULL, 64)), BAD_ALG),
        ("a hash that nobody knows", with(imprint(0x7f, NULL, 32)), BAD_ALG),
        ("a number for parameters", with(imprint(SHA_256, &[2, 1, 0], 32)), BAD_ALG),
        ("octets for parameters", with(imprint(SHA_256, &[4, 0], 32)), BAD_ALG),
        ("another policy", request(&[VERSION, &sound, &[6, 2, 0x2a, 3]]), UNACCEPTED_POLICY),
        ("an extension", request(&[VERSION, &sound, &plain]), UNACCEPTED_EXTENSION),
        ("a critical extension", request(&[VERSION, &sound, &critical]), UNACCEPTED_EXTENSION),
    ]
}

/// The rows of the checklist that let a request in.
pub(crate) fn sound_requests_of_every_kind_are_granted(rig: &Rig) {
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
    // R10: a digest is not looked at but for its length.
    for octet in [0, 0xff] {
        let mut request = tsp::request(b"hello");
        request.message_imprint.hashed_message = vec![octet; 32].into();
        let answer = client.ask_for(&request);
        assert!(answer.token().is_some(), "{octet:02x}: {answer:?}");
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

/// R6 (EN 319 422 5.1.2): the TSU's own when none is named, another that is configured when it is
/// named, and no token under one that is neither, however near to both.
pub(crate) fn the_policy_is_the_one_that_was_named(rig: &Rig) {
    let oid = |dotted: &str| {
        let arcs = dotted.split('.').map(|arc| arc.parse::<u32>().expect("a number"));
        ObjectIdentifier::new(arcs.collect::<Vec<_>>()).expect("an object identifier")
    };
    let mut client = rig.client();
    for (named, granted) in [
        (None, Some(OWN_POLICY)),
        (Some(OWN_POLICY), Some(OWN_POLICY)),
        (Some(ANOTHER_POLICY), Some(ANOTHER_POLICY)),
        (Some("1.2.3.4"), None),
        (Some("1.2.3.4.6"), None),
        (Some("1.2.3.4.5.0"), None),
        (Some("0.4.0.2023.1.2"), None),
    ] {
        let mut request = tsp::request(b"hello");
        request.req_policy = named.map(oid);
        let outcome = client.ask_for(&request).outcome;
        match (&outcome, granted) {
            (Outcome::Token(token), Some(granted)) => assert_eq!(token.policy, oid(granted)),
            (Outcome::Rejected(UNACCEPTED_POLICY), None) => {}
            _ => panic!("{named:?}: {outcome:?}"),
        }
    }
}

pub(crate) fn every_truncation_is_refused(rig: &Rig) {
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
