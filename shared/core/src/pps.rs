//! What an edge of a pulse-per-second signal says about UTC, and what UTC says about the edge.
//!
//! Each edge must be on a whole second of UTC. Nobody ever learns the time from it.

use core::fmt;

use crate::clock_reader::RawWindow;
use crate::coded::coded;
use crate::interval::Interval;
use crate::leap::passage::Reading;
use crate::time::{Bound, Ppb, RawInstant, Span};

const SECOND_NS: i64 = 1_000_000_000;
const HALF_SECOND_NS: i64 = SECOND_NS / 2;

/// More edges than this between two that were told mean that the kernel began to count anew.
const COUNT_MAX: u32 = 3_600;

/// Where the signal stands. The labels are in metrics, logs and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PpsState {
    /// There is no signal to judge.
    Absent,
    /// There is one; too few good edges have come in a row.
    Acquiring,
    /// Its edges are where they should be.
    Good,
    /// An edge is provably off the whole second.
    Shifted,
    /// Edges are missing.
    Lost,
    /// There are more edges than seconds.
    Doubled,
    /// An edge is provably not a whole number of seconds after the one before it.
    Jittery,
    /// Its edges come in time with each other; UTC is not known well enough to say more.
    Unclear,
}

coded! {
    PpsState {
        Absent = 1, "absent";
        Acquiring = 2, "acquiring";
        Good = 3, "good";
        Shifted = 4, "shifted";
        Lost = 5, "lost";
        Doubled = 6, "doubled";
        Jittery = 7, "jittery";
        Unclear = 8, "unclear";
    }
}

impl PpsState {
    /// Whether something is wrong with the signal, or with UTC as the sources have it.
    #[must_use]
    pub const fn is_anomaly(self) -> bool {
        matches!(self, Self::Shifted | Self::Lost | Self::Doubled | Self::Jittery)
    }
}

impl fmt::Display for PpsState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// How far an edge may be off before it is an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PpsLimits {
    /// From the whole second of UTC.
    pub residual: Bound,
    /// From a whole number of seconds after the edge before.
    pub jitter: Bound,
    /// The oscillator error that is assumed.
    pub rho: Ppb,
}

impl PpsLimits {
    /// A residual that is known no better than this says nothing. It also keeps the arithmetic
    /// modulo one second unambiguous: an interval so narrow cannot lie beyond a limit on both sides.
    pub const WIDTH_MAX: Bound = Bound::from_millis(250);
}

/// An edge whose place on the oscillator is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedEdge {
    /// The kernel's count of edges; it wraps.
    pub sequence: u32,
    /// When it was.
    pub raw: RawWindow,
}

/// What is to be said of one edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeVerdict {
    /// It is on a whole second, as far as can be told.
    Good,
    /// It keeps time with the one before; UTC is not known well enough to say more.
    Unclear,
    /// It is provably off the whole second.
    Shifted,
    /// So many edges before it were too many.
    Doubled(u32),
    /// So many edges before it are missing.
    Missing(u32),
    /// It is provably out of time with the one before.
    Jittery,
}

/// Judges an edge: first by the one before it, which needs no UTC, then by the whole second.
#[must_use]
pub fn judge(
    before: Option<&PlacedEdge>,
    edge: &PlacedEdge,
    utc: Option<&Reading>,
    limits: &PpsLimits,
) -> EdgeVerdict {
    let deviation = before.and_then(|before| deviation(before, edge, limits.rho));
    if let Some(deviation) = deviation {
        let seconds = u32::try_from(nearest_second(deviation).unsigned_abs()).unwrap_or(u32::MAX);
        if deviation.hi().as_nanos() < -HALF_SECOND_NS {
            return EdgeVerdict::Doubled(seconds.max(1));
        }
        if deviation.lo().as_nanos() > HALF_SECOND_NS {
            return EdgeVerdict::Missing(seconds.max(1));
        }
    }
    let residual = utc.map(|utc| residual(edge.raw, utc, limits.rho));
    let residual = residual.filter(|known| known.width() < PpsLimits::WIDTH_MAX);
    if residual.is_some_and(|residual| is_beyond(residual, limits.residual)) {
        EdgeVerdict::Shifted
    } else if deviation.is_some_and(|deviation| is_beyond(deviation, limits.jitter)) {
        EdgeVerdict::Jittery
    } else if residual.is_some() {
        EdgeVerdict::Good
    } else {
        EdgeVerdict::Unclear
    }
}

/// By how much the edge was off a whole second of UTC, with `utc` as known at about that time. The
/// middle is within half a second of zero; the truth is inside, give or take whole seconds.
#[must_use]
pub fn residual(edge: RawWindow, utc: &Reading, rho: Ppb) -> Interval {
    let age = (utc.at - edge.earliest()).magnitude().max((utc.at - edge.latest()).magnitude());
    let on_utc = utc.utc_minus_raw.widened(rho.over(age)).plus(spans(edge));
    on_utc.shifted(Span::from_nanos(nearest_second(on_utc).saturating_mul(-SECOND_NS)))
}

/// How much later the edge came than as many seconds after `before` as the kernel counted edges.
/// `None` when the count began anew in between.
#[must_use]
pub fn deviation(before: &PlacedEdge, edge: &PlacedEdge, rho: Ppb) -> Option<Interval> {
    let count = edge.sequence.wrapping_sub(before.sequence);
    if !(1..=COUNT_MAX).contains(&count) {
        return None;
    }
    let shortest = edge.raw.earliest() - before.raw.latest();
    let longest = edge.raw.latest() - before.raw.earliest();
    let drift = rho.over(shortest.magnitude().max(longest.magnitude()));
    let expected = Span::from_nanos(i64::from(count) * SECOND_NS);
    Some(Interval::new(shortest, longest)?.widened(drift).shifted(-expected))
}

/// Whether all of the interval lies beyond the limit, on either side.
fn is_beyond(interval: Interval, limit: Bound) -> bool {
    interval.intersection(Interval::within(limit)).is_none()
}

/// The whole second next to the middle of the interval.
fn nearest_second(interval: Interval) -> i64 {
    interval.midpoint().as_nanos().saturating_add(HALF_SECOND_NS).div_euclid(SECOND_NS)
}

fn spans(window: RawWindow) -> Interval {
    let span = |at: RawInstant| Span::from_nanos(at.as_nanos());
    let (earliest, latest) = (span(window.earliest()), span(window.latest()));
    Interval::new(earliest, latest).expect("a window is never empty")
}

/// The state of the signal changed: with what it was judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PpsChange {
    /// The state before.
    pub from: PpsState,
    /// The state now.
    pub to: PpsState,
    /// By which limits.
    pub limits: PpsLimits,
    /// The last edge before.
    pub before: Option<PlacedEdge>,
    /// The edge that changed it; `None` when it was the lack of one.
    pub edge: Option<PlacedEdge>,
    /// UTC when that edge was judged.
    pub utc: Option<Reading>,
}

impl PpsChange {
    /// Whether the edge, judged again, is what the state says.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let verdict = self
            .edge
            .map(|edge| judge(self.before.as_ref(), &edge, self.utc.as_ref(), &self.limits));
        match (self.to, verdict) {
            (PpsState::Good, verdict) => verdict == Some(EdgeVerdict::Good),
            (PpsState::Shifted, verdict) => verdict == Some(EdgeVerdict::Shifted),
            (PpsState::Jittery, verdict) => verdict == Some(EdgeVerdict::Jittery),
            (PpsState::Doubled, verdict) => matches!(verdict, Some(EdgeVerdict::Doubled(_))),
            (PpsState::Lost, verdict) => matches!(verdict, None | Some(EdgeVerdict::Missing(_))),
            (PpsState::Absent | PpsState::Acquiring | PpsState::Unclear, _) => true,
        }
    }
}

#[cfg(test)]
mod tests;
