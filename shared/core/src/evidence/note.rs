//! Signed notes (C2SP signed-note): a text and, below an empty line, who signed it.

mod key;
mod name;

use core::fmt;

use base64ct::{Base64, Encoding};

pub use key::{CosignerKey, LogKey, VerifierKey, VkeyError};
pub use name::{KeyId, KeyName};

/// The largest note in bytes. A note fits in a leaf of the log, and 16 signatures fit in a note
/// even when they are ML-DSA-44.
pub const NOTE_BYTES_MAX: usize = 60_000;

/// The most signatures of a note; C2SP asks to accept at least 16.
pub const SIGNATURES_MAX: usize = 16;

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// A note: a text with at least one signature. Whether a signature fits is for [`Note::verify`]
/// and [`super::cosignature`] to say; the text means nothing before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature of a note, of any type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    id: KeyId,
    bytes: Vec<u8>,
}

/// Why bytes are not a note, or a note is not signed as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("a note of {0} bytes is longer than {NOTE_BYTES_MAX}")]
    TooLong(usize),
    /// More than [`SIGNATURES_MAX`] signatures.
    #[error("a note with {0} signatures has more than {SIGNATURES_MAX}")]
    TooManySignatures(usize),
    /// Not a text of the form that a note has.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// No signature names this key.
    #[error("the note bears no signature of {0}")]
    NotSigned(KeyName),
    /// A signature names this key and does not fit it.
    #[error("a signature in the name of {0} does not fit its key")]
    BadSignature(KeyName),
}

impl Note {
    /// Reads a note, strictly: what does not format to the very same bytes is refused.
    ///
    /// # Errors
    /// [`NoteError`] for anything but a note within the bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let all = core::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        let (above, below) =
            all.rsplit_once("\n\n").ok_or(NoteError::Malformed("no empty line"))?;
        let lines = below.strip_suffix('\n').ok_or(NoteError::Malformed("the last line is cut"))?;
        let count = lines.split('\n').count();
        if count > SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures(count));
        }
        let signatures = lines.split('\n').map(NoteSignature::parse).collect::<Result<_, _>>()?;
        let text = format!("{above}\n");
        check_text(&text)?;
        Ok(Self { text, signatures })
    }

    /// Writes `text` as a note signed with the log key `key`. `sign` makes an Ed25519 signature.
    ///
    /// # Errors
    /// [`NoteError`] when `text` cannot be the text of a note.
    pub fn sign(
        text: &str,
        key: &LogKey,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Self, NoteError> {
        check_text(text)?;
        let bytes = sign(text.as_bytes()).to_vec();
        let signature = NoteSignature { name: key.name().clone(), id: key.id(), bytes };
        Self { text: text.to_owned(), signatures: vec![signature] }.within_bounds()
    }

    /// The note with one more signature.
    ///
    /// # Errors
    /// [`NoteError::TooLong`] and [`NoteError::TooManySignatures`].
    pub fn with(mut self, signature: NoteSignature) -> Result<Self, NoteError> {
        self.signatures.push(signature);
        self.within_bounds()
    }

    /// The note with no signature but this one.
    #[must_use]
    pub(super) fn only(self, signature: NoteSignature) -> Self {
        Self { text: self.text, signatures: vec![signature] }
    }

    /// The text, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures in their order, unverified.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Whether `key` signed the note. `verify(public key, message, signature)` checks Ed25519.
    /// Signatures of other keys and other types are ignored; one in the name of `key` that does
    /// not fit condemns the note. Returns the signature that fits.
    ///
    /// # Errors
    /// [`NoteError::NotSigned`], [`NoteError::BadSignature`].
    pub fn verify(
        &self,
        key: &LogKey,
        verify: impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool,
    ) -> Result<&NoteSignature, NoteError> {
        let fits = |signature: &NoteSignature| {
            <&[u8; 64]>::try_from(signature.bytes())
                .is_ok_and(|bytes| verify(key.public(), self.text.as_bytes(), bytes))
        };
        let signatures = self.signed_as(key);
        if !signatures.iter().copied().all(fits) {
            return Err(NoteError::BadSignature(key.name().clone()));
        }
        signatures.first().copied().ok_or_else(|| NoteError::NotSigned(key.name().clone()))
    }

    /// The signatures that name this key.
    pub(super) fn signed_as<const TYPE: u8>(&self, key: &VerifierKey<TYPE>) -> Vec<&NoteSignature> {
        let id = key.id();
        self.signatures.iter().filter(|s| s.id == id && s.name == *key.name()).collect()
    }

    fn within_bounds(self) -> Result<Self, NoteError> {
        if self.signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures(self.signatures.len()));
        }
        let length = self.to_string().len();
        if length > NOTE_BYTES_MAX { Err(NoteError::TooLong(length)) } else { Ok(self) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    /// A signature of any type.
    pub(super) const fn new(name: KeyName, id: KeyId, bytes: Vec<u8>) -> Self {
        Self { name, id, bytes }
    }

    /// Reads one signature line, without its newline.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a signature line is malformed");
        let (name, base64) = line
            .strip_prefix(DASH)
            .and_then(|rest| rest.split_once(' '))
            .ok_or(malformed.clone())?;
        let name = KeyName::new(name).ok_or(NoteError::Malformed("a key name is malformed"))?;
        let decoded = Base64::decode_vec(base64).map_err(|_| malformed.clone())?;
        let (id, bytes) = decoded.split_first_chunk::<4>().ok_or(malformed.clone())?;
        if bytes.is_empty() {
            return Err(malformed);
        }
        Ok(Self { name, id: KeyId::from_bytes(*id), bytes: bytes.to_vec() })
    }

    /// Whose signature it says it is.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Which key it says was used.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The signature without the key id; what it holds depends on its type.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The signature line, without its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_bytes(), self.bytes.as_slice()].concat();
        write!(f, "{DASH}{} {}", self.name, Base64::encode_string(&bytes))
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') || text == "\n" {
        return Err(NoteError::Malformed("the text must end in a newline"));
    }
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Malformed("a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
