//! The request: an imprint and a nonce that nobody can foresee.

use rasn::prelude::*;
use rasn_cms::AlgorithmIdentifier;
use rasn_cms::tsp::{MessageImprint, TimeStampReq};

pub(super) const SHA_256: &Oid = Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 1]);

/// Fresh randomness of a question, in bytes.
pub const RANDOM_BYTES: usize = 40;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub(super) imprint: MessageImprint,
    pub(super) nonce: Integer,
    pub(super) policy: ObjectIdentifier,
}

impl Question {
    /// A question that nobody asked before: its imprint is the hash of nothing that is known.
    #[must_use]
    pub fn new(policy: ObjectIdentifier, random: &[u8; RANDOM_BYTES]) -> Self {
        let (imprint, nonce) = random.split_at(32);
        let null = Any::new(vec![0x05, 0x00]);
        let nonce = nonce.iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        Self {
            imprint: MessageImprint {
                hash_algorithm: AlgorithmIdentifier {
                    algorithm: SHA_256.into(),
                    parameters: Some(null),
                },
                hashed_message: OctetString::from(imprint.to_vec()),
            },
            nonce: Integer::from(nonce),
            policy,
        }
    }

    /// The TimeStampReq in DER, with `certReq`.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let request = TimeStampReq {
            version: 1,
            message_imprint: self.imprint.clone(),
            req_policy: Some(self.policy.clone()),
            nonce: Some(self.nonce.clone()),
            cert_req: true,
            extensions: None,
        };
        rasn::der::encode(&request).expect("a request of these parts encodes")
    }
}

/// An object identifier in dotted notation.
#[must_use]
pub fn parse_oid(dotted: &str) -> Option<ObjectIdentifier> {
    let arcs = dotted.split('.').map(|arc| arc.parse().ok()).collect::<Option<Vec<u32>>>()?;
    ObjectIdentifier::new(arcs)
}
