//! What tests share: a throw-away root, issuing CA and TSU, requests, and a folder.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use chronolease_core::id::Serial;
use chronolease_core::time::{Bound, GenTime, GenTimeDigits, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName,
    DnType, IsCa, KeyPair, KeyUsagePurpose, RsaKeySize,
};

use super::{
    Carries, KeyTerms, Request, RequestPolicy, RsaPadding, TokenBuilder, TokenProfile,
    TsuCertificate, parse, parse_oid,
};
use crate::io::signer::{FileSigner, Signer};

/// SEQUENCE { id-kp-timeStamping }
pub(crate) const TIME_STAMPING_ALONE: [u8; 12] =
    [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// A root, an issuing CA below it, and a TSU below that.
pub(crate) struct Pki {
    pub(crate) root_pem: String,
    pub(crate) root_der: Vec<u8>,
    pub(crate) ca_pem: String,
    pub(crate) ca_der: Vec<u8>,
    pub(crate) tsu_pem: String,
    pub(crate) tsu_der: Vec<u8>,
    pub(crate) key_pem: String,
    pub(crate) key_pkcs8_der: Vec<u8>,
    pub(crate) terms: KeyTerms,
}

impl Pki {
    /// One that fits the profile.
    pub(crate) fn new() -> Self {
        Self::with(|_| {}, &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    /// One whose TSU certificate was changed by `change` and has a key for `algorithm`.
    pub(crate) fn with(
        change: impl FnOnce(&mut CertificateParams),
        algorithm: &'static rcgen::SignatureAlgorithm,
    ) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        Self::with_key(change, &key, KeyTerms::default())
    }

    /// One whose RSA key pads like this. It is taken to be fit for ever.
    pub(crate) fn rsa(bits: RsaKeySize, padding: RsaPadding) -> Self {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, bits).unwrap();
        let algorithm_until = Some(Timestamp::from_unix_nanos(i64::MAX));
        Self::with_key(|_| {}, &key, KeyTerms { rsa_padding: Some(padding), algorithm_until })
    }

    fn with_key(
        change: impl FnOnce(&mut CertificateParams),
        tsu_key: &KeyPair,
        terms: KeyTerms,
    ) -> Self {
        let ca = |common_name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name = name(common_name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            params
        };
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(ca("Test Root"), key()).unwrap();
        let issuing = CertifiedIssuer::signed_by(ca("Test Issuing CA"), key(), &root).unwrap();

        let mut params = tsu_params();
        change(&mut params);
        let tsu = params.signed_by(tsu_key, &issuing).unwrap();
        Self {
            root_pem: root.pem(),
            root_der: root.der().to_vec(),
            ca_pem: issuing.pem(),
            ca_der: issuing.der().to_vec(),
            tsu_pem: tsu.pem(),
            tsu_der: tsu.der().to_vec(),
            key_pem: tsu_key.serialize_pem(),
            key_pkcs8_der: tsu_key.serialize_der(),
            terms,
        }
    }

    pub(crate) fn certificate(&self) -> TsuCertificate {
        TsuCertificate::check(&self.tsu_der, &self.terms).expect("fits the profile")
    }

    pub(crate) fn signer(&self) -> FileSigner {
        FileSigner::from_pkcs8_der(&self.key_pkcs8_der, &self.certificate()).unwrap()
    }

    /// A builder for an accuracy of 500 ms and without a chain.
    pub(crate) fn builder(&self) -> TokenBuilder {
        TokenBuilder::new(self.certificate(), &[], profile()).unwrap()
    }

    /// A token signed with the TSU's key.
    pub(crate) fn token(&self, builder: &TokenBuilder, request: &Request) -> Vec<u8> {
        let tst_info = builder.tst_info(request, &serial(), gen_time());
        builder.build(&tst_info, request.cert_req(), |m| self.signer().sign(m)).unwrap()
    }
}

/// An accuracy of 500 ms, not qualified, with the whole chain.
pub(crate) fn profile() -> TokenProfile {
    TokenProfile {
        accuracy: Bound::from_millis(500),
        digits: GenTimeDigits::Three,
        qualified: false,
        carries: Carries::Full,
    }
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "XX");
    name.push(DnType::OrganizationName, "Chronolease Test");
    name.push(DnType::CommonName, common_name);
    name
}

fn tsu_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Test TSU");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.custom_extensions = vec![extension(37, true, TIME_STAMPING_ALONE.to_vec())];
    params.use_authority_key_identifier_extension = true;
    params
}

/// The certificate extension `id-ce {number}`.
pub(crate) fn extension(number: u64, critical: bool, value: Vec<u8>) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, number], value);
    extension.set_criticality(critical);
    extension
}

pub(crate) fn serial() -> Serial {
    Serial::from_hash(&[0xa5; 32])
}

/// 2023-11-14 22:13:20.123 UTC.
pub(crate) fn gen_time() -> GenTime {
    GenTime::at(Timestamp::from_unix_nanos(1_700_000_000_123_456_789), GenTimeDigits::Three)
}

pub(crate) fn policy() -> RequestPolicy {
    let oid = |dotted| parse_oid(dotted).unwrap();
    RequestPolicy::new(oid("0.4.0.2023.1.1"), vec![oid("1.2.3.4.5")])
}

/// A TimeStampReq from its parts, each already in DER.
pub(crate) fn request_der(parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let octets = u8::try_from(content.len()).unwrap();
    if octets < 128 {
        [&[0x30, octets][..], &content].concat()
    } else {
        [&[0x30, 0x81, octets][..], &content].concat()
    }
}

/// INTEGER 1.
pub(crate) const VERSION: &[u8] = &[0x02, 0x01, 0x01];
/// INTEGER 4242.
pub(crate) const NONCE: &[u8] = &[0x02, 0x02, 0x10, 0x92];
/// BOOLEAN TRUE.
pub(crate) const TRUE: &[u8] = &[0x01, 0x01, 0xff];

/// A MessageImprint of SHA-256 or its sisters (the last arc: 1, 2 or 3), with NULL parameters.
pub(crate) fn imprint(last_arc: u8, digest_octets: u8) -> Vec<u8> {
    let algorithm =
        [0x30, 13, 6, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last_arc, 5, 0];
    let digest = vec![0x5a; usize::from(digest_octets)];
    [&[0x30, 17 + digest_octets][..], &algorithm, &[0x04, digest_octets], &digest].concat()
}

/// A good request with a nonce.
pub(crate) fn request(cert_req: bool) -> Request {
    let cert_req = if cert_req { TRUE } else { &[] };
    let body = request_der(&[VERSION, &imprint(1, 32), NONCE, cert_req]);
    parse(&body, &policy()).expect("a good request")
}

/// A good request with this nonce, in DER.
pub(crate) fn request_with_nonce(nonce: &[u8]) -> Request {
    let body = request_der(&[VERSION, &imprint(1, 32), nonce]);
    parse(&body, &policy()).expect("a good request")
}

/// A folder of its own that vanishes in the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("chronolease-tsu-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(folder);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs openssl in the folder, which must succeed, and returns what it printed.
    pub(crate) fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .expect("openssl is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {said}");
        output.stdout
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
