use super::*;
use chronolease_core::clock_reader::{
    ClockReport, ClockWatch, Machine, Marker, OddReading, Pps, StepNotice, Steps,
};
use chronolease_core::id::ReaderRun;
use chronolease_core::sample::Sample;
use chronolease_core::time::{RawInstant, Timestamp};

const BOOT: BootId = BootId::from_bytes([0; 16]);

fn sample(boot_minus_mono_ms: i64, bracket_ms: u64) -> Sample {
    let raw_before = RawInstant::from_nanos(0);
    Sample {
        raw_before,
        real: Timestamp::from_unix_nanos(0),
        raw_after: raw_before.plus(Bound::from_millis(bracket_ms)),
        boot_minus_mono: Span::from_millis(boot_minus_mono_ms),
        boot_id: BOOT,
    }
}

/// This sample, as seen by a box whose reader says what `watch` heard.
fn read(watch: &ClockWatch, sample: Sample) -> Reading {
    Reading { sample, reader: watch.view(sample.raw_after) }
}

fn undisturbed(boot_minus_mono_ms: i64, bracket_ms: u64) -> Reading {
    read(&ClockWatch::undisturbed(BOOT), sample(boot_minus_mono_ms, bracket_ms))
}

#[test]
fn a_suspension_is_told_once() {
    let mut continuity = Continuity::begin(&undisturbed(40, 0));
    assert_eq!(continuity.broken_by(&undisturbed(41, 0)), None);
    let suspended = Break::Suspended(Span::from_millis(5_000));
    assert_eq!(continuity.broken_by(&undisturbed(5_040, 0)), Some(suspended));
    assert_eq!(continuity.broken_by(&undisturbed(5_040, 0)), None);
}

#[test]
fn many_small_suspensions_add_up() {
    let mut continuity = Continuity::begin(&undisturbed(40, 0));
    let found = (40..44).filter_map(|ms| continuity.broken_by(&undisturbed(ms, 0))).count();
    assert_eq!(found, 1);
}

#[test]
fn a_sample_that_cannot_tell_is_a_break_and_hides_none() {
    let mut continuity = Continuity::begin(&undisturbed(40, 0));
    let unclear = Break::Unclear(Some(Bound::from_millis(100)));
    assert_eq!(continuity.broken_by(&undisturbed(5_040, 100)), Some(unclear));
    assert!(matches!(continuity.broken_by(&undisturbed(5_040, 0)), Some(Break::Suspended(_))));
}

#[test]
fn another_boot_is_a_break() {
    let mut continuity = Continuity::begin(&undisturbed(40, 0));
    let mut rebooted = undisturbed(40, 0);
    rebooted.sample.boot_id = BootId::from_bytes([9; 16]);
    let broke = continuity.broken_by(&rebooted);
    assert_eq!(broke, Some(Break::Rebooted(BootId::from_bytes([9; 16]))));
}

/// A watch that hears report after report.
struct Heard {
    watch: ClockWatch,
    sequence: u64,
}

impl Heard {
    fn new() -> Self {
        Self { watch: ClockWatch::new(BOOT, Bound::from_millis(1_000)), sequence: 0 }
    }

    fn report(&mut self, steps: u64, marker: Marker) {
        self.sequence += 1;
        let last = StepNotice { before: sample(40, 0), after: sample(40, 0) };
        let count = core::num::NonZeroU64::new(steps);
        let report = ClockReport {
            run: ReaderRun::from_bytes([1; 16]),
            sequence: self.sequence,
            sample: sample(40, 0),
            kernel: Err(OddReading::Refused),
            steps: count.map(|count| Steps { count, last }),
            machine: Machine::Physical,
            marker,
            pps: Pps::Absent,
        };
        self.watch.on_report(sample(40, 0).raw_after, report);
    }

    fn now(&self) -> Reading {
        read(&self.watch, sample(40, 0))
    }
}

#[test]
fn a_step_a_disruption_and_a_lost_reader_are_each_told_once() {
    let mut heard = Heard::new();
    heard.report(0, Marker::Absent);
    let mut continuity = Continuity::begin(&heard.now());
    assert_eq!((continuity.broken_by(&heard.now()), continuity.is_watched()), (None, true));
    heard.report(1, Marker::Absent);
    assert_eq!(continuity.broken_by(&heard.now()), Some(Break::ClockSet(Span::ZERO)));
    assert_eq!(continuity.broken_by(&heard.now()), None);
    heard.report(1, Marker::Unreadable);
    assert_eq!(continuity.broken_by(&heard.now()), Some(Break::Disrupted));
    assert_eq!(continuity.broken_by(&heard.now()), None);
    heard.watch.on_loss(Lost::Closed);
    let lost = Some(Break::Unwatched(Lost::Closed));
    assert_eq!((continuity.broken_by(&heard.now()), continuity.is_watched()), (lost, false));
    assert_eq!((continuity.broken_by(&heard.now()), continuity.is_watched()), (None, false));
    // What was measured without a reader is discarded when it comes back.
    heard.report(1, Marker::Unreadable);
    let back = continuity.broken_by(&heard.now());
    assert!(matches!(back, Some(Break::Unwatched(_))), "{back:?}");
    assert_eq!((continuity.broken_by(&heard.now()), continuity.is_watched()), (None, true));
}

/// Seed 8981 of the simulator: the polls have begun with the guard, and the reader tells of a set clock
/// before the monitor's first turn.
#[test]
fn what_is_told_between_the_first_look_and_the_first_turn_is_a_break() {
    for (steps, marker, broke) in [
        (1, Marker::Absent, Break::ClockSet(Span::ZERO)),
        (0, Marker::Unreadable, Break::Disrupted),
    ] {
        let mut heard = Heard::new();
        heard.report(0, Marker::Absent);
        let mut continuity = Continuity::begin(&heard.now());
        heard.report(steps, marker);
        assert_eq!(continuity.broken_by(&heard.now()), Some(broke));
        assert_eq!(continuity.broken_by(&heard.now()), None);
    }
}

/// What the reader counts from before the first look is about nothing that was measured.
#[test]
fn what_was_told_before_the_first_look_is_no_break() {
    let mut heard = Heard::new();
    heard.report(0, Marker::Absent);
    heard.report(3, Marker::Unreadable);
    let mut continuity = Continuity::begin(&heard.now());
    assert_eq!((continuity.broken_by(&heard.now()), continuity.is_watched()), (None, true));
}

#[test]
fn a_first_look_without_a_reader_is_unwatched_and_its_first_word_a_break() {
    let mut heard = Heard::new();
    let mut continuity = Continuity::begin(&heard.now());
    assert_eq!((continuity.broken_by(&heard.now()), continuity.is_watched()), (None, false));
    heard.report(0, Marker::Absent);
    let back = Some(Break::Unwatched(Lost::NeverHeard));
    assert_eq!((continuity.broken_by(&heard.now()), continuity.is_watched()), (back, true));
    assert_eq!(continuity.broken_by(&heard.now()), None);
}
