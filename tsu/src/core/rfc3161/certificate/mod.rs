//! The TSU's certificate (RFC 3161 2.3, EN 319 422 6, EN 319 421 7.6.7).

mod key;
mod profile;

pub use key::{AlgorithmOutdated, KeyTerms};
pub use profile::{CertificateProblem, CertificateWarning};

use chronolease_core::id::SpkiPin;
use chronolease_core::time::{Timestamp, Utc};
use rasn::types::{Integer, UtcTime};
use rasn_pkix::{Certificate, Name};
use sha2::{Digest, Sha256};

use super::der;
use super::suite::Suite;

/// A certificate that fits the profile.
#[derive(Clone, Debug)]
pub struct TsuCertificate {
    der: Vec<u8>,
    issuer: Name,
    serial: Integer,
    spki_der: Vec<u8>,
    public_key: Vec<u8>,
    suite: Suite,
    certificate_use: Period,
    key_use: Period,
    warnings: Vec<CertificateWarning>,
}

/// From the first to the last instant, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period {
    first: Timestamp<Utc>,
    last: Timestamp<Utc>,
}

/// The certificate or its key may not be used at this time. That its algorithm has ended needs no
/// reason of its own: no certificate outlives it (EN 319 421 TIS-7.6.5-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUsable {
    /// Before the certificate's notBefore.
    #[error("the certificate is valid from {} only (RFC 5280 4.1.2.5)", date(*.0))]
    CertificateNotYet(Timestamp<Utc>),
    /// After the certificate's notAfter.
    #[error("the certificate expired at {} (RFC 5280 4.1.2.5)", date(*.0))]
    CertificateExpired(Timestamp<Utc>),
    /// Before the privateKeyUsagePeriod.
    #[error("the key may be used from {} only (EN 319 421 TIS-7.7.1-09)", date(*.0))]
    KeyNotYet(Timestamp<Utc>),
    /// After the privateKeyUsagePeriod.
    #[error("the key may not be used after {} (EN 319 421 TIS-7.7.1-09)", date(*.0))]
    KeyExpired(Timestamp<Utc>),
}

impl TsuCertificate {
    /// Reads a certificate in DER and checks it against the profile; `terms` say how its key is
    /// used. Whether its dates include the present is not part of this: see
    /// [`TsuCertificate::usable_at`].
    ///
    /// # Errors
    /// All [`CertificateProblem`]s at once.
    pub fn check(
        certificate_der: &[u8],
        terms: &KeyTerms,
    ) -> Result<Self, Vec<CertificateProblem>> {
        let certificate: Certificate =
            der::decode(certificate_der).map_err(|e| vec![CertificateProblem::Der(e)])?;
        let facts = profile::check(&certificate, terms)?;
        let tbs = certificate.tbs_certificate;
        Ok(Self {
            der: certificate_der.to_vec(),
            issuer: tbs.issuer,
            serial: tbs.serial_number,
            spki_der: der::encode(&tbs.subject_public_key_info),
            public_key: facts.public_key,
            suite: facts.suite,
            certificate_use: facts.certificate_use,
            key_use: facts.key_use,
            warnings: facts.warnings,
        })
    }

    /// Whether the certificate and its key may be used at `now`: to be asked before signing and
    /// again before release (EN 319 421 TIS-7.7.1-09). The algorithm lasts as long as they do, or
    /// [`TsuCertificate::check`] had refused them.
    ///
    /// # Errors
    /// [`NotUsable`] with the date that was not met.
    pub fn usable_at(&self, now: Timestamp<Utc>) -> Result<(), NotUsable> {
        let (certificate, key) = (self.certificate_use, self.key_use);
        if now < certificate.first {
            Err(NotUsable::CertificateNotYet(certificate.first))
        } else if now > certificate.last {
            Err(NotUsable::CertificateExpired(certificate.last))
        } else if now < key.first {
            Err(NotUsable::KeyNotYet(key.first))
        } else if now > key.last {
            Err(NotUsable::KeyExpired(key.last))
        } else {
            Ok(())
        }
    }

    /// The last instant at which tokens can be signed.
    #[must_use]
    pub fn usable_until(&self) -> Timestamp<Utc> {
        self.certificate_use.last.min(self.key_use.last)
    }

    /// What tokens are signed with.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// What is allowed but not advised.
    #[must_use]
    pub fn warnings(&self) -> &[CertificateWarning] {
        &self.warnings
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 over the certificate: the certHash of ESSCertIDv2 (RFC 5035 4).
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// The issuer's name.
    #[must_use]
    pub const fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// The certificate's serial number.
    #[must_use]
    pub const fn serial(&self) -> &Integer {
        &self.serial
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// SHA-256 over the SubjectPublicKeyInfo: the identity of the key.
    #[must_use]
    pub fn spki_pin(&self) -> SpkiPin {
        SpkiPin::from_bytes(Sha256::digest(&self.spki_der).into())
    }

    /// The key as the BIT STRING of its SubjectPublicKeyInfo holds it: an uncompressed point
    /// (SEC 1 2.3.3), an RSAPublicKey in DER (RFC 8017 A.1.1), or 32 octets (RFC 8410 4).
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}

/// The last instant of a day in UTC, from its date `YYYY-MM-DD`; `None` when it is not one.
#[must_use]
pub fn parse_date(text: &str) -> Option<Timestamp<Utc>> {
    let digits = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if text.len() != 10 || !digits {
        return None;
    }
    format!("{text}T23:59:59.999999999Z").parse().ok().map(timestamp)
}

/// A date for people.
fn date(at: Timestamp<Utc>) -> impl std::fmt::Display {
    UtcTime::from_timestamp_nanos(at.as_unix_nanos()).format("%Y-%m-%dT%H:%M:%SZ")
}

/// A date of a certificate. Dates that nanoseconds in 64 bits cannot count saturate: 9999-12-31
/// stands for "no end" (RFC 5280 4.1.2.5) and lies far behind every clock.
fn timestamp(date: UtcTime) -> Timestamp<Utc> {
    let saturated = if date.timestamp() < 0 { i64::MIN } else { i64::MAX };
    Timestamp::from_unix_nanos(date.timestamp_nanos_opt().unwrap_or(saturated))
}

#[cfg(test)]
mod tests;
