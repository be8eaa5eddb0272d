//! The messages of the link.

use rasn::prelude::*;

use super::confirmation::{Batch, SignedConfirmation};
use super::{Bytes16, Bytes32, Sample, SignedLease, TreeHead, cause, proof_from, proof_to, tsu_id};
use crate::clock_reader::asn1::ReaderWord;
use crate::confirmation;
use crate::id::{self, BatchSeq, BootId, LeaseSeq};
use crate::wire::{self, WireError};

/// `ToMonitor ::= CHOICE { hello [0], answer [1], revoked [2], cosigned [3],
/// confirm [4] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
pub(in crate::wire) enum ToMonitor {
    Hello(Hello),
    Answer(ProbeAnswer),
    Revoked(u64),
    Cosigned(Utf8String),
    Confirm(Confirm),
}

/// `Hello ::= SEQUENCE { version, tsu, incarnation, bootId, held }`
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct Hello {
    version: u8,
    tsu: Utf8String,
    incarnation: Bytes16,
    boot_id: Bytes16,
    held: TreeHead,
}

/// `ProbeAnswer ::= SEQUENCE { nonce, sample, reader, ended [0] LeaseEnded OPTIONAL, log [1]
/// LogOffer OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct ProbeAnswer {
    nonce: Bytes32,
    sample: Sample,
    reader: ReaderWord,
    #[rasn(tag(0))]
    ended: Option<LeaseEnded>,
    #[rasn(tag(1))]
    log: Option<LogOffer>,
}

/// `LogOffer ::= SEQUENCE { checkpoint OCTET STRING, sinceShown SEQUENCE OF Bytes32 }`
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct LogOffer {
    checkpoint: OctetString,
    since_shown: SequenceOf<Bytes32>,
}

/// `Confirm ::= SEQUENCE { batch, log, sinceShown SEQUENCE OF Bytes32 }`
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct Confirm {
    batch: Batch,
    log: TreeHead,
    since_shown: SequenceOf<Bytes32>,
}

/// `LeaseEnded ::= SEQUENCE { sequence, cause }`
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct LeaseEnded {
    sequence: u64,
    cause: u8,
}

/// `ToTsu ::= CHOICE { welcome [0], refused [1], probe [2], grant [3], revoke [4],
/// witnessed [5], confirmed [6], notConfirmed [7], otherVersion [8] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
pub(in crate::wire) enum ToTsu {
    Welcome(Welcome),
    Refused(u8),
    Probe(Bytes32),
    Grant(SignedLease),
    Revoke(LeaseEnded),
    Witnessed(Witnessed),
    Confirmed(SignedConfirmation),
    NotConfirmed(NotConfirmed),
    OtherVersion(u8),
}

/// `Welcome ::= SEQUENCE { vouched, shown }`
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct Welcome {
    vouched: TreeHead,
    shown: TreeHead,
}

/// `NotConfirmed ::= SEQUENCE { sequence, why }`
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct NotConfirmed {
    sequence: u64,
    why: u8,
}

/// `Witnessed ::= SEQUENCE { cosignature, checkpoint OCTET STRING }`
#[derive(AsnType, Encode, Decode)]
pub(in crate::wire) struct Witnessed {
    cosignature: Utf8String,
    checkpoint: OctetString,
}

impl From<&wire::ToMonitor> for ToMonitor {
    fn from(message: &wire::ToMonitor) -> Self {
        match message {
            wire::ToMonitor::Hello(hello) => Self::Hello(Hello {
                version: hello.version,
                tsu: hello.tsu.to_string(),
                incarnation: Bytes16::new(*hello.incarnation.as_bytes()),
                boot_id: Bytes16::new(*hello.boot_id.as_bytes()),
                held: TreeHead::from(&hello.held),
            }),
            wire::ToMonitor::Answer(answer) => Self::Answer(ProbeAnswer {
                nonce: Bytes32::new(*answer.nonce.as_bytes()),
                sample: Sample::from(&answer.sample),
                reader: ReaderWord::from(&answer.reader),
                ended: answer.ended.map(|ended| LeaseEnded {
                    sequence: ended.sequence.as_u64(),
                    cause: ended.cause.code(),
                }),
                log: answer.log.as_ref().map(|log| LogOffer {
                    checkpoint: OctetString::from(log.checkpoint.clone()),
                    since_shown: proof_to(&log.since_shown),
                }),
            }),
            wire::ToMonitor::Revoked(sequence) => Self::Revoked(sequence.as_u64()),
            wire::ToMonitor::Cosigned(line) => Self::Cosigned(line.clone()),
            wire::ToMonitor::Confirm(confirm) => Self::Confirm(Confirm {
                batch: Batch::from(&confirm.batch),
                log: TreeHead::from(&confirm.log),
                since_shown: proof_to(&confirm.since_shown),
            }),
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
                held: hello.held.into(),
            }),
            ToMonitor::Answer(answer) => Self::Answer(wire::ProbeAnswer {
                nonce: id::Nonce::from_bytes(*answer.nonce),
                sample: answer.sample.into(),
                reader: answer.reader.try_into()?,
                ended: answer.ended.map(LeaseEnded::read).transpose()?,
                log: answer.log.map(LogOffer::read).transpose()?,
            }),
            ToMonitor::Revoked(sequence) => Self::Revoked(LeaseSeq::new(sequence)),
            ToMonitor::Cosigned(line) => Self::Cosigned(line),
            ToMonitor::Confirm(confirm) => Self::Confirm(wire::Confirm {
                batch: confirm.batch.try_into()?,
                log: confirm.log.into(),
                since_shown: proof_from(&confirm.since_shown)?,
            }),
        })
    }
}

impl LogOffer {
    fn read(self) -> Result<wire::LogOffer, WireError> {
        let since_shown = proof_from(&self.since_shown)?;
        Ok(wire::LogOffer { checkpoint: self.checkpoint.to_vec(), since_shown })
    }
}

impl LeaseEnded {
    fn read(self) -> Result<wire::LeaseEnded, WireError> {
        Ok(wire::LeaseEnded { sequence: LeaseSeq::new(self.sequence), cause: cause(self.cause)? })
    }
}

impl From<&wire::ToTsu> for ToTsu {
    fn from(message: &wire::ToTsu) -> Self {
        match message {
            wire::ToTsu::Welcome(held) => Self::Welcome(Welcome {
                vouched: TreeHead::from(&held.vouched),
                shown: TreeHead::from(&held.shown),
            }),
            wire::ToTsu::Refused(why) => match why {
                wire::RefusedWhy::Version(monitor) => Self::OtherVersion(*monitor),
                wire::RefusedWhy::Identity => Self::Refused(2),
                wire::RefusedWhy::Wait => Self::Refused(3),
                wire::RefusedWhy::Busy => Self::Refused(4),
            },
            wire::ToTsu::Probe(nonce) => Self::Probe(Bytes32::new(*nonce.as_bytes())),
            wire::ToTsu::Grant(lease) => Self::Grant(SignedLease::from(lease)),
            wire::ToTsu::Revoke { up_to, cause } => {
                Self::Revoke(LeaseEnded { sequence: up_to.as_u64(), cause: cause.code() })
            }
            wire::ToTsu::Witnessed(both) => Self::Witnessed(Witnessed {
                cosignature: both.cosignature.clone(),
                checkpoint: OctetString::from(both.checkpoint.clone()),
            }),
            wire::ToTsu::Confirmed(signed) => Self::Confirmed(signed.into()),
            wire::ToTsu::NotConfirmed(sequence, why) => {
                Self::NotConfirmed(NotConfirmed { sequence: sequence.as_u64(), why: why.code() })
            }
        }
    }
}

impl TryFrom<ToTsu> for wire::ToTsu {
    type Error = WireError;
    fn try_from(message: ToTsu) -> Result<Self, WireError> {
        Ok(match message {
            ToTsu::Welcome(held) => Self::Welcome(wire::Welcome {
                vouched: held.vouched.into(),
                shown: held.shown.into(),
            }),
            ToTsu::Refused(code) => Self::Refused(match code {
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
            ToTsu::Witnessed(both) => Self::Witnessed(wire::Witnessed {
                cosignature: both.cosignature,
                checkpoint: both.checkpoint.to_vec(),
            }),
            ToTsu::Confirmed(signed) => Self::Confirmed(signed.into()),
            ToTsu::NotConfirmed(NotConfirmed { sequence, why }) => {
                let why = confirmation::NotConfirmed::from_code(why);
                Self::NotConfirmed(BatchSeq::new(sequence), why.ok_or(WireError::Range("why"))?)
            }
            ToTsu::OtherVersion(monitor) => Self::Refused(wire::RefusedWhy::Version(monitor)),
        })
    }
}
