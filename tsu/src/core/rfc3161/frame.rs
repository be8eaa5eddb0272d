//! What is the same in all tokens of a TSU (RFC 5652): encoded once, and put around each TSTInfo.

use rasn::prelude::*;
use rasn_pkix::GeneralName;

use super::certificate::TsuCertificate;
use super::der::Backwards;
use super::{cms, der};

/// More than tags and lengths of a token, with both object identifiers, ever take.
const HEADS_MAX: usize = 100;

/// The constant parts of a token, in DER.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// The certificates as the content of a SET OF.
    pub(super) certificates: Vec<u8>,
    /// The signed attributes before the octets of the message digest, and after them.
    attributes: [Vec<u8>; 2],
    pub(super) tst_info_oid: Vec<u8>,
    pub(super) signed_data_oid: Vec<u8>,
    /// From the version of the SignedData up to its content.
    data_head: Vec<u8>,
    /// From the version of the SignerInfo up to its attributes.
    signer_head: Vec<u8>,
    /// The SignerIdentifier: issuerAndSerialNumber.
    pub(super) sid: Vec<u8>,
    pub(super) digest_algorithm: Vec<u8>,
    pub(super) signature_algorithm: Vec<u8>,
    /// The CMSAlgorithmProtection.
    pub(super) protection: Vec<u8>,
    pub(super) certificate_hash: [u8; 32],
    /// The IssuerSerial of the ESSCertIDv2.
    pub(super) issuer_serial: Vec<u8>,
    pub(super) types: AttributeTypes,
}

/// The types of the signed attributes, in DER.
#[derive(Clone, Debug)]
pub(super) struct AttributeTypes {
    pub(super) content_type: Vec<u8>,
    pub(super) message_digest: Vec<u8>,
    pub(super) protection: Vec<u8>,
    pub(super) signing_certificate: Vec<u8>,
}

impl AttributeTypes {
    fn new() -> Self {
        let of = |oid: &Oid| der::encode(&ObjectIdentifier::from(oid));
        Self {
            content_type: of(cms::CONTENT_TYPE),
            message_digest: of(cms::MESSAGE_DIGEST),
            protection: of(cms::ALGORITHM_PROTECTION),
            signing_certificate: of(cms::SIGNING_CERTIFICATE_V2),
        }
    }
}

impl Frame {
    pub(super) fn new(certificate: &TsuCertificate, certificates: &[Any], sid: &Any) -> Self {
        let suite = certificate.suite();
        let digest_algorithm = der::encode(&suite.digest_algorithm());
        let certificates: Vec<&[u8]> = certificates.iter().map(Any::as_bytes).collect();
        Self {
            certificates: certificates.concat(),
            attributes: attributes(certificate),
            tst_info_oid: der::encode(&ObjectIdentifier::from(cms::TST_INFO)),
            signed_data_oid: der::encode(&ObjectIdentifier::from(cms::SIGNED_DATA)),
            // 3, because the content is not id-data (RFC 5652 5.1).
            data_head: [&[2, 1, 3], &der::element(0x31, &[&digest_algorithm])[..]].concat(),
            signer_head: [&[2, 1, 1], sid.as_bytes(), &digest_algorithm].concat(),
            sid: sid.as_bytes().to_vec(),
            digest_algorithm,
            signature_algorithm: der::encode(&suite.signature_algorithm()),
            protection: der::encode(&protection(certificate)),
            certificate_hash: certificate.hash(),
            issuer_serial: der::encode(&issuer_serial(certificate)),
            types: AttributeTypes::new(),
        }
    }

    /// The signed attributes as a SET OF. They are signed under that tag, not under the `[0]` they
    /// are stored with (RFC 5652 5.4).
    pub(super) fn attributes(&self, digest: &[u8]) -> Vec<u8> {
        let [before, after] = &self.attributes;
        der::element(0x31, &[before, digest, after])
    }

    /// The ContentInfo. `attributes` is the content of the SET OF.
    pub(super) fn around(
        &self,
        tst_info: &[u8],
        certificates: &[u8],
        attributes: &[u8],
        signature: &[u8],
    ) -> Vec<u8> {
        let parts = [&self.data_head, &self.signer_head, &self.signature_algorithm];
        let parts: usize = parts.map(Vec::len).iter().sum();
        let asked = tst_info.len() + certificates.len() + attributes.len() + signature.len();
        let mut token = Backwards::with_room(asked + parts + HEADS_MAX);
        let end = token.mark();

        token.put(signature);
        token.wrap(0x04, end);
        token.put(&self.signature_algorithm);
        let signed = token.mark();
        token.put(attributes);
        token.wrap(0xa0, signed);
        token.put(&self.signer_head);
        // One SignerInfo, and the SET OF it.
        token.wrap(0x30, end);
        token.wrap(0x31, end);
        if !certificates.is_empty() {
            let carried = token.mark();
            token.put(certificates);
            token.wrap(0xa0, carried);
        }
        let encapsulated = token.mark();
        token.put(tst_info);
        token.wrap(0x04, encapsulated);
        token.wrap(0xa0, encapsulated);
        token.put(&self.tst_info_oid);
        token.wrap(0x30, encapsulated);
        token.put(&self.data_head);
        token.wrap(0x30, end);
        token.wrap(0xa0, end);
        token.put(&self.signed_data_oid);
        token.wrap(0x30, end);
        token.finish()
    }
}

/// The order of a SET OF does not depend on the digest: each attribute begins with its length and
/// its type, and no two have the same type.
fn attributes(certificate: &TsuCertificate) -> [Vec<u8>; 2] {
    let digest = certificate.suite().digest(&[]).as_ref().to_vec();
    let octets = digest.len();
    let mut all = constant_attributes(certificate).map(Any::into_bytes).to_vec();
    let of_digest = cms::message_digest(digest).into_bytes();
    all.push(of_digest.clone());
    all.sort();
    let at = all.iter().position(|attribute| *attribute == of_digest).unwrap_or_default();
    let before = [&all[..at].concat()[..], &of_digest[..of_digest.len() - octets]].concat();
    [before, all[at + 1..].concat()]
}

/// The signed attributes but for the message digest.
pub(super) fn constant_attributes(certificate: &TsuCertificate) -> [Any; 3] {
    let content_type = der::any(&ObjectIdentifier::from(cms::TST_INFO));
    let signing_certificate = der::any(&cms::SigningCertificateV2 {
        certs: vec![cms::EssCertIdV2 {
            cert_hash: OctetString::from(certificate.hash().to_vec()),
            issuer_serial: issuer_serial(certificate),
        }],
    });
    [
        cms::attribute(cms::CONTENT_TYPE, content_type),
        cms::attribute(cms::SIGNING_CERTIFICATE_V2, signing_certificate),
        cms::attribute(cms::ALGORITHM_PROTECTION, der::any(&protection(certificate))),
    ]
}

fn protection(certificate: &TsuCertificate) -> cms::AlgorithmProtection {
    cms::AlgorithmProtection {
        digest_algorithm: certificate.suite().digest_algorithm(),
        signature_algorithm: certificate.suite().signature_algorithm(),
    }
}

fn issuer_serial(certificate: &TsuCertificate) -> cms::IssuerSerial {
    cms::IssuerSerial {
        issuer: vec![GeneralName::DirectoryName(certificate.issuer().clone())],
        serial_number: certificate.serial().clone(),
    }
}
