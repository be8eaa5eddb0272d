//! A throw-away TSU: its key, its certificate, and requests for it.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use chronolease_benches::terms::POLICY;
use chronolease_core::time::{Bound, GenTimeDigits};
use chronolease_tsu::core::rfc3161::{
    Carries, KeyTerms, Request, RequestPolicy, TokenBuilder, TokenProfile, TsuCertificate, parse,
    parse_oid,
};
use chronolease_tsu::io::signer::{FileSigner, Signer};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName,
    DnType, IsCa, KeyPair, KeyUsagePurpose,
};

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

/// What a pipeline signs with.
pub(crate) struct Keys {
    pub(crate) builder: Arc<TokenBuilder>,
    pub(crate) signer: Arc<dyn Signer>,
}

impl Keys {
    pub(crate) fn make() -> anyhow::Result<Self> {
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
        let key = KeyPair::generate()?;
        let certificate =
            TsuCertificate::check(params.signed_by(&key, &ca)?.der(), &KeyTerms::default())
                .map_err(|problems| anyhow!("the certificate does not fit: {problems:?}"))?;

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

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "XX");
    name.push(DnType::OrganizationName, "Chronolease Bench");
    name.push(DnType::CommonName, common_name);
    name
}

/// A request for the digest that consists of `byte` alone.
pub(crate) fn request(byte: u8) -> anyhow::Result<Request> {
    let policy = parse_oid(POLICY).context("a dotted policy")?;
    let body = [&REQUEST_HEAD[..], &[byte; 32], &REQUEST_TAIL].concat();
    parse(&body, &RequestPolicy::new(policy, vec![]))
        .map_err(|rejection| anyhow!("the request is not one: {rejection:?}"))
}
