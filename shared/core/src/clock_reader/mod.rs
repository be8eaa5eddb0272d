//! What the clock reader publishes, and what its word is worth to whoever listens.
//!
//! `chronolease-clock` is the only process that asks the kernel about its clock. It sends a
//! [`ClockReport`] to every listener again and again, and at once when the kernel says that
//! somebody set the clock. A listener feeds a [`ClockWatch`] and asks it whether the clock was left
//! alone since some instant.
//!
//! Each message is one report in canonical DER, in the frames of the link. The grammar is in
//! `asn1.rs` and in `docs/clock.md`.

pub(crate) mod asn1;
mod kernel;
mod machine;
mod pps;
mod view;
mod watch;

use core::num::NonZeroU64;

pub use kernel::{KernelReading, KernelState, KernelStatus, OddReading, TimeState};
pub use machine::{HypervisorName, Machine, Marker};
pub use pps::{Pps, PpsEdge, PpsEdges, RawWindow};
pub use view::{Account, LostKind, ReaderView, ReaderWord};
pub use watch::{ClockWatch, Lost, Mark, ReaderState, Since};

use crate::id::ReaderRun;
use crate::sample::Sample;
use crate::wire::{WireError, asn1 as shared};

/// The version of the report. Both ends must speak the same one.
pub const REPORT_VERSION: u8 = 2;

/// What the clock reader knows at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockReport {
    /// The run of the reader.
    pub run: ReaderRun,
    /// Counts the reports of this run; each goes to every listener.
    pub sequence: u64,
    /// The clocks.
    pub sample: Sample,
    /// The kernel's own account of its clock, or why it is worth nothing this time.
    pub kernel: Result<KernelState, OddReading>,
    /// How often the clock was set since the reader started; `None` for never. It was asked for
    /// after `sample` was taken, so it holds every step that the kernel had announced by then.
    pub steps: Option<Steps>,
    /// What the box is.
    pub machine: Machine,
    /// What the hypervisor promises to change when it disrupts the box.
    pub marker: Marker,
    /// The pulse-per-second signal.
    pub pps: Pps,
}

impl ClockReport {
    /// How many step notices this run of the reader has seen.
    #[must_use]
    pub fn step_count(&self) -> u64 {
        self.steps.map_or(0, |steps| steps.count.get())
    }
}

/// The clock was set while the reader watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// How many notices there were. The kernel merges steps that follow each other quickly.
    pub count: NonZeroU64,
    /// The newest of them.
    pub last: StepNotice,
}

/// One notice of the kernel that the clock was set: stepped, set to the very same time, a leap
/// second, or resumed after a suspension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepNotice {
    /// The last sample before the notice.
    pub before: Sample,
    /// The first sample after it.
    pub after: Sample,
}

/// The report in DER.
#[must_use]
pub fn encode(report: &ClockReport) -> Vec<u8> {
    shared::encode(&asn1::ClockReport::from(report))
}

/// Reads a report.
///
/// # Errors
/// [`WireError`] for anything but one canonical report of [`REPORT_VERSION`].
pub fn decode(der: &[u8]) -> Result<ClockReport, WireError> {
    shared::decode::<asn1::ClockReport>(der)?.try_into()
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
