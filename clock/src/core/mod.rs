//! Readings become reports.

mod pps;

use std::num::NonZeroU64;

use chronolease_core::clock_reader::{
    ClockReport, KernelState, Machine, Marker, OddReading, StepNotice, Steps,
};
use chronolease_core::id::ReaderRun;
use chronolease_core::sample::Sample;

use pps::PpsHold;
pub use pps::{Fetched, PpsLook};

/// All that was read for one report.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The clocks. When there are notices, it was taken after them; otherwise before the kernel was
    /// asked for some.
    pub sample: Sample,
    /// How many notices of a set clock came since the last report.
    pub notices: u64,
    /// The kernel's own account.
    pub kernel: Result<KernelState, OddReading>,
    /// The hypervisor's marker.
    pub marker: Marker,
    /// What came from the pulse-per-second device, fetched before the kernel was asked for notices.
    pub pps: PpsLook,
}

/// Numbers the reports of one run and remembers the steps.
#[derive(Debug)]
pub struct Reporter {
    run: ReaderRun,
    machine: Machine,
    sequence: u64,
    steps: Option<Steps>,
    /// The newest sample without a notice behind it.
    last: Sample,
    pps: PpsHold,
}

impl Reporter {
    /// The first report will have the number 1. `first` was taken when the kernel was already
    /// watched for notices.
    #[must_use]
    pub const fn new(run: ReaderRun, machine: Machine, first: Sample) -> Self {
        Self {
            run,
            machine,
            sequence: 0,
            steps: None,
            last: first,
            pps: PpsHold::new(first.raw_before),
        }
    }

    /// The next report.
    pub fn report(&mut self, reading: Reading) -> ClockReport {
        let Reading { sample, notices, kernel, marker, pps } = reading;
        if let Some(new) = NonZeroU64::new(notices) {
            let count = self.steps.map_or(new, |steps| steps.count.saturating_add(notices));
            self.steps =
                Some(Steps { count, last: StepNotice { before: self.last, after: sample } });
        }
        self.last = sample;
        self.sequence += 1;
        ClockReport {
            run: self.run,
            sequence: self.sequence,
            sample,
            kernel,
            steps: self.steps,
            machine: self.machine.clone(),
            marker,
            pps: self.pps.take(pps, notices > 0, &sample),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::id::BootId;
    use chronolease_core::time::{RawInstant, Span, Timestamp};

    fn reading(ms: i64, notices: u64) -> Reading {
        Reading {
            sample: sample(ms),
            notices,
            kernel: Err(OddReading::Refused),
            marker: Marker::Absent,
            pps: PpsLook::Absent,
        }
    }

    fn sample(ms: i64) -> Sample {
        Sample {
            raw_before: RawInstant::from_nanos(ms * 1_000_000),
            real: Timestamp::from_unix_nanos(0),
            raw_after: RawInstant::from_nanos(ms * 1_000_000),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([1; 16]),
        }
    }

    fn reporter() -> Reporter {
        Reporter::new(ReaderRun::from_bytes([3; 16]), Machine::Physical, sample(0))
    }

    #[test]
    fn reports_are_numbered_from_one_without_a_gap() {
        let mut reporter = reporter();
        let numbers: Vec<u64> = (1..4).map(|ms| reporter.report(reading(ms, 0)).sequence).collect();
        assert_eq!(numbers, [1, 2, 3]);
    }

    #[test]
    fn a_step_stays_in_every_later_report_between_the_samples_around_it() {
        let mut reporter = reporter();
        assert_eq!(reporter.report(reading(1, 0)).steps, None);
        let stepped = reporter.report(reading(2, 1)).steps.expect("a step");
        assert_eq!(stepped.count.get(), 1);
        assert_eq!(stepped.last, StepNotice { before: sample(1), after: sample(2) });
        assert_eq!(reporter.report(reading(3, 0)).steps, Some(stepped));
        let again = reporter.report(reading(4, 2)).steps.expect("more steps");
        assert_eq!(again.count.get(), 3);
        assert_eq!(again.last, StepNotice { before: sample(3), after: sample(4) });
    }

    #[test]
    fn a_step_before_the_first_report_has_the_first_sample_before_it() {
        let stepped = reporter().report(reading(5, 1)).steps.expect("a step");
        assert_eq!(stepped.last, StepNotice { before: sample(0), after: sample(5) });
    }
}
