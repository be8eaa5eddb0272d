//! The key in a file: for evaluation, since EN 319 421 7.6.2 wants it in a certified HSM.

use std::fmt;
use std::path::Path;

use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, ParsedPublicKey, RsaEncoding,
    RsaKeyPair, VerificationAlgorithm,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

use super::{PemError, Signer, SignerError};
use crate::core::rfc3161::{RsaPadding, Suite, TsuCertificate};

/// What the constructor signs and checks to see that key and certificate belong together. It is no
/// SET OF attributes, so the signature is good for no token.
const PROOF: &[u8] = b"chronolease: do this key and this certificate belong together?";

/// A key from a PKCS#8 file (RFC 5958).
pub struct FileSigner {
    private: Private,
    public: ParsedPublicKey,
    random: SystemRandom,
}

/// A private key with the way it signs.
enum Private {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ed25519(Ed25519KeyPair),
}

/// Why a key file gives no signer.
#[derive(Debug, thiserror::Error)]
pub enum SignerSetupError {
    /// The file cannot be read or holds no PKCS#8 key in PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The private key is not one for the certificate's suite.
    #[error(
        "the private key is not a key for {suite} in PKCS#8: {why} (EN 319 421 TIS-7.6.4-04)",
        suite = .0.name(), why = .1
    )]
    PrivateKey(Suite, KeyRejected),
    /// The certificate's public key is not a valid one.
    #[error("the certificate's public key is not a key for {suite}: {why}", suite = .0.name(), why = .1)]
    PublicKey(Suite, KeyRejected),
    /// The private key does not sign.
    #[error(transparent)]
    Sign(#[from] SignerError),
    /// A signature of the private key does not verify under the certificate.
    #[error(
        "the private key does not belong to the certificate with SPKI SHA-256 {0} \
         (EN 319 421 TIS-7.6.4-04)"
    )]
    Mismatch(chronolease_core::id::SpkiPin),
}

impl FileSigner {
    /// Loads the key from a PEM file (`-----BEGIN PRIVATE KEY-----`) and proves, by a signature,
    /// that it belongs to the certificate.
    ///
    /// # Errors
    /// [`SignerSetupError`] when there is no such key or it belongs to something else.
    pub fn load(path: &Path, certificate: &TsuCertificate) -> Result<Self, SignerSetupError> {
        let key = PrivatePkcs8KeyDer::from_pem_file(path).map_err(|source| PemError::Read {
            what: "a PKCS#8 private key",
            path: path.to_owned(),
            source,
        })?;
        Self::from_pkcs8_der(key.secret_pkcs8_der(), certificate)
    }

    /// Takes the key as PKCS#8 in DER and proves, by a signature, that it belongs to the
    /// certificate.
    ///
    /// # Errors
    /// [`SignerSetupError`] when it is no such key or belongs to something else.
    pub fn from_pkcs8_der(
        pkcs8: &[u8],
        certificate: &TsuCertificate,
    ) -> Result<Self, SignerSetupError> {
        let suite = certificate.suite();
        let private =
            Private::read(suite, pkcs8).map_err(|e| SignerSetupError::PrivateKey(suite, e))?;
        let public = ParsedPublicKey::new(verification(suite), certificate.public_key())
            .map_err(|e| SignerSetupError::PublicKey(suite, e))?;
        let signer = Self { private, public, random: SystemRandom::new() };
        let signature = signer.sign(PROOF)?;
        if signer.verify(PROOF, &signature) {
            Ok(signer)
        } else {
            Err(SignerSetupError::Mismatch(certificate.spki_pin()))
        }
    }
}

impl Private {
    fn read(suite: Suite, pkcs8: &[u8]) -> Result<Self, KeyRejected> {
        let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).map(Self::Ecdsa)
        };
        let rsa = |encoding: &'static dyn RsaEncoding| {
            RsaKeyPair::from_pkcs8(pkcs8).map(|key| Self::Rsa(key, encoding))
        };
        match suite {
            Suite::EcdsaP256 => ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING),
            Suite::EcdsaP384 => ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING),
            Suite::EcdsaP521 => ecdsa(&signature::ECDSA_P521_SHA512_ASN1_SIGNING),
            Suite::Rsa3072(RsaPadding::Pkcs1) => rsa(&signature::RSA_PKCS1_SHA256),
            Suite::Rsa3072(RsaPadding::Pss) => rsa(&signature::RSA_PSS_SHA256),
            Suite::Rsa4096(RsaPadding::Pkcs1) => rsa(&signature::RSA_PKCS1_SHA512),
            Suite::Rsa4096(RsaPadding::Pss) => rsa(&signature::RSA_PSS_SHA512),
            Suite::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(Self::Ed25519),
        }
    }

    fn sign(&self, random: &SystemRandom, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Ecdsa(key) => key.sign(random, message).map(|s| s.as_ref().to_vec()),
            Self::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, random, message, &mut signature).map(|()| signature)
            }
            Self::Ed25519(key) => key.try_sign(message).map(|s| s.as_ref().to_vec()),
        }
    }
}

fn verification(suite: Suite) -> &'static dyn VerificationAlgorithm {
    match suite {
        Suite::EcdsaP256 => &signature::ECDSA_P256_SHA256_ASN1,
        Suite::EcdsaP384 => &signature::ECDSA_P384_SHA384_ASN1,
        Suite::EcdsaP521 => &signature::ECDSA_P521_SHA512_ASN1,
        Suite::Rsa3072(RsaPadding::Pkcs1) => &signature::RSA_PKCS1_2048_8192_SHA256,
        Suite::Rsa3072(RsaPadding::Pss) => &signature::RSA_PSS_2048_8192_SHA256,
        Suite::Rsa4096(RsaPadding::Pkcs1) => &signature::RSA_PKCS1_2048_8192_SHA512,
        Suite::Rsa4096(RsaPadding::Pss) => &signature::RSA_PSS_2048_8192_SHA512,
        Suite::Ed25519 => &signature::ED25519,
    }
}

impl Signer for FileSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.private
            .sign(&self.random, message)
            .map_err(|e: Unspecified| SignerError::Failed(e.to_string()))
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    fn describe(&self) -> &str {
        "PKCS#8 file, evaluation only"
    }
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSigner").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rfc3161::testing::{Pki, Scratch};
    use crate::io::signer::load_certificates;
    use std::fs;

    #[test]
    fn a_key_file_signs_under_its_certificate() {
        let (pki, scratch) = (Pki::new(), Scratch::new());
        let signer = FileSigner::load(&scratch.file("key.pem", &pki.key_pem), &pki.certificate())
            .expect("they belong together");
        let signature = signer.sign(b"message").expect("signs");
        assert!(signer.verify(b"message", &signature));
        assert!(!signer.verify(b"another", &signature));
        assert_eq!(signer.describe(), "PKCS#8 file, evaluation only");
    }

    #[test]
    fn the_key_of_another_certificate_is_refused() {
        let (ours, theirs) = (Pki::new(), Pki::new());
        let refused = FileSigner::from_pkcs8_der(&theirs.key_pkcs8_der, &ours.certificate());
        let pin = ours.certificate().spki_pin();
        assert!(matches!(refused, Err(SignerSetupError::Mismatch(found)) if found == pin));
    }

    #[test]
    fn a_key_on_another_curve_is_refused() {
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
        let refused = FileSigner::from_pkcs8_der(p384.serialized_der(), &Pki::new().certificate());
        assert!(matches!(refused, Err(SignerSetupError::PrivateKey(Suite::EcdsaP256, _))));
    }

    #[test]
    fn every_suite_signs_and_tells_messages_apart() {
        let mut pkis = vec![
            Pki::with(|_| {}, &rcgen::PKCS_ECDSA_P256_SHA256),
            Pki::with(|_| {}, &rcgen::PKCS_ECDSA_P384_SHA384),
            Pki::with(|_| {}, &rcgen::PKCS_ECDSA_P521_SHA512),
            Pki::with(|_| {}, &rcgen::PKCS_ED25519),
        ];
        let paddings = [RsaPadding::Pkcs1, RsaPadding::Pss];
        pkis.extend(paddings.map(|padding| Pki::rsa(rcgen::RsaKeySize::_3072, padding)));
        let mut suites = std::collections::HashSet::new();
        for pki in pkis {
            let (suite, signer) = (pki.certificate().suite(), pki.signer());
            let signature = signer.sign(b"message").expect("signs");
            assert!(signer.verify(b"message", &signature), "{}", suite.name());
            assert!(!signer.verify(b"another", &signature), "{}", suite.name());
            suites.insert(suite);
        }
        assert_eq!(suites.len(), 6);
    }

    #[test]
    fn a_file_without_a_key_is_refused_by_name() {
        let (pki, scratch) = (Pki::new(), Scratch::new());
        let path = scratch.file("tsu.pem", &pki.tsu_pem);
        for path in [path.as_path(), Path::new("/nonexistent/key.pem")] {
            let refused = FileSigner::load(path, &pki.certificate()).expect_err("no key there");
            assert!(refused.to_string().contains(&path.display().to_string()), "{refused}");
        }
    }

    #[test]
    fn certificates_load_in_the_order_of_the_file() {
        let (pki, scratch) = (Pki::new(), Scratch::new());
        let path = scratch.file("chain.pem", format!("{}{}", pki.tsu_pem, pki.ca_pem));
        let loaded = load_certificates(&path).expect("two certificates");
        assert_eq!(loaded, [pki.tsu_der, pki.ca_der]);
        let keys_only = scratch.file("key.pem", &pki.key_pem);
        assert!(matches!(load_certificates(&keys_only), Err(PemError::NoCertificate(_))));
        let damaged = fs::read_to_string(path).expect("readable").replacen("MII", "!!!", 1);
        let damaged = scratch.file("damaged.pem", &damaged);
        assert!(matches!(load_certificates(&damaged), Err(PemError::Read { .. })));
    }
}
