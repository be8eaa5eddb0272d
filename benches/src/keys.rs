//! A throw-away TSU: its key, its certificate, and requests for it.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use chronolease_core::time::{Bound, GenTimeDigits, Timestamp};
use chronolease_tsu::core::rfc3161::{
    Carries, KeyTerms, Request, RequestPolicy, RsaPadding, Suite, TokenBuilder, TokenProfile,
    TsuCertificate, parse, parse_oid,
};
use chronolease_tsu::io::signer::{FileSigner, Signer};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName,
    DnType, IsCa, KeyPair, KeyUsagePurpose, RsaKeySize,
};

use crate::terms::POLICY;

/// id-ce-extKeyUsage: SEQUENCE { id-kp-timeStamping }
const TIME_STAMPING_ALONE: [u8; 12] =
    [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// A TimeStampReq with SHA-256, a nonce and certReq, up to its digest and after it.
const REQUEST_HEAD: [u8; 24] = [
    0x30, 0x3d, // TimeStampReq
    0x02, 0x01, 0x01, // version 1
    0x30, 0x31, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 5,
    0, // imprint
    0x04, 0x20, // digest
];
const REQUEST_TAIL: [u8; 7] = [
    0x02, 0x02, 0x10, 0x92, // nonce
    0x01, 0x01, 0xff, // certReq
];

/// Every suite.
pub const SUITES: [Suite; 8] = [
    Suite::EcdsaP256,
    Suite::EcdsaP384,
    Suite::EcdsaP521,
    Suite::Rsa3072(RsaPadding::Pkcs1),
    Suite::Rsa4096(RsaPadding::Pkcs1),
    Suite::Rsa3072(RsaPadding::Pss),
    Suite::Rsa4096(RsaPadding::Pss),
    Suite::Ed25519,
];

/// What tokens are built and signed with.
#[derive(Clone)]
pub struct Keys {
    /// Builds and checks.
    pub builder: Arc<TokenBuilder>,
    /// Signs and verifies.
    pub signer: Arc<dyn Signer>,
}

impl Keys {
    /// A fresh key for this suite, and a certificate for it.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn make(suite: Suite) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name("Bench CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let mut params = CertificateParams::default();
        params.distinguished_name = name("Bench TSU");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let mut purpose =
            CustomExtension::from_oid_content(&[2, 5, 29, 37], TIME_STAMPING_ALONE.to_vec());
        purpose.set_criticality(true);
        params.custom_extensions = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let (key, terms) = key(suite)?;
        let certificate = TsuCertificate::check(params.signed_by(&key, &ca)?.der(), &terms)
            .map_err(|problems| anyhow!("the certificate does not fit: {problems:?}"))?;
        ensure!(certificate.suite() == suite, "a key of another suite");

        let profile = TokenProfile {
            accuracy: Bound::from_millis(500),
            digits: GenTimeDigits::Three,
            qualified: false,
            carries: Carries::Full,
        };
        let signer = Arc::new(FileSigner::from_pkcs8_der(key.serialized_der(), &certificate)?);
        let builder = Arc::new(TokenBuilder::new(certificate, &[], profile)?);
        Ok(Self { builder, signer })
    }
}

fn key(suite: Suite) -> anyhow::Result<(KeyPair, KeyTerms)> {
    let other = |algorithm| Ok((KeyPair::generate_for(algorithm)?, KeyTerms::default()));
    let rsa = |bits, padding| {
        let terms = KeyTerms {
            rsa_padding: Some(padding),
            algorithm_until: Some(Timestamp::from_unix_nanos(i64::MAX)),
        };
        Ok((KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, bits)?, terms))
    };
    match suite {
        Suite::EcdsaP256 => other(&rcgen::PKCS_ECDSA_P256_SHA256),
        Suite::EcdsaP384 => other(&rcgen::PKCS_ECDSA_P384_SHA384),
        Suite::EcdsaP521 => other(&rcgen::PKCS_ECDSA_P521_SHA512),
        Suite::Ed25519 => other(&rcgen::PKCS_ED25519),
        Suite::Rsa3072(padding) => rsa(RsaKeySize::_3072, padding),
        Suite::Rsa4096(padding) => rsa(RsaKeySize::_4096, padding),
    }
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "XX");
    name.push(DnType::OrganizationName, "Chronolease Bench");
    name.push(DnType::CommonName, common_name);
    name
}

/// A request for the digest that consists of `byte` alone, in DER: with a nonce and certReq.
#[must_use]
pub fn request_der(byte: u8) -> Vec<u8> {
    [&REQUEST_HEAD[..], &[byte; 32], &REQUEST_TAIL].concat()
}

/// The policies of those requests.
///
/// # Errors
/// Never, as long as [`POLICY`] is one.
pub fn request_policy() -> anyhow::Result<RequestPolicy> {
    Ok(RequestPolicy::new(parse_oid(POLICY).context("a dotted policy")?, vec![]))
}

/// The request of [`request_der`].
///
/// # Errors
/// Never, as long as it is one.
pub fn request(byte: u8) -> anyhow::Result<Request> {
    parse(&request_der(byte), &request_policy()?)
        .map_err(|rejection| anyhow!("the request is not one: {rejection:?}"))
}
