//! Pulses per second (RFC 2783): each edge on the oscillator's scale.

use crate::sample::Sample;
use crate::time::{Bound, RawInstant, Span, Timestamp, Utc};

/// What the reader knows of a pulse-per-second signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pps {
    /// No device is configured.
    Absent,
    /// There is a device, and it cannot be read.
    Failed,
    /// The device is read.
    Read(PpsEdges),
}

/// What came from the device since the last report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PpsEdges {
    /// Every edge that the kernel captured before this instant is in this report or in an earlier
    /// one, unless a newer edge overtook it: the kernel keeps the newest alone.
    pub until: RawInstant,
    /// The edges that no earlier report told, oldest first; [`PpsEdges::MAX`] at most.
    pub edges: Vec<PpsEdge>,
}

impl PpsEdges {
    /// The most edges in a report. Older ones are dropped, and show as a gap in the sequence.
    pub const MAX: usize = 8;
}

/// One edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PpsEdge {
    /// The kernel's count of edges. It wraps.
    pub sequence: u32,
    /// The kernel's `CLOCK_REALTIME` at the edge.
    pub real: Timestamp<Utc>,
    /// When the edge was on the oscillator. `None` when nobody can tell: the clock was set between
    /// the edge and the reading.
    pub raw: Option<RawWindow>,
}

/// An instant on the oscillator that is known only to lie from `earliest` to `latest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawWindow {
    earliest: RawInstant,
    latest: RawInstant,
}

impl RawWindow {
    /// The window, or `None` when it is empty.
    #[must_use]
    pub fn new(earliest: RawInstant, latest: RawInstant) -> Option<Self> {
        (earliest <= latest).then_some(Self { earliest, latest })
    }

    /// Its beginning.
    #[must_use]
    pub const fn earliest(self) -> RawInstant {
        self.earliest
    }

    /// Its end.
    #[must_use]
    pub const fn latest(self) -> RawInstant {
        self.latest
    }
}

impl PpsEdge {
    /// `CLOCK_REALTIME` runs within an eighth of the oscillator's rate, whatever adjtimex(2) is
    /// told: the tick can be changed by 10 %, and frequency and slewing add 500 ppm each.
    const RATE_DIVISOR: u64 = 8;

    /// Moves an edge at `real` to the oscillator's scale by a sample that was read after it. The
    /// edge is as long before the sample as the clock says, give or take what the clock may have
    /// been slewed by meanwhile. `None` when the sample is not from after the edge, so the clock was
    /// set in between.
    #[must_use]
    pub fn placed(real: Timestamp<Utc>, sample: &Sample) -> Option<RawWindow> {
        let since = sample.real - real;
        if since < Span::ZERO {
            return None;
        }
        let slew = Bound::from_nanos(since.magnitude().as_nanos().div_ceil(Self::RATE_DIVISOR));
        let back = |from: RawInstant, by: Span| {
            RawInstant::from_nanos(from.as_nanos().saturating_sub(by.as_nanos()))
        };
        let earliest = back(sample.raw_before, since + slew.as_span());
        // An edge is never later than the reading that shows it.
        let latest = back(sample.raw_after, since - slew.as_span());
        RawWindow::new(earliest, latest)
    }
}

#[cfg(test)]
mod tests;
