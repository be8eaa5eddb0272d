use core::num::NonZeroU64;

use proptest::prelude::*;

use super::*;
use crate::clock_reader::{Pps, Steps};

const BOOT: BootId = BootId::from_bytes([7; 16]);
const SILENCE_MAX: Bound = Bound::from_millis(1_000);

fn at(ms: i64) -> RawInstant {
    RawInstant::from_nanos(ms * 1_000_000)
}

fn sample(ms: i64) -> Sample {
    Sample {
        raw_before: at(ms),
        real: Timestamp::from_unix_nanos(0),
        raw_after: RawInstant::from_nanos(ms * 1_000_000 + 1_000),
        boot_minus_mono: Span::ZERO,
        boot_id: BOOT,
    }
}

/// Report `sequence` of run `run`, sampled at `ms`, with so many steps so far.
fn report(run: u8, sequence: u64, ms: i64, steps: u64) -> ClockReport {
    let last = StepNotice { before: sample(ms - 100), after: sample(ms) };
    ClockReport {
        run: ReaderRun::from_bytes([run; 16]),
        sequence,
        sample: sample(ms),
        kernel: Err(OddReading::Refused),
        steps: NonZeroU64::new(steps).map(|count| Steps { count, last }),
        machine: Machine::Physical,
        marker: Marker::Absent,
        pps: Pps::Absent,
    }
}

/// Hands the report over a millisecond after its sample.
fn hear(watch: &mut ClockWatch, report: ClockReport) {
    watch.on_report(report.sample.raw_before.plus(Bound::from_millis(1)), report);
}

/// A watch that heard reports 1 and 2 of run 1, at 0 and 100 ms, and its mark.
fn watching() -> (ClockWatch, Mark) {
    let mut watch = ClockWatch::new(BOOT, SILENCE_MAX);
    hear(&mut watch, report(1, 1, 0, 0));
    hear(&mut watch, report(1, 2, 100, 0));
    let ReaderState::Alive(mark) = watch.state(at(101)) else { panic!("it was just heard") };
    (watch, mark)
}

#[test]
fn nothing_heard_is_lost() {
    let mut watch = ClockWatch::new(BOOT, SILENCE_MAX);
    assert_eq!(watch.state(at(0)), ReaderState::Lost(Lost::NeverHeard));
    watch.on_loss(Lost::Unreachable);
    assert_eq!(watch.state(at(0)), ReaderState::Lost(Lost::Unreachable));
}

#[test]
fn consecutive_reports_keep_the_mark() {
    let (mut watch, mark) = watching();
    for n in 3..30 {
        hear(&mut watch, report(1, n, i64::try_from(n).expect("small") * 100 - 100, 0));
    }
    assert_eq!(watch.since(&mark, at(2_901)), Since::Alive);
    assert_eq!(watch.state(at(2_901)), ReaderState::Alive(mark));
}

#[test]
fn silence_is_lost_by_the_age_of_the_sample_and_never_forgiven() {
    let (mut watch, mark) = watching();
    assert_eq!(watch.since(&mark, at(1_100)), Since::Alive, "just not too old");
    let late = RawInstant::from_nanos(1_100_000_001);
    let silent = Lost::Silent { age: Bound::from_nanos(1_000_000_001) };
    assert_eq!(watch.state(late), ReaderState::Lost(silent));
    // The next report was sampled in time, but it arrived late.
    watch.on_report(late, report(1, 3, 200, 0));
    assert!(matches!(watch.state(late), ReaderState::Alive(_)));
    assert_eq!(watch.since(&mark, late), Since::Lost(silent));
}

#[test]
fn a_report_that_is_old_on_arrival_proves_nothing() {
    let (mut watch, _) = watching();
    watch.on_report(at(5_000), report(1, 3, 200, 0));
    assert!(matches!(watch.state(at(5_000)), ReaderState::Lost(Lost::Silent { .. })));
}

#[test]
fn a_step_is_told_once_for_each_mark() {
    let (mut watch, mark) = watching();
    let stepped = report(1, 3, 150, 1);
    let notice = stepped.steps.expect("one").last;
    hear(&mut watch, stepped);
    hear(&mut watch, report(1, 4, 250, 1));
    assert_eq!(watch.since(&mark, at(260)), Since::Stepped(notice));
    let ReaderState::Alive(later) = watch.state(at(260)) else { panic!("a step is no loss") };
    assert_eq!(watch.since(&later, at(260)), Since::Alive);
}

#[test]
fn a_step_is_told_even_when_the_reader_is_lost_afterwards() {
    let (mut watch, mark) = watching();
    hear(&mut watch, report(1, 3, 150, 1));
    watch.on_loss(Lost::Closed);
    assert!(matches!(watch.since(&mark, at(160)), Since::Stepped(_)));
    assert_eq!(watch.state(at(160)), ReaderState::Lost(Lost::Closed));
}

#[test]
fn a_step_that_a_new_run_saw_before_it_was_heard_counts() {
    let (mut watch, mark) = watching();
    watch.on_loss(Lost::Closed);
    hear(&mut watch, report(2, 9, 900, 1));
    assert!(matches!(watch.since(&mark, at(901)), Since::Stepped(_)));
}

#[test]
fn a_loss_is_told_at_once_and_is_not_undone_by_a_return() {
    let (mut watch, mark) = watching();
    watch.on_loss(Lost::Closed);
    assert_eq!(watch.since(&mark, at(102)), Since::Lost(Lost::Closed));
    // Even though the same run comes back with the very next report.
    hear(&mut watch, report(1, 3, 200, 0));
    assert!(matches!(watch.state(at(201)), ReaderState::Alive(_)));
    assert_eq!(watch.since(&mark, at(201)), Since::Lost(Lost::Closed));
}

#[test]
fn what_does_not_continue_the_last_report_interrupts() {
    let backwards = ClockReport { sample: sample(99), ..report(1, 3, 200, 0) };
    for (next, why) in [
        (report(1, 4, 200, 0), Lost::Gap { after: 2, found: 4 }),
        (report(1, 2, 200, 0), Lost::Gap { after: 2, found: 2 }),
        (report(2, 3, 200, 0), Lost::Restarted),
        (report(2, 1, 200, 0), Lost::Restarted),
        (backwards, Lost::RawRegressed),
    ] {
        let (mut watch, mark) = watching();
        watch.on_report(at(201), next);
        assert_eq!(watch.since(&mark, at(201)), Since::Lost(why));
        assert!(matches!(watch.state(at(201)), ReaderState::Alive(_)), "a new epoch");
    }
}

#[test]
fn what_cannot_be_about_this_box_now_is_a_loss() {
    let foreign = Sample { boot_id: BootId::from_bytes([8; 16]), ..sample(200) };
    let inside_out = Sample { raw_after: at(199), ..sample(200) };
    for (next, why) in [
        (ClockReport { sample: foreign, ..report(1, 3, 200, 0) }, Lost::OtherBoot),
        (report(1, 3, 203, 0), Lost::Future),
        (ClockReport { sample: inside_out, ..report(1, 3, 200, 0) }, Lost::RawRegressed),
    ] {
        let (mut watch, mark) = watching();
        watch.on_report(at(202), next);
        assert_eq!(watch.state(at(202)), ReaderState::Lost(why));
        assert_eq!(watch.since(&mark, at(202)), Since::Lost(why));
    }
    let (mut watch, _) = watching();
    hear(&mut watch, report(1, 3, 200, 2));
    hear(&mut watch, report(1, 4, 300, 1));
    assert_eq!(watch.state(at(301)), ReaderState::Lost(Lost::Malformed), "a step taken back");
}

#[test]
fn a_changed_marker_is_a_disruption_over_a_loss_too() {
    let shown = |disruption| Marker::Shown { disruption, generation: None };
    for changed in [shown(2), Marker::Unreadable, Marker::Absent] {
        let mut watch = ClockWatch::new(BOOT, SILENCE_MAX);
        hear(&mut watch, ClockReport { marker: shown(1), ..report(1, 1, 0, 0) });
        let ReaderState::Alive(mark) = watch.state(at(2)) else { panic!("just heard") };
        watch.on_loss(Lost::Closed);
        hear(&mut watch, ClockReport { marker: changed, ..report(2, 1, 100, 0) });
        assert_eq!(watch.since(&mark, at(102)), Since::Disrupted);
    }
}

#[test]
fn every_reason_has_a_label_of_its_own() {
    let reasons = [
        Lost::NeverHeard,
        Lost::Unreachable,
        Lost::Closed,
        Lost::Malformed,
        Lost::Silent { age: Bound::ZERO },
        Lost::Gap { after: 1, found: 3 },
        Lost::Restarted,
        Lost::OtherBoot,
        Lost::Future,
        Lost::RawRegressed,
    ];
    let labels: std::collections::BTreeSet<_> = reasons.iter().map(|why| why.label()).collect();
    assert_eq!(labels.len(), reasons.len());
}

/// What may happen between two looks at a watch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Happening {
    /// The next report, so many milliseconds after the last one.
    Report(i64),
    /// The same, with a step.
    Step(i64),
    /// A report never arrives.
    Skipped,
    /// The reader is killed, and another one started.
    Restart,
    /// The connection is lost and found again.
    Reconnect,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => (1..1_400i64).prop_map(Happening::Report),
        1 => (1..900i64).prop_map(Happening::Step),
        1 => Just(Happening::Skipped),
        1 => Just(Happening::Restart),
        1 => Just(Happening::Reconnect),
    ]
}

/// Plays a history and takes a mark after each report; the reader's side of it is told apart from
/// what the watch makes of it.
struct Story {
    watch: ClockWatch,
    run: u8,
    sequence: u64,
    steps: u64,
    now_ms: i64,
}

impl Story {
    fn play(&mut self, happening: Happening) {
        match happening {
            Happening::Report(gap_ms) => self.report(gap_ms),
            Happening::Step(gap_ms) => {
                self.steps += 1;
                self.report(gap_ms);
            }
            Happening::Skipped => self.sequence += 1,
            Happening::Restart => {
                (self.run, self.sequence, self.steps) = (self.run.wrapping_add(1), 0, 0);
                self.watch.on_loss(Lost::Closed);
            }
            Happening::Reconnect => self.watch.on_loss(Lost::Closed),
        }
    }

    fn report(&mut self, gap_ms: i64) {
        self.sequence += 1;
        self.now_ms += gap_ms;
        let report = report(self.run, self.sequence, self.now_ms, self.steps);
        self.now_ms += 1;
        self.watch.on_report(at(self.now_ms), report);
    }
}

proptest! {
    /// A mark, taken with a report, is alive exactly as long as nothing but timely reports without a step came after it.
    #[test]
    fn since_a_mark_means_every_moment_since(
        history in prop::collection::vec(happening(), 1..40), wait_ms in 0..1_400i64,
    ) {
        let watch = ClockWatch::new(BOOT, SILENCE_MAX);
        let mut story = Story { watch, run: 1, sequence: 0, steps: 0, now_ms: 0 };
        let mut marks = Vec::new();
        for (index, &happening) in history.iter().enumerate() {
            story.play(happening);
            let heard = matches!(happening, Happening::Report(_) | Happening::Step(_));
            if let ReaderState::Alive(mark) = story.watch.state(at(story.now_ms)) && heard {
                marks.push((index, mark));
            }
        }
        let now = at(story.now_ms + wait_ms);
        for (taken, mark) in marks {
            let rest = &history[taken + 1..];
            // A report arrives 1 ms after its sample, so the limit falls 999 ms after an arrival.
            let timely = |h: &Happening| matches!(h, Happening::Report(gap) if *gap < 999);
            let quiet = rest.iter().all(timely) && wait_ms <= 999;
            let stepped = rest.iter().any(|h| matches!(h, Happening::Step(_)));
            match story.watch.since(&mark, now) {
                Since::Alive => {
                    // A skipped report shows with the next one only.
                    let shown = rest.iter().rposition(|h| *h != Happening::Skipped);
                    let heard = &rest[..shown.map_or(0, |at| at + 1)];
                    prop_assert!(heard.iter().all(timely) && wait_ms <= 999);
                }
                Since::Stepped(_) => prop_assert!(stepped),
                Since::Disrupted => prop_assert!(false, "no marker changed"),
                Since::Lost(_) => prop_assert!(!quiet && !stepped),
            }
        }
    }
}

#[test]
fn a_mark_of_an_instant_without_a_reader_never_finds_it_alive() {
    let mut watch = ClockWatch::new(BOOT, SILENCE_MAX);
    let never = watch.view(at(0));
    assert_eq!(never.heard(), Err(Lost::NeverHeard));
    hear(&mut watch, report(1, 1, 100, 0));
    assert_eq!(watch.view(at(101)).since(&never.mark()), Since::Lost(Lost::NeverHeard));
    watch.on_loss(Lost::Closed);
    let lost = watch.view(at(102));
    assert_eq!(lost.since(&lost.mark()), Since::Lost(Lost::Closed));
    hear(&mut watch, report(1, 2, 200, 0));
    assert_eq!(watch.view(at(201)).since(&lost.mark()), Since::Lost(Lost::Closed));
    let heard = watch.view(at(202));
    assert_eq!(heard.since(&heard.mark()), Since::Alive);
}

#[test]
fn a_view_tells_the_other_box_what_happened() {
    let (mut watch, _) = watching();
    hear(&mut watch, report(1, 3, 200, 2));
    let word = watch.view(at(201)).word();
    assert_eq!((word.steps, word.disruptions), (2, 0));
    assert!(word.heard.is_ok());
    watch.on_loss(Lost::Closed);
    let word = watch.view(at(202)).word();
    assert_eq!((word.steps, word.heard), (2, Err(LostKind::Closed)));
}

#[test]
fn an_undisturbed_box_stays_so() {
    let watch = ClockWatch::undisturbed(BOOT);
    let mark = watch.view(at(1)).mark();
    assert_eq!(watch.since(&mark, at(1_000_000_000)), Since::Alive);
}
