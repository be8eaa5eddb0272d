//! The terms of a lease.

use rasn::prelude::*;

use super::{Bytes16, Bytes32, Sample, tsu_id};
use crate::id::{self, ChannelBinding, LeaseSeq};
use crate::leap::blackout;
use crate::lease;
use crate::time::{Bound, Ppb, Timestamp};
use crate::wire::WireError;

/// `LeaseTerms ::= SEQUENCE { version, tsu, incarnation, sequence, channel, sample, ttl,
/// clockBound, rho, policy, blackout [0] OPTIONAL }`, times in nanoseconds, rho in parts per billion.
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct LeaseTerms {
    version: u8,
    tsu: Utf8String,
    incarnation: Bytes16,
    sequence: u64,
    channel: Bytes32,
    sample: Sample,
    ttl: u64,
    clock_bound: u64,
    rho: u32,
    policy: Utf8String,
    #[rasn(tag(0))]
    blackout: Option<Blackout>,
}

/// `Blackout ::= SEQUENCE { from, until }`: UTC in nanoseconds since 1970, both included. Another
/// window than that around the end of a month is none.
#[derive(AsnType, Encode, Decode)]
struct Blackout {
    from: i64,
    until: i64,
}

impl From<blackout::Blackout> for Blackout {
    fn from(it: blackout::Blackout) -> Self {
        Self { from: it.from().as_unix_nanos(), until: it.until().as_unix_nanos() }
    }
}

impl TryFrom<Blackout> for blackout::Blackout {
    type Error = WireError;
    fn try_from(it: Blackout) -> Result<Self, WireError> {
        let (from, until) = (it.from, it.until);
        Self::between(Timestamp::from_unix_nanos(from), Timestamp::from_unix_nanos(until))
            .ok_or(WireError::Range("blackout"))
    }
}

const TERMS_VERSION: u8 = 1;

impl From<&lease::LeaseTerms> for LeaseTerms {
    fn from(terms: &lease::LeaseTerms) -> Self {
        Self {
            version: TERMS_VERSION,
            tsu: terms.tsu.to_string(),
            incarnation: Bytes16::new(*terms.incarnation.as_bytes()),
            sequence: terms.sequence.as_u64(),
            channel: Bytes32::new(*terms.channel.as_bytes()),
            sample: Sample::from(&terms.sample),
            ttl: terms.ttl.as_nanos(),
            clock_bound: terms.clock_bound.as_nanos(),
            rho: terms.rho.as_ppb(),
            policy: terms.policy.clone(),
            blackout: terms.blackout.map(Blackout::from),
        }
    }
}

impl TryFrom<LeaseTerms> for lease::LeaseTerms {
    type Error = WireError;
    fn try_from(terms: LeaseTerms) -> Result<Self, WireError> {
        if terms.version != TERMS_VERSION {
            return Err(WireError::Range("version"));
        }
        Ok(Self {
            tsu: tsu_id(&terms.tsu)?,
            incarnation: id::Incarnation::from_bytes(*terms.incarnation),
            sequence: LeaseSeq::new(terms.sequence),
            channel: ChannelBinding::from_bytes(*terms.channel),
            sample: terms.sample.into(),
            ttl: Bound::from_nanos(terms.ttl),
            clock_bound: Bound::from_nanos(terms.clock_bound),
            rho: Ppb::from_ppb(terms.rho),
            policy: terms.policy,
            blackout: terms.blackout.map(TryInto::try_into).transpose()?,
        })
    }
}
