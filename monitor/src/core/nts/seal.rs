//! The two keys of a key exchange, and what is sealed and opened with them:
//! AEAD_AES_SIV_CMAC_256 (RFC 5297), nonce and associated data as RFC 8915 5.6 and RFC 5116 have it.

use core::fmt;

use aes_siv::KeyInit;
use aes_siv::siv::Aes128Siv;
use zeroize::Zeroizing;

use super::field::Malformed;
use super::record::{AES_SIV_CMAC_256, NTPV4};

/// The label under which TLS derives the keys (RFC 8915 4.3).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-network-time-security";

/// The length of each key in bytes.
pub const KEY_LEN: usize = 32;

/// The length of our nonces in bytes.
pub const NONCE_LEN: usize = 16;

/// The length by which sealed text is longer than what was sealed, in bytes.
const TAG_LEN: usize = 16;

/// Which way a key seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Requests.
    ClientToServer,
    /// Answers.
    ServerToClient,
}

impl Direction {
    /// The context under which TLS derives the key: protocol, algorithm, direction (RFC 8915 5.1).
    #[must_use]
    pub const fn context(self) -> [u8; 5] {
        let [a, b] = NTPV4.to_be_bytes();
        let [c, d] = AES_SIV_CMAC_256.to_be_bytes();
        let way = match self {
            Self::ClientToServer => 0,
            Self::ServerToClient => 1,
        };
        [a, b, c, d, way]
    }
}

/// A key for one direction. Its bytes are wiped when it goes.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_LEN]>);

impl Key {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn cipher(&self) -> Aes128Siv {
        Aes128Siv::new(&(*self.0).into())
    }

    /// The body of an authenticator that covers `packet` and hides `text`.
    ///
    /// # Panics
    /// When `text` is longer than a field can be.
    #[must_use]
    pub fn seal(&self, packet: &[u8], text: &[u8], nonce: &[u8; NONCE_LEN]) -> Vec<u8> {
        let sealed = self.cipher().encrypt([packet, nonce], text);
        let sealed = sealed.expect("two headers are allowed and memory grows");
        let length = u16::try_from(sealed.len()).expect("it fits into a field");
        let mut body = Vec::with_capacity(4 + NONCE_LEN + sealed.len());
        body.extend_from_slice(&(NONCE_LEN as u16).to_be_bytes());
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(nonce);
        body.extend_from_slice(&sealed);
        body
    }

    /// What the body of an authenticator hides, if it was made with this key for exactly this
    /// `packet`: all that stands before the authenticator.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(&self, packet: &[u8], body: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let Parts { nonce, sealed } = Parts::read(body).ok_or(Malformed)?;
        self.cipher().decrypt([packet, nonce], sealed).map_err(|_| NotOpened::Forged)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// The keys of one key exchange.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Seals requests.
    pub client_to_server: Key,
    /// Seals answers.
    pub server_to_client: Key,
}

/// Why an authenticator does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// It is none.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Made with another key or for another packet, or changed since.
    #[error("it does not fit packet and key")]
    Forged,
}

/// An authenticator taken apart.
struct Parts<'a> {
    nonce: &'a [u8],
    sealed: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Nonce length, length, nonce, text, each of the two filled up to a multiple of four, and
    /// maybe more padding (RFC 8915 5.6). Padding is what it is: the proof does not cover it.
    fn read(body: &'a [u8]) -> Option<Self> {
        let (nonce_len, rest) = body.split_first_chunk()?;
        let (sealed_len, rest) = rest.split_first_chunk()?;
        let [nonce_len, sealed_len] =
            [nonce_len, sealed_len].map(|length| usize::from(u16::from_be_bytes(*length)));
        if nonce_len == 0 || sealed_len < TAG_LEN {
            return None;
        }
        let nonce = rest.get(..nonce_len)?;
        let sealed = rest.get(nonce_len.next_multiple_of(4)..)?.get(..sealed_len)?;
        Some(Self { nonce, sealed })
    }
}
