//! Throw-away keys and certificates.
//!
//! Two roots: one for the time-stamping certificate, which verifiers of tokens trust, and one for
//! the boxes and the persons, who are known by their pinned keys and need the root only for tools
//! such as curl. Private keys are PKCS#8, readable by their owner alone.

use std::net::{IpAddr, Ipv4Addr};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use chronolease_core::id::SpkiPin;
use chronolease_core::time::{Timestamp, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use time::{Duration, OffsetDateTime};

use super::{InitError, files};
use crate::layout::{Layout, ROLES};

const ORGANIZATION: &str = "Chronolease Lab";
const ONE_DAY: Duration = Duration::days(1);

/// How long a certificate lasts. It begins a day early: tests move clocks.
const LIFETIME: Duration = Duration::days(365);

/// For how much of that time the TSU may sign. EN 319 421 wants the key to end before its
/// certificate, so that the last tokens can still be verified.
const SIGNING_PERIOD: Duration = Duration::days(335);

/// 2.5.29.37 with id-kp-timeStamping (1.3.6.1.5.5.7.3.8) as its only purpose, in DER. RFC 3161 2.3
/// wants it critical, which the library's own key usage extension cannot be.
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const TIME_STAMPING_ONLY: [u8; 12] =
    [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

const PRIVATE_KEY_USAGE_PERIOD: &[u64] = &[2, 5, 29, 16];
const ORGANIZATION_IDENTIFIER: &[u64] = &[2, 5, 4, 97];

/// The keys by which the configuration files know boxes and persons.
pub(super) struct Pins {
    /// The TSU on the link.
    pub(super) tsu: SpkiPin,
    /// The monitor on the link.
    pub(super) monitor: SpkiPin,
    /// Persons, in the order of [`ROLES`].
    pub(super) persons: [SpkiPin; ROLES.len()],
}

/// Makes and writes everything below `pki/`. `now` dates the certificates.
pub(super) fn write(layout: &Layout, now: Timestamp<Utc>) -> Result<Pins, InitError> {
    for dir in ["pki/nodes", "pki/persons", "pki/evidence"] {
        files::create_dir(&layout.file(dir))?;
    }
    let writer = Writer { layout, not_before: date(now)? - ONE_DAY };
    writer.time_stamping()?;
    writer.evidence("monitor")?;
    writer.evidence("tsu")?;
    let ca = writer.authority("pki/node-ca", "Chronolease Lab boxes and persons")?;
    let mut persons = [SpkiPin::from_bytes([0; SpkiPin::LEN]); ROLES.len()];
    for (pin, role) in persons.iter_mut().zip(ROLES) {
        *pin = writer.person(role, &ca)?;
    }
    Ok(Pins { tsu: writer.node("tsu", &ca)?, monitor: writer.node("monitor", &ca)?, persons })
}

type Authority = CertifiedIssuer<'static, KeyPair>;

struct Writer<'a> {
    layout: &'a Layout,
    not_before: OffsetDateTime,
}

impl Writer<'_> {
    /// The root and the certificate that tokens are verified with.
    fn time_stamping(&self) -> Result<(), InitError> {
        let ca = self
            .authority("pki/tsa-ca", "Chronolease Lab time-stamping root, for evaluation only")?;
        let mut params = self.leaf("tsu-1");
        params
            .distinguished_name
            .push(DnType::CustomDnType(ORGANIZATION_IDENTIFIER.to_vec()), "VATXX-000000000");
        let mut purpose =
            CustomExtension::from_oid_content(EXTENDED_KEY_USAGE, TIME_STAMPING_ONLY.to_vec());
        purpose.set_criticality(true);
        let period = CustomExtension::from_oid_content(
            PRIVATE_KEY_USAGE_PERIOD,
            usage_period(self.not_before, self.not_before + SIGNING_PERIOD),
        );
        params.custom_extensions = vec![purpose, period];
        self.issue("pki/tsu", &params, &ca).map(drop)
    }

    /// A self-signed root, written as `{stem}.pem` and `{stem}.key`.
    fn authority(&self, stem: &str, common_name: &str) -> Result<Authority, InitError> {
        let mut params = self.params(common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let failed = |source| InitError::Pki { what: "a root certificate", source };
        let key = KeyPair::generate().map_err(failed)?;
        let ca = CertifiedIssuer::self_signed(params, key).map_err(failed)?;
        self.write_pair(stem, &ca.pem(), ca.key())?;
        Ok(ca)
    }

    /// A box on the link; also a server that curl can check.
    fn node(&self, name: &str, ca: &Authority) -> Result<SpkiPin, InitError> {
        let mut params = self.leaf(name);
        let localhost = "localhost"
            .try_into()
            .map_err(|source| InitError::Pki { what: "a host name", source })?;
        params.subject_alt_names =
            vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)), SanType::DnsName(localhost)];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&format!("pki/nodes/{name}"), &params, ca)
    }

    /// A person as a TLS client.
    fn person(&self, role: &str, ca: &Authority) -> Result<SpkiPin, InitError> {
        let mut params = self.leaf(role);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&format!("pki/persons/{role}"), &params, ca)
    }

    /// An evidence key. PKCS#8 version 1, because OpenSSL 3.0 cannot read version 2.
    fn evidence(&self, name: &str) -> Result<(), InitError> {
        let failed = |source| InitError::Pki { what: "an evidence key", source };
        let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
            .map_err(|_| failed(rcgen::Error::RingUnspecified))?;
        let key = KeyPair::try_from(pkcs8.as_ref()).map_err(failed)?;
        let stem = format!("pki/evidence/{name}");
        files::write_secret(&self.layout.file(&format!("{stem}.key")), &key.serialize_pem())?;
        files::write_public(&self.layout.file(&format!("{stem}.pub")), &key.public_key_pem())
    }

    fn params(&self, common_name: &str) -> CertificateParams {
        let mut name = DistinguishedName::new();
        name.push(DnType::CountryName, "XX");
        name.push(DnType::OrganizationName, ORGANIZATION);
        name.push(DnType::CommonName, common_name);
        let mut params = CertificateParams::default();
        params.distinguished_name = name;
        params.not_before = self.not_before;
        params.not_after = self.not_before + LIFETIME;
        params
    }

    fn leaf(&self, common_name: &str) -> CertificateParams {
        let mut params = self.params(common_name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params
    }

    /// A new P-256 key with its certificate, written as `{stem}.pem` and `{stem}.key`.
    fn issue(
        &self,
        stem: &str,
        params: &CertificateParams,
        ca: &Authority,
    ) -> Result<SpkiPin, InitError> {
        let failed = |source| InitError::Pki { what: "a certificate", source };
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, ca).map_err(failed)?;
        self.write_pair(stem, &certificate.pem(), &key)?;
        Ok(pin(&key))
    }

    fn write_pair(&self, stem: &str, certificate: &str, key: &KeyPair) -> Result<(), InitError> {
        files::write_public(&self.layout.file(&format!("{stem}.pem")), certificate)?;
        files::write_secret(&self.layout.file(&format!("{stem}.key")), &key.serialize_pem())
    }
}

fn pin(key: &KeyPair) -> SpkiPin {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(digest(&SHA256, &key.subject_public_key_info()).as_ref());
    SpkiPin::from_bytes(bytes)
}

/// Whole seconds, because RFC 5280 4.1.2.5 allows no fractions.
fn date(now: Timestamp<Utc>) -> Result<OffsetDateTime, InitError> {
    let unix_s = now.as_unix_nanos().div_euclid(1_000_000_000);
    OffsetDateTime::from_unix_timestamp(unix_s).map_err(|_| InitError::NoDate { unix_s })
}

/// PrivateKeyUsagePeriod (RFC 3280 4.2.1.4): notBefore [0] and notAfter [1], GeneralizedTime.
fn usage_period(not_before: OffsetDateTime, not_after: OffsetDateTime) -> Vec<u8> {
    let mut der = vec![0x30, 0x22];
    for (tag, date) in [(0x80, not_before), (0x81, not_after)] {
        let text = format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            date.hour(),
            date.minute(),
            date.second()
        );
        der.extend([tag, 0x0f]);
        der.extend(text.bytes());
    }
    der
}
