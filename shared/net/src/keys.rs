//! Ed25519 keys (RFC 8032) that sign and check evidence: leases, and what both boxes put on record.
//!
//! They are apart from the keys of TLS: evidence outlives every connection.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

/// What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];

/// Why an evidence key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or is not the PEM that it should be.
    #[error("cannot read a key from {}: {source}", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The private key is not Ed25519 in PKCS#8 (RFC 8410 7).
    #[error("not an Ed25519 private key in PKCS#8: {0}")]
    PrivateKey(#[from] KeyRejected),
    /// The public key is not Ed25519 in a SubjectPublicKeyInfo (RFC 8410 4).
    #[error("not an Ed25519 public key in a SubjectPublicKeyInfo")]
    PublicKey,
    /// The key in the file is another one.
    #[error("{}: {source}", path.display())]
    Other {
        /// Which file.
        path: PathBuf,
        /// What is wrong with the key in it.
        source: Box<Self>,
    },
}

impl KeyError {
    fn other(path: &Path) -> impl Fn(Self) -> Self {
        |source| Self::Other { path: path.to_owned(), source: Box::new(source) }
    }
}

/// The private half.
pub struct EvidenceSigner(Ed25519KeyPair);

impl EvidenceSigner {
    /// Loads a PKCS#8 key from a PEM file (`-----BEGIN PRIVATE KEY-----`).
    ///
    /// # Errors
    /// [`KeyError`] when the file cannot be read or holds no Ed25519 key.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_file(path)
            .map_err(|source| KeyError::Pem { path: path.to_owned(), source })?;
        let key = Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(KeyError::from);
        key.map(Self).map_err(KeyError::other(path))
    }

    /// The key of this seed (RFC 8032 5.1.5): for a simulator, where every run has the same keys.
    ///
    /// # Errors
    /// [`KeyError::PrivateKey`].
    #[cfg(feature = "test-support")]
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        Ok(Self(Ed25519KeyPair::from_seed_unchecked(seed)?))
    }

    /// The signature over `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.0.sign(message);
        signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }

    /// The public half (RFC 8032 5.1.5).
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        let key = self.0.public_key();
        key.as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
    }

    /// The public half as a SubjectPublicKeyInfo in DER: 44 bytes.
    #[must_use]
    pub fn public_key_spki_der(&self) -> Vec<u8> {
        [&SPKI_PREFIX, self.0.public_key().as_ref()].concat()
    }
}

impl fmt::Debug for EvidenceSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvidenceSigner").finish_non_exhaustive()
    }
}

/// The public half.
#[derive(Debug, Clone)]
pub struct EvidenceVerifier {
    public: [u8; 32],
    parsed: ParsedPublicKey,
}

impl EvidenceVerifier {
    /// Loads a SubjectPublicKeyInfo from a PEM file (`-----BEGIN PUBLIC KEY-----`).
    ///
    /// # Errors
    /// [`KeyError`] when the file cannot be read or holds no Ed25519 key.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_file(path)
            .map_err(|source| KeyError::Pem { path: path.to_owned(), source })?;
        Self::from_spki_der(&der).map_err(KeyError::other(path))
    }

    /// Takes a SubjectPublicKeyInfo in DER: 44 bytes.
    ///
    /// # Errors
    /// [`KeyError::PublicKey`] when it is not that of an Ed25519 key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let key = der.strip_prefix(&SPKI_PREFIX).and_then(|key| key.try_into().ok());
        Self::from_public_key(key.ok_or(KeyError::PublicKey)?)
    }

    /// Takes the key itself (RFC 8032 5.1.5).
    ///
    /// # Errors
    /// [`KeyError::PublicKey`] when it is none.
    pub fn from_public_key(public: [u8; 32]) -> Result<Self, KeyError> {
        let parsed = ParsedPublicKey::new(&ED25519, public).map_err(|_| KeyError::PublicKey)?;
        Ok(Self { public, parsed })
    }

    /// The key itself (RFC 8032 5.1.5).
    #[must_use]
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.public
    }

    /// Whether `signature` is the key owner's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::fs;

    fn signer(folder: &Scratch, name: &str) -> (EvidenceSigner, EvidenceVerifier) {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let (private, public) = (folder.path(name), folder.path(&format!("{name}.pub")));
        fs::write(&private, pair.serialize_pem()).expect("written");
        fs::write(&public, pair.public_key_pem()).expect("written");
        let signer = EvidenceSigner::load(&private).expect("Ed25519");
        let verifier = EvidenceVerifier::load(&public).expect("Ed25519");
        (signer, verifier)
    }

    #[test]
    fn only_the_right_key_message_and_signature_pass() {
        let folder = Scratch::new();
        let (signer, verifier) = signer(&folder, "ours");
        let (_, stranger) = super::tests::signer(&folder, "theirs");
        let signature = signer.sign(b"lease 7");
        assert_eq!(signature.len(), 64);
        assert!(verifier.verify(b"lease 7", &signature));
        assert!(!verifier.verify(b"lease 8", &signature));
        assert!(!verifier.verify(b"lease 7", &signature[..63]));
        assert!(!verifier.verify(b"lease 7", &[]));
        assert!(!stranger.verify(b"lease 7", &signature));
    }

    #[test]
    fn the_public_half_of_the_signer_verifies() {
        let folder = Scratch::new();
        let (signer, _) = signer(&folder, "ours");
        let verifier = EvidenceVerifier::from_spki_der(&signer.public_key_spki_der());
        assert!(verifier.expect("its own").verify(b"m", &signer.sign(b"m")));
    }

    #[test]
    fn other_keys_and_other_files_are_refused() {
        let folder = Scratch::new();
        let path = folder.path("key");
        let pair = rcgen::KeyPair::generate().expect("an ECDSA key");
        fs::write(&path, pair.serialize_pem()).expect("written");
        let told = EvidenceSigner::load(&path).expect_err("another algorithm").to_string();
        assert!(told.contains("not an Ed25519 private key"), "{told}");
        assert!(told.starts_with(&path.display().to_string()), "{told}");
        fs::write(&path, pair.public_key_pem()).expect("written");
        let told = EvidenceVerifier::load(&path).expect_err("another algorithm").to_string();
        assert!(told.contains("not an Ed25519 public key"), "{told}");
        assert!(matches!(EvidenceSigner::load(&path), Err(KeyError::Pem { .. })));
        let absent = EvidenceVerifier::load(&folder.path("absent")).expect_err("absent");
        assert!(absent.to_string().contains("absent"), "{absent}");
    }
}
