//! One bracketed reading of a box's clocks.

use crate::id::BootId;
use crate::time::{Bound, RawInstant, Span, Timestamp, Utc};

/// A reading of `CLOCK_REALTIME` between two readings of `CLOCK_MONOTONIC_RAW`.
///
/// A process can be paused between any two clock reads. The bracket makes such a pause visible:
/// `real` was true at some instant from `raw_before` to `raw_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The oscillator just before.
    pub raw_before: RawInstant,
    /// The clock that tokens are made from; UTC is what it claims.
    pub real: Timestamp<Utc>,
    /// The oscillator just after.
    pub raw_after: RawInstant,
    /// `CLOCK_BOOTTIME - CLOCK_MONOTONIC`, both read inside the bracket: it grows only while the
    /// box is suspended. Exact to within the bracket.
    pub boot_minus_mono: Span,
    /// The boot that the other readings belong to.
    pub boot_id: BootId,
}

impl Sample {
    /// How long the reading may have taken. `None` when the oscillator ran backwards, which no
    /// sound box shows.
    #[must_use]
    pub fn bracket(&self) -> Option<Bound> {
        let length = self.raw_after - self.raw_before;
        (length >= Span::ZERO).then(|| length.magnitude())
    }

    /// `real - raw`: constant while the clock runs at the oscillator's rate. `raw_before` stands
    /// for the instant, so it overstates by at most the bracket.
    #[must_use]
    pub fn real_minus_raw(&self) -> Span {
        Span::from_nanos(self.real.as_unix_nanos()) - Span::from_nanos(self.raw_before.as_nanos())
    }
}
