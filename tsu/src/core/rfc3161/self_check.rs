//! The check of a finished token before it may leave: it is read anew and compared, field by
//! field, with what was asked and decided.

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::Serial;
use chronolease_core::time::GenTime;
use rasn::prelude::*;

use super::der::{self, DerError, Element, Reader};
use super::request::Request;
use super::token::TokenBuilder;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;

const ATTRIBUTE_COUNT: &str = "the number of signedAttrs";

/// No attribute.
const NONE: (&[u8], &[u8]) = (&[], &[]);

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
    /// Checks a finished token and returns SHA-256 over the octets of its signature.
    /// `verify_signature` gets the message and the signature, and must use the key of the certificate.
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
    ) -> Result<Hash, SelfCheckError> {
        let mut token = Reader::sole(token_der, SEQUENCE)?;
        require(token.next(OID)?.whole == self.frame.signed_data_oid, "contentType")?;
        let content = token.next(CONTEXT_0)?.content;
        token.end()?;
        let (tst_info, signer) = self.check_signed_data(content, request)?;
        self.check_tst_info(tst_info, request, serial, gen_time)?;
        let (attributes, signature) = self.check_signer(signer)?;
        self.check_attributes(attributes, self.certificate.suite().digest(tst_info).as_ref())?;
        // Signed under the tag of a SET OF (RFC 5652 5.4).
        let message = der::element(SET, &[attributes]);
        if verify_signature(&message, signature) {
            Ok(Hash::of(signature))
        } else {
            Err(SelfCheckError::Signature)
        }
    }

    /// The TSTInfo and the SignerInfo, in DER.
    fn check_signed_data<'a>(
        &self,
        content: &'a [u8],
        request: &Request,
    ) -> Result<(&'a [u8], &'a [u8]), SelfCheckError> {
        let mut data = Reader::sole(content, SEQUENCE)?;
        require(data.next(INTEGER)?.content == [3], "SignedData.version")?;
        let digests = data.next(SET)?.content;
        require(digests == self.frame.digest_algorithm, "digestAlgorithms")?;
        let mut encapsulated = Reader::new(data.next(SEQUENCE)?.content);
        require(encapsulated.next(OID)?.whole == self.frame.tst_info_oid, "eContentType")?;
        let mut tst_info = Reader::new(encapsulated.next(CONTEXT_0)?.content);
        encapsulated.end()?;
        let carried = data.optional(CONTEXT_0)?.map(|set| set.content);
        let expected = request.cert_req().then_some(&self.frame.certificates[..]);
        require(carried == expected, "certificates")?;
        require(data.optional(CONTEXT_1)?.is_none(), "crls")?;
        let mut signers = Reader::new(data.next(SET)?.content);
        data.end()?;
        let signer = signers.optional(SEQUENCE)?;
        let Some(signer) = signer.filter(|_| signers.is_at_end()) else {
            return Err(SelfCheckError::Differs("the number of signerInfos"));
        };
        let octets = tst_info.next(OCTET_STRING)?.content;
        tst_info.end()?;
        Ok((octets, signer.content))
    }

    fn check_tst_info(
        &self,
        tst_info: &[u8],
        request: &Request,
        serial: &Serial,
        gen_time: GenTime,
    ) -> Result<(), SelfCheckError> {
        let mut info = Reader::sole(tst_info, SEQUENCE)?;
        let parts = request.parts();
        require(info.next(INTEGER)?.content == [1], "TSTInfo.version")?;
        require(info.next(OID)?.whole == parts.policy, "policy")?;
        require(info.next(SEQUENCE)?.whole == parts.imprint, "messageImprint")?;
        require(info.next(INTEGER)?.content == serial.as_be_bytes(), "serialNumber")?;
        let printed: GeneralizedTime = der::decode(info.next(GENERALIZED_TIME)?.whole)?;
        let same_time = printed.timestamp_nanos_opt() == Some(gen_time.as_unix_nanos());
        // A leap second would show as a second of more than a thousand milliseconds.
        require(same_time && printed.timestamp_subsec_millis() < 1_000, "genTime")?;
        let accuracy = whole(info.optional(SEQUENCE)?);
        require(accuracy == self.constant.accuracy, "accuracy")?;
        require(info.optional(BOOLEAN)?.is_none(), "ordering")?;
        require(whole(info.optional(INTEGER)?) == parts.nonce, "nonce")?;
        require(info.optional(CONTEXT_0)?.is_none(), "tsa")?;
        let extensions = whole(info.optional(CONTEXT_1)?);
        require(extensions == self.constant.extensions, "TSTInfo.extensions")?;
        Ok(info.end()?)
    }

    /// The signed attributes and the signature.
    fn check_signer<'a>(
        &self,
        signer_info: &'a [u8],
    ) -> Result<(&'a [u8], &'a [u8]), SelfCheckError> {
        let mut signer = Reader::new(signer_info);
        require(signer.next(INTEGER)?.content == [1], "SignerInfo.version")?;
        require(signer.any()?.whole == self.frame.sid, "sid")?;
        let digest_algorithm = signer.next(SEQUENCE)?.whole;
        require(digest_algorithm == self.frame.digest_algorithm, "digestAlgorithm")?;
        let attributes = signer.next(CONTEXT_0)?.content;
        let signature_algorithm = signer.next(SEQUENCE)?.whole;
        require(signature_algorithm == self.frame.signature_algorithm, "signatureAlgorithm")?;
        let signature = signer.next(OCTET_STRING)?.content;
        require(signer.optional(CONTEXT_1)?.is_none(), "unsignedAttrs")?;
        signer.end()?;
        Ok((attributes, signature))
    }

    fn check_attributes(
        &self,
        attributes: &[u8],
        tst_info_digest: &[u8],
    ) -> Result<(), SelfCheckError> {
        let (attributes, types) = (Attributes::read(attributes)?, &self.frame.types);
        let content_type = attributes.value(&types.content_type, "the contentType attribute")?;
        require(content_type == self.frame.tst_info_oid, "the contentType attribute")?;
        let digest = attributes.value(&types.message_digest, "messageDigest")?;
        let digest = Reader::new(digest).next(OCTET_STRING)?.content;
        require(digest == tst_info_digest, "messageDigest")?;
        let protection = attributes.value(&types.protection, "CMSAlgorithmProtection")?;
        require(protection == self.frame.protection, "CMSAlgorithmProtection")?;

        let named = attributes.value(&types.signing_certificate, "signingCertificateV2")?;
        let mut named = Reader::sole(named, SEQUENCE)?;
        let mut certificates = Reader::new(named.next(SEQUENCE)?.content);
        named.end()?;
        let id = certificates.optional(SEQUENCE)?;
        let Some(id) = id.filter(|_| certificates.is_at_end()) else {
            return Err(SelfCheckError::Differs("signingCertificateV2"));
        };
        let mut id = Reader::new(id.content);
        let hash = id.next(OCTET_STRING)?.content;
        require(hash == self.frame.certificate_hash, "the certHash of ESSCertIDv2")?;
        let issuer_serial = id.next(SEQUENCE)?.whole;
        require(issuer_serial == self.frame.issuer_serial, "the issuerSerial of ESSCertIDv2")?;
        Ok(id.end()?)
    }
}

/// The octets of an element, or none.
fn whole(element: Option<Element<'_>>) -> &[u8] {
    element.map_or(&[], |element| element.whole)
}

/// The attributes of a token, with one value each: the type and the value in DER.
struct Attributes<'a>([(&'a [u8], &'a [u8]); 4]);

impl<'a> Attributes<'a> {
    /// `content` is that of a SET OF, in its order; the four attributes that a token has.
    fn read(content: &'a [u8]) -> Result<Self, SelfCheckError> {
        let (mut reader, mut previous, mut all) = (Reader::new(content), &[][..], [NONE; 4]);
        for read in &mut all {
            let attribute = reader.optional(SEQUENCE)?;
            let attribute = attribute.ok_or(SelfCheckError::Differs(ATTRIBUTE_COUNT))?;
            if attribute.whole < previous {
                return Err(DerError::NotCanonical.into());
            }
            previous = attribute.whole;
            let mut attribute = Reader::new(attribute.content);
            let kind = attribute.next(OID)?.whole;
            let value = attribute.next(SET)?.content;
            attribute.end()?;
            let mut values = Reader::new(value);
            values.any()?;
            values.end()?;
            *read = (kind, value);
        }
        require(reader.is_at_end(), ATTRIBUTE_COUNT)?;
        Ok(Self(all))
    }

    /// The value of the attribute `oid`, in DER, which must be there once.
    fn value(&self, oid: &[u8], field: &'static str) -> Result<&'a [u8], SelfCheckError> {
        let mut found = self.0.iter().filter(|(kind, _)| *kind == oid);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value),
            _ => Err(SelfCheckError::Differs(field)),
        }
    }
}

#[cfg(test)]
mod tests;
