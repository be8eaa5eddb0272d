//! The key that signs tokens, behind one trait for a file today and an HSM later.

mod chain;
mod file;
mod pem;
mod pool;
mod sampled;

pub use crate::core::rfc3161::SignerError;
pub use chain::{ChainError, verify_chain};
pub use file::{FileSigner, SignerSetupError};
pub use pem::{PemError, load_certificates};
pub use pool::SignerPool;
pub use sampled::Sampled;

/// A private key that signs, and the certificate's public key that checks.
pub trait Signer: Send + Sync {
    /// A signature of `message` in the certificate's suite, in the form that CMS holds: for ECDSA
    /// an ECDSA-Sig-Value in DER (RFC 5480).
    ///
    /// # Errors
    /// [`SignerError`] when the key cannot sign.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError>;

    /// Whether `signature` fits `message` under the public key of the certificate.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;

    /// Where the key lives, for the log and for the evidence.
    fn describe(&self) -> &str;

    /// Ends the session with whatever holds the key, before this process ends itself. A key in a
    /// file has none. It may hang; nobody waits for long.
    fn log_out(&self) {}
}
