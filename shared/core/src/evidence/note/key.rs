//! Public keys as C2SP writes them: `name+id+base64`.

use core::fmt;

use base64ct::{Base64, Encoding};

use super::{KeyId, KeyName};

/// An Ed25519 public key with its name and the `TYPE` of the signatures it checks. Both a key's id
/// and its text depend on the type, so one type of key never passes for the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey<const TYPE: u8> {
    name: KeyName,
    public: [u8; 32],
}

/// The key of a log: its signatures are plain Ed25519 over the text.
pub type LogKey = VerifierKey<0x01>;

/// The key of a witness: its signatures are cosignature/v1.
pub type CosignerKey = VerifierKey<0x04>;

/// Why a text is not a verifier key of the type wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VkeyError {
    /// Not of the form `name+id+base64`.
    #[error("not a verifier key of the form name+id+base64")]
    Malformed,
    /// A key for signatures of another type.
    #[error("a key for signatures of type {found:#04x}, {wanted:#04x} is wanted")]
    Type {
        /// The type in the text.
        found: u8,
        /// The type wanted.
        wanted: u8,
    },
    /// The id in the text is not the id of the key in the text.
    #[error("the key id {written} should be {computed}")]
    Id {
        /// The id in the text.
        written: KeyId,
        /// The id of the key.
        computed: KeyId,
    },
}

impl<const TYPE: u8> VerifierKey<TYPE> {
    /// The key `public` under the name `name`.
    #[must_use]
    pub const fn new(name: KeyName, public: [u8; 32]) -> Self {
        Self { name, public }
    }

    /// Reads `name+id+base64`; the id has 8 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`VkeyError`] for anything else, and for other types of keys.
    pub fn parse(text: &str) -> Result<Self, VkeyError> {
        // Base64 may hold plus signs, a name may not.
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(VkeyError::Malformed);
        let (name, id, base64) = (part()?, part()?, part()?);
        let name = KeyName::new(name).ok_or(VkeyError::Malformed)?;
        let bytes = Base64::decode_vec(base64).map_err(|_| VkeyError::Malformed)?;
        let (&found, public) = bytes.split_first().ok_or(VkeyError::Malformed)?;
        if found != TYPE {
            return Err(VkeyError::Type { found, wanted: TYPE });
        }
        let public = public.try_into().map_err(|_| VkeyError::Malformed)?;
        let key = Self { name, public };
        let written = u32::from_str_radix(id, 16).map_err(|_| VkeyError::Malformed)?;
        let written = KeyId::from_bytes(written.to_be_bytes());
        if written != key.id() {
            return Err(VkeyError::Id { written, computed: key.id() });
        }
        // Other spellings of the same key: upper-case digits, a sign, loose base64.
        if key.to_string() == text { Ok(key) } else { Err(VkeyError::Malformed) }
    }

    /// The name of the key.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.name, TYPE, &self.public)
    }

    /// The Ed25519 public key (RFC 8032 5.1.5).
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }
}

/// `name+id+base64`.
impl<const TYPE: u8> fmt::Display for VerifierKey<TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[TYPE], self.public.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.id(), Base64::encode_string(&bytes))
    }
}
