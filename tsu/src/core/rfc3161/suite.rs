//! Signature suites: a key with the digest and the padding it is used with.

use aws_lc_rs::digest::{self, Digest, SHA256, SHA384, SHA512};
use rasn::prelude::*;
use rasn_pkix::AlgorithmIdentifier;

use super::der;

const SHA_256: &Oid = Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 1]);
const SHA_384: &Oid = Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 2]);
const SHA_512: &Oid = Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 3]);
const ECDSA_WITH_SHA_256: &Oid = Oid::const_new(&[1, 2, 840, 10045, 4, 3, 2]);
const ECDSA_WITH_SHA_384: &Oid = Oid::const_new(&[1, 2, 840, 10045, 4, 3, 3]);
const ECDSA_WITH_SHA_512: &Oid = Oid::const_new(&[1, 2, 840, 10045, 4, 3, 4]);
const RSA_PSS: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 1, 10]);
const RSA_WITH_SHA_256: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 1, 11]);
const RSA_WITH_SHA_512: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 1, 13]);
const MGF_1: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 1, 8]);
const ED_25519: &Oid = Oid::const_new(&[1, 3, 101, 112]);

/// How an RSA signature is padded (RFC 8017).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RsaPadding {
    /// RSASSA-PKCS1-v1_5: every client reads it, and TS 119 312 calls it legacy.
    Pkcs1,
    /// RSASSA-PSS with MGF1 and a salt as long as the digest.
    Pss,
}

/// What tokens are signed with. The digest is as strong as the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384,
    /// ECDSA on P-521 with SHA-512.
    EcdsaP521,
    /// RSA of 3072 bits with SHA-256.
    Rsa3072(RsaPadding),
    /// RSA of 4096 bits with SHA-512.
    Rsa4096(RsaPadding),
    /// Ed25519; SHA-512 for the message digest (RFC 8419 3.1).
    Ed25519,
}

impl Suite {
    /// Its name, for the log and for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ECDSA P-256 with SHA-256",
            Self::EcdsaP384 => "ECDSA P-384 with SHA-384",
            Self::EcdsaP521 => "ECDSA P-521 with SHA-512",
            Self::Rsa3072(RsaPadding::Pkcs1) => "RSA-3072 PKCS#1 v1.5 with SHA-256",
            Self::Rsa3072(RsaPadding::Pss) => "RSA-3072 PSS with SHA-256",
            Self::Rsa4096(RsaPadding::Pkcs1) => "RSA-4096 PKCS#1 v1.5 with SHA-512",
            Self::Rsa4096(RsaPadding::Pss) => "RSA-4096 PSS with SHA-512",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// Whether TS 119 312 V2.1.1 lists it as legacy: still agreed, but to be left.
    #[must_use]
    pub const fn is_legacy(self) -> bool {
        matches!(self, Self::Rsa3072(RsaPadding::Pkcs1) | Self::Rsa4096(RsaPadding::Pkcs1))
    }

    /// The digest of the suite over `message`.
    pub(super) fn digest(self, message: &[u8]) -> Digest {
        let algorithm = match self {
            Self::EcdsaP256 | Self::Rsa3072(_) => &SHA256,
            Self::EcdsaP384 => &SHA384,
            Self::EcdsaP521 | Self::Rsa4096(_) | Self::Ed25519 => &SHA512,
        };
        digest::digest(algorithm, message)
    }

    /// The digestAlgorithm, with absent parameters (RFC 5754 2).
    pub(super) fn digest_algorithm(self) -> AlgorithmIdentifier {
        plain(self.digest_oid())
    }

    /// The signatureAlgorithm: never a bare key type.
    pub(super) fn signature_algorithm(self) -> AlgorithmIdentifier {
        match self {
            // Absent parameters (RFC 5758 3.2, RFC 8419 2.2).
            Self::EcdsaP256 => plain(ECDSA_WITH_SHA_256),
            Self::EcdsaP384 => plain(ECDSA_WITH_SHA_384),
            Self::EcdsaP521 => plain(ECDSA_WITH_SHA_512),
            Self::Ed25519 => plain(ED_25519),
            // NULL (RFC 5754 3.2).
            Self::Rsa3072(RsaPadding::Pkcs1) => with_null(RSA_WITH_SHA_256),
            Self::Rsa4096(RsaPadding::Pkcs1) => with_null(RSA_WITH_SHA_512),
            Self::Rsa3072(RsaPadding::Pss) => self.pss(32),
            Self::Rsa4096(RsaPadding::Pss) => self.pss(64),
        }
    }

    const fn digest_oid(self) -> &'static Oid {
        match self {
            Self::EcdsaP256 | Self::Rsa3072(_) => SHA_256,
            Self::EcdsaP384 => SHA_384,
            Self::EcdsaP521 | Self::Rsa4096(_) | Self::Ed25519 => SHA_512,
        }
    }

    /// RSASSA-PSS-params (RFC 4055 3.1). There the hash has NULL parameters.
    fn pss(self, salt_octets: u8) -> AlgorithmIdentifier {
        let hash_algorithm = with_null(self.digest_oid());
        let mask_gen_algorithm = AlgorithmIdentifier {
            algorithm: MGF_1.into(),
            parameters: Some(der::any(&hash_algorithm)),
        };
        let salt_length = Integer::from(salt_octets);
        let params = PssParams { hash_algorithm, mask_gen_algorithm, salt_length };
        AlgorithmIdentifier { algorithm: RSA_PSS.into(), parameters: Some(der::any(&params)) }
    }
}

/// RFC 4055 3.1 without the trailer field, which stays at its default.
#[derive(AsnType, Encode)]
struct PssParams {
    #[rasn(tag(explicit(0)))]
    hash_algorithm: AlgorithmIdentifier,
    #[rasn(tag(explicit(1)))]
    mask_gen_algorithm: AlgorithmIdentifier,
    #[rasn(tag(explicit(2)))]
    salt_length: Integer,
}

fn plain(oid: &Oid) -> AlgorithmIdentifier {
    AlgorithmIdentifier { algorithm: oid.into(), parameters: None }
}

fn with_null(oid: &Oid) -> AlgorithmIdentifier {
    AlgorithmIdentifier { algorithm: oid.into(), parameters: Some(der::any(&())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_pss_have_the_bytes_of_rfc_4055() {
        let sha_256 = [0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];
        let mgf_1 = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
        let params = [
            &[0x30, 0x34, 0xa0, 15][..],
            &sha_256,
            &[0xa1, 28, 0x30, 26],
            &mgf_1,
            &sha_256,
            &[0xa2, 3, 2, 1, 32],
        ]
        .concat();
        let id_pss = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
        let algorithm = Suite::Rsa3072(RsaPadding::Pss).signature_algorithm();
        assert_eq!(der::encode(&algorithm), [&[0x30, 65][..], &id_pss, &params].concat());
    }

    #[test]
    fn only_the_old_padding_is_legacy() {
        use RsaPadding::{Pkcs1, Pss};
        for (suite, legacy) in [
            (Suite::EcdsaP256, false),
            (Suite::EcdsaP384, false),
            (Suite::EcdsaP521, false),
            (Suite::Rsa3072(Pkcs1), true),
            (Suite::Rsa4096(Pkcs1), true),
            (Suite::Rsa3072(Pss), false),
            (Suite::Rsa4096(Pss), false),
            (Suite::Ed25519, false),
        ] {
            assert_eq!(suite.is_legacy(), legacy, "{}", suite.name());
        }
    }
}
