use chronolease_core::time::Bound;
use proptest::prelude::*;

use super::*;
use crate::core::ntp::PIVOT;
use crate::core::ntp::exchange::Kiss;
use crate::core::ntp::packet::{LeapIndicator, NtpShort, Precision, RefId};

const SENT: RawInstant = RawInstant::from_nanos(5_000_000_000);
const RECEIVED: RawInstant = RawInstant::from_nanos(5_020_000_000);

const CAPS: Caps = Caps {
    stratum_min: 1,
    stratum_max: 4,
    root_distance_max: Bound::from_millis(50),
    delay_max: Bound::from_millis(200),
    reference_age_max: Bound::from_millis(3_600_000),
};

pub(crate) fn keys() -> Keys {
    Keys { client_to_server: Key::new([0xc2; 32]), server_to_client: Key::new([0x2c; 32]) }
}

pub(crate) fn cookie(tag: u8) -> Cookie {
    Cookie::new(&[tag; 100]).expect("a fair length")
}

pub(crate) fn fresh(tag: u8) -> Fresh {
    let nonce = NtpTimestamp::from_bits(u64::from_be_bytes([tag; 8]));
    Fresh { nonce, identifier: [tag; IDENTIFIER_LEN], seal: [tag; NONCE_LEN] }
}

fn pending() -> Pending {
    request(&keys(), &cookie(1), 0, &fresh(7)).1
}

fn header() -> Packet {
    let utc = NtpTimestamp::from_utc(PIVOT);
    Packet {
        leap: LeapIndicator::NoWarning,
        mode: Mode::Server,
        stratum: 1,
        precision: Precision(-20),
        root_delay: NtpShort::from_bits(6),
        reference_id: RefId(*b"PTB\0"),
        reference: utc,
        origin: fresh(7).nonce,
        receive: utc,
        transmit: utc,
        ..Packet::request(utc)
    }
}

/// An answer with these sealed fields.
fn answer(header: &Packet, sealed: &[u8]) -> Vec<u8> {
    let mut bytes = header.to_bytes().to_vec();
    field::write(&mut bytes, Kind::UniqueIdentifier, &fresh(7).identifier);
    seal(bytes, sealed)
}

fn seal(mut bytes: Vec<u8>, sealed: &[u8]) -> Vec<u8> {
    let body = keys().server_to_client.seal(&bytes, sealed, &[9; NONCE_LEN]);
    field::write(&mut bytes, Kind::Authenticator, &body);
    bytes
}

fn new_cookies(count: u8) -> Vec<u8> {
    let mut sealed = Vec::new();
    (0..count).for_each(|tag| field::write(&mut sealed, Kind::Cookie, cookie(tag).as_bytes()));
    sealed
}

fn complete(datagram: &[u8]) -> Outcome {
    pending().complete(SENT, datagram, RECEIVED, &CAPS, PIVOT)
}

#[track_caller]
fn ignored(datagram: &[u8], why: Ignored) {
    assert_eq!(complete(datagram), Outcome::Ignored(why));
}

/// RFC 5297 A.2, whose last associated data is the nonce.
#[test]
fn the_cipher_is_that_of_rfc_5297() {
    let hex = |text: &str| -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
        (0..text.len()).step_by(2).map(byte).collect()
    };
    use aes_siv::KeyInit;
    let key: [u8; 32] = hex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
        .try_into()
        .expect("32 bytes");
    let mut cipher = aes_siv::siv::Aes128Siv::new(&key.into());
    let sealed = cipher.encrypt(
        [hex("101112131415161718191a1b1c1d1e1f2021222324252627")],
        &hex("112233445566778899aabbccddee"),
    );
    let expected = "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c";
    assert_eq!(sealed.expect("sealed"), hex(expected));
}

#[test]
fn a_request_is_header_identifier_cookie_placeholders_and_seal() {
    for (more, placeholders) in [(0, 0), (3, 3), (7, 7), (90, 9)] {
        let (bytes, _) = request(&keys(), &cookie(1), more, &fresh(7));
        assert!(bytes.len() <= DATAGRAM_MAX, "{}", bytes.len());
        let header = Packet::parse(&bytes).expect("long enough");
        assert_eq!(header, Packet::request(fresh(7).nonce));
        let fields: Vec<Field> =
            field::read(&bytes[Packet::LEN..]).collect::<Result<_, _>>().expect("well formed");
        let kinds: Vec<Kind> = fields.iter().map(|field| field.kind).collect();
        let mut expected = vec![Kind::UniqueIdentifier, Kind::Cookie];
        expected.extend([Kind::CookiePlaceholder].repeat(placeholders));
        expected.push(Kind::Authenticator);
        assert_eq!(kinds, expected);
        assert_eq!(fields[1].body, cookie(1).as_bytes());
        let same =
            |field: &&Field| field.kind == Kind::CookiePlaceholder && field.body.len() == 100;
        assert_eq!(fields.iter().filter(same).count(), placeholders);
        let last = fields[fields.len() - 1];
        let covered = &bytes[..Packet::LEN + last.at];
        let opened = keys().client_to_server.open(covered, last.body);
        assert_eq!(opened, Ok(vec![]));
    }
    let (bytes, _) = request(&keys(), &cookie(1), 0, &fresh(7));
    assert_eq!(bytes.len(), 228, "as chrony's with cookies of 100 bytes");
}

#[test]
fn a_sealed_answer_gives_an_authenticated_sample_and_cookies() {
    let Outcome::Answered { cookies, result } = complete(&answer(&header(), &new_cookies(3)))
    else {
        panic!("not answered")
    };
    assert_eq!(cookies, [cookie(0), cookie(1), cookie(2)]);
    let sample = result.expect("a sample");
    assert!(sample.authenticated);
    let header = header().to_bytes();
    let plain = Exchange::new(fresh(7).nonce, SENT).complete(&header, RECEIVED, &CAPS, PIVOT);
    assert_eq!(plain, Ok(SourceSample { authenticated: false, ..sample }));
    let many = answer(&self::header(), &new_cookies(12));
    assert!(matches!(complete(&many), Outcome::Answered { cookies, .. } if cookies.len() == 8));
}

#[test]
fn what_plain_ntp_refuses_is_refused_and_its_cookies_are_kept() {
    let deny = Packet { stratum: 0, reference_id: RefId(*b"DENY"), ..header() };
    let unsynchronised = Packet { leap: LeapIndicator::Unsynchronised, ..header() };
    for (header, why) in
        [(deny, Refused::Kiss(Kiss::Deny)), (unsynchronised, Refused::Unsynchronised)]
    {
        let expected = Outcome::Answered { cookies: vec![cookie(0)], result: Err(why) };
        assert_eq!(complete(&answer(&header, &new_cookies(1))), expected);
    }
}

/// The safety of the whole: no bit of an answer may change.
#[test]
fn an_answer_altered_in_any_bit_is_ignored() {
    let answer = answer(&header(), &new_cookies(2));
    for bit in 0..answer.len() * 8 {
        let mut altered = answer.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(complete(&altered), Outcome::Ignored(_)), "bit {bit}");
    }
    for length in 0..answer.len() {
        assert!(matches!(complete(&answer[..length]), Outcome::Ignored(_)), "{length}");
    }
}

#[test]
fn an_unsealed_answer_is_ignored_whatever_it_says() {
    let identified = |header: &Packet| {
        let mut bytes = header.to_bytes().to_vec();
        field::write(&mut bytes, Kind::UniqueIdentifier, &fresh(7).identifier);
        bytes
    };
    ignored(&header().to_bytes(), Ignored::WrongIdentifier);
    ignored(&identified(&header()), Ignored::Unsealed);
    for code in [b"DENY", b"RATE", b"RSTR"] {
        let kiss = Packet { stratum: 0, reference_id: RefId(*code), ..header() };
        ignored(&identified(&kiss), Ignored::Unsealed);
    }
}

#[test]
fn the_seal_comes_last_and_covers_the_one_identifier() {
    let sealed = answer(&header(), &new_cookies(1));
    let behind = |kind, body: &[u8]| {
        let mut bytes = sealed.clone();
        field::write(&mut bytes, kind, body);
        bytes
    };
    ignored(&behind(Kind::Other(0x2005), &[0; 12]), Ignored::Unsealed);
    ignored(&behind(Kind::Authenticator, &[0; 40]), Ignored::Unsealed);
    ignored(&behind(Kind::UniqueIdentifier, &fresh(7).identifier), Ignored::WrongIdentifier);
    ignored(&[&sealed[..], &[0; 20]].concat(), Ignored::Malformed);
    // Behind the seal the identifier proves nothing.
    let mut bytes = seal(header().to_bytes().to_vec(), &[]);
    field::write(&mut bytes, Kind::UniqueIdentifier, &fresh(7).identifier);
    ignored(&bytes, Ignored::Unsealed);
    // What is before it is covered, also what nobody knows.
    let mut bytes = header().to_bytes().to_vec();
    field::write(&mut bytes, Kind::Other(0x2005), &[5; 12]);
    field::write(&mut bytes, Kind::UniqueIdentifier, &fresh(7).identifier);
    assert!(matches!(complete(&seal(bytes, &[])), Outcome::Answered { result: Ok(_), .. }));
}

#[test]
fn an_answer_to_another_request_is_ignored() {
    let answer = answer(&header(), &[]);
    let judge = |pending: Pending| pending.complete(SENT, &answer, RECEIVED, &CAPS, PIVOT);
    let origin = Pending { nonce: fresh(8).nonce, ..pending() };
    assert_eq!(judge(origin), Outcome::Ignored(Ignored::WrongOrigin));
    let identifier = Pending { identifier: [8; IDENTIFIER_LEN], ..pending() };
    assert_eq!(judge(identifier), Outcome::Ignored(Ignored::WrongIdentifier));
    let key = Pending { key: keys().client_to_server, ..pending() };
    assert_eq!(judge(key), Outcome::Ignored(Ignored::Forged));
}

#[test]
fn sealed_fields_are_read_strictly() {
    let mut short_cookie = new_cookies(1);
    field::write(&mut short_cookie, Kind::Cookie, &[3; 516]);
    ignored(&answer(&header(), &short_cookie), Ignored::Malformed);
    ignored(&answer(&header(), &[1, 2, 3]), Ignored::Malformed);
    let mut other = Vec::new();
    field::write(&mut other, Kind::Other(0x2005), &[5; 12]);
    let none = Outcome::Answered { cookies: vec![], result: Err(Refused::NoTimestamps) };
    let header = Packet { receive: NtpTimestamp::default(), ..header() };
    assert_eq!(complete(&answer(&header, &other)), none);
}

#[test]
fn a_refused_cookie_is_believed_only_with_nonce_and_identifier() {
    let nak = Packet { stratum: 0, reference_id: RefId(NAK), ..header() };
    let with = |nak: &Packet, identifier: &[u8]| {
        let mut bytes = nak.to_bytes().to_vec();
        field::write(&mut bytes, Kind::UniqueIdentifier, identifier);
        bytes
    };
    let identifier = fresh(7).identifier;
    assert_eq!(complete(&with(&nak, &identifier)), Outcome::Nak);
    ignored(&with(&nak, &[8; 32]), Ignored::WrongIdentifier);
    ignored(&nak.to_bytes(), Ignored::WrongIdentifier);
    ignored(&with(&Packet { origin: fresh(8).nonce, ..nak }, &identifier), Ignored::WrongOrigin);
    ignored(&with(&Packet { stratum: 1, ..nak }, &identifier), Ignored::Unsealed);
    ignored(&with(&Packet { mode: Mode::Broadcast, ..nak }, &identifier), Ignored::Unsealed);
}

proptest! {
    /// Whoever lacks the key can send what they like.
    #[test]
    fn nothing_unproven_is_an_answer(
        fields in prop::collection::vec(
            (
                prop::sample::select(vec![0x0104, 0x0204, 0x0404, 0x2005u16]),
                prop::collection::vec(any::<u8>(), 0..80),
            ),
            0..4
        ),
        identified in any::<bool>(),
    ) {
        let mut bytes = header().to_bytes().to_vec();
        if identified {
            field::write(&mut bytes, Kind::UniqueIdentifier, &fresh(7).identifier);
        }
        for (code, body) in fields {
            let kind = match code {
                0x0104 => Kind::UniqueIdentifier,
                0x0204 => Kind::Cookie,
                0x0404 => Kind::Authenticator,
                other => Kind::Other(other),
            };
            field::write(&mut bytes, kind, &body);
        }
        prop_assert!(matches!(complete(&bytes), Outcome::Ignored(_)));
    }
}
