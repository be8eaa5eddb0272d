//! One request under NTS, and what a datagram is worth as its answer (RFC 8915 5.7).
//!
//! Whatever does not prove to be the server's answer to this very request may come from anybody, so
//! it changes nothing, kisses included. What does is judged as a plain answer is.

use chronolease_core::time::{RawInstant, Timestamp, Utc};

use super::cookie::{Cookie, Jar};
use super::field::{self, Field, Kind};
use super::seal::{Key, Keys, NONCE_LEN};
use crate::core::ntp::exchange::{Caps, Exchange, Refused, SourceSample};
use crate::core::ntp::packet::{Mode, NtpTimestamp, Packet};

/// The length of our unique identifiers in bytes (RFC 8915 5.3 asks for 32 at least).
pub const IDENTIFIER_LEN: usize = 32;

/// What a request may be long, so that neither it nor its answer is ever cut up: the least MTU of
/// IPv6 less the heads of IPv6 and UDP.
pub const DATAGRAM_MAX: usize = 1_232;

/// The reference id by which a server says that it cannot open the cookie (RFC 8915 5.7).
const NAK: [u8; 4] = *b"NTSN";

/// The randomness of one request.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// The transmit timestamp.
    pub nonce: NtpTimestamp,
    /// The unique identifier.
    pub identifier: [u8; IDENTIFIER_LEN],
    /// The nonce of the authenticator.
    pub seal: [u8; NONCE_LEN],
}

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub struct Pending {
    nonce: NtpTimestamp,
    identifier: [u8; IDENTIFIER_LEN],
    key: Key,
}

/// A sealed request that spends `cookie` and asks for up to `more` cookies beside the one that
/// every answer brings, as far as they fit.
#[must_use]
pub fn request(keys: &Keys, cookie: &Cookie, more: usize, fresh: &Fresh) -> (Vec<u8>, Pending) {
    let mut bytes = Packet::request(fresh.nonce).to_bytes().to_vec();
    field::write(&mut bytes, Kind::UniqueIdentifier, &fresh.identifier);
    field::write(&mut bytes, Kind::Cookie, cookie.as_bytes());
    let authenticator = field::HEAD_LEN + 4 + NONCE_LEN + 16;
    let each = field::HEAD_LEN + cookie.as_bytes().len();
    let room = DATAGRAM_MAX.saturating_sub(bytes.len() + authenticator) / each;
    let placeholder = vec![0; cookie.as_bytes().len()];
    for _ in 0..more.min(room) {
        field::write(&mut bytes, Kind::CookiePlaceholder, &placeholder);
    }
    let seal = keys.client_to_server.seal(&bytes, &[], &fresh.seal);
    field::write(&mut bytes, Kind::Authenticator, &seal);
    let Fresh { nonce, identifier, .. } = *fresh;
    (bytes, Pending { nonce, identifier, key: keys.server_to_client.clone() })
}

/// What a datagram is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Anybody may have sent it: go on waiting.
    Ignored(Ignored),
    /// It says that the server cannot open the cookie. Anybody on the path may have sent it: go on
    /// waiting, and if nothing better comes, ask for new keys.
    Nak,
    /// The server's answer.
    Answered {
        /// New cookies.
        cookies: Vec<Cookie>,
        /// The sample, or why it gives none.
        result: Result<SourceSample, Refused>,
    },
}

/// Why a datagram is no answer of the server to this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Ignored {
    /// No NTP packet, or one that does not give our nonce back.
    #[error("not an answer to this request")]
    WrongOrigin,
    /// Its extension fields, also the sealed ones, are none.
    #[error("malformed extension fields")]
    Malformed,
    /// Not exactly one unique identifier, or not ours.
    #[error("not the unique identifier of the request")]
    WrongIdentifier,
    /// No authenticator, or something behind it.
    #[error("not sealed to the end")]
    Unsealed,
    /// The authenticator does not fit.
    #[error("forged, altered, or sealed with another key")]
    Forged,
}

impl Ignored {
    /// All reasons.
    pub const ALL: [Self; 5] =
        [Self::WrongOrigin, Self::Malformed, Self::WrongIdentifier, Self::Unsealed, Self::Forged];

    /// A name for logs and metric labels.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::WrongOrigin => "wrong-origin",
            Self::Malformed => "malformed",
            Self::WrongIdentifier => "wrong-identifier",
            Self::Unsealed => "unsealed",
            Self::Forged => "forged",
        }
    }
}

impl Pending {
    /// Judges a datagram that came in at `received` (T4), when the request left at `sent` (T1).
    /// `pivot` settles the NTP era.
    #[must_use]
    pub fn complete(
        &self,
        sent: RawInstant,
        datagram: &[u8],
        received: RawInstant,
        caps: &Caps,
        pivot: Timestamp<Utc>,
    ) -> Outcome {
        let opened = match self.open(datagram) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Outcome::Nak,
            Err(why) => return Outcome::Ignored(why),
        };
        let Some(cookies) = cookies(&opened) else { return Outcome::Ignored(Ignored::Malformed) };
        let header = &datagram[..Packet::LEN];
        let result = Exchange::new(self.nonce, sent).complete(header, received, caps, pivot);
        let result = result.map(|sample| SourceSample { authenticated: true, ..sample });
        Outcome::Answered { cookies, result }
    }

    /// What is sealed in a proven answer; `None` for a refusal of the cookie.
    fn open(&self, datagram: &[u8]) -> Result<Option<Vec<u8>>, Ignored> {
        let packet = Packet::parse(datagram).map_err(|_| Ignored::WrongOrigin)?;
        if packet.origin != self.nonce {
            return Err(Ignored::WrongOrigin);
        }
        let fields: Vec<Field<'_>> = field::read(&datagram[Packet::LEN..])
            .collect::<Result<_, _>>()
            .map_err(|_| Ignored::Malformed)?;
        let identifiers: Vec<&Field<'_>> =
            fields.iter().filter(|field| field.kind == Kind::UniqueIdentifier).collect();
        if !matches!(identifiers[..], [one] if one.body == self.identifier) {
            return Err(Ignored::WrongIdentifier);
        }
        let seal = fields.iter().position(|field| field.kind == Kind::Authenticator);
        let is_nak = packet.stratum == 0 && packet.reference_id.0 == NAK;
        match seal {
            None if is_nak && packet.mode == Mode::Server => Ok(None),
            Some(last) if last + 1 == fields.len() => {
                let Field { body, at, .. } = fields[last];
                let covered = &datagram[..Packet::LEN + at];
                self.key.open(covered, body).map(Some).map_err(|_| Ignored::Forged)
            }
            None | Some(_) => Err(Ignored::Unsealed),
        }
    }
}

/// The cookies among sealed fields, as many as a jar holds; `None` when they are no fields or hold a
/// cookie that is none.
fn cookies(sealed: &[u8]) -> Option<Vec<Cookie>> {
    let mut cookies = Vec::new();
    for field in field::read(sealed) {
        let field = field.ok()?;
        if field.kind == Kind::Cookie {
            cookies.push(Cookie::new(field.body)?);
        }
    }
    cookies.truncate(Jar::ROOM);
    Some(cookies)
}

#[cfg(test)]
pub(crate) mod tests;
