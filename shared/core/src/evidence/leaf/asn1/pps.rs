//! The grammar of a changed pulse-per-second signal.

use rasn::prelude::*;

use super::leap::Reading;
use crate::clock_reader::RawWindow;
use crate::pps::{self, PpsLimits, PpsState};
use crate::time::{Bound, Ppb, RawInstant};
use crate::wire::WireError;

/// `PpsChange ::= SEQUENCE { from, to, residual, jitter, rho, before [0] OPTIONAL,
/// edge [1] OPTIONAL, utc [2] OPTIONAL }`, limits in nanoseconds.
#[derive(AsnType, Encode, Decode)]
pub(super) struct PpsChange {
    from: u8,
    to: u8,
    residual: u64,
    jitter: u64,
    rho: u32,
    #[rasn(tag(0))]
    before: Option<Edge>,
    #[rasn(tag(1))]
    edge: Option<Edge>,
    #[rasn(tag(2))]
    utc: Option<Reading>,
}

/// `Edge ::= SEQUENCE { sequence, earliest, latest }`
#[derive(AsnType, Encode, Decode)]
struct Edge {
    sequence: u32,
    earliest: i64,
    latest: i64,
}

impl From<pps::PlacedEdge> for Edge {
    fn from(edge: pps::PlacedEdge) -> Self {
        let (earliest, latest) = (edge.raw.earliest().as_nanos(), edge.raw.latest().as_nanos());
        Self { sequence: edge.sequence, earliest, latest }
    }
}

impl TryFrom<Edge> for pps::PlacedEdge {
    type Error = WireError;
    fn try_from(edge: Edge) -> Result<Self, WireError> {
        let (earliest, latest) =
            (RawInstant::from_nanos(edge.earliest), RawInstant::from_nanos(edge.latest));
        let raw = RawWindow::new(earliest, latest).ok_or(WireError::Range("latest"))?;
        Ok(Self { sequence: edge.sequence, raw })
    }
}

impl From<&pps::PpsChange> for PpsChange {
    fn from(change: &pps::PpsChange) -> Self {
        Self {
            from: change.from.code(),
            to: change.to.code(),
            residual: change.limits.residual.as_nanos(),
            jitter: change.limits.jitter.as_nanos(),
            rho: change.limits.rho.as_ppb(),
            before: change.before.map(Edge::from),
            edge: change.edge.map(Edge::from),
            utc: change.utc.map(Reading::from),
        }
    }
}

impl TryFrom<PpsChange> for pps::PpsChange {
    type Error = WireError;
    fn try_from(change: PpsChange) -> Result<Self, WireError> {
        Ok(Self {
            from: PpsState::from_code(change.from).ok_or(WireError::Range("from"))?,
            to: PpsState::from_code(change.to).ok_or(WireError::Range("to"))?,
            limits: PpsLimits {
                residual: Bound::from_nanos(change.residual),
                jitter: Bound::from_nanos(change.jitter),
                rho: Ppb::from_ppb(change.rho),
            },
            before: change.before.map(pps::PlacedEdge::try_from).transpose()?,
            edge: change.edge.map(pps::PlacedEdge::try_from).transpose()?,
            utc: change.utc.map(crate::leap::passage::Reading::try_from).transpose()?,
        })
    }
}
