//! The kinds of leaves.

use crate::clock_reader::ReaderWord;
use crate::coded::coded;
use crate::confirmation::SignedConfirmation;
use crate::id::{Incarnation, LeaseSeq, Serial, TsuId};
use crate::interval::Interval;
use crate::leap::passage::LeapChange;
use crate::leap::smear::Smear;
use crate::lease::{EndingCause, SignedLease};
use crate::pps::PpsChange;
use crate::sample::Sample;
use crate::time::{GenTime, RawInstant};

use super::super::TreeSize;
use super::super::checkpoint::Checkpoint;
use super::super::merkle::Hash;
use super::super::note::KeyName;
use super::end_to_end::EndToEnd;
use super::imprint::Imprint;
use super::round::{Round, SourceState};

/// What happened. The tags 12 to 15 of the grammar are reserved for kinds to come: the life cycle
/// of keys and certificates, transitions of alarms, operators' actions, and anchors outside the
/// pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A daemon started.
    Started(Started),
    /// A daemon stopped in good order.
    Stopped,
    /// A configuration took effect: SHA-256 over it.
    ConfigDigest(Hash),
    /// The monitor granted or renewed a lease; on the other box: received one.
    LeaseGranted(SignedLease),
    /// A lease ended before its successor came.
    LeaseEnded(Ended),
    /// The monitor put together what its sources say.
    Round(Round),
    /// The monitor judged a TSU's answer to a probe.
    Verdict(Probed),
    /// A token is about to be signed.
    Intent(Intent),
    /// Tokens were released.
    Issued(Vec<IssuedToken>),
    /// The newest checkpoint of the other box's log, as this box cosigned it: the bytes of the
    /// note.
    PeerCheckpoint(Vec<u8>),
    /// On opening the log, garbage after the last commit was cut off.
    TornTail(TornTail),
    /// The first leaf of a log that succeeds another.
    NewEpoch(NewEpoch),
    /// The monitor confirmed a batch; on the other box: received the confirmation.
    Confirmed(SignedConfirmation),
    /// The other box's log is no continuation of what this box has vouched for.
    PeerBroken(PeerBroken),
    /// From here on this box vouches for another log of its peer.
    PeerEpoch(PeerEpoch),
    /// The monitor passed a boundary at which a leap second was possible.
    LeapChange(LeapChange),
    /// Something speaks against a source.
    SourceDoubt(SourceDoubt),
    /// The state of the monitor's pulse-per-second signal changed.
    PpsChange(PpsChange),
    /// What the clock reader of a box says changed.
    KernelChange(KernelChange),
    /// The monitor asked the TSU's public endpoint for a token.
    EndToEnd(EndToEnd),
}

/// Which of the two boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxRole {
    /// The monitor, box B.
    Monitor,
    /// The TSU, box A.
    Tsu,
}

/// A daemon started. Its boot is the one of the leaf's own sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Which daemon.
    pub role: BoxRole,
    /// Its version, as `--version` prints it.
    pub version: String,
    /// What it was built from.
    pub build: String,
    /// The run of a TSU; a monitor has none.
    pub incarnation: Option<Incarnation>,
    /// SHA-256 over the configuration that it started with.
    pub config_digest: Hash,
    /// It would have refused to run here, as a hypervisor runs the box or it cannot be told, had the
    /// configuration not said otherwise: `allow_virtual_monitor`, `allow_unwitnessed_vm`.
    pub virtual_allowed: bool,
}

/// A lease ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whose lease.
    pub tsu: TsuId,
    /// Which lease.
    pub sequence: LeaseSeq,
    /// Why.
    pub cause: EndingCause,
    /// The sample that gave it away, if one did.
    pub found_by: Option<Sample>,
}

/// A probe, its answer and the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Whose clock.
    pub tsu: TsuId,
    /// The monitor's oscillator before the probe was sent.
    pub sent: RawInstant,
    /// The monitor's oscillator after the answer was received.
    pub received: RawInstant,
    /// What the TSU read.
    pub answer: Sample,
    /// What the TSU's clock reader said of it. `None` in records of builds without one.
    pub reader: Option<ReaderWord>,
    /// The instant that `utc_minus_raw` holds for.
    pub judged_at: RawInstant,
    /// UTC less the monitor's RAW.
    pub utc_minus_raw: Interval,
    /// What the probe proves.
    pub assessment: Assessment,
}

/// What a probe proves. The interval is the TSU's clock less UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// Provably within E0.
    Good(Interval),
    /// Provably outside E_bad.
    Bad(Interval),
    /// Neither is proven.
    Unknown(Interval),
    /// The TSU was paused while it read its clocks.
    Unusable,
}

/// A token is about to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its serial number.
    pub serial: Serial,
    /// What it is about.
    pub imprint: Imprint,
    /// SHA-256 over the TSTInfo in DER.
    pub tst_info_digest: Hash,
    /// The sample that the token is built from.
    pub sample: Sample,
    /// The lease that it was judged under.
    pub lease: LeaseSeq,
    /// The time that the token states.
    pub gen_time: GenTime,
}

/// A token was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// Its serial number.
    pub serial: Serial,
    /// SHA-256 over the octets of its signature. The signature covers what the token says; what else
    /// a TimeStampToken carries, such as certificates, anybody may add or leave out.
    pub signature_digest: Hash,
}

/// Garbage was cut off on opening the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The size of the tree that the torn batch would have extended.
    pub after: TreeSize,
    /// How many bytes were cut off.
    pub cut_bytes: u64,
}

/// This log succeeds another one of this box, which was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEpoch {
    /// The last checkpoint of the sealed log.
    pub sealed: Checkpoint,
    /// Why it was sealed, in an operator's words.
    pub reason: String,
}

/// The peer signed two checkpoints of which one does not continue the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerBroken {
    /// What it shows: a rollback or a fork.
    pub cause: EndingCause,
    /// The newest checkpoint that this box has vouched for: the bytes of the note.
    pub known: Vec<u8>,
    /// The checkpoint that does not fit: the bytes of the note.
    pub offered: Vec<u8>,
}

/// Two persons agreed to go on with another log of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerEpoch {
    /// The newest checkpoint of the old log that this box has vouched for: the bytes of the note,
    /// none when there never was one.
    pub sealed: Vec<u8>,
    /// The new log.
    pub origin: KeyName,
    /// Why, in an operator's words.
    pub reason: String,
}

/// Something speaks against a source, besides what a round shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceDoubt {
    /// Its name in the configuration.
    pub source: String,
    /// What.
    pub doubt: Doubt,
}

/// What speaks against a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Two implementations of NTP that asked it at the same time cannot both be right. The
    /// intervals are its clock less the monitor's system clock.
    Disagreement {
        /// By the client that samples come from.
        ours: Interval,
        /// By the other one.
        theirs: Interval,
    },
    /// It drifts as one that spreads a leap second over a day.
    Smear(Smear),
}

coded!(BoxRole { Monitor = 1, Tsu = 2 });
coded!(SourceState { Ok = 1, Falseticker = 2, Stale = 3, Unreachable = 4, Excluded = 5 });

/// What the clock reader of a box says changed: whether it is heard, a step, a disruption, whether the
/// kernel holds its clock to be synchronised, its TAI offset, its flags for a leap second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelChange {
    /// Whose box; `None`: the monitor's.
    pub tsu: Option<TsuId>,
    /// What it says now.
    pub word: ReaderWord,
}
