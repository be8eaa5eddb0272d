//! The check of a finished token before it may leave: it is read anew and compared, field by
//! field, with what was asked and decided.

use chronolease_core::id::Serial;
use chronolease_core::time::GenTime;
use num_bigint::BigInt;
use rasn::prelude::*;
use rasn_cms::tsp::TstInfo;
use rasn_pkix::{Attribute, GeneralName};

use super::cms::{self, ContentInfo, SignedData, SignerInfo};
use super::der::{self, DerError};
use super::request::Request;
use super::token::TokenBuilder;
use super::tst_info;

/// Why a finished token must not leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelfCheckError {
    /// The token, or something in it, does not parse.
    #[error("the finished token is {0}")]
    Der(#[from] DerError),
    /// A field is not what was asked or decided.
    #[error("in the finished token, {0} is not what it must be")]
    Differs(&'static str),
    /// The signature does not fit the certificate's key.
    #[error("the signature does not fit the certificate's key")]
    Signature,
}

fn require(holds: bool, field: &'static str) -> Result<(), SelfCheckError> {
    if holds { Ok(()) } else { Err(SelfCheckError::Differs(field)) }
}

impl TokenBuilder {
    /// Checks a finished token. `verify_signature` gets the message and the signature, and must use
    /// the key of the certificate.
    ///
    /// # Errors
    /// The first [`SelfCheckError`] found.
    pub fn verify(
        &self,
        token_der: &[u8],
        request: &Request,
        serial: &Serial,
        gen_time: GenTime,
        verify_signature: impl FnOnce(&[u8], &[u8]) -> bool,
    ) -> Result<(), SelfCheckError> {
        let token: ContentInfo = der::decode(token_der)?;
        require(token.content_type == *cms::SIGNED_DATA, "contentType")?;
        let signed_data = token.content;
        self.check_signed_data(&signed_data, request)?;
        let tst_info = &signed_data.encap_content_info.content;
        self.check_tst_info(&der::decode(tst_info)?, request, serial, gen_time)?;
        let suite = self.certificate.suite();
        let signers = signed_data.signer_infos.to_vec();
        let [signer] = signers[..] else {
            return Err(SelfCheckError::Differs("the number of signerInfos"));
        };
        self.check_signer(signer)?;
        self.check_attributes(&signer.signed_attrs, &suite.digest(tst_info))?;
        let message = der::encode(&signer.signed_attrs);
        if verify_signature(&message, &signer.signature) {
            Ok(())
        } else {
            Err(SelfCheckError::Signature)
        }
    }

    fn check_signed_data(
        &self,
        data: &SignedData,
        request: &Request,
    ) -> Result<(), SelfCheckError> {
        require(data.version == Integer::from(3), "SignedData.version")?;
        let digests = data.digest_algorithms.to_vec();
        require(digests == [&self.certificate.suite().digest_algorithm()], "digestAlgorithms")?;
        let content_type = &data.encap_content_info.content_type;
        require(*content_type == *cms::TST_INFO, "eContentType")?;
        // Decoding was strict, so both are in the order of a SET OF.
        let carried = data.certificates.as_ref().map(SetOf::to_vec);
        let expected = request.cert_req().then(|| self.certificates.iter().collect::<Vec<_>>());
        require(carried == expected, "certificates")?;
        require(data.crls.is_none(), "crls")
    }

    fn check_tst_info(
        &self,
        info: &TstInfo,
        request: &Request,
        serial: &Serial,
        gen_time: GenTime,
    ) -> Result<(), SelfCheckError> {
        require(info.version == Integer::ONE, "TSTInfo.version")?;
        require(info.policy == *request.policy(), "policy")?;
        require(info.message_imprint == *request.imprint(), "messageImprint")?;
        let serial_octets = BigInt::from(info.serial_number.clone()).to_signed_bytes_be();
        require(serial_octets == serial.as_be_bytes(), "serialNumber")?;
        let unix_ns = info.gen_time.timestamp_nanos_opt();
        let same_time = unix_ns == Some(gen_time.as_unix_nanos());
        // A leap second would show as a second of more than a thousand milliseconds.
        let no_second_60 = info.gen_time.timestamp_subsec_millis() < 1_000;
        require(same_time && no_second_60, "genTime")?;
        let accuracy = info.accuracy.as_ref().and_then(tst_info::accuracy_bound);
        require(accuracy == Some(self.profile.accuracy), "accuracy")?;
        require(!info.ordering, "ordering")?;
        require(info.nonce.as_ref() == request.nonce(), "nonce")?;
        require(info.tsa.is_none(), "tsa")?;
        let extensions = tst_info::extensions(self.profile.qualified);
        require(info.extensions == extensions, "TSTInfo.extensions")
    }

    fn check_signer(&self, signer: &SignerInfo) -> Result<(), SelfCheckError> {
        require(signer.version == Integer::ONE, "SignerInfo.version")?;
        require(signer.sid == self.sid, "sid")?;
        let suite = self.certificate.suite();
        require(signer.digest_algorithm == suite.digest_algorithm(), "digestAlgorithm")?;
        let signature_algorithm = &signer.signature_algorithm;
        require(*signature_algorithm == suite.signature_algorithm(), "signatureAlgorithm")?;
        require(signer.unsigned_attrs.is_none(), "unsignedAttrs")
    }

    fn check_attributes(
        &self,
        attributes: &SetOf<Any>,
        tst_info_digest: &[u8],
    ) -> Result<(), SelfCheckError> {
        require(attributes.len() == 4, "the number of signedAttrs")?;
        let attributes =
            attributes.iter().map(|a| der::decode(a.as_bytes())).collect::<Result<Vec<_>, _>>()?;

        let content_type: ObjectIdentifier =
            sole_value(&attributes, cms::CONTENT_TYPE, "the contentType attribute")?;
        require(content_type == *cms::TST_INFO, "the contentType attribute")?;

        let digest: OctetString = sole_value(&attributes, cms::MESSAGE_DIGEST, "messageDigest")?;
        require(digest[..] == *tst_info_digest, "messageDigest")?;

        let protection: cms::AlgorithmProtection =
            sole_value(&attributes, cms::ALGORITHM_PROTECTION, "CMSAlgorithmProtection")?;
        let expected = cms::AlgorithmProtection {
            digest_algorithm: self.certificate.suite().digest_algorithm(),
            signature_algorithm: self.certificate.suite().signature_algorithm(),
        };
        require(protection == expected, "CMSAlgorithmProtection")?;

        let signing_certificate: cms::SigningCertificateV2 =
            sole_value(&attributes, cms::SIGNING_CERTIFICATE_V2, "signingCertificateV2")?;
        self.check_signing_certificate(&signing_certificate)
    }

    fn check_signing_certificate(
        &self,
        named: &cms::SigningCertificateV2,
    ) -> Result<(), SelfCheckError> {
        let [id] = &named.certs[..] else {
            return Err(SelfCheckError::Differs("signingCertificateV2"));
        };
        require(id.cert_hash[..] == self.certificate.hash(), "the certHash of ESSCertIDv2")?;
        let issuer_serial = cms::IssuerSerial {
            issuer: vec![GeneralName::DirectoryName(self.certificate.issuer().clone())],
            serial_number: self.certificate.serial().clone(),
        };
        require(id.issuer_serial == issuer_serial, "the issuerSerial of ESSCertIDv2")
    }
}

/// The value of the attribute `oid`, which must be there once and have one value.
fn sole_value<T: Decode + Encode>(
    attributes: &[Attribute],
    oid: &Oid,
    field: &'static str,
) -> Result<T, SelfCheckError> {
    let mut found = attributes.iter().filter(|a| a.r#type == *oid);
    let (Some(attribute), None) = (found.next(), found.next()) else {
        return Err(SelfCheckError::Differs(field));
    };
    match attribute.values.to_vec()[..] {
        [value] => Ok(der::decode(value.as_bytes())?),
        _ => Err(SelfCheckError::Differs(field)),
    }
}

#[cfg(test)]
mod tests;
