//! The first look at the clocks of box B, before anything is measured.

use std::time::Duration;

use chronolease_core::clock_reader::ReaderState;
use chronolease_core::stamped::ReadClocks as _;
use chronolease_net::clock_reader::WatchedClocks;
use tracing::warn;

use crate::core::continuity::Continuity;

/// How long a start waits for the clock reader's first report.
pub(super) const FIRST_WORD: Duration = Duration::from_secs(1);

/// Waits for the clock reader's first report, and begins the guard over this box with what the
/// clocks show then. A reader that does not report within `patience` is lost: the monitor runs and
/// is seen, and grants nothing before the reader is heard, which discards what was measured.
pub(super) async fn first_look(clocks: &WatchedClocks, patience: Duration) -> Continuity {
    let mut reader = clocks.reader.clone();
    let report = async {
        // That it cannot be reached yet is a change too.
        while let ReaderState::Lost(_) = reader.state(clocks.clocks.raw()) {
            reader.changed().await;
        }
    };
    if tokio::time::timeout(patience, report).await.is_err() {
        warn!("the clock reader does not report: nothing is granted before it does");
    }
    Continuity::begin(&clocks.read())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use chronolease_core::clock_reader::{
        ClockReport, ClockWatch, Lost, Machine, Marker, OddReading, Pps, StepNotice, Steps,
    };
    use chronolease_core::id::ReaderRun;
    use chronolease_core::time::Bound;
    use chronolease_net::clock_reader::ClockReader;
    use chronolease_sys::Clocks;
    use tokio::sync::watch;

    use super::*;
    use crate::core::continuity::Break;

    /// A clock reader that says what a test wants.
    struct Fake {
        clocks: WatchedClocks,
        says: watch::Sender<ClockWatch>,
    }

    impl Fake {
        fn new() -> Self {
            let clocks = Clocks::open().expect("the clocks of this box");
            let deaf = ClockWatch::new(clocks.boot_id(), Bound::from_millis(600_000));
            let (says, watch) = watch::channel(deaf);
            // Wide, for a machine that is busy.
            let (bracket, reader) = (Bound::from_millis(1_000), ClockReader::over(watch));
            Self { clocks: WatchedClocks { clocks, bracket, reader }, says }
        }

        fn reports(&self, sequence: u64, steps: u64) {
            let sample = self.clocks.clocks.sample();
            let last = StepNotice { before: sample, after: sample };
            let count = core::num::NonZeroU64::new(steps);
            let report = ClockReport {
                run: ReaderRun::from_bytes([1; 16]),
                sequence,
                sample,
                kernel: Err(OddReading::Refused),
                steps: count.map(|count| Steps { count, last }),
                machine: Machine::Physical,
                marker: Marker::Absent,
                pps: Pps::Absent,
            };
            let now = self.clocks.clocks.raw();
            self.says.send_modify(|watch| watch.on_report(now, report));
        }

        /// What broke by now; readings through a pause tell nothing.
        fn broke(&self, guard: &mut Continuity) -> Option<Break> {
            loop {
                match guard.broken_by(&self.clocks.read()) {
                    Some(Break::Unclear(_)) => {}
                    told => return told,
                }
            }
        }
    }

    /// What the reader tells right after its first report is a break already, though the engine has
    /// not had a turn.
    #[tokio::test]
    async fn the_first_look_waits_for_the_first_report_and_misses_nothing_after_it() {
        let fake = Fake::new();
        let mut look = pin!(first_look(&fake.clocks, Duration::from_secs(600)));
        let mut waits = async || {
            std::future::poll_fn(|cx| Poll::Ready(look.as_mut().poll(cx).is_pending())).await
        };
        assert!(waits().await, "the reader was not heard");
        fake.says.send_modify(|watch| watch.on_loss(Lost::Unreachable));
        assert!(waits().await, "an attempt to connect is no report");
        fake.reports(1, 0);
        let mut guard = look.await;
        assert!(guard.is_watched());
        fake.reports(2, 1);
        assert!(matches!(fake.broke(&mut guard), Some(Break::ClockSet(_))));
        assert_eq!(fake.broke(&mut guard), None);
    }

    #[tokio::test]
    async fn without_a_report_the_guard_begins_unwatched_and_the_first_one_is_a_break() {
        let fake = Fake::new();
        let mut guard = first_look(&fake.clocks, Duration::from_millis(1)).await;
        assert!(!guard.is_watched(), "nothing may be granted");
        assert_eq!(fake.broke(&mut guard), None);
        fake.reports(1, 0);
        let first = Some(Break::Unwatched(Lost::NeverHeard));
        assert_eq!((fake.broke(&mut guard), guard.is_watched()), (first, true));
    }
}
