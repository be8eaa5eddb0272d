//! The grammar as rasn types, private to the codecs of this crate. Ranges and names are checked while these
//! become the public types.

use rasn::prelude::*;

use super::WireError;
use crate::id::{BootId, ChannelBinding, LeaseSeq, TsuId};
use crate::lease::{self, EndingCause};
use crate::time::{Bound, Ppb, RawInstant, Span, Timestamp};
use crate::{id, sample, wire};

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

/// `ToMonitor ::= CHOICE { hello [0], answer [1], revoked [2] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
pub(super) enum ToMonitor {
    Hello(Hello),
    Answer(ProbeAnswer),
    Revoked(u64),
}

/// `Hello ::= SEQUENCE { version, tsu, incarnation, bootId }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct Hello {
    version: u8,
    tsu: Utf8String,
    incarnation: Bytes16,
    boot_id: Bytes16,
}

/// `ProbeAnswer ::= SEQUENCE { nonce, sample, ended LeaseEnded OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct ProbeAnswer {
    nonce: Bytes32,
    sample: Sample,
    ended: Option<LeaseEnded>,
}

/// `LeaseEnded ::= SEQUENCE { sequence, cause }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct LeaseEnded {
    sequence: u64,
    cause: u8,
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

/// `ToTsu ::= CHOICE { welcome [0], refused [1], probe [2], grant [3], revoke [4] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
pub(super) enum ToTsu {
    Welcome(()),
    Refused(u8),
    Probe(Bytes32),
    Grant(SignedLease),
    Revoke(LeaseEnded),
}

/// `SignedLease ::= SEQUENCE { terms OCTET STRING, signature OCTET STRING }`
#[derive(AsnType, Encode, Decode)]
pub(crate) struct SignedLease {
    terms: OctetString,
    signature: OctetString,
}

/// `LeaseTerms ::= SEQUENCE { version, tsu, incarnation, sequence, channel, sample, ttl,
/// clockBound, rho, policy }`, times in nanoseconds, rho in parts per billion.
#[derive(AsnType, Encode, Decode)]
pub(super) struct LeaseTerms {
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
}

const TERMS_VERSION: u8 = 1;

pub(crate) fn tsu_id(name: &str) -> Result<TsuId, WireError> {
    TsuId::new(name).ok_or(WireError::Range("tsu"))
}

pub(crate) fn cause(code: u8) -> Result<EndingCause, WireError> {
    EndingCause::from_code(code).ok_or(WireError::Range("cause"))
}

impl From<&wire::ToMonitor> for ToMonitor {
    fn from(message: &wire::ToMonitor) -> Self {
        match message {
            wire::ToMonitor::Hello(hello) => Self::Hello(Hello {
                version: hello.version,
                tsu: hello.tsu.to_string(),
                incarnation: Bytes16::new(*hello.incarnation.as_bytes()),
                boot_id: Bytes16::new(*hello.boot_id.as_bytes()),
            }),
            wire::ToMonitor::Answer(answer) => Self::Answer(ProbeAnswer {
                nonce: Bytes32::new(*answer.nonce.as_bytes()),
                sample: Sample::from(&answer.sample),
                ended: answer.ended.map(|ended| LeaseEnded {
                    sequence: ended.sequence.as_u64(),
                    cause: ended.cause.code(),
                }),
            }),
            wire::ToMonitor::Revoked(sequence) => Self::Revoked(sequence.as_u64()),
        }
    }
}

impl TryFrom<ToMonitor> for wire::ToMonitor {
    type Error = WireError;
    fn try_from(message: ToMonitor) -> Result<Self, WireError> {
        Ok(match message {
            ToMonitor::Hello(hello) => Self::Hello(wire::Hello {
                version: hello.version,
                tsu: tsu_id(&hello.tsu)?,
                incarnation: id::Incarnation::from_bytes(*hello.incarnation),
                boot_id: BootId::from_bytes(*hello.boot_id),
            }),
            ToMonitor::Answer(answer) => Self::Answer(wire::ProbeAnswer {
                nonce: id::Nonce::from_bytes(*answer.nonce),
                sample: answer.sample.into(),
                ended: answer.ended.map(LeaseEnded::read).transpose()?,
            }),
            ToMonitor::Revoked(sequence) => Self::Revoked(LeaseSeq::new(sequence)),
        })
    }
}

impl LeaseEnded {
    fn read(self) -> Result<wire::LeaseEnded, WireError> {
        Ok(wire::LeaseEnded { sequence: LeaseSeq::new(self.sequence), cause: cause(self.cause)? })
    }
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

impl From<&wire::ToTsu> for ToTsu {
    fn from(message: &wire::ToTsu) -> Self {
        match message {
            wire::ToTsu::Welcome => Self::Welcome(()),
            wire::ToTsu::Refused(why) => Self::Refused(match why {
                wire::RefusedWhy::Version => 1,
                wire::RefusedWhy::Identity => 2,
                wire::RefusedWhy::Wait => 3,
                wire::RefusedWhy::Busy => 4,
            }),
            wire::ToTsu::Probe(nonce) => Self::Probe(Bytes32::new(*nonce.as_bytes())),
            wire::ToTsu::Grant(lease) => Self::Grant(SignedLease::from(lease)),
            wire::ToTsu::Revoke { up_to, cause } => {
                Self::Revoke(LeaseEnded { sequence: up_to.as_u64(), cause: cause.code() })
            }
        }
    }
}

impl TryFrom<ToTsu> for wire::ToTsu {
    type Error = WireError;
    fn try_from(message: ToTsu) -> Result<Self, WireError> {
        Ok(match message {
            ToTsu::Welcome(()) => Self::Welcome,
            ToTsu::Refused(code) => Self::Refused(match code {
                1 => wire::RefusedWhy::Version,
                2 => wire::RefusedWhy::Identity,
                3 => wire::RefusedWhy::Wait,
                4 => wire::RefusedWhy::Busy,
                _ => return Err(WireError::Range("refused")),
            }),
            ToTsu::Probe(nonce) => Self::Probe(id::Nonce::from_bytes(*nonce)),
            ToTsu::Grant(lease) => Self::Grant(lease.into()),
            ToTsu::Revoke(ended) => {
                let ended = ended.read()?;
                Self::Revoke { up_to: ended.sequence, cause: ended.cause }
            }
        })
    }
}

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
        })
    }
}
