//! What comes from a server under NTS, or from whoever pretends to be one.

use chronolease_core::time::{Bound, RawInstant};
use chronolease_monitor::core::ntp::PIVOT;
use chronolease_monitor::core::ntp::exchange::Caps;
use chronolease_monitor::core::ntp::packet::{NtpTimestamp, Packet};
use chronolease_monitor::core::nts::cookie::{Cookie, Jar};
use chronolease_monitor::core::nts::exchange::{Fresh, Ignored, Outcome, Pending, request};
use chronolease_monitor::core::nts::field::{self, Kind};
use chronolease_monitor::core::nts::record::{RESPONSE_MAX, Response};
use chronolease_monitor::core::nts::seal::{Key, Keys};

const CAPS: Caps = Caps {
    stratum_min: 1,
    stratum_max: 15,
    root_distance_max: Bound::from_millis(1_000),
    delay_max: Bound::from_millis(1_000),
    reference_age_max: Bound::from_millis(4_000_000),
};

/// What a server sends over the TLS connection of a key exchange. It is refused, incomplete, or a
/// response within bounds; a response is none before its last byte, and nothing may follow it.
///
/// # Panics
/// When that is not so.
pub fn nts_ke_records(bytes: &[u8]) {
    match Response::parse(bytes) {
        Ok(Some(response)) => {
            assert!((1..=Jar::ROOM).contains(&response.cookies.len()));
            assert!(response.port != Some(0));
            assert!(response.server.is_none_or(|server| (1..=253).contains(&server.len())));
            assert_eq!(Response::parse(&bytes[..bytes.len() - 1]), Ok(None));
            assert!(Response::parse(&[bytes, &[0]].concat()).is_err());
        }
        Ok(None) => assert!(bytes.len() < RESPONSE_MAX),
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
}

/// The bytes are taken three ways. As extension fields they are malformed or fill the bytes, and
/// written anew they are the same. As a datagram of somebody without keys they are no answer. As
/// what a server has sealed they are malformed or cookies, as many as a jar holds.
///
/// # Panics
/// When that is not so.
pub fn nts_extension_fields(bytes: &[u8]) {
    if let Ok(fields) = field::read(bytes).collect::<Result<Vec<_>, _>>() {
        let mut again = Vec::new();
        fields.iter().for_each(|field| field::write(&mut again, field.kind, field.body));
        assert_eq!(again, bytes);
    }
    match judge(bytes) {
        Outcome::Ignored(why) => assert!(!why.label().is_empty()),
        Outcome::Nak => assert!(bytes.len() >= Packet::LEN),
        Outcome::Answered { .. } => panic!("an answer without the key"),
    }
    if bytes.len() > 32 * 1_024 {
        return;
    }
    match judge(&sealed(bytes)) {
        Outcome::Ignored(why) => assert_eq!(why, Ignored::Malformed),
        Outcome::Nak => panic!("it has an authenticator"),
        Outcome::Answered { cookies, result } => {
            assert!(cookies.len() <= Jar::ROOM);
            assert!(result.is_err(), "an empty header is no answer of a server");
        }
    }
}

fn fresh() -> Fresh {
    Fresh { nonce: NtpTimestamp::from_bits(0x0707_0707), identifier: [7; 32], seal: [7; 16] }
}

fn keys() -> Keys {
    Keys { client_to_server: Key::new([0xc2; 32]), server_to_client: Key::new([0x2c; 32]) }
}

fn pending() -> Pending {
    let cookie = Cookie::new(&[1; 100]).expect("a fair length");
    request(&keys(), &cookie, 0, &fresh()).1
}

fn judge(datagram: &[u8]) -> Outcome {
    let (sent, received) = (RawInstant::from_nanos(0), RawInstant::from_nanos(1_000_000));
    pending().complete(sent, datagram, received, &CAPS, PIVOT)
}

fn sealed(text: &[u8]) -> Vec<u8> {
    let header = Packet { origin: fresh().nonce, ..Packet::request(NtpTimestamp::default()) };
    let mut bytes = header.to_bytes().to_vec();
    field::write(&mut bytes, Kind::UniqueIdentifier, &fresh().identifier);
    let body = keys().server_to_client.seal(&bytes, text, &[9; 16]);
    field::write(&mut bytes, Kind::Authenticator, &body);
    bytes
}
