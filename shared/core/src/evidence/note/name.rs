//! How a note names the keys that signed it.

use core::fmt;

use crate::evidence::merkle::Hash;

/// The name of a key: a URL without a scheme, such as `tsa.example/log`. A log's name is also the
/// origin of its checkpoints.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The longest name in bytes: what an ML-DSA-44 cosignature can hold.
    pub const BYTES_MAX: usize = 255;

    /// Checks the name; `None` unless it has 1 to 255 bytes and neither spaces nor plus signs nor
    /// control characters.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=Self::BYTES_MAX).contains(&name.len())
            && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
        fits.then(|| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Four bytes that tell the keys of one name apart. They are no protection: whoever wants to can
/// make another key with the same id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// Wraps the bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The id of a key: the first bytes of SHA-256 over the name, a newline, the type of its
    /// signatures and the public key.
    #[must_use]
    pub fn of(name: &KeyName, signature_type: u8, public: &[u8]) -> Self {
        let parts = [name.as_str().as_bytes(), &[b'\n', signature_type], public];
        let [a, b, c, d, ..] = *Hash::of_parts(&parts).as_bytes();
        Self([a, b, c, d])
    }

    /// The bytes as they are.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
