//! What the profile asks of a certificate.

use chronolease_core::time::Timestamp;
use rasn::prelude::*;
use rasn_pkix::{
    BasicConstraints, Certificate, ExtKeyUsageSyntax, Extension, KeyUsage, Name,
    PrivateKeyUsagePeriod, TbsCertificate, Version,
};

use super::super::der::{self, DerError};
use super::super::suite::Suite;
use super::key::{self, KeyTerms};
use super::period::{Period, SigningPeriod, timestamp};

const KEY_USAGE: &Oid = Oid::const_new(&[2, 5, 29, 15]);
const PRIVATE_KEY_USAGE_PERIOD: &Oid = Oid::const_new(&[2, 5, 29, 16]);
const BASIC_CONSTRAINTS: &Oid = Oid::const_new(&[2, 5, 29, 19]);
const EXT_KEY_USAGE: &Oid = Oid::const_new(&[2, 5, 29, 37]);
const KP_TIME_STAMPING: &Oid = Oid::const_new(&[1, 3, 6, 1, 5, 5, 7, 3, 8]);
const COMMON_NAME: &Oid = Oid::const_new(&[2, 5, 4, 3]);
const COUNTRY_NAME: &Oid = Oid::const_new(&[2, 5, 4, 6]);
const ORGANIZATION_NAME: &Oid = Oid::const_new(&[2, 5, 4, 10]);
const ORGANIZATION_IDENTIFIER: &Oid = Oid::const_new(&[2, 5, 4, 97]);

/// Why a certificate is not fit for a TSU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// It is not one X.509 certificate in DER. Strict clients refuse tokens that carry it.
    #[error("the certificate is {0} (RFC 5280 4.1)")]
    Der(DerError),
    /// It is not of version 3, so it has no extensions.
    #[error("the certificate is not of X.509 version 3 (RFC 5280 4.1.2.1)")]
    Version,
    /// An extension occurs twice (RFC 5280 4.2).
    #[error("the extension {0} occurs twice (RFC 5280 4.2)")]
    ExtensionTwice(ObjectIdentifier),
    /// The value of an extension does not parse.
    #[error("the extension {0} is {1} (RFC 5280 4.2)")]
    Extension(ObjectIdentifier, DerError),
    /// There is no extended key usage (RFC 3161 2.3).
    #[error("extendedKeyUsage is missing (RFC 3161 2.3)")]
    ExtendedKeyUsageMissing,
    /// The extended key usage is not critical (RFC 3161 2.3).
    #[error("extendedKeyUsage is not critical (RFC 3161 2.3)")]
    ExtendedKeyUsageNotCritical,
    /// The extended key usage is not timeStamping alone (RFC 3161 2.3).
    #[error("extendedKeyUsage is not timeStamping alone (RFC 3161 2.3)")]
    ExtendedKeyUsageNotSole,
    /// There is no key usage.
    #[error("keyUsage is missing (EN 319 422 6)")]
    KeyUsageMissing,
    /// The key usage is not critical.
    #[error("keyUsage is not critical (EN 319 412-2 4.3.2)")]
    KeyUsageNotCritical,
    /// The key usage names something else than digitalSignature and nonRepudiation, or nothing.
    #[error(
        "keyUsage is not digitalSignature, nonRepudiation or both, and nothing else \
         (EN 319 412-2 4.3.2, EN 319 421 TIS-7.7.1-08)"
    )]
    KeyUsageOther,
    /// It is a CA certificate, and the key is for time-stamping alone (EN 319 421 TIS-7.7.1-08).
    #[error("the certificate is a CA's (RFC 5280 4.2.1.9, EN 319 421 TIS-7.7.1-08)")]
    Ca,
    /// No suite takes the key.
    #[error(
        "the key is none of ECDSA on P-256, P-384 or P-521 (uncompressed), RSA of 3072 or 4096 bits \
         and Ed25519; others are outdated or unknown (TS 119 312, EN 319 421 TIS-7.6.2-05)"
    )]
    Key,
    /// Nobody said how the RSA key pads.
    #[error("an RSA key needs signer.rsa_padding: \"pss\", or the legacy \"pkcs1\" (TS 119 312)")]
    RsaPaddingMissing,
    /// The key has no padding.
    #[error("signer.rsa_padding is set, but the key is not an RSA key (RFC 8017)")]
    RsaPaddingWithoutRsa,
    /// TS 119 312 wants legacy suites to be left.
    #[error("{0} is a legacy suite: plan its end with signer.algorithm_until (TS 119 312)")]
    LegacyWithoutEnd(&'static str),
    /// The certificate is valid for longer than its algorithm is fit.
    #[error(
        "the certificate outlives its algorithm's end date, signer.algorithm_until \
         (EN 319 421 TIS-7.6.5-01)"
    )]
    OutlivesAlgorithm,
    /// The validity ends before it begins.
    #[error("the validity ends before it begins (RFC 5280 4.1.2.5)")]
    ValidityEmpty,
    /// The private key usage period ends before it begins.
    #[error("privateKeyUsagePeriod ends before it begins (EN 319 422 6.4)")]
    KeyPeriodEmpty,
    /// The private key may be used until the certificate ends or longer (EN 319 421 TIS-7.6.7-04).
    #[error(
        "privateKeyUsagePeriod does not end before the certificate does \
         (EN 319 421 TIS-7.6.7-04)"
    )]
    KeyPeriodTooLong,
    /// The issuer has no name (RFC 5280 4.1.2.4).
    #[error("the issuer has no name (RFC 5280 4.1.2.4)")]
    IssuerEmpty,
    /// The subject lacks an attribute that EN 319 422 and EN 319 412 demand.
    #[error("the subject has no {0} (EN 319 422 6, EN 319 412-3 4.2.1)")]
    SubjectLacks(&'static str),
}

/// What is allowed but not advised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateWarning {
    /// No end of the key's use is stated (EN 319 422 6.4).
    #[error("privateKeyUsagePeriod states no end: the key is used until the certificate ends")]
    NoKeyPeriod,
    /// The subject has no organizationIdentifier, which legal persons must have (EN 319 412-3).
    #[error("the subject has no organizationIdentifier, which a legal person must have")]
    NoOrganizationIdentifier,
    /// The suite is still agreed but to be left.
    #[error("{0} is a legacy suite (TS 119 312)")]
    LegacySuite(&'static str),
}

/// What the check found out.
pub(super) struct Facts {
    pub(super) public_key: Vec<u8>,
    pub(super) suite: Suite,
    pub(super) signing: SigningPeriod,
    pub(super) warnings: Vec<CertificateWarning>,
}

pub(super) fn check(
    certificate: &Certificate,
    terms: &KeyTerms,
) -> Result<Facts, Vec<CertificateProblem>> {
    let tbs = &certificate.tbs_certificate;
    let mut findings = Findings { tbs, problems: Vec::new(), warnings: Vec::new() };
    findings.version_and_names();
    findings.no_extension_twice();
    findings.extended_key_usage();
    findings.key_usage();
    findings.not_a_ca();
    let (certificate_use, key_use) = findings.periods();
    let outlives = terms.algorithm_until.is_some_and(|until| certificate_use.last > until);
    findings.require(!outlives, CertificateProblem::OutlivesAlgorithm);
    let key = key::read(&tbs.subject_public_key_info, terms);
    let Findings { mut problems, mut warnings, .. } = findings;
    match key {
        Ok((suite, public_key)) if problems.is_empty() => {
            if suite.is_legacy() {
                warnings.push(CertificateWarning::LegacySuite(suite.name()));
            }
            let signing = SigningPeriod::new(certificate_use, key_use, terms.algorithm_until);
            Ok(Facts { public_key, suite, signing, warnings })
        }
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    }
}

struct Findings<'a> {
    tbs: &'a TbsCertificate,
    problems: Vec<CertificateProblem>,
    warnings: Vec<CertificateWarning>,
}

impl<'a> Findings<'a> {
    fn require(&mut self, holds: bool, problem: CertificateProblem) {
        if !holds {
            self.problems.push(problem);
        }
    }

    fn extensions(&self) -> &'a [Extension] {
        self.tbs.extensions.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The value of an extension and whether it is critical.
    fn extension<T: Decode + Encode>(&mut self, oid: &Oid) -> Option<(T, bool)> {
        let extension = self.extensions().iter().find(|e| e.extn_id == *oid)?;
        match der::decode(&extension.extn_value) {
            Ok(value) => Some((value, extension.critical)),
            Err(e) => {
                self.problems.push(CertificateProblem::Extension(extension.extn_id.clone(), e));
                None
            }
        }
    }

    fn has_extension(&self, oid: &Oid) -> bool {
        self.extensions().iter().any(|e| e.extn_id == *oid)
    }

    fn version_and_names(&mut self) {
        self.require(self.tbs.version == Version::V3, CertificateProblem::Version);
        let Name::RdnSequence(issuer) = &self.tbs.issuer;
        self.require(!issuer.is_empty(), CertificateProblem::IssuerEmpty);
        let subject_has = |attribute: &Oid| {
            let Name::RdnSequence(subject) = &self.tbs.subject;
            subject.iter().any(|rdn| rdn.iter().any(|part| part.r#type == *attribute))
        };
        let identified = subject_has(ORGANIZATION_IDENTIFIER);
        let lacking = [
            (COUNTRY_NAME, "countryName"),
            (ORGANIZATION_NAME, "organizationName"),
            (COMMON_NAME, "commonName"),
        ]
        .into_iter()
        .filter(|(oid, _)| !subject_has(oid))
        .map(|(_, name)| CertificateProblem::SubjectLacks(name));
        self.problems.extend(lacking);
        if !identified {
            self.warnings.push(CertificateWarning::NoOrganizationIdentifier);
        }
    }

    fn no_extension_twice(&mut self) {
        let extensions = self.extensions();
        for (at, extension) in extensions.iter().enumerate() {
            let oid = &extension.extn_id;
            let seen = extensions[..at].iter().any(|e| e.extn_id == *oid);
            self.require(!seen, CertificateProblem::ExtensionTwice(oid.clone()));
        }
    }

    fn extended_key_usage(&mut self) {
        let present = self.has_extension(EXT_KEY_USAGE);
        self.require(present, CertificateProblem::ExtendedKeyUsageMissing);
        let Some((purposes, critical)) = self.extension::<ExtKeyUsageSyntax>(EXT_KEY_USAGE) else {
            return;
        };
        self.require(critical, CertificateProblem::ExtendedKeyUsageNotCritical);
        let sole = matches!(&purposes[..], [purpose] if *purpose == *KP_TIME_STAMPING);
        self.require(sole, CertificateProblem::ExtendedKeyUsageNotSole);
    }

    fn key_usage(&mut self) {
        let present = self.has_extension(KEY_USAGE);
        self.require(present, CertificateProblem::KeyUsageMissing);
        let Some((usage, critical)) = self.extension::<KeyUsage>(KEY_USAGE) else { return };
        self.require(critical, CertificateProblem::KeyUsageNotCritical);
        // Bit 0 is digitalSignature, bit 1 nonRepudiation (RFC 5280 4.2.1.3).
        let fits = usage.any() && usage.iter_ones().all(|bit| bit < 2);
        self.require(fits, CertificateProblem::KeyUsageOther);
    }

    fn not_a_ca(&mut self) {
        let ca = self.extension::<BasicConstraints>(BASIC_CONSTRAINTS).is_some_and(|(b, _)| b.ca);
        self.require(!ca, CertificateProblem::Ca);
    }

    /// When the certificate and when the key may be used.
    fn periods(&mut self) -> (Period, Period) {
        let certificate_use = Period::of(self.tbs.validity);
        let ordered = certificate_use.first <= certificate_use.last;
        self.require(ordered, CertificateProblem::ValidityEmpty);

        let (not_before, not_after) = self
            .extension::<PrivateKeyUsagePeriod>(PRIVATE_KEY_USAGE_PERIOD)
            .map_or((None, None), |(period, _)| (period.not_before, period.not_after));
        let key_use = Period {
            first: not_before
                .map_or(Timestamp::from_unix_nanos(i64::MIN), |d| timestamp(d.to_utc())),
            last: not_after.map_or(certificate_use.last, |d| timestamp(d.to_utc())),
        };
        self.require(key_use.first <= key_use.last, CertificateProblem::KeyPeriodEmpty);
        if not_after.is_none() {
            self.warnings.push(CertificateWarning::NoKeyPeriod);
        } else {
            let shorter = key_use.last < certificate_use.last;
            self.require(shorter, CertificateProblem::KeyPeriodTooLong);
        }
        (certificate_use, key_use)
    }
}
