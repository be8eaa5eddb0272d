//! Edges of box B's pulse-per-second signal, from the reports of its clock reader to the lease.

use chronolease_core::clock_reader::{
    ClockReport, Machine, Marker, OddReading, Pps, PpsEdge, PpsEdges, RawWindow,
};
use chronolease_core::evidence::leaf::Event as Leaf;
use chronolease_core::id::ReaderRun;
use chronolease_core::pps::PpsState;

use super::*;
use crate::core::pps::PpsSays;

/// A bench whose box has a signal, and a TSU with a lease that was granted at 8.01 s.
struct Signal<'a> {
    bench: Bench,
    log: &'a TestLog,
    reports: mpsc::Sender<ClockReport>,
    told: u64,
    counted: u32,
}

impl<'a> Signal<'a> {
    /// Good since a while.
    fn granted(required: bool, log: &'a TestLog, evidence: &Evidence) -> Self {
        let mut bench = Bench::new(log, evidence);
        let (reports, reports_in) = mpsc::channel(16);
        bench.engine.pps = Pulse::new(PpsRules { required, ..PPS }, reports_in);
        (0..5).for_each(|source| bench.polled(source, 1_000));
        let mut signal = Self { bench, log, reports, told: 0, counted: 0 };
        for second in 1..8 {
            signal.turn(second * 1_000 + 50, &[second * 1_000]);
        }
        assert_eq!(signal.state(), PpsState::Good);
        let connected = Bench::connected_by(&signal.bench.outgoing);
        signal.bench.engine.take(&turn(8_000), Some(connected));
        signal.bench.answered(8_010, 0);
        assert_eq!(grants(&signal.bench.sent()), 1);
        signal.turn(8_050, &[8_000]);
        signal
    }

    /// The reader tells of edges.
    fn tell(&mut self, at_ms: i64, edges_ms: &[i64]) {
        let edge = |at: &i64| {
            self.counted += 1;
            let at = sample(*at).raw_after;
            let raw = RawWindow::new(at, at.plus(Bound::from_nanos(2_000)));
            PpsEdge { sequence: self.counted, real: sample(0).real, raw }
        };
        let edges = edges_ms.iter().map(edge).collect();
        self.told += 1;
        let report = ClockReport {
            run: ReaderRun::from_bytes([1; 16]),
            sequence: self.told,
            sample: sample(at_ms),
            kernel: Err(OddReading::Refused),
            steps: None,
            machine: Machine::Physical,
            marker: Marker::Absent,
            pps: Pps::Read(PpsEdges { until: sample(at_ms).raw_after, edges }),
        };
        self.reports.try_send(report).expect("there is room");
    }

    /// A turn of the engine, with a report of edges.
    fn turn(&mut self, at_ms: i64, edges_ms: &[i64]) {
        self.tell(at_ms, edges_ms);
        self.hear(at_ms);
    }

    fn hear(&mut self, at_ms: i64) {
        super::super::pps::hear(&mut self.bench.engine, &turn(at_ms));
    }

    fn state(&self) -> PpsState {
        self.bench.engine.pps.watch().state()
    }

    /// What is on record of the signal and of the ending of leases, in order.
    fn recorded(self, evidence: Evidence) -> Vec<String> {
        self.bench.engine.records.finish(&sample(60_000));
        assert!(close(evidence));
        let told = |event: Leaf| match event {
            Leaf::PpsChange(change) => {
                assert!(change.is_consistent(), "{change:?}");
                Some(format!("{} {}", change.from, change.to))
            }
            Leaf::LeaseEnded(ended) => Some(ended.cause.to_string()),
            _ => None,
        };
        self.log.events().into_iter().filter_map(told).collect()
    }
}

/// Every anomaly: the edges of the second that begins at 9 s.
const ANOMALIES: [(PpsState, &[i64]); 3] = [
    (PpsState::Shifted, &[9_040]),
    (PpsState::Doubled, &[9_000, 9_300]),
    (PpsState::Jittery, &[9_003]),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_anomaly_is_on_record_and_ends_the_lease_where_the_signal_is_needed() {
    for (state, edges_ms) in ANOMALIES {
        for required in [true, false] {
            let log = TestLog::new();
            let evidence = log.open();
            let mut signal = Signal::granted(required, &log, &evidence);
            signal.turn(9_350, edges_ms);
            assert_eq!(signal.state(), state);
            let cause = required.then_some(EndingCause::PpsAnomaly);
            assert_eq!(revoked(&signal.bench.sent()), cause, "{state}");
            // U is as it was: a signal has no part in it.
            let utc = signal.bench.engine.sources.view(sample(1_000).raw_after).utc;
            assert_eq!(utc.map(|utc| utc.half_width()), Ok(Bound::from_millis(5)));
            let mut expected = vec!["absent acquiring".to_owned(), "acquiring good".to_owned()];
            expected.push(format!("good {state}"));
            expected.extend(cause.map(|cause| cause.to_string()));
            assert_eq!(signal.recorded(evidence), expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_stays_away_ends_the_lease_where_it_is_needed() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut signal = Signal::granted(true, &log, &evidence);
    for tenth in 1..=14 {
        signal.turn(8_050 + tenth * 100, &[]);
    }
    assert_eq!((signal.state(), revoked(&signal.bench.sent())), (PpsState::Good, None));
    signal.turn(9_550, &[]);
    assert_eq!(signal.state(), PpsState::Lost);
    assert_eq!(revoked(&signal.bench.sent()), Some(EndingCause::PpsAnomaly));

    // The same of a reader that says nothing at all.
    let (log, other) = (TestLog::new(), evidence);
    assert!(close(other));
    let evidence = log.open();
    let mut signal = Signal::granted(true, &log, &evidence);
    // Renewed, so that it does not run out first.
    signal.bench.tick(9_000);
    signal.bench.answered(9_010, 0);
    assert_eq!(grants(&signal.bench.sent()), 1);
    signal.hear(11_050);
    assert_eq!(revoked(&signal.bench.sent()), None);
    signal.hear(11_051);
    assert_eq!(revoked(&signal.bench.sent()), Some(EndingCause::PpsAnomaly));
}

/// Several reports in one turn, and it is all well again by the last of them. They tell of edges to
/// come, so that the lease does not run out by itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_anomaly_that_was_over_by_the_end_of_the_turn_ended_the_lease_all_the_same() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut signal = Signal::granted(true, &log, &evidence);
    signal.tell(9_100, &[9_040]);
    (10..16).for_each(|second| signal.tell(second * 1_000 + 50, &[second * 1_000]));
    signal.hear(9_150);
    assert_eq!(signal.state(), PpsState::Good);
    assert_eq!(revoked(&signal.bench.sent()), Some(EndingCause::PpsAnomaly));
}

/// U was found at 1 s to +-5 ms. By 61 s it is known to +-11 ms and no better, so an edge that is
/// 18 ms off is within the limit of 10 ms for all that anybody knows.
#[tokio::test(flavor = "multi_thread")]
async fn the_residual_is_aged_by_rho() {
    for (second, expected) in [(9, PpsState::Shifted), (61, PpsState::Acquiring)] {
        let log = TestLog::new();
        let evidence = log.open();
        let mut signal = Signal::granted(false, &log, &evidence);
        signal.bench.engine.pps.broken();
        signal.turn(second * 1_000 + 50, &[second * 1_000 + 18]);
        assert_eq!(signal.state(), expected, "at {second} s");
        drop(signal);
        assert!(close(evidence));
    }
}

/// What was told before a break is about an oscillator that means nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_break_of_box_b_forgets_the_edges_before_it_also_those_that_were_not_heard_yet() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut signal = Signal::granted(true, &log, &evidence);
    signal.tell(9_050, &[9_000]);
    breaks::broke(&mut signal.bench.engine, &turn(9_060), suspended());
    assert_eq!(revoked(&signal.bench.sent()), Some(EndingCause::MonitorBreak));
    let says = signal.bench.engine.pps.watch().says();
    assert_eq!((signal.state(), says), (PpsState::Acquiring, PpsSays::Withholds));
    // Half a second of suspension: out of time with the edge before, and no anomaly. UTC is not
    // known yet.
    signal.turn(9_550, &[9_500]);
    assert_eq!(signal.state(), PpsState::Unclear);
}

fn suspended() -> crate::core::continuity::Break {
    crate::core::continuity::Break::Suspended(Span::from_millis(500))
}
