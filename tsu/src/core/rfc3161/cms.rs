//! The parts of CMS (RFC 5652) and ESS (RFC 5035) that a token is made of. What never changes for
//! a TSU is kept as ready-made DER, so these types hold it as [`Any`].

use rasn::prelude::*;
use rasn_cms::CertificateSerialNumber;
use rasn_pkix::{AlgorithmIdentifier, Attribute, GeneralName};

use super::der;

pub(super) const SIGNED_DATA: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 7, 2]);
pub(super) const TST_INFO: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 9, 16, 1, 4]);
pub(super) const CONTENT_TYPE: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 9, 3]);
pub(super) const MESSAGE_DIGEST: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 9, 4]);
pub(super) const SIGNING_CERTIFICATE_V2: &Oid =
    Oid::const_new(&[1, 2, 840, 113549, 1, 9, 16, 2, 47]);
/// RFC 6211 2.
pub(super) const ALGORITHM_PROTECTION: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 9, 52]);

/// An attribute with one value, in DER.
pub(super) fn attribute(oid: &Oid, value: Any) -> Any {
    der::any(&Attribute { r#type: oid.into(), values: SetOf::from_vec(vec![value]) })
}

/// The message digest attribute (RFC 5652 11.2), in DER.
pub(super) fn message_digest(digest: Vec<u8>) -> Any {
    attribute(MESSAGE_DIGEST, der::any(&OctetString::from(digest)))
}

/// RFC 5035 3, without policies.
#[derive(AsnType, Encode, Decode)]
pub(super) struct SigningCertificateV2 {
    pub(super) certs: SequenceOf<EssCertIdV2>,
}

/// RFC 5035 4, with SHA-256, which as the default is not written.
#[derive(AsnType, Encode, Decode)]
pub(super) struct EssCertIdV2 {
    pub(super) cert_hash: OctetString,
    pub(super) issuer_serial: IssuerSerial,
}

/// RFC 5035 4.
#[derive(AsnType, Encode, Decode, PartialEq, Eq)]
pub(super) struct IssuerSerial {
    pub(super) issuer: SequenceOf<GeneralName>,
    pub(super) serial_number: CertificateSerialNumber,
}

/// RFC 6211 2, for signatures.
#[derive(AsnType, Encode, Decode, PartialEq, Eq)]
pub(super) struct AlgorithmProtection {
    pub(super) digest_algorithm: AlgorithmIdentifier,
    #[rasn(tag(1))]
    pub(super) signature_algorithm: AlgorithmIdentifier,
}
