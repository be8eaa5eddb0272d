//! What came back: a token of the TSU, checked as a client would check it, or a refusal.
//!
//! Written for the monitor, and sharing nothing with the TSU's own self-check: what the one
//! overlooks the other may see.

use chronolease_core::time::{Bound, Timestamp, Utc};
use rasn::prelude::*;
use rasn_cms::tsp::{Accuracy, PkiStatus, TimeStampResp, TstInfo};
use rasn_cms::{AlgorithmIdentifier, CertificateChoices, SignedData, SignerInfo};
use rasn_pkix::Attribute;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use webpki::{EndEntityCert, aws_lc_rs as algorithms};

use super::question::{Question, SHA_256};

const SIGNED_DATA: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 7, 2]);
const TST_INFO: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 9, 16, 1, 4]);
const CONTENT_TYPE: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 9, 3]);
const MESSAGE_DIGEST: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 9, 4]);
const SIGNING_CERTIFICATE_V2: &Oid = Oid::const_new(&[1, 2, 840, 113549, 1, 9, 16, 2, 47]);
const SHA_384: &Oid = Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 2]);
const SHA_512: &Oid = Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 3]);

/// Every algorithm that a TSU may sign with.
static ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 8] = [
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ECDSA_P521_SHA512,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    algorithms::ED25519,
];

/// A certificate that a TSU may sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenCertificate {
    der: CertificateDer<'static>,
    hash: [u8; 32],
}

impl TokenCertificate {
    /// From its DER; `None` when it is no certificate.
    #[must_use]
    pub fn new(der: Vec<u8>) -> Option<Self> {
        let (der, hash) = (CertificateDer::from(der), Sha256::digest);
        EndEntityCert::try_from(&der).ok()?;
        let hash = hash(&der).into();
        Some(Self { der, hash })
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(certificate) = EndEntityCert::try_from(&self.der) else { return false };
        let fits = |algorithm: &&dyn SignatureVerificationAlgorithm| {
            certificate.verify_signature(*algorithm, message, signature).is_ok()
        };
        ALGORITHMS.iter().any(fits)
    }
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A token of the TSU over the very question.
    Token(Time),
    /// A refusal, because the clock is not proven good.
    TimeNotAvailable,
    /// A refusal for another reason: the bits of failInfo.
    Rejected(Vec<usize>),
}

/// The time that a token states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// genTime as printed.
    pub gen_time: Timestamp<Utc>,
    /// The accuracy that it claims.
    pub accuracy: Bound,
}

/// Why an answer is not the token that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverifiable {
    /// It does not parse.
    #[error("{0} is not in the DER of its grammar")]
    Grammar(&'static str),
    /// Neither a token as asked nor a rejection.
    #[error("it is neither a token as asked nor a rejection")]
    Status,
    /// A part that must be there once is missing, double or of another kind.
    #[error("{0} is missing or not what it must be")]
    Part(&'static str),
    /// Another certificate than the TSU's signed it, or none.
    #[error("it is not signed with a certificate of this TSU")]
    Certificate,
    /// The signature does not fit the certificate.
    #[error("the signature does not fit the certificate")]
    Signature,
    /// Something is not as it was asked for: a token over something else, perhaps an older one.
    #[error("{0} is not as it was asked for")]
    Other(&'static str),
    /// The token claims an accuracy that is not the configured one.
    #[error("it claims an accuracy of {0:?}, not the configured one")]
    Accuracy(Option<Bound>),
}

/// RFC 5035 3.
#[derive(AsnType, Encode, Decode)]
struct SigningCertificateV2 {
    certs: SequenceOf<EssCertIdV2>,
    policies: Option<SequenceOf<Any>>,
}

/// RFC 5035 4.
#[derive(AsnType, Encode, Decode)]
struct EssCertIdV2 {
    hash_algorithm: Option<AlgorithmIdentifier>,
    cert_hash: OctetString,
    issuer_serial: Option<Any>,
}

/// Reads an answer to `question`; a token must be signed with one of `certificates`.
///
/// # Errors
/// [`Unverifiable`].
pub fn read(
    der: &[u8],
    question: &Question,
    certificates: &[TokenCertificate],
) -> Result<Answer, Unverifiable> {
    let response: TimeStampResp = decode(der, "the response")?;
    let status = &response.status;
    match (status.status, response.time_stamp_token) {
        (PkiStatus::Granted, Some(token)) => {
            if token.content_type != *SIGNED_DATA {
                return Err(Unverifiable::Part("the token's contentType"));
            }
            let signed: SignedData = decode(token.content.as_bytes(), "the SignedData")?;
            let content = opened(&signed, certificates)?;
            asked_for(&decode(content, "the TSTInfo")?, question).map(Answer::Token)
        }
        (PkiStatus::Rejection, None) => {
            let bits: Vec<usize> =
                status.fail_info.iter().flat_map(|bits| bits.iter_ones()).collect();
            Ok(if bits == [TIME_NOT_AVAILABLE] {
                Answer::TimeNotAvailable
            } else {
                Answer::Rejected(bits)
            })
        }
        _ => Err(Unverifiable::Status),
    }
}

/// The bit of failInfo (RFC 3161 2.4.2).
const TIME_NOT_AVAILABLE: usize = 14;

/// The content, if its signature is one of the TSU's (RFC 5652 5.4).
fn opened<'a>(
    signed: &'a SignedData,
    certificates: &[TokenCertificate],
) -> Result<&'a [u8], Unverifiable> {
    let content = &signed.encap_content_info;
    if content.content_type != *TST_INFO {
        return Err(Unverifiable::Part("the eContentType"));
    }
    let content = content.content.as_ref().ok_or(Unverifiable::Part("the eContent"))?;
    let signers = signed.signer_infos.to_vec();
    let [signer] = signers[..] else { return Err(Unverifiable::Part("the signerInfo")) };
    let attributes =
        signer.signed_attrs.as_ref().ok_or(Unverifiable::Part("the signed attributes"))?;
    let attributes_list = attributes.to_vec();
    let content_type: ObjectIdentifier =
        sole(&attributes_list, CONTENT_TYPE, "the contentType attribute")?;
    if content_type != *TST_INFO {
        return Err(Unverifiable::Part("the contentType attribute"));
    }
    let digest: OctetString = sole(&attributes_list, MESSAGE_DIGEST, "the messageDigest")?;
    if digest_of(signer, content).is_none_or(|expected| *digest != *expected) {
        return Err(Unverifiable::Part("the messageDigest"));
    }
    let named: SigningCertificateV2 =
        sole(&attributes_list, SIGNING_CERTIFICATE_V2, "signingCertificateV2")?;
    let certificate = named_certificate(&named, certificates).ok_or(Unverifiable::Certificate)?;
    if !carries(signed, certificate) {
        return Err(Unverifiable::Part("the TSU's certificate, which was asked for,"));
    }
    let message =
        rasn::der::encode(attributes).map_err(|_| Unverifiable::Grammar("the attributes"))?;
    if certificate.verifies(&message, &signer.signature) {
        Ok(content)
    } else {
        Err(Unverifiable::Signature)
    }
}

fn digest_of(signer: &SignerInfo, content: &[u8]) -> Option<Vec<u8>> {
    let algorithm = &signer.digest_algorithm.algorithm;
    if *algorithm == *SHA_256 {
        Some(Sha256::digest(content).to_vec())
    } else if *algorithm == *SHA_384 {
        Some(Sha384::digest(content).to_vec())
    } else if *algorithm == *SHA_512 {
        Some(Sha512::digest(content).to_vec())
    } else {
        None
    }
}

/// The first certificate that the attribute names is the signer's (RFC 5035 3).
fn named_certificate<'a>(
    named: &SigningCertificateV2,
    certificates: &'a [TokenCertificate],
) -> Option<&'a TokenCertificate> {
    let first = named.certs.first()?;
    if first.hash_algorithm.as_ref().is_some_and(|hash| hash.algorithm != *SHA_256) {
        return None;
    }
    certificates.iter().find(|certificate| certificate.hash == *first.cert_hash)
}

fn carries(signed: &SignedData, certificate: &TokenCertificate) -> bool {
    let is = |choice: &CertificateChoices| match choice {
        CertificateChoices::Certificate(it) => {
            rasn::der::encode(&**it).is_ok_and(|der| der == *certificate.der)
        }
        _ => false,
    };
    signed.certificates.as_ref().is_some_and(|all| all.to_vec().into_iter().any(is))
}

/// Whether the content is what was asked for, and the time that it states.
fn asked_for(info: &TstInfo, question: &Question) -> Result<Time, Unverifiable> {
    if info.version != Integer::ONE {
        return Err(Unverifiable::Part("the version of the TSTInfo"));
    }
    if info.message_imprint != question.imprint {
        return Err(Unverifiable::Other("the imprint"));
    }
    if info.nonce.as_ref() != Some(&question.nonce) {
        return Err(Unverifiable::Other("the nonce"));
    }
    if info.policy != question.policy {
        return Err(Unverifiable::Other("the policy"));
    }
    let accuracy = info.accuracy.as_ref().and_then(length).ok_or(Unverifiable::Accuracy(None))?;
    // Beyond what nanoseconds in 64 bits can count it is wrong in any case.
    let ns = info.gen_time.timestamp_nanos_opt();
    let far = if info.gen_time.timestamp() < 0 { i64::MIN } else { i64::MAX };
    Ok(Time { gen_time: Timestamp::from_unix_nanos(ns.unwrap_or(far)), accuracy })
}

fn length(accuracy: &Accuracy) -> Option<Bound> {
    let part = |n: &Option<Integer>| n.as_ref().map_or(Some(0), |n| u32::try_from(n).ok());
    let [seconds, millis, micros] =
        [&accuracy.seconds, &accuracy.millis, &accuracy.micros].map(|n| part(n).map(u64::from));
    Some(Bound::from_nanos(seconds? * 1_000_000_000 + millis? * 1_000_000 + micros? * 1_000))
}

/// The value of the attribute `oid`, which must be there once and have one value.
fn sole<T: Decode + Encode>(
    attributes: &[&Attribute],
    oid: &Oid,
    what: &'static str,
) -> Result<T, Unverifiable> {
    let mut found = attributes.iter().filter(|attribute| attribute.r#type == *oid);
    let (Some(attribute), None) = (found.next(), found.next()) else {
        return Err(Unverifiable::Part(what));
    };
    match attribute.values.to_vec()[..] {
        [value] => decode(value.as_bytes(), what),
        _ => Err(Unverifiable::Part(what)),
    }
}

/// One value and nothing behind it, in the one encoding that DER has for it.
fn decode<T: Decode + Encode>(der: &[u8], what: &'static str) -> Result<T, Unverifiable> {
    let value: T = rasn::der::decode(der).map_err(|_| Unverifiable::Grammar(what))?;
    match rasn::der::encode(&value) {
        Ok(again) if again == der => Ok(value),
        _ => Err(Unverifiable::Grammar(what)),
    }
}
