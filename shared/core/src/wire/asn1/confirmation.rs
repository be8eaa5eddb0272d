//! Batches and their confirmations.

use rasn::prelude::*;

use super::{Bytes16, Bytes32, TreeHead, tsu_id};
use crate::confirmation::{self, GenTimes};
use crate::evidence::merkle::Hash;
use crate::id::{self, BatchSeq, ChannelBinding, LeaseSeq};
use crate::time::{Bound, GenTime, Timestamp};
use crate::wire::WireError;

/// `Batch ::= SEQUENCE { sequence, lease, root, genTimeMin, genTimeMax }`, genTimes in nanoseconds.
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct Batch {
    sequence: u64,
    lease: u64,
    root: Bytes32,
    gen_time_min: i64,
    gen_time_max: i64,
}

/// `Confirmation ::= SEQUENCE { version, tsu, incarnation, channel, batch, log, utc, halfWidth }`,
/// times in nanoseconds.
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct Confirmation {
    version: u8,
    tsu: Utf8String,
    incarnation: Bytes16,
    channel: Bytes32,
    batch: Batch,
    log: TreeHead,
    utc: i64,
    half_width: u64,
}

/// `SignedConfirmation ::= SEQUENCE { confirmation OCTET STRING, signature OCTET STRING }`
#[derive(AsnType, Encode, Decode)]
pub(crate) struct SignedConfirmation {
    confirmation: OctetString,
    signature: OctetString,
}

const CONFIRMATION_VERSION: u8 = 1;

impl From<&confirmation::Batch> for Batch {
    fn from(batch: &confirmation::Batch) -> Self {
        let at = |gen_time: GenTime| gen_time.as_unix_nanos();
        Self {
            sequence: batch.sequence.as_u64(),
            lease: batch.lease.as_u64(),
            root: Bytes32::new(*batch.root.as_bytes()),
            gen_time_min: at(batch.gen_times.min()),
            gen_time_max: at(batch.gen_times.max()),
        }
    }
}

fn gen_time(ns: i64) -> Result<GenTime, WireError> {
    GenTime::from_unix_nanos(ns).ok_or(WireError::Range("genTime"))
}

impl TryFrom<Batch> for confirmation::Batch {
    type Error = WireError;
    fn try_from(batch: Batch) -> Result<Self, WireError> {
        let (min, max) = (gen_time(batch.gen_time_min)?, gen_time(batch.gen_time_max)?);
        Ok(Self {
            sequence: BatchSeq::new(batch.sequence),
            lease: LeaseSeq::new(batch.lease),
            root: Hash::from_bytes(*batch.root),
            gen_times: GenTimes::new(min, max).ok_or(WireError::Range("genTime"))?,
        })
    }
}

impl From<&confirmation::Confirmation> for Confirmation {
    fn from(it: &confirmation::Confirmation) -> Self {
        Self {
            version: CONFIRMATION_VERSION,
            tsu: it.tsu.to_string(),
            incarnation: Bytes16::new(*it.incarnation.as_bytes()),
            channel: Bytes32::new(*it.channel.as_bytes()),
            batch: Batch::from(&it.batch),
            log: TreeHead::from(&it.log),
            utc: it.utc.as_unix_nanos(),
            half_width: it.half_width.as_nanos(),
        }
    }
}

impl TryFrom<Confirmation> for confirmation::Confirmation {
    type Error = WireError;
    fn try_from(it: Confirmation) -> Result<Self, WireError> {
        if it.version != CONFIRMATION_VERSION {
            return Err(WireError::Range("version"));
        }
        Ok(Self {
            tsu: tsu_id(&it.tsu)?,
            incarnation: id::Incarnation::from_bytes(*it.incarnation),
            channel: ChannelBinding::from_bytes(*it.channel),
            batch: it.batch.try_into()?,
            log: it.log.into(),
            utc: Timestamp::from_unix_nanos(it.utc),
            half_width: Bound::from_nanos(it.half_width),
        })
    }
}

impl From<&confirmation::SignedConfirmation> for SignedConfirmation {
    fn from(signed: &confirmation::SignedConfirmation) -> Self {
        Self {
            confirmation: OctetString::from(signed.der.clone()),
            signature: OctetString::from(signed.signature.clone()),
        }
    }
}

impl From<SignedConfirmation> for confirmation::SignedConfirmation {
    fn from(signed: SignedConfirmation) -> Self {
        Self { der: signed.confirmation.to_vec(), signature: signed.signature.to_vec() }
    }
}
