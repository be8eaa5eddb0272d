//! Whom a source has to prove to be, judged by the fused time and never by a clock of this box.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chronolease_core::time::{Timestamp, Utc};
use rasn_pkix::{Certificate, Time};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::core::nts::ALPN;
use crate::core::nts::known::When;

/// Where Debian keeps the public roots.
pub const PUBLIC_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The most certificates that a server may show.
const CHAIN_MAX: usize = 10;

/// The roots that may vouch for a source.
#[derive(Debug)]
pub struct Trust {
    provider: Arc<CryptoProvider>,
    webpki: Arc<WebPkiServerVerifier>,
}

/// Why there are no roots.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file is not the PEM that it should be.
    #[error("cannot read certificates from {}: {source}", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A file without certificates, or with one that cannot be a root.
    #[error("no roots in {}: {why}", path.display())]
    NoRoots {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The TLS library refuses.
    #[error("TLS: {0}")]
    Tls(String),
}

/// What a server showed of itself.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its certificate first.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The name that it was asked for.
    pub name: ServerName<'static>,
}

impl Trust {
    /// The roots in these files and no others; without files, the public ones.
    ///
    /// # Errors
    /// [`TrustError`]. Of the public roots those that cannot be understood are left out.
    pub fn load(files: &[PathBuf]) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for path in files {
            let found = certificates(path)?;
            let no_roots = |why: String| TrustError::NoRoots { path: path.clone(), why };
            if found.is_empty() {
                return Err(no_roots("the file holds no certificate".to_owned()));
            }
            for root in found {
                roots.add(root).map_err(|why| no_roots(why.to_string()))?;
            }
        }
        if files.is_empty() {
            let path = Path::new(PUBLIC_ROOTS);
            let (used, _) = roots.add_parsable_certificates(certificates(path)?);
            if used == 0 {
                let why = "none that can be used".to_owned();
                return Err(TrustError::NoRoots { path: path.to_owned(), why });
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let webpki = verifier.build().map_err(|why| TrustError::Tls(why.to_string()))?;
        Ok(Self { provider, webpki })
    }

    /// A TLS 1.3 client for one key exchange that judges dates as `when` says.
    ///
    /// # Errors
    /// [`TrustError::Tls`].
    pub fn client(self: &Arc<Self>, when: When) -> Result<Arc<ClientConfig>, TrustError> {
        let versions = [&rustls::version::TLS13];
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&versions)
            .map_err(|why| TrustError::Tls(why.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Dated { trust: Arc::clone(self), when }))
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// Whether a chain leads from the name to a root, and is valid when it has to be.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(&self, chain: &Chain, when: When) -> Result<(), rustls::Error> {
        let no_certificate = rustls::Error::NoCertificatesPresented;
        let (end_entity, others) = chain.certificates.split_first().ok_or(no_certificate)?;
        self.judge_parts(end_entity, others, &chain.name, when)
    }

    fn judge_parts(
        &self,
        end_entity: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        when: When,
    ) -> Result<(), rustls::Error> {
        if others.len() >= CHAIN_MAX {
            return Err(CertificateError::BadEncoding.into());
        }
        let at = |instant| {
            let verified =
                self.webpki.verify_server_cert(end_entity, others, name, &[], unix(instant));
            verified.map(drop)
        };
        match when {
            When::Within(earliest, latest) => at(earliest).and_then(|()| at(latest)),
            When::OnceSince(since) => {
                // Certificates that are ever valid together are so when the last of them begins.
                let mut result = Err(CertificateError::BadEncoding.into());
                for begin in std::iter::once(end_entity).chain(others).filter_map(begin) {
                    result = at(begin.max(since));
                    if result.is_ok() {
                        break;
                    }
                }
                result
            }
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<_, _>>)
        .map_err(|source| TrustError::Pem { path: path.to_owned(), source })
}

/// When a certificate begins to be valid.
fn begin(certificate: &CertificateDer<'_>) -> Option<Timestamp<Utc>> {
    let certificate: Certificate = rasn::der::decode(certificate).ok()?;
    let seconds = match certificate.tbs_certificate.validity.not_before {
        Time::Utc(time) => time.timestamp(),
        Time::General(time) => time.timestamp(),
    };
    seconds.checked_mul(1_000_000_000).map(Timestamp::from_unix_nanos)
}

/// In whole seconds, as certificates count.
fn unix(instant: Timestamp<Utc>) -> UnixTime {
    let seconds = u64::try_from(instant.as_unix_nanos().div_euclid(1_000_000_000)).unwrap_or(0);
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// Judges a server by its certificates at a time that rustls does not choose.
#[derive(Debug)]
struct Dated {
    trust: Arc<Trust>,
    when: When,
}

impl ServerCertVerifier for Dated {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.trust.judge_parts(end_entity, intermediates, server_name, self.when)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.webpki.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
