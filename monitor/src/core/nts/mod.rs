//! Network Time Security for NTP as a client speaks it (RFC 8915): what a key exchange says, the
//! extension fields of a packet, the cookies, and when new keys are asked for.
//!
//! | module | what it holds |
//! |---|---|
//! | [`record`] | the records of a key exchange |
//! | [`cookie`] | cookies, and the jar that they are kept in |
//! | [`field`] | extension fields of an NTP packet |
//! | [`seal`] | the keys, and what is sealed and opened with them |
//! | [`exchange`] | one request, and what a datagram is worth as its answer |
//! | [`client`] | what a client keeps between polls |
//! | [`known`] | the date, for certificates |

pub mod client;
pub mod cookie;
pub mod exchange;
pub mod field;
pub mod known;
pub mod record;
pub mod seal;

/// The protocol name in the TLS handshake of a key exchange (RFC 8915 4).
pub const ALPN: &[u8] = b"ntske/1";

/// Where a key exchange listens unless it is told otherwise (RFC 8915 7.1).
pub const KEY_EXCHANGE_PORT: u16 = 4460;

/// Where NTP is served unless the key exchange says otherwise (RFC 8915 4.1.8).
pub const NTP_PORT: u16 = 123;
