//! What the clock reader tells, and what follows.

use super::*;
use crate::core::testing::ShownClocks;
use chronolease_core::clock_reader::{
    ClockReport, ClockWatch, Lost, Machine, Marker, OddReading, Pps, StepNotice, Steps,
};
use chronolease_core::id::ReaderRun;
use chronolease_core::stamped::ReadClocks;

/// What a clock reader tells this TSU.
struct Reader {
    watch: ClockWatch,
    sequence: u64,
    steps: u64,
    marker: Marker,
}

impl Reader {
    fn new() -> Self {
        let watch = ClockWatch::new(BOOT, Bound::from_millis(1_000));
        let mut reader = Self { watch, sequence: 0, steps: 0, marker: Marker::Absent };
        reader.report(0);
        reader
    }

    fn report(&mut self, ms: i64) {
        self.sequence += 1;
        let sample = sample(ms, 0);
        let last = StepNotice { before: sample, after: sample };
        let steps = core::num::NonZeroU64::new(self.steps);
        self.watch.on_report(
            sample.raw_after,
            ClockReport {
                run: ReaderRun::from_bytes([5; 16]),
                sequence: self.sequence,
                sample,
                kernel: Err(OddReading::Refused),
                steps: steps.map(|count| Steps { count, last }),
                machine: Machine::Physical,
                marker: self.marker,
                pps: Pps::Absent,
            },
        );
    }

    fn at(&self, ms: i64) -> Reading {
        ShownClocks { sample: sample(ms, 0), watch: &self.watch }.read()
    }

    fn holding(&self) -> Holder {
        let mut holder = Holder::new(terms());
        holder.connected(CHANNEL);
        holder.probed(&self.at(0), NONCE);
        holder.vouched();
        holder.granted(&self.at(0), lease(1, sample(0, 0))).expect("a fair lease");
        holder
    }
}

/// A step that the guard cannot see, a disruption and a lost reader end the lease, each for its
/// own cause, and what was judged under it stays inside.
#[test]
fn what_the_clock_reader_tells_ends_the_lease_for_good() {
    for cause in [EndingCause::StepNotice, EndingCause::Disrupted, EndingCause::ReaderLost] {
        let mut reader = Reader::new();
        let mut holder = reader.holding();
        let judged = holder.judge(&reader.at(50)).expect("nothing happened yet");
        match cause {
            EndingCause::StepNotice => reader.steps = 1,
            EndingCause::Disrupted => reader.marker = Marker::Unreadable,
            _ => {}
        }
        reader.report(100);
        if cause == EndingCause::ReaderLost {
            reader.watch.on_loss(Lost::Closed);
        }
        let refusal = holder.judge(&reader.at(101)).expect_err("refused");
        assert_eq!(refusal.ends_lease(), Some(cause));
        assert!(holder.permit(judged.lease()).is_none(), "{cause}");
        assert_eq!(holder.ended().map(|ended| ended.cause), Some(cause));
    }
}

#[test]
fn a_silent_clock_reader_ends_the_lease_when_its_limit_is_passed() {
    let reader = Reader::new();
    let mut holder = reader.holding();
    assert!(holder.judge(&reader.at(999)).is_ok());
    let silent = holder.judge(&reader.at(1_001));
    assert!(matches!(silent, Err(Refusal::Unwatched(Lost::Silent { .. }))), "{silent:?}");
}

#[test]
fn no_lease_is_taken_while_the_clock_reader_is_lost_or_was_since_the_sample() {
    let mut reader = Reader::new();
    let mut holder = reader.holding();
    let offered = |holder: &mut Holder, reader: &Reader, sequence, ms| {
        holder.probed(&reader.at(ms), NONCE);
        holder.vouched();
        lease(sequence, sample(ms, 0))
    };
    // Lost at the sample, and heard again before the grant.
    reader.watch.on_loss(Lost::Closed);
    let terms = offered(&mut holder, &reader, 2, 100);
    reader.report(110);
    let refused = holder.granted(&reader.at(111), terms);
    assert_eq!(refused, Err(GrantRefused::Watch(Refusal::Unwatched(Lost::Closed))));
    // Heard at the sample, and lost before the grant.
    let terms = offered(&mut holder, &reader, 3, 120);
    reader.watch.on_loss(Lost::Unreachable);
    let refused = holder.granted(&reader.at(121), terms);
    assert_eq!(refused, Err(GrantRefused::Watch(Refusal::Unwatched(Lost::Unreachable))));
    // A step between sample and grant.
    reader.report(130);
    let terms = offered(&mut holder, &reader, 4, 131);
    reader.steps = 1;
    reader.report(140);
    let refused = holder.granted(&reader.at(141), terms);
    assert!(matches!(refused, Err(GrantRefused::Watch(Refusal::ClockSet { .. }))), "{refused:?}");
    // All is well again.
    let terms = offered(&mut holder, &reader, 5, 150);
    assert_eq!(holder.granted(&reader.at(151), terms), Ok(LeaseSeq::new(5)));
}

/// Somebody sets the clock within the guard after a probe's sample was taken, and before the reader's
/// word on it was: the lease on that sample is refused.
#[test]
fn a_clock_set_between_sample_and_word_is_since_the_sample() {
    let mut reader = Reader::new();
    let mut holder = Holder::new(terms());
    holder.connected(CHANNEL);
    let begun = reader.watch.mark();
    reader.steps = 1;
    reader.report(10);
    let Reading { sample, reader: view } = reader.at(10);
    let answer = holder.probed(&Reading { sample, reader: view.begun_at(begun) }, NONCE);
    assert_eq!(answer.reader.steps, 1, "the monitor is told at once");
    holder.vouched();
    let refused = holder.granted(&reader.at(20), lease(1, sample));
    assert!(matches!(refused, Err(GrantRefused::Watch(Refusal::ClockSet { .. }))), "{refused:?}");
    // The control: by the mark of the word it is not.
    holder.probed(&reader.at(30), NONCE);
    holder.vouched();
    let terms = lease(2, self::sample(30, 0));
    assert_eq!(holder.granted(&reader.at(40), terms), Ok(LeaseSeq::new(2)));
}
