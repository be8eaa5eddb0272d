//! The grammar of a report, and of what the link says of one, as rasn types; `docs/clock.md` and
//! `docs/protocol.md` show it as ASN.1.

mod pps;

use core::num::NonZeroU64;

use pps::Pps;
use rasn::prelude::*;

use super::{HypervisorName, KernelStatus, LostKind, OddReading, REPORT_VERSION, TimeState};
use crate::clock_reader as meaning;
use crate::id::ReaderRun;
use crate::time::{Bound, Span};
use crate::wire::WireError;
use crate::wire::asn1::{Bytes16, Sample};

/// `ClockReport ::= SEQUENCE { version, run, sequence, sample, kernel, steps OPTIONAL, machine,
/// marker, pps }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct ClockReport {
    version: u8,
    run: Bytes16,
    sequence: u64,
    sample: Sample,
    kernel: Kernel,
    steps: Option<Steps>,
    machine: Machine,
    marker: Marker,
    pps: Pps,
}

/// `Kernel ::= CHOICE { state [0], odd [1] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
enum Kernel {
    State(KernelState),
    Odd(u8),
}

/// `KernelState ::= SEQUENCE { state, status, maxError, estimatedError, offset, frequency,
/// taiOffset }`, errors and offset in nanoseconds, the frequency in parts per billion.
#[derive(AsnType, Encode, Decode)]
struct KernelState {
    state: u8,
    status: u16,
    max_error: u64,
    estimated_error: u64,
    offset: i64,
    frequency: i32,
    tai_offset: i32,
}

/// `Steps ::= SEQUENCE { count, before, after }`
#[derive(AsnType, Encode, Decode)]
struct Steps {
    count: u64,
    before: Sample,
    after: Sample,
}

/// `Machine ::= CHOICE { physical [0], virtual [1], unknown [2] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
enum Machine {
    Physical(()),
    Virtual(Utf8String),
    Unknown(()),
}

/// `Marker ::= CHOICE { absent [0], shown [1], unreadable [2] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
enum Marker {
    Absent(()),
    Shown(Shown),
    Unreadable(()),
}

/// `Shown ::= SEQUENCE { disruption, generation OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
struct Shown {
    disruption: u64,
    generation: Option<u64>,
}

impl From<&meaning::ClockReport> for ClockReport {
    fn from(report: &meaning::ClockReport) -> Self {
        Self {
            version: REPORT_VERSION,
            run: Bytes16::new(*report.run.as_bytes()),
            sequence: report.sequence,
            sample: Sample::from(&report.sample),
            kernel: Kernel::of(report.kernel),
            steps: report.steps.map(|steps| Steps {
                count: steps.count.get(),
                before: Sample::from(&steps.last.before),
                after: Sample::from(&steps.last.after),
            }),
            machine: match &report.machine {
                meaning::Machine::Physical => Machine::Physical(()),
                meaning::Machine::Virtual(name) => Machine::Virtual(name.as_str().to_owned()),
                meaning::Machine::Unknown => Machine::Unknown(()),
            },
            marker: report.marker.into(),
            pps: Pps::from(&report.pps),
        }
    }
}

impl TryFrom<ClockReport> for meaning::ClockReport {
    type Error = WireError;
    fn try_from(report: ClockReport) -> Result<Self, WireError> {
        if report.version != REPORT_VERSION {
            return Err(WireError::Range("version"));
        }
        Ok(Self {
            run: ReaderRun::from_bytes(*report.run),
            sequence: report.sequence,
            sample: report.sample.into(),
            kernel: report.kernel.read()?,
            steps: report.steps.map(meaning::Steps::try_from).transpose()?,
            machine: match report.machine {
                Machine::Physical(()) => meaning::Machine::Physical,
                Machine::Virtual(name) => meaning::Machine::Virtual(
                    HypervisorName::new(&name).ok_or(WireError::Range("virtual"))?,
                ),
                Machine::Unknown(()) => meaning::Machine::Unknown,
            },
            marker: report.marker.into(),
            pps: report.pps.try_into()?,
        })
    }
}

impl Kernel {
    fn of(kernel: Result<meaning::KernelState, OddReading>) -> Self {
        match kernel {
            Ok(state) => Self::State((&state).into()),
            Err(odd) => Self::Odd(odd.code()),
        }
    }

    fn read(self) -> Result<Result<meaning::KernelState, OddReading>, WireError> {
        Ok(match self {
            Self::State(state) => Ok(state.try_into()?),
            Self::Odd(code) => Err(OddReading::from_code(code).ok_or(WireError::Range("odd"))?),
        })
    }
}

impl From<meaning::Marker> for Marker {
    fn from(marker: meaning::Marker) -> Self {
        match marker {
            meaning::Marker::Absent => Self::Absent(()),
            meaning::Marker::Shown { disruption, generation } => {
                Self::Shown(Shown { disruption, generation })
            }
            meaning::Marker::Unreadable => Self::Unreadable(()),
        }
    }
}

impl From<Marker> for meaning::Marker {
    fn from(marker: Marker) -> Self {
        match marker {
            Marker::Absent(()) => Self::Absent,
            Marker::Shown(Shown { disruption, generation }) => {
                Self::Shown { disruption, generation }
            }
            Marker::Unreadable(()) => Self::Unreadable,
        }
    }
}

/// `ReaderWord ::= SEQUENCE { steps, disruptions, heard }`
#[derive(AsnType, Encode, Decode)]
pub(crate) struct ReaderWord {
    steps: u64,
    disruptions: u64,
    heard: Heard,
}

/// `Heard ::= CHOICE { alive [0] Account, lost [1] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
enum Heard {
    Alive(Account),
    Lost(u8),
}

/// `Account ::= SEQUENCE { kernel, marker }`
#[derive(AsnType, Encode, Decode)]
struct Account {
    kernel: Kernel,
    marker: Marker,
}

impl From<&meaning::ReaderWord> for ReaderWord {
    fn from(word: &meaning::ReaderWord) -> Self {
        Self {
            steps: word.steps,
            disruptions: word.disruptions,
            heard: match word.heard {
                Ok(meaning::Account { kernel, marker }) => {
                    Heard::Alive(Account { kernel: Kernel::of(kernel), marker: marker.into() })
                }
                Err(kind) => Heard::Lost(kind.code()),
            },
        }
    }
}

impl TryFrom<ReaderWord> for meaning::ReaderWord {
    type Error = WireError;
    fn try_from(word: ReaderWord) -> Result<Self, WireError> {
        Ok(Self {
            steps: word.steps,
            disruptions: word.disruptions,
            heard: match word.heard {
                Heard::Alive(Account { kernel, marker }) => {
                    Ok(meaning::Account { kernel: kernel.read()?, marker: marker.into() })
                }
                Heard::Lost(code) => {
                    Err(LostKind::from_code(code).ok_or(WireError::Range("lost"))?)
                }
            },
        })
    }
}

impl TryFrom<Steps> for meaning::Steps {
    type Error = WireError;
    fn try_from(steps: Steps) -> Result<Self, WireError> {
        Ok(Self {
            count: NonZeroU64::new(steps.count).ok_or(WireError::Range("count"))?,
            last: meaning::StepNotice { before: steps.before.into(), after: steps.after.into() },
        })
    }
}

impl From<&meaning::KernelState> for KernelState {
    fn from(kernel: &meaning::KernelState) -> Self {
        Self {
            state: kernel.state.code(),
            status: kernel.status.bits(),
            max_error: kernel.max_error.as_nanos(),
            estimated_error: kernel.estimated_error.as_nanos(),
            offset: kernel.offset.as_nanos(),
            frequency: kernel.frequency_ppb,
            tai_offset: kernel.tai_offset_s,
        }
    }
}

impl TryFrom<KernelState> for meaning::KernelState {
    type Error = WireError;
    fn try_from(kernel: KernelState) -> Result<Self, WireError> {
        let candidate = Self {
            state: TimeState::from_code(kernel.state).ok_or(WireError::Range("state"))?,
            status: KernelStatus::from_bits(kernel.status),
            max_error: Bound::from_nanos(kernel.max_error),
            estimated_error: Bound::from_nanos(kernel.estimated_error),
            offset: Span::from_nanos(kernel.offset),
            frequency_ppb: kernel.frequency,
            tai_offset_s: kernel.tai_offset,
        };
        candidate.checked().map_err(|_odd| WireError::Range("kernel"))
    }
}
