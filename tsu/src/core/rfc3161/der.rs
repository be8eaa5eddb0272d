//! DER in and out. What comes in must be the one encoding of what it says.

use rasn::prelude::*;

/// Why bytes are not the DER of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerError {
    /// The bytes do not follow the grammar.
    #[error("not DER of this grammar: {0}")]
    Grammar(String),
    /// They parse, but DER would write them otherwise.
    #[error("not in canonical DER")]
    NotCanonical,
}

/// A value in DER. The types used here have no constraint that a value can break.
pub(super) fn encode<T: Encode>(value: &T) -> Vec<u8> {
    rasn::der::encode(value).expect("a value of the grammar encodes")
}

/// A value as an element of a larger one.
pub(super) fn any<T: Encode>(value: &T) -> Any {
    Any::new(encode(value))
}

/// Reads one value and nothing behind it. rasn's DER decoder lets some BER through (non-minimal
/// lengths and integers, encoded defaults); encoding again finds it, save inside an [`Any`].
pub(super) fn decode<T: Decode + Encode>(der: &[u8]) -> Result<T, DerError> {
    let value: T = rasn::der::decode(der).map_err(|e| DerError::Grammar(e.to_string()))?;
    match rasn::der::encode(&value) {
        Ok(again) if again == der => Ok(value),
        _ => Err(DerError::NotCanonical),
    }
}
