//! The laboratories: most are right, up to f of them lie, some fall silent.

use chronolease_core::interval::Interval;
use chronolease_core::time::{Bound, RawInstant, Span};
use chronolease_monitor::core::ntp::exchange::SourceSample;
use chronolease_monitor::core::ntp::packet::{LeapIndicator, RefId};
use chronolease_monitor::core::sources::{PollResult, Report};

use super::{BOX_B, Happens, World};
use crate::clock::{Instant, MS};
use crate::monitor::Monitor;

/// One server, which is a laboratory of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SourceState {
    /// How far off it is; it says so within its root distance when it is honest.
    pub(super) error: i64,
    /// It lies by this much until then.
    pub(super) lie: (Instant, i64),
    pub(super) silent_until: Instant,
    /// The path to it is slow one way until then, by this much.
    pub(super) slow: (Instant, i64),
}

/// What an honest server states about itself.
const ROOT_DISTANCE: i64 = 2 * MS;

impl World {
    /// The monitor polls a source; the next poll is on its way.
    pub(super) fn poll(&mut self, source: usize) {
        let next = self.dice.range(950 * MS, 1_050 * MS);
        self.after(next, Happens::Poll { source });
        let state = self.sources[source];
        let (there, back) = (self.dice.range(MS / 2, 6 * MS), self.dice.range(MS / 2, 6 * MS));
        let slow = if self.now < state.slow.0 { state.slow.1 } else { 0 };
        let lie = if self.now < state.lie.0 { state.lie.1 } else { 0 };
        let Some(epoch) = self.monitor.as_ref().and_then(Monitor::epoch) else { return };
        let life = self.hosts[BOX_B].life;
        let sent = self.hosts[BOX_B].clock.raw(self.now);
        // T2 and T3 at one instant.
        let served = self.now + there + slow;
        let shown = self.truth.utc(served) + state.error + lie;
        let arrives = served + back;
        let result = if self.now < state.silent_until {
            PollResult::NoAnswer
        } else {
            // Filled in when it arrives: T4 is read then.
            PollResult::Sample(self.exchange(sent, sent, shown, served))
        };
        let report = Report { source, epoch, result };
        self.later(arrives, Happens::Polled { life, report: Box::new(report) });
    }

    /// The answer is in: T4 is read.
    pub(super) fn polled(&mut self, mut report: Report) -> Report {
        if let PollResult::Sample(sample) = &mut report.result {
            let received = self.hosts[BOX_B].clock.raw(self.now);
            // `lo` stood for T3 - T1 until now.
            let passed = received - sample.sent.as_nanos();
            let (lo, hi) = (sample.utc_minus_raw.lo(), sample.utc_minus_raw.hi());
            let lo = lo - Span::from_nanos(passed);
            if let Some(interval) = Interval::new(lo, hi) {
                sample.utc_minus_raw = interval;
            }
            sample.received = RawInstant::from_nanos(received);
            sample.delay = Span::from_nanos(passed).magnitude();
        }
        report
    }

    fn exchange(&self, sent: i64, received: i64, shown: i64, served: Instant) -> SourceSample {
        let at_least = Span::from_nanos(shown - sent - ROOT_DISTANCE);
        let at_most = Span::from_nanos(shown - sent + ROOT_DISTANCE);
        let leap = match self.truth.leap {
            Some((at, by)) if served < at && by < 0 => LeapIndicator::Insert,
            Some((at, _)) if served < at => LeapIndicator::Delete,
            _ => LeapIndicator::NoWarning,
        };
        SourceSample {
            utc_minus_raw: Interval::new(at_least, at_most).expect("the root distance is positive"),
            sent: RawInstant::from_nanos(sent),
            received: RawInstant::from_nanos(received),
            delay: Bound::ZERO,
            root_distance: Span::from_nanos(ROOT_DISTANCE).magnitude(),
            stratum: 1,
            leap,
            authenticated: false,
            reference_id: RefId(*b"PPS\0"),
        }
    }
}
