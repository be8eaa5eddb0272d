use super::super::testing::{self, NONCE, Scratch, TRUE, VERSION, imprint, request_der};
use super::*;
use proptest::prelude::*;

/// OBJECT IDENTIFIER 1.2.3.4.5, accepted but not the default.
const KNOWN_POLICY: &[u8] = &[0x06, 0x04, 0x2a, 0x03, 0x04, 0x05];
const UNKNOWN_POLICY: &[u8] = &[0x06, 0x04, 0x2a, 0x03, 0x04, 0x06];
const FALSE: &[u8] = &[0x01, 0x01, 0x00];

fn parsed(parts: &[&[u8]]) -> Result<Request, FailInfo> {
    parse(&request_der(parts), &testing::policy()).map_err(|rejection| rejection.fail)
}

/// A NONCE of `octets` octets of content.
fn nonce(octets: u8) -> Vec<u8> {
    [&[0x02, octets][..], &vec![0x11; usize::from(octets)]].concat()
}

#[test]
fn the_parts_of_a_request_are_kept() {
    let request = parsed(&[VERSION, &imprint(3, 64), KNOWN_POLICY, NONCE, TRUE]).unwrap();
    assert_eq!(der::encode(request.imprint()), imprint(3, 64));
    assert_eq!(request.digest(), [0x5a; 64]);
    assert_eq!(request.policy().to_string(), "1.2.3.4.5");
    assert_eq!(request.nonce(), Some(&Integer::from(4242)));
    assert!(request.cert_req());

    let least = parsed(&[VERSION, &imprint(1, 32)]).unwrap();
    assert_eq!(least.policy(), testing::policy().default_policy());
    assert_eq!((least.nonce(), least.cert_req()), (None, false));
}

#[test]
fn a_hash_without_parameters_stays_without() {
    let mut absent = imprint(2, 48);
    absent.drain(15..17);
    absent[1] -= 2;
    absent[3] -= 2;
    let request = parsed(&[VERSION, &absent]).unwrap();
    assert_eq!(der::encode(request.imprint()), absent);

    // BOOLEAN TRUE of the same size as NULL does not fit, so an empty OCTET STRING stands in.
    let mut odd = imprint(2, 48);
    odd[15] = 0x04;
    assert_eq!(parsed(&[VERSION, &odd]), Err(FailInfo::BadAlg));
}

#[test]
fn every_reason_is_told_apart() {
    let good = imprint(1, 32);
    let mut sha_1 = vec![0x30, 0x21, 0x30, 9, 6, 5, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 5, 0, 4, 20];
    sha_1.extend([0x5a; 20]);
    // [0] { Extension { 1.2.3, OCTET STRING {} } }, then the same as critical.
    let extension = [0xa0, 0x08, 0x30, 0x06, 0x06, 0x02, 0x2a, 0x03, 0x04, 0x00];
    let critical = [0xa0, 0x0b, 0x30, 0x09, 0x06, 0x02, 0x2a, 0x03, 0x01, 0x01, 0xff, 0x04, 0x00];
    // 2.25.18446744073709551616: an arc as large as a UUID's (X.667) cannot be read.
    let large_arc = [&[0x06, 11, 0x69, 0x82][..], &[0x80; 8], &[0]].concat();
    let cases: [(&str, &[&[u8]], FailInfo); 18] = [
        ("version 0", &[&[2, 1, 0], &good], FailInfo::BadRequest),
        ("version 2", &[&[2, 1, 2], &good], FailInfo::BadRequest),
        ("SHA-1", &[VERSION, &sha_1], FailInfo::BadAlg),
        ("SHA-224", &[VERSION, &imprint(4, 28)], FailInfo::BadAlg),
        ("SHA-512/256", &[VERSION, &imprint(6, 32)], FailInfo::BadAlg),
        ("SHA3-224", &[VERSION, &imprint(7, 28)], FailInfo::BadAlg),
        ("SHAKE128", &[VERSION, &imprint(11, 32)], FailInfo::BadAlg),
        ("SHA3-384 too short", &[VERSION, &imprint(9, 32)], FailInfo::BadDataFormat),
        ("digest too short", &[VERSION, &imprint(1, 31)], FailInfo::BadDataFormat),
        ("digest too long", &[VERSION, &imprint(1, 33)], FailInfo::BadDataFormat),
        ("digest of another hash", &[VERSION, &imprint(3, 32)], FailInfo::BadDataFormat),
        ("unknown policy", &[VERSION, &good, UNKNOWN_POLICY], FailInfo::UnacceptedPolicy),
        ("policy of a UUID", &[VERSION, &good, &large_arc], FailInfo::BadDataFormat),
        ("extension", &[VERSION, &good, &extension], FailInfo::UnacceptedExtension),
        ("critical extension", &[VERSION, &good, &critical], FailInfo::UnacceptedExtension),
        ("no extension in the list", &[VERSION, &good, &[0xa0, 0]], FailInfo::BadDataFormat),
        ("nonce too long", &[VERSION, &good, &nonce(65)], FailInfo::BadDataFormat),
        ("something behind", &[VERSION, &good, NONCE, TRUE, TRUE], FailInfo::BadDataFormat),
    ];
    for (what, parts, fail) in cases {
        assert_eq!(parsed(parts), Err(fail), "{what}");
    }
}

#[test]
fn every_recommended_hash_is_taken_and_told_apart() {
    for (function, last_arc) in HashFunction::ALL.into_iter().zip([1, 2, 3, 8, 9, 10]) {
        let octets = u8::try_from(function.octets()).unwrap();
        let request = parsed(&[VERSION, &imprint(last_arc, octets)]).unwrap();
        assert_eq!(*request.hash(), Imprint::new(function, request.digest()).unwrap());
        assert_eq!(der::encode(request.imprint()), imprint(last_arc, octets));
    }
}

#[test]
fn nonces_of_every_kind_are_echoed() {
    let negative: &[u8] = &[0x02, 0x02, 0xff, 0x00];
    for nonce in [&[0x02, 0x01, 0x00], negative, &nonce(8), &nonce(20), &nonce(64)] {
        let request = parsed(&[VERSION, &imprint(1, 32), nonce]).unwrap();
        assert_eq!(der::encode(request.nonce().unwrap()), nonce);
    }
}

#[test]
fn what_is_not_der_is_refused() {
    let good = imprint(1, 32);
    let whole = request_der(&[VERSION, &good, NONCE]);
    let refused = |body: &[u8], what: &str| {
        let fail = parse(body, &testing::policy()).map_err(|rejection| rejection.fail);
        assert_eq!(fail, Err(FailInfo::BadDataFormat), "{what}");
    };
    refused(&[], "nothing");
    refused(&whole[..whole.len() - 1], "cut");
    refused(&[&whole[..], &[0x00]].concat(), "trailing byte");
    refused(&[&whole[..], &whole].concat(), "two requests");
    refused(&[&[0x30, 0x81], &whole[1..]].concat(), "long length where a short one will do");
    refused(&[&[0x30, 0x80], &whole[2..], &[0, 0]].concat(), "indefinite length");
    let long_form = [&[0x30, 0x81], &good[1..]].concat();
    refused(&request_der(&[VERSION, &long_form]), "long length inside");
    refused(&request_der(&[&[2, 2, 0, 1], &good]), "padded version");
    refused(&request_der(&[VERSION, &good, &[2, 2, 0, 1]]), "padded nonce");
    refused(&request_der(&[VERSION, &good, &[2, 2, 0xff, 0x80]]), "padded negative nonce");
    refused(&request_der(&[VERSION, &good, &[2, 0]]), "empty nonce");
    refused(&request_der(&[VERSION, &good, &[1, 1, 1]]), "TRUE that is not FF");
    refused(&request_der(&[VERSION, &good, TRUE, NONCE]), "wrong order");
    let constructed = [&good[..17], &[0x24, 0x22, 0x04, 0x20], &good[19..]].concat();
    let constructed = [&[0x30, good[1] + 2], &constructed[2..]].concat();
    refused(&request_der(&[VERSION, &constructed]), "constructed OCTET STRING");
}

#[test]
fn a_written_out_false_is_let_through() {
    let request = parsed(&[VERSION, &imprint(1, 32), FALSE]).unwrap();
    assert!(!request.cert_req());
}

#[test]
fn requests_of_openssl_parse() {
    let scratch = Scratch::new();
    for (hash, octets, extra) in [
        ("-sha256", 32, &["-cert"][..]),
        ("-sha384", 48, &["-no_nonce"]),
        ("-sha512", 64, &["-cert", "-tspolicy", "1.2.3.4.5"]),
        ("-sha3-256", 32, &["-cert"]),
        ("-sha3-384", 48, &[]),
        ("-sha3-512", 64, &["-no_nonce"]),
    ] {
        let digest = "5a".repeat(octets);
        let query = [&["ts", "-query", "-digest", &digest, hash], extra].concat();
        let request = parse(&scratch.openssl(&query), &testing::policy()).expect(hash);
        assert_eq!(request.digest(), vec![0x5a; octets]);
        assert_eq!(request.cert_req(), extra.contains(&"-cert"));
        assert_eq!(request.nonce().is_none(), extra.contains(&"-no_nonce"));
    }
    let sha_1 = scratch.openssl(&["ts", "-query", "-digest", &"5a".repeat(20), "-sha1"]);
    let rejection = parse(&sha_1, &testing::policy()).unwrap_err();
    assert_eq!(rejection.fail, FailInfo::BadAlg);
}

#[test]
fn dotted_notation_is_read_strictly() {
    for good in ["0.4.0.2023.1.1", "1.39", "2.999.3", "2.4294967215"] {
        assert_eq!(parse_oid(good).expect(good).to_string(), good);
    }
    for bad in [
        "",
        "1",
        "1.",
        ".1",
        "1..2",
        "3.1",
        "1.40",
        "1.02",
        "1.+2",
        "1.2.x",
        "1.2 ",
        "1.2.4294967296",
        "2.4294967216",
    ] {
        assert_eq!(parse_oid(bad), None, "{bad}");
    }
}

/// Every request on the wire that this one may have come from.
fn possible_origins(request: &Request) -> Vec<Vec<u8>> {
    let policy = der::encode(request.policy());
    let nonce = request.nonce().map_or(Vec::new(), der::encode);
    let flags: &[&[u8]] = if request.cert_req() { &[TRUE] } else { &[&[], FALSE] };
    let imprint = der::encode(request.imprint());
    [&[][..], &policy]
        .iter()
        .flat_map(|policy| flags.iter().map(move |flag| (policy, flag)))
        .map(|(policy, flag)| request_der(&[VERSION, &imprint, policy, &nonce, flag]))
        .collect()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(request) = parse(&bytes, &testing::policy()) {
            prop_assert!(possible_origins(&request).contains(&bytes));
        }
    }
}

#[test]
fn no_flipped_byte_is_read_as_something_it_is_not() {
    let good = [
        request_der(&[VERSION, &imprint(1, 32), KNOWN_POLICY, NONCE, TRUE]),
        request_der(&[VERSION, &imprint(3, 64), &nonce(20), FALSE]),
        request_der(&[VERSION, &imprint(2, 48)]),
    ];
    let mut still_good = 0;
    for body in good {
        for at in 0..body.len() {
            for flip in 1..=u8::MAX {
                let mut flipped = body.clone();
                flipped[at] ^= flip;
                if let Ok(request) = parse(&flipped, &testing::policy()) {
                    assert!(possible_origins(&request).contains(&flipped), "{flipped:02x?}");
                    still_good += 1;
                }
            }
        }
    }
    // At least every other digest is as good as the first.
    assert!(still_good >= (32 + 64 + 48) * 255, "{still_good}");
}
