//! Who a box is on a connection: a key pair, wrapped in a certificate because TLS asks for one.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use chronolease_core::id::SpkiPin;
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{TlsError, pinning};

/// A certificate chain with its private key.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    pin: SpkiPin,
}

impl Identity {
    /// Loads a certificate chain, end entity first, and its private key (PKCS#8, SEC 1 or PKCS#1)
    /// from PEM files.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read or holds no certificate, or when the two do not belong together.
    pub fn load(cert_pem: &Path, key_pem: &Path) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_file_iter(cert_pem)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|source| unreadable(cert_pem, source))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(cert_pem.to_owned()));
        }
        let key =
            PrivateKeyDer::from_pem_file(key_pem).map_err(|source| unreadable(key_pem, source))?;
        Self::new(chain, key, &pinning::provider()).map_err(|source| TlsError::Unusable {
            cert: cert_pem.to_owned(),
            key: key_pem.to_owned(),
            source,
        })
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, rustls::Error> {
        let certified = CertifiedKey::new(chain, provider.key_provider.load_private_key(key)?);
        certified.keys_match()?;
        let pin = spki_pin(certified.end_entity_cert()?)?;
        Ok(Self { certified: Arc::new(certified), pin })
    }

    /// The pin under which peers know this identity.
    #[must_use]
    pub const fn pin(&self) -> SpkiPin {
        self.pin
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("pin", &self.pin).finish_non_exhaustive()
    }
}

fn unreadable(path: &Path, source: pem::Error) -> TlsError {
    TlsError::Pem { path: path.to_owned(), source }
}

/// The pin of the key in a certificate in DER: SHA-256 over its SubjectPublicKeyInfo.
///
/// # Errors
/// [`TlsError::Tls`] when `der` is not an X.509 certificate of version 3.
pub fn pin_of_certificate(der: &[u8]) -> Result<SpkiPin, TlsError> {
    Ok(spki_pin(&CertificateDer::from(der))?)
}

pub(super) fn spki_pin(certificate: &CertificateDer<'_>) -> Result<SpkiPin, rustls::Error> {
    let spki = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    let mut pin = [0; SpkiPin::LEN];
    pin.copy_from_slice(digest(&SHA256, &spki).as_ref());
    Ok(SpkiPin::from_bytes(pin))
}
