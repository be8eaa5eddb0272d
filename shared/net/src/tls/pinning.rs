//! The rule by which a peer is accepted, as rustls wants it.

use std::collections::BTreeSet;
use std::sync::Arc;

use chronolease_core::id::SpkiPin;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerIncompatible, ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::identity::spki_pin;
use super::{Identity, TlsError};

/// The keys that may connect. Cheap to clone. An empty one lets nobody in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted(Arc<BTreeSet<SpkiPin>>);

impl Accepted {
    /// Whether the key with this pin may connect.
    #[must_use]
    pub fn contains(&self, pin: &SpkiPin) -> bool {
        self.0.contains(pin)
    }
}

impl FromIterator<SpkiPin> for Accepted {
    fn from_iter<I: IntoIterator<Item = SpkiPin>>(pins: I) -> Self {
        Self(Arc::new(pins.into_iter().collect()))
    }
}

/// A server that lets in whoever holds an accepted key, and nobody without a certificate.
///
/// # Errors
/// [`TlsError::Tls`] when the TLS library refuses.
pub fn server_config(
    identity: &Identity,
    accepted: Accepted,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(provider());
    let verifier = PinVerifier { accepted, provider: Arc::clone(&provider) };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    // Without tickets there is nothing to resume from.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// A client that talks to whoever holds a key in `pins`, and shows its own.
///
/// # Errors
/// [`TlsError::NoPins`] when `pins` is empty, [`TlsError::Tls`] when the TLS library refuses.
pub fn client_config(identity: &Identity, pins: &[SpkiPin]) -> Result<Arc<ClientConfig>, TlsError> {
    if pins.is_empty() {
        return Err(TlsError::NoPins);
    }
    let provider = Arc::new(provider());
    let accepted = pins.iter().copied().collect();
    let verifier = PinVerifier { accepted, provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

pub(super) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

/// Accepts a certificate for its key alone. rustls calls the signature check afterwards, which
/// proves that the peer holds that key.
#[derive(Debug)]
pub(super) struct PinVerifier {
    pub(super) accepted: Accepted,
    pub(super) provider: Arc<CryptoProvider>,
}

/// Names the key that was turned away, so that the log says what to pin.
#[derive(Debug, thiserror::Error)]
#[error("the peer's key {0} is not pinned")]
struct NotPinned(SpkiPin);

impl PinVerifier {
    fn check(&self, end_entity: &CertificateDer<'_>) -> Result<(), Error> {
        let pin = spki_pin(end_entity)?;
        if self.accepted.contains(&pin) {
            return Ok(());
        }
        Err(CertificateError::Other(OtherError(Arc::new(NotPinned(pin)))).into())
    }

    fn check_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for PinVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
