//! The grammar of the leaves as rasn types. Ranges and names are checked while these become the
//! public types.

mod convert;
mod doubt;
mod end_to_end;
mod leap;
mod pps;
mod round;

use doubt::SourceDoubt;
use end_to_end::EndToEnd;
use leap::LeapChange;
use pps::PpsChange;
use rasn::prelude::*;
use round::Round;

use super::super::TreeSize;
use super::super::checkpoint::Checkpoint;
use super::super::merkle::Hash;
use super::super::note::KeyName;
use super::{event, imprint};
use crate::clock_reader::asn1::ReaderWord;
use crate::id::{self, LeaseSeq};
use crate::interval;
use crate::time::{GenTime, RawInstant, Span};
use crate::wire::WireError;
use crate::wire::asn1::{Bytes16, Bytes32, Sample, SignedConfirmation, SignedLease, cause, tsu_id};

/// `Leaf ::= SEQUENCE { version, made, event }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct Leaf {
    version: u8,
    made: Sample,
    event: Event,
}

/// The tags 12 to 15 are reserved; see [`event::Event`].
#[derive(AsnType, Encode, Decode)]
#[rasn(choice)]
enum Event {
    #[rasn(tag(0))]
    Started(Started),
    #[rasn(tag(1))]
    Stopped(()),
    #[rasn(tag(2))]
    ConfigDigest(Bytes32),
    #[rasn(tag(3))]
    LeaseGranted(SignedLease),
    #[rasn(tag(4))]
    LeaseEnded(LeaseEnded),
    #[rasn(tag(5))]
    Round(Round),
    #[rasn(tag(6))]
    Verdict(Verdict),
    #[rasn(tag(7))]
    Intent(Intent),
    #[rasn(tag(8))]
    Issued(SequenceOf<IssuedToken>),
    #[rasn(tag(9))]
    PeerCheckpoint(OctetString),
    #[rasn(tag(10))]
    TornTail(TornTail),
    #[rasn(tag(11))]
    NewEpoch(NewEpoch),
    #[rasn(tag(16))]
    Confirmed(SignedConfirmation),
    #[rasn(tag(18))]
    PeerBroken(PeerBroken),
    #[rasn(tag(19))]
    PeerEpoch(PeerEpoch),
    #[rasn(tag(17))]
    LeapChange(LeapChange),
    #[rasn(tag(20))]
    SourceDoubt(SourceDoubt),
    #[rasn(tag(21))]
    PpsChange(PpsChange),
    #[rasn(tag(22))]
    EndToEnd(EndToEnd),
    #[rasn(tag(23))]
    KernelChange(KernelChange),
}

/// `Started ::= SEQUENCE { role, version, build, incarnation [0] OPTIONAL, configDigest,
/// virtualAllowed [1] NULL OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
struct Started {
    role: u8,
    version: Utf8String,
    build: Utf8String,
    #[rasn(tag(0))]
    incarnation: Option<Bytes16>,
    config_digest: Bytes32,
    #[rasn(tag(1))]
    virtual_allowed: Option<()>,
}

/// `KernelChange ::= SEQUENCE { tsu [0] OPTIONAL, word }`
#[derive(AsnType, Encode, Decode)]
struct KernelChange {
    #[rasn(tag(0))]
    tsu: Option<Utf8String>,
    word: ReaderWord,
}

/// `LeaseEnded ::= SEQUENCE { tsu, sequence, cause, foundBy [0] OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
struct LeaseEnded {
    tsu: Utf8String,
    sequence: u64,
    cause: u8,
    #[rasn(tag(0))]
    found_by: Option<Sample>,
}

/// `Interval ::= SEQUENCE { lo, hi }`, in nanoseconds.
#[derive(AsnType, Encode, Decode)]
struct Interval {
    lo: i64,
    hi: i64,
}

/// `Verdict ::= SEQUENCE { tsu, sent, received, answer, judgedAt, utcMinusRaw, assessment,
/// reader [4] OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
struct Verdict {
    tsu: Utf8String,
    sent: i64,
    received: i64,
    answer: Sample,
    judged_at: i64,
    utc_minus_raw: Interval,
    assessment: Assessment,
    #[rasn(tag(4))]
    reader: Option<ReaderWord>,
}

/// `Assessment ::= CHOICE { good [0], bad [1], unknown [2], unusable [3] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
enum Assessment {
    Good(Interval),
    Bad(Interval),
    Unknown(Interval),
    Unusable(()),
}

/// `Intent ::= SEQUENCE { serial, imprint, tstInfoDigest, sample, lease, genTime }`, genTime in
/// milliseconds.
#[derive(AsnType, Encode, Decode)]
struct Intent {
    serial: FixedOctetString<20>,
    imprint: Imprint,
    tst_info_digest: Bytes32,
    sample: Sample,
    lease: u64,
    gen_time: i64,
}

/// `Imprint ::= CHOICE { sha256 [0], sha384 [1], sha512 [2], sha3-256 [3], sha3-384 [4],
/// sha3-512 [5] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
enum Imprint {
    Sha256(Bytes32),
    Sha384(FixedOctetString<48>),
    Sha512(FixedOctetString<64>),
    Sha3_256(Bytes32),
    Sha3_384(FixedOctetString<48>),
    Sha3_512(FixedOctetString<64>),
}

/// `IssuedToken ::= SEQUENCE { serial, signatureDigest }`
#[derive(AsnType, Encode, Decode)]
struct IssuedToken {
    serial: FixedOctetString<20>,
    signature_digest: Bytes32,
}

/// `TornTail ::= SEQUENCE { after, cutBytes }`
#[derive(AsnType, Encode, Decode)]
struct TornTail {
    after: u64,
    cut_bytes: u64,
}

/// `NewEpoch ::= SEQUENCE { origin, size, root, reason }`
#[derive(AsnType, Encode, Decode)]
struct NewEpoch {
    origin: Utf8String,
    size: u64,
    root: Bytes32,
    reason: Utf8String,
}

/// `PeerBroken ::= SEQUENCE { cause, known, offered }`
#[derive(AsnType, Encode, Decode)]
struct PeerBroken {
    cause: u8,
    known: OctetString,
    offered: OctetString,
}

/// `PeerEpoch ::= SEQUENCE { sealed, origin, reason }`
#[derive(AsnType, Encode, Decode)]
struct PeerEpoch {
    sealed: OctetString,
    origin: Utf8String,
    reason: Utf8String,
}

fn hash(bytes: &Bytes32) -> Hash {
    Hash::from_bytes(**bytes)
}

fn bytes(hash: &Hash) -> Bytes32 {
    Bytes32::new(*hash.as_bytes())
}

fn key_name(name: &str) -> Result<KeyName, WireError> {
    KeyName::new(name).ok_or(WireError::Range("origin"))
}

fn serial(octets: &FixedOctetString<20>) -> Result<id::Serial, WireError> {
    let mut padded = [0u8; 32];
    padded[..20].copy_from_slice(&**octets);
    let serial = id::Serial::from_hash(&padded);
    if *serial.as_be_bytes() == **octets { Ok(serial) } else { Err(WireError::Range("serial")) }
}

fn gen_time(unix_ns: i64) -> Result<GenTime, WireError> {
    GenTime::from_unix_nanos(unix_ns).ok_or(WireError::Range("genTime"))
}

impl From<interval::Interval> for Interval {
    fn from(interval: interval::Interval) -> Self {
        Self { lo: interval.lo().as_nanos(), hi: interval.hi().as_nanos() }
    }
}

impl TryFrom<Interval> for interval::Interval {
    type Error = WireError;
    fn try_from(interval: Interval) -> Result<Self, WireError> {
        Self::new(Span::from_nanos(interval.lo), Span::from_nanos(interval.hi))
            .ok_or(WireError::Range("interval"))
    }
}

impl From<&super::Leaf> for Leaf {
    fn from(leaf: &super::Leaf) -> Self {
        Self {
            version: super::LEAF_VERSION,
            made: Sample::from(&leaf.made),
            event: Event::from(&leaf.event),
        }
    }
}

impl TryFrom<Leaf> for super::Leaf {
    type Error = WireError;
    fn try_from(leaf: Leaf) -> Result<Self, WireError> {
        if leaf.version != super::LEAF_VERSION {
            return Err(WireError::Range("version"));
        }
        Ok(Self { made: leaf.made.into(), event: leaf.event.try_into()? })
    }
}
