//! What goes over the TLS connection of a key exchange (RFC 8915 4): the client's one request, and
//! the server's one response.

use core::net::IpAddr;

use super::cookie::{Cookie, Jar};

/// The most bytes of a response.
pub const RESPONSE_MAX: usize = 8 * 1_024;

/// The most records of a response.
pub const RECORDS_MAX: usize = 64;

const CRITICAL: u16 = 1 << 15;
const END: u16 = 0;
const NEXT_PROTOCOL: u16 = 1;
const ERROR: u16 = 2;
const WARNING: u16 = 3;
const AEAD: u16 = 4;
const COOKIE: u16 = 5;
const SERVER: u16 = 6;
const PORT: u16 = 7;

/// NTPv4 among the protocols of RFC 8915 7.7.
pub(super) const NTPV4: u16 = 0;
/// AEAD_AES_SIV_CMAC_256 among the algorithms of RFC 5116, the one that every server must have.
pub(super) const AES_SIV_CMAC_256: u16 = 15;

/// The request: NTPv4, sealed with AEAD_AES_SIV_CMAC_256, and nothing else will do.
#[must_use]
pub fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16);
    put(&mut bytes, CRITICAL | NEXT_PROTOCOL, &NTPV4.to_be_bytes());
    put(&mut bytes, CRITICAL | AEAD, &AES_SIV_CMAC_256.to_be_bytes());
    put(&mut bytes, CRITICAL | END, &[]);
    bytes
}

fn put(bytes: &mut Vec<u8>, kind: u16, body: &[u8]) {
    bytes.extend_from_slice(&kind.to_be_bytes());
    let length = u16::try_from(body.len()).expect("our records are short");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body);
}

/// A sound response: the algorithm is the one that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// One to eight cookies.
    pub cookies: Vec<Cookie>,
    /// Where NTP is served: a name or an address, if it is not the host of the key exchange.
    pub server: Option<String>,
    /// The port there, if it is not 123.
    pub port: Option<u16>,
}

/// Why a response gives no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More bytes or records than any server needs.
    #[error("the response does not end within {RESPONSE_MAX} bytes and {RECORDS_MAX} records")]
    TooLong,
    /// The connection closed in the middle.
    #[error("the response breaks off")]
    BreaksOff,
    /// Bytes after End of Message.
    #[error("something follows the end of the response")]
    Trailing,
    /// The server refused the request.
    #[error("the server says error {0}")]
    Error(u16),
    /// The server warns. No warning is defined, so none can be weighed.
    #[error("the server gives warning {0}")]
    Warning(u16),
    /// A record that must be understood and is not.
    #[error("critical record of the unknown type {0}")]
    UnknownCritical(u16),
    /// A record that may stand there once stands there twice.
    #[error("a second record of type {0}")]
    Repeated(u16),
    /// A body that its record cannot have.
    #[error("a record of type {0} with an impossible body")]
    Malformed(u16),
    /// NTPv4 was not agreed upon.
    #[error("the server does not agree to NTPv4")]
    Protocol,
    /// AEAD_AES_SIV_CMAC_256 was not agreed upon.
    #[error("the server does not agree to AEAD_AES_SIV_CMAC_256")]
    Algorithm,
    /// Not one cookie.
    #[error("no cookies")]
    NoCookies,
}

impl Response {
    /// Reads what has come in so far; `None` while the end is missing.
    ///
    /// # Errors
    /// [`Refused`] as soon as nothing that follows could make it good.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Refused> {
        if bytes.len() > RESPONSE_MAX {
            return Err(Refused::TooLong);
        }
        let (mut draft, mut rest) = (Draft::default(), bytes);
        for _ in 0..RECORDS_MAX {
            let Some((kind, body, after)) = split_record(rest) else {
                let hopeless = bytes.len() >= RESPONSE_MAX;
                return if hopeless { Err(Refused::TooLong) } else { Ok(None) };
            };
            rest = after;
            if kind & !CRITICAL != END {
                draft.take(kind, body)?;
                continue;
            }
            return match (body, rest) {
                ([], []) => draft.finish().map(Some),
                ([], _) => Err(Refused::Trailing),
                _ => Err(Refused::Malformed(END)),
            };
        }
        Err(Refused::TooLong)
    }
}

/// What the records have said so far.
#[derive(Debug, Default)]
struct Draft {
    agreed: [Option<()>; 2],
    cookies: Vec<Cookie>,
    server: Option<String>,
    port: Option<u16>,
}

impl Draft {
    fn take(&mut self, kind: u16, body: &[u8]) -> Result<(), Refused> {
        let (code, is_critical) = (kind & !CRITICAL, kind & CRITICAL != 0);
        let number = || body.try_into().map(u16::from_be_bytes);
        let number = || number().map_err(|_| Refused::Malformed(code));
        match code {
            ERROR => return Err(Refused::Error(number()?)),
            WARNING => return Err(Refused::Warning(number()?)),
            NEXT_PROTOCOL if body != NTPV4.to_be_bytes() => return Err(Refused::Protocol),
            AEAD if body != AES_SIV_CMAC_256.to_be_bytes() => return Err(Refused::Algorithm),
            NEXT_PROTOCOL => once(&mut self.agreed[0], (), code)?,
            AEAD => once(&mut self.agreed[1], (), code)?,
            COOKIE => {
                let cookie = Cookie::new(body).ok_or(Refused::Malformed(code))?;
                if self.cookies.len() < Jar::ROOM {
                    self.cookies.push(cookie);
                }
            }
            SERVER => {
                let name = host(body).ok_or(Refused::Malformed(code))?;
                once(&mut self.server, name, code)?;
            }
            PORT => match number()? {
                0 => return Err(Refused::Malformed(code)),
                port => once(&mut self.port, port, code)?,
            },
            _ if is_critical => return Err(Refused::UnknownCritical(code)),
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Response, Refused> {
        let [protocol, algorithm] = self.agreed;
        protocol.ok_or(Refused::Protocol)?;
        algorithm.ok_or(Refused::Algorithm)?;
        if self.cookies.is_empty() {
            return Err(Refused::NoCookies);
        }
        Ok(Response { cookies: self.cookies, server: self.server, port: self.port })
    }
}

fn once<T>(place: &mut Option<T>, value: T, code: u16) -> Result<(), Refused> {
    if place.replace(value).is_some() { Err(Refused::Repeated(code)) } else { Ok(()) }
}

/// Type with critical bit, body, and what follows; `None` when it is not all there.
fn split_record(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((u16::from_be_bytes(*kind), body, rest))
}

/// An IP address, or a name as it stands in the DNS (RFC 8915 4.1.7).
fn host(body: &[u8]) -> Option<String> {
    let text = str::from_utf8(body).ok()?;
    let is_name = (1..=253).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    (is_name || text.parse::<IpAddr>().is_ok()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
