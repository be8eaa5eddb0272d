//! The grammar as rasn types, private to the codecs of this crate. Ranges and names are checked while these
//! become the public types.

mod confirmation;
mod link;
mod terms;

use rasn::prelude::*;

use super::WireError;
use crate::evidence::merkle::Hash;
use crate::evidence::{self, TreeSize};
use crate::id::{BootId, TsuId};
use crate::lease::{self, EndingCause};
use crate::time::{RawInstant, Span, Timestamp};
use crate::{sample, wire};

pub(super) use confirmation::Confirmation;
pub(crate) use confirmation::SignedConfirmation;
pub(super) use link::{ToMonitor, ToTsu};
pub(super) use terms::LeaseTerms;

pub(crate) type Bytes16 = FixedOctetString<16>;
pub(crate) type Bytes32 = FixedOctetString<32>;

pub(crate) fn encode<T: Encode>(value: &T) -> Vec<u8> {
    // Every value of these types has an encoding: no constraint is left to break.
    rasn::der::encode(value).expect("a value of the grammar encodes")
}

pub(crate) fn decode<T: Decode + Encode>(der: &[u8]) -> Result<T, WireError> {
    if der.len() > wire::MESSAGE_BYTES_MAX {
        return Err(WireError::TooLong(der.len()));
    }
    decode_canonical(der)
}

/// Decodes what its caller found short enough.
pub(crate) fn decode_canonical<T: Decode + Encode>(der: &[u8]) -> Result<T, WireError> {
    let value: T = rasn::der::decode(der).map_err(|e| WireError::Grammar(e.to_string()))?;
    // rasn's DER decoder lets some BER through; encoding again finds it.
    if rasn::der::encode(&value).is_ok_and(|again| again == der) {
        Ok(value)
    } else {
        Err(WireError::NotCanonical)
    }
}

/// `Sample ::= SEQUENCE { rawBefore, real, rawAfter, bootMinusMono, bootId }`, times in
/// nanoseconds.
#[derive(AsnType, Encode, Decode)]
pub(crate) struct Sample {
    raw_before: i64,
    real: i64,
    raw_after: i64,
    boot_minus_mono: i64,
    boot_id: Bytes16,
}

/// `SignedLease ::= SEQUENCE { terms OCTET STRING, signature OCTET STRING }`
#[derive(AsnType, Encode, Decode)]
pub(crate) struct SignedLease {
    terms: OctetString,
    signature: OctetString,
}

pub(crate) fn tsu_id(name: &str) -> Result<TsuId, WireError> {
    TsuId::new(name).ok_or(WireError::Range("tsu"))
}

pub(crate) fn cause(code: u8) -> Result<EndingCause, WireError> {
    EndingCause::from_code(code).ok_or(WireError::Range("cause"))
}

impl From<&sample::Sample> for Sample {
    fn from(sample: &sample::Sample) -> Self {
        Self {
            raw_before: sample.raw_before.as_nanos(),
            real: sample.real.as_unix_nanos(),
            raw_after: sample.raw_after.as_nanos(),
            boot_minus_mono: sample.boot_minus_mono.as_nanos(),
            boot_id: Bytes16::new(*sample.boot_id.as_bytes()),
        }
    }
}

impl From<Sample> for sample::Sample {
    fn from(sample: Sample) -> Self {
        Self {
            raw_before: RawInstant::from_nanos(sample.raw_before),
            real: Timestamp::from_unix_nanos(sample.real),
            raw_after: RawInstant::from_nanos(sample.raw_after),
            boot_minus_mono: Span::from_nanos(sample.boot_minus_mono),
            boot_id: BootId::from_bytes(*sample.boot_id),
        }
    }
}

impl From<&lease::SignedLease> for SignedLease {
    fn from(lease: &lease::SignedLease) -> Self {
        Self {
            terms: OctetString::from(lease.terms_der.clone()),
            signature: OctetString::from(lease.signature.clone()),
        }
    }
}

impl From<SignedLease> for lease::SignedLease {
    fn from(lease: SignedLease) -> Self {
        Self { terms_der: lease.terms.to_vec(), signature: lease.signature.to_vec() }
    }
}

/// The hashes of a proof: at most two for each of the 64 levels that a tree can have.
const PROOF_HASHES_MAX: usize = 128;

fn proof_to(hashes: &[Hash]) -> SequenceOf<Bytes32> {
    hashes.iter().map(|hash| Bytes32::new(*hash.as_bytes())).collect()
}

fn proof_from(hashes: &SequenceOf<Bytes32>) -> Result<Vec<Hash>, WireError> {
    if hashes.len() > PROOF_HASHES_MAX {
        return Err(WireError::Range("proof"));
    }
    Ok(hashes.iter().map(|hash| Hash::from_bytes(**hash)).collect())
}

/// `TreeHead ::= SEQUENCE { size, root }`
#[derive(AsnType, Encode, Decode)]
pub(crate) struct TreeHead {
    size: u64,
    root: Bytes32,
}

impl From<&evidence::TreeHead> for TreeHead {
    fn from(tree: &evidence::TreeHead) -> Self {
        Self { size: tree.size.as_u64(), root: Bytes32::new(*tree.root.as_bytes()) }
    }
}

impl From<TreeHead> for evidence::TreeHead {
    fn from(tree: TreeHead) -> Self {
        Self { size: TreeSize::new(tree.size), root: Hash::from_bytes(*tree.root) }
    }
}
