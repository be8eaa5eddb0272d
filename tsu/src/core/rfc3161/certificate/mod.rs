//! The TSU's certificate (RFC 3161 2.3, EN 319 422 6, EN 319 421 7.6.7).

mod key;
mod period;
mod profile;

pub use key::{AlgorithmOutdated, KeyTerms};
pub use period::{NotUsable, Period, parse_date, validity};
pub use profile::{CertificateProblem, CertificateWarning};

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::SpkiPin;
use chronolease_core::time::{Timestamp, Utc};
use rasn::types::Integer;
use rasn_pkix::{Certificate, Name};

use super::der;
use super::suite::Suite;
use period::SigningPeriod;

/// A certificate that fits the profile.
#[derive(Clone, Debug)]
pub struct TsuCertificate {
    der: Vec<u8>,
    issuer: Name,
    serial: Integer,
    spki_der: Vec<u8>,
    public_key: Vec<u8>,
    suite: Suite,
    signing: SigningPeriod,
    warnings: Vec<CertificateWarning>,
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
            signing: facts.signing,
            warnings: facts.warnings,
        })
    }

    /// Whether the certificate, its key and its algorithm may be used at `now`: to be asked before
    /// signing and again before release (EN 319 421 TIS-7.6.2-05, TIS-7.7.1-09).
    ///
    /// # Errors
    /// [`NotUsable`] with the date that was not met: of several ends the first.
    pub fn usable_at(&self, now: Timestamp<Utc>) -> Result<(), NotUsable> {
        self.signing.includes(now)
    }

    /// The last instant at which tokens can be signed.
    #[must_use]
    pub const fn usable_until(&self) -> Timestamp<Utc> {
        self.signing.last()
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
        *Hash::of(&self.der).as_bytes()
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
        SpkiPin::from_bytes(*Hash::of(&self.spki_der).as_bytes())
    }

    /// The key as the BIT STRING of its SubjectPublicKeyInfo holds it: an uncompressed point
    /// (SEC 1 2.3.3), an RSAPublicKey in DER (RFC 8017 A.1.1), or 32 octets (RFC 8410 4).
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}

#[cfg(test)]
impl TsuCertificate {
    /// The same with other ends, also such as [`TsuCertificate::check`] refuses.
    pub(crate) fn until(
        self,
        certificate: Timestamp<Utc>,
        key: Timestamp<Utc>,
        algorithm: Timestamp<Utc>,
    ) -> Self {
        let since_ever = |last| Period { first: Timestamp::from_unix_nanos(i64::MIN), last };
        let (certificate, key) = (since_ever(certificate), since_ever(key));
        Self { signing: SigningPeriod::new(certificate, key, Some(algorithm)), ..self }
    }
}

#[cfg(test)]
mod tests;
