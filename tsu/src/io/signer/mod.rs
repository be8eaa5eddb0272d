//! The key that signs tokens, behind one trait for a file today and an HSM later.

mod file;
mod pem;
mod pool;

pub use crate::core::rfc3161::SignerError;
pub use file::{FileSigner, SignerSetupError};
pub use pem::{PemError, load_certificates};
pub use pool::SignerPool;

/// A private key that signs, and the certificate's public key that checks.
pub trait Signer: Send + Sync {
    /// An ECDSA signature over the SHA-256 of `message`: ECDSA-Sig-Value in DER (RFC 5480), 8 to
    /// 72 octets.
    ///
    /// # Errors
    /// [`SignerError`] when the key cannot sign.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError>;

    /// Whether `signature` fits `message` under the public key of the certificate.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;

    /// Where the key lives, for the log and for the evidence.
    fn describe(&self) -> &str;
}
