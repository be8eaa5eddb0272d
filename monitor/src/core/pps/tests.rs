use super::*;
use chronolease_core::clock_reader::{Machine, Marker, OddReading, PpsEdge, RawWindow};
use chronolease_core::id::BootId;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Ppb, Span, Timestamp};

const LIMITS: PpsLimits = PpsLimits {
    residual: Bound::from_millis(5),
    jitter: Bound::from_millis(1),
    rho: Ppb::from_ppm(100),
};

/// UTC - RAW is so many whole seconds.
const WHOLE_NS: i64 = 1_800_000_000_000_000_000;

fn at(ms: i64) -> RawInstant {
    RawInstant::from_nanos(ms * 1_000_000)
}

fn report(run: u8, sequence: u64, ms: i64, pps: Pps) -> ClockReport {
    ClockReport {
        run: ReaderRun::from_bytes([run; 16]),
        sequence,
        sample: Sample {
            raw_before: at(ms),
            real: Timestamp::from_unix_nanos(0),
            raw_after: at(ms),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([1; 16]),
        },
        kernel: Err(OddReading::Refused),
        steps: None,
        machine: Machine::Physical,
        marker: Marker::Absent,
        pps,
    }
}

/// A signal and a watch on it. UTC - RAW is a whole number of seconds.
struct Signal {
    watch: PpsWatch,
    run: u8,
    /// How many were made.
    reports: u64,
    sequence: u32,
    /// The oscillator.
    ms: i64,
    /// How well UTC is known; `None`: not at all.
    radius_ms: Option<u64>,
    leapt_s: i64,
}

impl Signal {
    fn new(required: bool) -> Self {
        let watch = PpsWatch::new(PpsRules { limits: LIMITS, required });
        Self {
            watch,
            run: 1,
            reports: 0,
            sequence: u32::MAX - 2,
            ms: 0,
            radius_ms: Some(2),
            leapt_s: 0,
        }
    }

    /// One that is good since a while.
    fn good(required: bool) -> Self {
        let mut signal = Self::new(required);
        for _ in 0..10 {
            signal.second(&[0]);
        }
        assert_eq!(signal.state(), PpsState::Good);
        signal.watch.take_changes();
        signal
    }

    fn utc(&self) -> Option<Reading> {
        let radius = Bound::from_millis(self.radius_ms?);
        let whole = Span::from_nanos(WHOLE_NS + self.leapt_s * 1_000_000_000);
        let utc_minus_raw = Interval::within(radius).shifted(whole);
        Some(Reading { at: at(self.ms), utc_minus_raw })
    }

    fn hear(&mut self, edges: &[PpsEdge]) {
        let read = PpsEdges { until: at(self.ms), edges: edges.to_vec() };
        self.tell(Pps::Read(read));
    }

    fn tell(&mut self, pps: Pps) {
        self.reports += 1;
        let report = report(self.run, self.reports, self.ms, pps);
        self.watch.hear(&report, self.utc());
    }

    /// A second passes with edges so many milliseconds after its beginning, each told 50 ms later.
    fn second(&mut self, offsets_ms: &[i64]) {
        let start = self.ms;
        for tenth in 0..10 {
            self.ms = start + tenth * 100 + 50;
            let told = |offset: &&i64| (tenth * 100 - 50..tenth * 100 + 50).contains(*offset);
            let edges: Vec<_> = offsets_ms.iter().filter(told).collect();
            let edges: Vec<_> = edges.into_iter().map(|ms| self.edge(start + ms)).collect();
            self.hear(&edges);
        }
        self.ms = start + 1_000;
    }

    /// A second passes with an edge that a step took its place from: where it would have been put
    /// lies 40 ms off.
    fn second_without_a_place(&mut self) {
        let edge = self.edge(self.ms);
        self.ms += 50;
        self.hear(&[PpsEdge { raw: None, ..edge }]);
        self.ms += 900;
        self.hear(&[]);
        self.ms += 50;
    }

    fn edge(&mut self, ms: i64) -> PpsEdge {
        self.sequence = self.sequence.wrapping_add(1);
        let raw = RawWindow::new(at(ms), at(ms).plus(Bound::from_nanos(2_000)));
        PpsEdge { sequence: self.sequence, real: Timestamp::from_unix_nanos(0), raw }
    }

    fn state(&self) -> PpsState {
        self.watch.state()
    }

    /// What became of it, in order. What is recorded must hold when it is judged again.
    fn became(&mut self) -> Vec<PpsState> {
        let changes = self.watch.take_changes();
        assert!(changes.iter().all(PpsChange::is_consistent), "{changes:?}");
        changes.iter().map(|change| change.to).collect()
    }

    /// The same signal again, until it is good.
    fn recover(&mut self) {
        for _ in 0..4 {
            self.second(&[0]);
            assert!(self.state() != PpsState::Good, "too soon");
        }
        self.second(&[0]);
        self.second(&[0]);
        assert_eq!(self.state(), PpsState::Good);
    }
}

#[test]
fn a_signal_is_good_after_a_row_of_good_edges() {
    let mut signal = Signal::new(true);
    assert_eq!((signal.state(), signal.watch.says()), (PpsState::Absent, PpsSays::Withholds));
    for _ in 0..4 {
        signal.second(&[0]);
        assert_eq!(signal.watch.says(), PpsSays::Withholds);
    }
    signal.second(&[0]);
    assert_eq!(signal.watch.says(), PpsSays::Permits);
    assert_eq!(signal.became(), [PpsState::Acquiring, PpsState::Good]);
    let residual = signal.watch.residual().expect("compared");
    assert!(residual.magnitude() <= Bound::from_millis(3), "{residual}");
    assert_eq!(signal.watch.counts(), Counts::default());
}

#[test]
fn a_shifted_signal_is_an_anomaly_until_it_comes_back() {
    let mut signal = Signal::good(true);
    signal.second(&[40]);
    assert_eq!((signal.became(), signal.watch.says()), (vec![PpsState::Shifted], PpsSays::Forbids));
    // It stays one for as long as it is shifted, however regular it is.
    for _ in 0..20 {
        signal.second(&[40]);
    }
    assert_eq!((signal.became(), signal.state()), (vec![], PpsState::Shifted));
    signal.recover();
}

#[test]
fn a_signal_without_edges_is_lost_within_two_seconds() {
    let mut signal = Signal::good(true);
    // The last edge was a second ago.
    signal.second(&[]);
    assert_eq!((signal.became(), signal.watch.says()), (vec![PpsState::Lost], PpsSays::Forbids));
    signal.second(&[]);
    // The kernel counted none, so the next one shows how many are missing.
    signal.second(&[0]);
    assert_eq!(signal.watch.counts(), Counts { missing: 2, doubled: 0 });
    signal.recover();
}

#[test]
fn a_single_missing_edge_is_found() {
    let mut signal = Signal::good(true);
    signal.second(&[]);
    signal.second(&[0]);
    assert_eq!(signal.became(), [PpsState::Lost]);
    assert_eq!(signal.watch.counts(), Counts { missing: 1, doubled: 0 });
}

#[test]
fn a_signal_that_never_comes_is_lost() {
    let mut signal = Signal::new(true);
    signal.second(&[]);
    signal.second(&[]);
    assert_eq!(signal.became(), [PpsState::Acquiring, PpsState::Lost]);
}

#[test]
fn a_second_edge_in_a_second_is_found_whether_it_was_seen_or_only_counted() {
    let mut signal = Signal::good(true);
    signal.second(&[0, 300]);
    assert_eq!(signal.became(), [PpsState::Doubled]);
    assert_eq!(signal.watch.counts(), Counts { missing: 0, doubled: 1 });

    let mut signal = Signal::good(true);
    signal.sequence = signal.sequence.wrapping_add(1);
    signal.second(&[0]);
    assert_eq!((signal.became(), signal.watch.says()), (vec![PpsState::Doubled], PpsSays::Forbids));
    assert_eq!(signal.watch.counts(), Counts { missing: 0, doubled: 1 });
    signal.recover();
}

#[test]
fn a_signal_that_stays_doubled_is_that_and_nothing_else() {
    let mut signal = Signal::good(true);
    (0..10).for_each(|_| signal.second(&[0, 300]));
    assert_eq!((signal.became(), signal.state()), (vec![PpsState::Doubled], PpsState::Doubled));
    assert_eq!(signal.watch.counts(), Counts { missing: 0, doubled: 10 });
    signal.recover();
}

#[test]
fn a_jittery_signal_is_an_anomaly_also_without_utc() {
    for radius_ms in [Some(2), None] {
        let mut signal = Signal::good(true);
        signal.radius_ms = radius_ms;
        signal.second(&[3]);
        assert_eq!(signal.became(), [PpsState::Jittery]);
        let jitter = signal.watch.jitter().expect("there is an edge before");
        assert!(jitter.lo() > Span::from_millis(2), "{jitter}");
    }
}

#[test]
fn an_edge_that_lost_its_place_in_a_step_is_neither_missing_nor_shifted() {
    let mut signal = Signal::good(true);
    for _ in 0..4 {
        signal.second_without_a_place();
    }
    assert_eq!((signal.became(), signal.state()), (vec![], PpsState::Good));
    signal.second(&[0]);
    assert_eq!((signal.became(), signal.watch.counts()), (vec![], Counts::default()));
}

/// Nothing was compared for long, so nothing rests on the signal; it is not missing either.
#[test]
fn a_signal_whose_edges_never_have_a_place_is_unclear() {
    let mut signal = Signal::good(true);
    for _ in 0..10 {
        signal.second_without_a_place();
    }
    assert_eq!(signal.became(), [PpsState::Unclear]);
    assert_eq!(signal.watch.says(), PpsSays::Withholds);
    signal.second(&[0]);
    assert_eq!((signal.became(), signal.watch.counts()), (vec![PpsState::Good], Counts::default()));
}

#[test]
fn nothing_is_said_unless_utc_is_narrow() {
    for radius_ms in [Some(125), Some(10_000), None] {
        let mut signal = Signal::good(true);
        signal.radius_ms = radius_ms;
        // A step that no jitter limit sees: it comes with the reader.
        signal.watch.interrupted();
        for _ in 0..10 {
            signal.second(&[300]);
        }
        assert_eq!(signal.became(), [PpsState::Acquiring, PpsState::Unclear], "{radius_ms:?}");
        assert_eq!(signal.watch.says(), PpsSays::Withholds);
        signal.radius_ms = Some(20);
        signal.second(&[300]);
        assert_eq!(signal.state(), PpsState::Shifted);
    }
}

#[test]
fn a_short_lack_of_utc_leaves_a_signal_good_and_a_long_one_does_not() {
    let mut signal = Signal::good(true);
    signal.radius_ms = None;
    for _ in 0..5 {
        signal.second(&[0]);
        assert_eq!(signal.state(), PpsState::Good);
    }
    signal.second(&[0]);
    signal.second(&[0]);
    assert_eq!(signal.became(), [PpsState::Unclear]);
    signal.radius_ms = Some(2);
    signal.second(&[0]);
    assert_eq!(signal.became(), [PpsState::Good]);
}

/// UTC repeats or skips a second, and is not known around it. The edges run on.
#[test]
fn edges_still_fall_on_whole_seconds_around_a_leap_second() {
    for leap_s in [-1, 1] {
        let mut signal = Signal::good(true);
        signal.radius_ms = None;
        (0..3).for_each(|_| signal.second(&[0]));
        signal.leapt_s = leap_s;
        signal.radius_ms = Some(2);
        (0..10).for_each(|_| signal.second(&[0]));
        assert_eq!((signal.became(), signal.state()), (vec![], PpsState::Good), "{leap_s}");
        // And one that is off is found there as well.
        signal.second(&[40]);
        assert_eq!(signal.state(), PpsState::Shifted);
    }
}

#[test]
fn what_is_not_required_forbids_nothing() {
    let mut signal = Signal::new(false);
    assert_eq!(signal.watch.says(), PpsSays::Permits);
    signal.second(&[0, 300]);
    assert_eq!((signal.state(), signal.watch.says()), (PpsState::Doubled, PpsSays::Permits));
}

#[test]
fn a_device_that_fails_or_falls_silent_is_lost_and_one_that_is_gone_is_absent() {
    let mut signal = Signal::good(true);
    signal.tell(Pps::Failed);
    assert_eq!((signal.became(), signal.watch.says()), (vec![PpsState::Lost], PpsSays::Forbids));
    signal.tell(Pps::Absent);
    assert_eq!(
        (signal.became(), signal.watch.says()),
        (vec![PpsState::Absent], PpsSays::Withholds)
    );

    let mut signal = Signal::good(true);
    signal.watch.tick(at(signal.ms + 2_900));
    assert_eq!(signal.state(), PpsState::Good);
    signal.watch.tick(at(signal.ms + 3_000));
    assert_eq!(signal.became(), [PpsState::Lost]);
}

#[test]
fn another_run_of_the_reader_begins_anew() {
    let mut signal = Signal::good(true);
    (signal.run, signal.sequence) = (2, 77);
    signal.second(&[0]);
    assert_eq!(signal.became(), [PpsState::Acquiring]);
    (0..5).for_each(|_| signal.second(&[0]));
    assert_eq!((signal.became(), signal.watch.counts()), (vec![PpsState::Good], Counts::default()));
}

/// What a report that is missing told is missing too: nothing may be taken for a finding.
#[test]
fn a_missing_report_begins_anew() {
    let mut signal = Signal::good(true);
    signal.reports += 1;
    // It told of the edge of this second; nobody counted the next one twice.
    signal.ms += 1_700;
    signal.hear(&[]);
    assert_eq!(signal.became(), [PpsState::Acquiring]);
    signal.ms += 300;
    (0..5).for_each(|_| signal.second(&[0]));
    assert_eq!((signal.became(), signal.watch.counts()), (vec![PpsState::Good], Counts::default()));
}

/// A reader that is gone interrupts first, and is missed all the same.
#[test]
fn a_signal_that_nobody_reads_any_more_is_lost() {
    let mut signal = Signal::good(true);
    signal.watch.interrupted();
    signal.watch.tick(at(signal.ms + 2_900));
    assert_eq!(signal.became(), [PpsState::Acquiring]);
    signal.watch.tick(at(signal.ms + 3_000));
    assert_eq!((signal.became(), signal.watch.says()), (vec![PpsState::Lost], PpsSays::Forbids));
}
