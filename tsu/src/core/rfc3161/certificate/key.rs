//! The certificate's key, and what it is used with.

use chronolease_core::time::{Timestamp, Utc};
use rasn::prelude::*;
use rasn_pkix::SubjectPublicKeyInfo;

use super::super::der;
use super::super::suite::{RsaPadding, Suite};
use super::CertificateProblem;
use super::period::date;

const EC_PUBLIC_KEY: &Oid = Oid::const_new(&[1, 2, 840, 10045, 2, 1]);
const PRIME_256_V1: &Oid = Oid::const_new(&[1, 2, 840, 10045, 3, 1, 7]);
const SECP_384_R1: &Oid = Oid::const_new(&[1, 3, 132, 0, 34]);
const SECP_521_R1: &Oid = Oid::const_new(&[1, 3, 132, 0, 35]);
const RSA_ENCRYPTION: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 1, 1]);
const ED_25519: &Oid = Oid::const_new(&[1, 3, 101, 112]);

/// What the configuration says of the key's use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyTerms {
    /// How an RSA key pads; for no other key.
    pub rsa_padding: Option<RsaPadding>,
    /// The last instant at which the algorithm is held fit to sign with (TS 119 312). A legacy
    /// suite must have one.
    pub algorithm_until: Option<Timestamp<Utc>>,
}

/// The algorithm is no longer held fit to sign with (TS 119 312): another certificate of the same
/// key does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "signer.algorithm_until: the key's algorithm is outdated since {} \
     (TS 119 312, EN 319 421 TIS-7.6.2-05)",
    date(*.0)
)]
pub struct AlgorithmOutdated(pub Timestamp<Utc>);

impl KeyTerms {
    /// Whether the algorithm is still held fit at `now`: to be asked at the start, before anything is
    /// said of the certificate. Later [`TsuCertificate::usable_at`](super::TsuCertificate::usable_at)
    /// says it for each signature.
    ///
    /// # Errors
    /// [`AlgorithmOutdated`] with its last instant.
    pub fn fit_at(&self, now: Timestamp<Utc>) -> Result<(), AlgorithmOutdated> {
        match self.algorithm_until {
            Some(until) if now > until => Err(AlgorithmOutdated(until)),
            _ => Ok(()),
        }
    }
}

/// RFC 8017 A.1.1.
#[derive(AsnType, Decode, Encode)]
struct RsaPublicKey {
    modulus: Integer,
    public_exponent: Integer,
}

/// The suite and the key itself, as the BIT STRING of the SubjectPublicKeyInfo holds it.
pub(super) fn read(
    spki: &SubjectPublicKeyInfo,
    terms: &KeyTerms,
) -> Result<(Suite, Vec<u8>), CertificateProblem> {
    let key = spki.subject_public_key.as_raw_slice();
    let algorithm = &spki.algorithm.algorithm;
    let parameters = spki.algorithm.parameters.as_ref().map(Any::as_bytes);
    let suite = if *algorithm == *EC_PUBLIC_KEY {
        ec_suite(parameters, key)
    } else if *algorithm == *RSA_ENCRYPTION {
        rsa_suite(key, terms.rsa_padding.ok_or(CertificateProblem::RsaPaddingMissing)?)
    } else if *algorithm == *ED_25519 && parameters.is_none() && key.len() == 32 {
        Some(Suite::Ed25519)
    } else {
        None
    };
    let suite = suite.ok_or(CertificateProblem::Key)?;
    let is_rsa = matches!(suite, Suite::Rsa3072(_) | Suite::Rsa4096(_));
    if terms.rsa_padding.is_some() && !is_rsa {
        return Err(CertificateProblem::RsaPaddingWithoutRsa);
    }
    if suite.is_legacy() && terms.algorithm_until.is_none() {
        return Err(CertificateProblem::LegacyWithoutEnd(suite.name()));
    }
    Ok((suite, key.to_vec()))
}

/// An uncompressed point on a named curve (RFC 5480 2).
fn ec_suite(parameters: Option<&[u8]>, point: &[u8]) -> Option<Suite> {
    let curve: ObjectIdentifier = der::decode(parameters?).ok()?;
    let curves = [
        (PRIME_256_V1, 65, Suite::EcdsaP256),
        (SECP_384_R1, 97, Suite::EcdsaP384),
        (SECP_521_R1, 133, Suite::EcdsaP521),
    ];
    let (_, octets, suite) = curves.into_iter().find(|(oid, ..)| curve == **oid)?;
    (point.len() == octets && point[0] == 4).then_some(suite)
}

/// TS 119 312 ends the use of RSA below 3000 bits, and wants exponents above 2^16.
fn rsa_suite(key: &[u8], padding: RsaPadding) -> Option<Suite> {
    let RsaPublicKey { modulus, public_exponent } = der::decode(key).ok()?;
    let exponent = num_bigint::BigInt::from(public_exponent);
    if exponent <= num_bigint::BigInt::from(1 << 16) || !exponent.bit(0) {
        return None;
    }
    match num_bigint::BigInt::from(modulus).bits() {
        3072 => Some(Suite::Rsa3072(padding)),
        4096 => Some(Suite::Rsa4096(padding)),
        _ => None,
    }
}
