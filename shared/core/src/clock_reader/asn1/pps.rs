//! The grammar of pulses per second.

use rasn::prelude::*;

use crate::clock_reader as meaning;
use crate::time::{RawInstant, Timestamp};
use crate::wire::WireError;

/// `Pps ::= CHOICE { absent [0], failed [1], read [2] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
pub(super) enum Pps {
    Absent(()),
    Failed(()),
    Read(PpsEdges),
}

/// `PpsEdges ::= SEQUENCE { until, edges SEQUENCE (SIZE (0..8)) OF PpsEdge }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct PpsEdges {
    until: i64,
    edges: SequenceOf<PpsEdge>,
}

/// `PpsEdge ::= SEQUENCE { sequence, real, raw OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
struct PpsEdge {
    sequence: u32,
    real: i64,
    raw: Option<RawWindow>,
}

/// `RawWindow ::= SEQUENCE { earliest, latest }`, in nanoseconds.
#[derive(AsnType, Encode, Decode)]
struct RawWindow {
    earliest: i64,
    latest: i64,
}

impl From<&meaning::Pps> for Pps {
    fn from(pps: &meaning::Pps) -> Self {
        match pps {
            meaning::Pps::Absent => Self::Absent(()),
            meaning::Pps::Failed => Self::Failed(()),
            meaning::Pps::Read(read) => Self::Read(PpsEdges {
                until: read.until.as_nanos(),
                edges: read.edges.iter().map(PpsEdge::from).collect(),
            }),
        }
    }
}

impl TryFrom<Pps> for meaning::Pps {
    type Error = WireError;
    fn try_from(pps: Pps) -> Result<Self, WireError> {
        let read = match pps {
            Pps::Absent(()) => return Ok(Self::Absent),
            Pps::Failed(()) => return Ok(Self::Failed),
            Pps::Read(read) => read,
        };
        if read.edges.len() > meaning::PpsEdges::MAX {
            return Err(WireError::Range("edges"));
        }
        let edges = read.edges.into_iter().map(meaning::PpsEdge::try_from);
        Ok(Self::Read(meaning::PpsEdges {
            until: RawInstant::from_nanos(read.until),
            edges: edges.collect::<Result<_, _>>()?,
        }))
    }
}

impl From<&meaning::PpsEdge> for PpsEdge {
    fn from(edge: &meaning::PpsEdge) -> Self {
        let raw = edge.raw.map(|window| RawWindow {
            earliest: window.earliest().as_nanos(),
            latest: window.latest().as_nanos(),
        });
        Self { sequence: edge.sequence, real: edge.real.as_unix_nanos(), raw }
    }
}

impl TryFrom<PpsEdge> for meaning::PpsEdge {
    type Error = WireError;
    fn try_from(edge: PpsEdge) -> Result<Self, WireError> {
        let window = |raw: RawWindow| {
            let (earliest, latest) = (raw.earliest, raw.latest);
            meaning::RawWindow::new(
                RawInstant::from_nanos(earliest),
                RawInstant::from_nanos(latest),
            )
            .ok_or(WireError::Range("raw"))
        };
        Ok(Self {
            sequence: edge.sequence,
            real: Timestamp::from_unix_nanos(edge.real),
            raw: edge.raw.map(window).transpose()?,
        })
    }
}
