//! What HTTPS is spoken with: the server's certificates and its key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chronolease_core::time::{Timestamp, Utc};
use rustls::ServerConfig;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::core::rfc3161::{DerError, NotUsable, Period, validity};
use crate::io::signer::{PemError, load_certificates};

/// The server's side of TLS 1.3. Clients need no certificate.
#[derive(Clone, Debug)]
pub struct Secure {
    config: Arc<ServerConfig>,
    certificates: PathBuf,
    valid: Period,
}

/// Why HTTPS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There are no certificates to be had.
    #[error("https.certificate_file: {0}")]
    Certificates(#[from] PemError),
    /// The server's is none.
    #[error("https.certificate_file: the first certificate in {} is {source}", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: DerError,
    },
    /// There is no key to be had.
    #[error("https.key_file: cannot read a private key from {}: {source}", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// Key and certificates do not fit together, or cannot be used.
    #[error(
        "cannot use https.certificate_file {} with https.key_file {}: {source}",
        certificates.display(), key.display()
    )]
    Unfit {
        /// The file of the certificates.
        certificates: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// The server's certificate is not valid now, and clients who mind that go away.
#[derive(Debug, thiserror::Error)]
#[error("https.certificate_file {}: {why}; clients refuse it", path.display())]
pub struct OutOfDate {
    /// Which file.
    pub path: PathBuf,
    /// Which date was not met.
    pub why: NotUsable,
}

impl Secure {
    /// Loads the certificates, the server's first, and its key.
    ///
    /// # Errors
    /// [`TlsError`] that names the key of the configuration and the file.
    pub fn load(certificates: &Path, key: &Path) -> Result<Self, TlsError> {
        let unfit = |source| TlsError::Unfit {
            certificates: certificates.to_owned(),
            key: key.to_owned(),
            source,
        };
        let chain = load_certificates(certificates)?;
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| TlsError::Key { path: key.to_owned(), source })?;
        let own = chain.first().map_or(&[][..], Vec::as_slice);
        let valid = validity(own)
            .map_err(|source| TlsError::Certificate { path: certificates.to_owned(), source })?;
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), certificates: certificates.to_owned(), valid })
    }

    /// What connections are accepted with.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The last instant at which the server's certificate is valid.
    #[must_use]
    pub const fn valid_until(&self) -> Timestamp<Utc> {
        self.valid.last
    }

    /// Whether the server's certificate is valid at `now`.
    ///
    /// # Errors
    /// [`OutOfDate`] when clients refuse it.
    pub fn valid_at(&self, now: Timestamp<Utc>) -> Result<(), OutOfDate> {
        let path = || self.certificates.clone();
        self.valid.includes(now).map_err(|why| OutOfDate { path: path(), why })
    }
}
