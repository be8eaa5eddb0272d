//! What the reader's reports are worth to whoever listens.

use super::{
    Account, ClockReport, LostKind, Machine, Marker, OddReading, Pps, ReaderView, StepNotice,
};
use crate::id::{BootId, ReaderRun};
use crate::sample::Sample;
use crate::time::{Bound, RawInstant, Span, Timestamp};

/// Whether the reader watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderState {
    /// It does. The mark stands for this instant in [`ClockWatch::since`].
    Alive(Mark),
    /// Nobody can tell what happens to the clock.
    Lost(Lost),
}

/// Why the reader's word is worth nothing, or did not hold without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// It has not been heard yet.
    #[error("the clock reader has not been heard yet")]
    NeverHeard,
    /// Its socket cannot be reached.
    #[error("the clock reader's socket cannot be reached")]
    Unreachable,
    /// It closed the connection, or its process ended.
    #[error("the clock reader closed the connection")]
    Closed,
    /// What it sent is no report, or takes back a step.
    #[error("what the clock reader sent is no report")]
    Malformed,
    /// Its newest report is too old.
    #[error("the clock reader's newest report is {age} old")]
    Silent {
        /// From the sample of the newest report to now, on the oscillator.
        age: Bound,
    },
    /// Reports are missing.
    #[error("report {found} of the clock reader came after report {after}")]
    Gap {
        /// The last report before the gap.
        after: u64,
        /// The first one behind it.
        found: u64,
    },
    /// It is another run of the reader.
    #[error("the clock reader was restarted")]
    Restarted,
    /// It reads the clocks of another boot.
    #[error("the clock reader reads the clocks of another boot")]
    OtherBoot,
    /// Its sample is later than the report's arrival.
    #[error("the clock reader's sample is from the future")]
    Future,
    /// A sample is earlier than the one before it.
    #[error("the oscillator ran backwards between two reports of the clock reader")]
    RawRegressed,
}

impl Lost {
    /// The reason without its figures.
    #[must_use]
    pub const fn kind(self) -> LostKind {
        match self {
            Self::NeverHeard => LostKind::NeverHeard,
            Self::Unreachable => LostKind::Unreachable,
            Self::Closed => LostKind::Closed,
            Self::Malformed => LostKind::Malformed,
            Self::Silent { .. } => LostKind::Silent,
            Self::Gap { .. } => LostKind::Gap,
            Self::Restarted => LostKind::Restarted,
            Self::OtherBoot => LostKind::OtherBoot,
            Self::Future => LostKind::Future,
            Self::RawRegressed => LostKind::RawRegressed,
        }
    }

    /// The reason as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.kind().label()
    }
}

/// An instant in what one [`ClockWatch`] has seen. Keep it with what was measured then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub(super) epoch: u64,
    pub(super) steps: u64,
    pub(super) disruptions: u64,
}

impl Mark {
    /// How many step notices the watch has heard of.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// How often the hypervisor's marker changed.
    #[must_use]
    pub const fn disruptions(&self) -> u64 {
        self.disruptions
    }
}

/// What happened since a mark. The gravest comes first: a step is told even when the reader was
/// lost afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The reader watched without a gap, and saw nothing.
    Alive,
    /// The clock was set; the newest notice.
    Stepped(StepNotice),
    /// The hypervisor disrupted the box.
    Disrupted,
    /// The reader is lost, or was in between.
    Lost(Lost),
}

/// Listens to the reader. Whatever interrupts the reports begins a new epoch, which nothing that
/// was measured in an earlier one survives: a loss is never forgiven.
#[derive(Clone, Debug)]
pub struct ClockWatch {
    boot_id: BootId,
    silence_max: Bound,
    /// Why there is no reader, until the next report.
    lost: Option<Lost>,
    latest: Option<ClockReport>,
    mark: Mark,
    /// Why the present epoch began.
    began_by: Lost,
    last_step: Option<StepNotice>,
}

impl ClockWatch {
    /// A watch on this box's boot that has heard nothing. A reader is lost when its newest sample
    /// is older than `silence_max`.
    #[must_use]
    pub const fn new(boot_id: BootId, silence_max: Bound) -> Self {
        Self {
            boot_id,
            silence_max,
            lost: None,
            latest: None,
            mark: Mark { epoch: 0, steps: 0, disruptions: 0 },
            began_by: Lost::NeverHeard,
            last_step: None,
        }
    }

    /// A watch on a box at which nothing happens: it has heard the reader, and never finds it
    /// silent. For tests and benches; no program that ships may call it.
    #[must_use]
    pub fn undisturbed(boot_id: BootId) -> Self {
        let start = RawInstant::from_nanos(0);
        let sample = Sample {
            raw_before: start,
            real: Timestamp::from_unix_nanos(0),
            raw_after: start,
            boot_minus_mono: Span::ZERO,
            boot_id,
        };
        let mut watch = Self::new(boot_id, Bound::MAX);
        watch.on_report(
            start,
            ClockReport {
                run: ReaderRun::from_bytes([0; 16]),
                sequence: 1,
                sample,
                kernel: Err(OddReading::Refused),
                steps: None,
                machine: Machine::Unknown,
                marker: Marker::Absent,
                pps: Pps::Absent,
            },
        );
        watch
    }

    /// Takes a report in. `now` was read after the report had arrived.
    pub fn on_report(&mut self, now: RawInstant, report: ClockReport) {
        if let Some(why) = self.refuses(now, &report) {
            self.on_loss(why);
            return;
        }
        let interruption = match self.state(now) {
            ReaderState::Lost(why) => Some(why),
            ReaderState::Alive(_) => self.interruption(&report),
        };
        if let Some(why) = interruption {
            self.mark.epoch += 1;
            self.began_by = why;
        }
        // Steps that another run of the reader counts happened since it started, so they count.
        let known = self.last_of_run(&report).map_or(0, ClockReport::step_count);
        let new = report.step_count().saturating_sub(known);
        if let Some(steps) = report.steps.filter(|_| new > 0) {
            self.mark.steps = self.mark.steps.saturating_add(new);
            self.last_step = Some(steps.last);
        }
        if self.latest.as_ref().is_some_and(|latest| latest.marker != report.marker) {
            self.mark.disruptions += 1;
        }
        self.lost = None;
        self.latest = Some(report);
    }

    /// Notes that the reader cannot be heard any more.
    pub const fn on_loss(&mut self, why: Lost) {
        self.lost = Some(why);
    }

    /// Whether the reader watches at `now`.
    #[must_use]
    pub fn state(&self, now: RawInstant) -> ReaderState {
        if let Some(why) = self.lost {
            return ReaderState::Lost(why);
        }
        let Some(latest) = &self.latest else { return ReaderState::Lost(Lost::NeverHeard) };
        let age = now - latest.sample.raw_before;
        if age > self.silence_max.as_span() {
            return ReaderState::Lost(Lost::Silent { age: age.magnitude() });
        }
        ReaderState::Alive(self.mark)
    }

    /// What happened from `mark` to `now`.
    #[must_use]
    pub fn since(&self, mark: &Mark, now: RawInstant) -> Since {
        self.view(now).since(mark)
    }

    /// All that it can say at `now`, small enough to travel with a sample.
    #[must_use]
    pub fn view(&self, now: RawInstant) -> ReaderView {
        let heard = match (self.state(now), &self.latest) {
            (ReaderState::Lost(why), _) => Err(why),
            (ReaderState::Alive(_), None) => Err(Lost::NeverHeard),
            (ReaderState::Alive(_), Some(latest)) => {
                Ok(Account { kernel: latest.kernel, marker: latest.marker })
            }
        };
        let (mark, began_by, last_step) = (self.mark, self.began_by, self.last_step);
        ReaderView { heard, told: mark, mark, began_by, last_step }
    }

    /// Where it stands. To be taken before the clocks are read; see [`ReaderView::begun_at`].
    #[must_use]
    pub const fn mark(&self) -> Mark {
        self.mark
    }

    /// The newest report that was taken in, alive or lost.
    #[must_use]
    pub const fn latest(&self) -> Option<&ClockReport> {
        self.latest.as_ref()
    }

    /// Why the report cannot be one about this box now.
    fn refuses(&self, now: RawInstant, report: &ClockReport) -> Option<Lost> {
        if report.sample.boot_id != self.boot_id {
            return Some(Lost::OtherBoot);
        }
        if now - report.sample.raw_after < Span::ZERO {
            return Some(Lost::Future);
        }
        if report.sample.bracket().is_none() {
            return Some(Lost::RawRegressed);
        }
        let earlier = self.last_of_run(report)?;
        (report.step_count() < earlier.step_count()).then_some(Lost::Malformed)
    }

    /// Why the report does not go on where the latest one ended.
    fn interruption(&self, report: &ClockReport) -> Option<Lost> {
        let latest = self.latest.as_ref()?;
        if report.run != latest.run {
            Some(Lost::Restarted)
        } else if latest.sequence.checked_add(1) != Some(report.sequence) {
            Some(Lost::Gap { after: latest.sequence, found: report.sequence })
        } else if report.sample.raw_before < latest.sample.raw_after {
            Some(Lost::RawRegressed)
        } else {
            None
        }
    }

    fn last_of_run(&self, report: &ClockReport) -> Option<&ClockReport> {
        self.latest.as_ref().filter(|latest| latest.run == report.run)
    }
}

#[cfg(test)]
mod tests;
