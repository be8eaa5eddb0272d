//! TimeStampReq (RFC 3161 2.4.1, EN 319 422 5.1).

use chronolease_core::evidence::leaf::{HashFunction, Imprint};
use chronolease_core::evidence::merkle::Hash;
use num_bigint::BigInt;
use rasn::prelude::*;
use rasn_cms::tsp::MessageImprint;
use rasn_pkix::Extensions;

use super::der::{self, DerError, Reader};
use super::response::{FailInfo, Rejection};

/// The longest nonce that is echoed, in octets of the INTEGER's content.
pub const NONCE_OCTETS_MAX: usize = 64;

/// NULL in DER.
const NULL: &[u8] = &[0x05, 0x00];

/// The request on the wire. `certReq` is optional here instead of DEFAULT FALSE: many real clients
/// write the FALSE out, so that one departure from DER is let through and encodes back as it came.
#[derive(AsnType, Decode, Encode)]
struct TimeStampReq {
    version: Integer,
    message_imprint: MessageImprint,
    req_policy: Option<ObjectIdentifier>,
    nonce: Option<Integer>,
    cert_req: Option<bool>,
    #[rasn(tag(0))]
    extensions: Option<Extensions>,
}

/// A request that deserves a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    imprint: MessageImprint,
    parts: Parts,
    hash: Imprint,
    fingerprint: [u8; 32],
    policy: ObjectIdentifier,
    nonce: Option<Integer>,
    cert_req: bool,
}

/// What a token repeats of its request, in the octets in which it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) policy: Vec<u8>,
    pub(super) imprint: Vec<u8>,
    /// Nothing at all when there is no nonce.
    pub(super) nonce: Vec<u8>,
}

impl Parts {
    /// `body` is a TimeStampReq in DER, `policy` the one that was chosen.
    fn of(body: &[u8], policy: &ObjectIdentifier) -> Result<Self, DerError> {
        let mut fields = Reader::sole(body, 0x30)?;
        let _version = fields.any()?;
        let imprint = fields.any()?.whole.to_vec();
        let _asked = fields.optional(0x06)?;
        let nonce = fields.optional(0x02)?.map_or(Vec::new(), |nonce| nonce.whole.to_vec());
        Ok(Self { policy: der::encode(policy), imprint, nonce })
    }
}

impl Request {
    pub(super) const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The messageImprint; it encodes to the very bytes that were sent.
    #[must_use]
    pub const fn imprint(&self) -> &MessageImprint {
        &self.imprint
    }

    /// The imprint as the evidence keeps it.
    #[must_use]
    pub const fn hash(&self) -> &Imprint {
        &self.hash
    }

    /// SHA-256 over the request as it came: what a token says of its request follows from it.
    #[must_use]
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The digest that the imprint carries: 32, 48 or 64 octets.
    #[must_use]
    pub fn digest(&self) -> &[u8] {
        &self.imprint.hashed_message
    }

    /// The policy of the token: the one asked for, else the default.
    #[must_use]
    pub const fn policy(&self) -> &ObjectIdentifier {
        &self.policy
    }

    /// The nonce to be echoed.
    #[must_use]
    pub const fn nonce(&self) -> Option<&Integer> {
        self.nonce.as_ref()
    }

    /// Whether the token carries certificates.
    #[must_use]
    pub const fn cert_req(&self) -> bool {
        self.cert_req
    }
}

/// The time-stamp policies a client may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPolicy {
    default_policy: ObjectIdentifier,
    accepted: Vec<ObjectIdentifier>,
}

impl RequestPolicy {
    /// The policy of a request that names none, and further ones that a request may name.
    #[must_use]
    pub const fn new(default_policy: ObjectIdentifier, accepted: Vec<ObjectIdentifier>) -> Self {
        Self { default_policy, accepted }
    }

    /// The policy of a request that names none.
    #[must_use]
    pub const fn default_policy(&self) -> &ObjectIdentifier {
        &self.default_policy
    }

    /// The further policies that a request may name.
    #[must_use]
    pub fn accepted(&self) -> &[ObjectIdentifier] {
        &self.accepted
    }

    fn choose(&self, asked: Option<ObjectIdentifier>) -> Option<ObjectIdentifier> {
        match asked {
            None => Some(self.default_policy.clone()),
            Some(oid) if oid == self.default_policy || self.accepted.contains(&oid) => Some(oid),
            Some(_) => None,
        }
    }
}

/// An object identifier from its dotted notation (`0.4.0.2023.1.1`), or `None` when it is not one.
#[must_use]
pub fn parse_oid(dotted: &str) -> Option<ObjectIdentifier> {
    let arc = |text: &str| {
        let plain =
            text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        if plain { text.parse::<u32>().ok() } else { None }
    };
    let arcs = dotted.split('.').map(arc).collect::<Option<Vec<u32>>>()?;
    // X.660: the first arc is 0, 1 or 2, and below 0 and 1 there are forty.
    match arcs[..] {
        [0 | 1, 0..40, ..] => {}
        // DER writes the first two arcs as one number.
        [2, second, ..] if second <= u32::MAX - 80 => {}
        _ => return None,
    }
    ObjectIdentifier::new(arcs)
}

/// Reads the body of a request.
///
/// Strict DER, with the one exception of an encoded `certReq FALSE`. A negative nonce and a nonce
/// of zero are echoed like any other.
///
/// # Errors
/// A [`Rejection`] with the reason that RFC 3161 and EN 319 422 ask for.
pub fn parse(body: &[u8], policy: &RequestPolicy) -> Result<Request, Rejection> {
    const NOT_ONE: Rejection =
        Rejection::new(FailInfo::BadDataFormat, "the request is not one TimeStampReq in DER");
    let req: TimeStampReq = der::decode(body).map_err(|_| NOT_ONE)?;
    if req.version != Integer::ONE {
        return Err(Rejection::new(FailInfo::BadRequest, "only version 1 is supported"));
    }
    // Critical or not: a token would seem to honour what it ignores (EN 319 422 5.1).
    if req.extensions.is_some() {
        return Err(Rejection::new(FailInfo::UnacceptedExtension, "no extension is supported"));
    }
    let hash = check_imprint(&req.message_imprint)?;
    let nonce_octets = req.nonce.clone().map_or(0, |n| BigInt::from(n).to_signed_bytes_be().len());
    if nonce_octets > NONCE_OCTETS_MAX {
        return Err(Rejection::new(FailInfo::BadDataFormat, "the nonce is longer than 64 octets"));
    }
    let policy = policy.choose(req.req_policy).ok_or(Rejection::new(
        FailInfo::UnacceptedPolicy,
        "the requested policy is not supported",
    ))?;
    Ok(Request {
        parts: Parts::of(body, &policy).map_err(|_| NOT_ONE)?,
        imprint: req.message_imprint,
        hash,
        fingerprint: *Hash::of(body).as_bytes(),
        policy,
        nonce: req.nonce,
        cert_req: req.cert_req.unwrap_or(false),
    })
}

fn check_imprint(imprint: &MessageImprint) -> Result<Imprint, Rejection> {
    let algorithm = &imprint.hash_algorithm;
    let function = HashFunction::from_oid(&algorithm.algorithm).ok_or(Rejection::new(
        FailInfo::BadAlg,
        "the hash must be SHA-256, SHA-384, SHA-512, SHA3-256, SHA3-384 or SHA3-512",
    ))?;
    if algorithm.parameters.as_ref().is_some_and(|p| p.as_bytes() != NULL) {
        return Err(Rejection::new(
            FailInfo::BadAlg,
            "the parameters of the hash algorithm must be absent or NULL",
        ));
    }
    Imprint::new(function, &imprint.hashed_message).ok_or(Rejection::new(
        FailInfo::BadDataFormat,
        "the digest does not have the length of its hash algorithm",
    ))
}

#[cfg(test)]
mod tests;
