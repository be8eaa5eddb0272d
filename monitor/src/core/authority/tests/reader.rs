//! What a TSU's clock reader says, and its oscillator; and what follows.

use super::*;
use chronolease_core::clock_reader::LostKind;

fn cause_after(word: ReaderWord) -> (Bench, Option<EndingCause>) {
    let mut bench = Bench::granted();
    bench.reader = word;
    bench.probes(1, 0);
    let ending = bench.ending();
    assert_eq!(bench.grant(), None, "the clock is right, and yet");
    (bench, ending)
}

#[test]
fn a_step_notice_or_a_disruption_at_the_tsu_ends_the_lease_and_latches() {
    for (word, cause) in [
        (ReaderWord { steps: 1, ..QUIET }, EndingCause::StepNotice),
        (ReaderWord { disruptions: 1, ..QUIET }, EndingCause::Disrupted),
    ] {
        let (mut bench, ending) = cause_after(word);
        assert_eq!(ending, Some(cause));
        assert_eq!(bench.revoked(), Some((LeaseSeq::new(1), cause)));
        assert_eq!(bench.ward.record().latch, Some(cause));
        // What was told once is no news.
        bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: LeaseSeq::new(1) });
        bench.probes(6, 0);
        assert!(bench.grant().is_some(), "after the longer hold");
    }
}

#[test]
fn without_a_lease_a_step_notice_latches_all_the_same() {
    let mut bench = Bench::connected();
    bench.probes(2, 0);
    bench.reader = ReaderWord { steps: 1, ..QUIET };
    bench.probes(1, 0);
    assert_eq!(bench.ward.record().latch, Some(EndingCause::StepNotice));
    assert!(bench.out.iter().any(|action| matches!(action, Action::Persist(_))));
}

#[test]
fn nothing_is_granted_while_the_tsus_clock_reader_is_lost() {
    let lost = ReaderWord { heard: Err(LostKind::Closed), ..QUIET };
    let (mut bench, ending) = cause_after(lost);
    assert_eq!(ending, Some(EndingCause::ReaderLost));
    assert_eq!(bench.ward.record().latch, None);
    bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: LeaseSeq::new(1) });
    bench.probes(10, 0);
    assert_eq!(bench.grant(), None);
    bench.reader = QUIET;
    bench.probes(5, 0);
    assert!(bench.grant().is_some(), "K good probes, which last longer than the hold");
}

/// A reader that starts a moment later than its TSU costs good probes and no hold.
#[test]
fn a_reader_that_is_not_there_yet_at_the_start_costs_no_hold() {
    let mut bench = Bench::with(
        Rules { hold: Bound::from_millis(60_000), ..rules(Rearm::Automatic) },
        Record::default(),
    );
    bench.connect(1, A);
    bench.reader = ReaderWord { heard: Err(LostKind::NeverHeard), ..QUIET };
    bench.probes(2, 0);
    bench.reader = QUIET;
    bench.probes(5, 0);
    assert!(bench.grant().is_some());
}

/// The counts of another incarnation begin anew: they tell of no change.
#[test]
fn the_first_word_of_an_incarnation_is_no_news() {
    let mut bench = Bench::granted();
    bench.handle(Event::Closed { conn: ConnId(1) });
    bench.pass(4_000);
    bench.reader = ReaderWord { steps: 7, ..QUIET };
    bench.connect(2, B);
    let nonce = bench.probe_sent(2).expect("a probe");
    bench.answer(2, nonce, 0, None);
    assert_eq!(bench.ward.record().latch, None);
    // From there on they do, whatever connection they come by.
    bench.handle(Event::Closed { conn: ConnId(2) });
    bench.reader = ReaderWord { steps: 8, ..QUIET };
    bench.connect(3, B);
    let nonce = bench.probe_sent(3).expect("a probe");
    bench.answer(3, nonce, 0, None);
    assert_eq!(bench.ward.record().latch, Some(EndingCause::StepNotice));
}

#[test]
fn the_word_is_on_record_with_the_verdict_and_shown_while_the_tsu_is_there() {
    let mut bench = Bench::connected();
    assert_eq!(bench.ward.reader(), None);
    bench.probes(1, 0);
    let judged = bench.out.iter().find_map(|action| match action {
        Action::Judged(probed) => probed.reader,
        _ => None,
    });
    assert_eq!((judged, bench.ward.reader()), (Some(QUIET), Some(&QUIET)));
    bench.handle(Event::Closed { conn: ConnId(1) });
    assert_eq!(bench.ward.reader(), None);
}

/// A box that stood still for 50 ms, whichever it was: the clock is within E0 all the same, so the
/// verdict alone would renew.
#[test]
fn oscillators_that_disagree_end_the_lease_and_discard_every_sample() {
    for shift_ms in [-50, 50] {
        let mut bench = Bench::granted();
        bench.raw_shift_ms = shift_ms;
        bench.probes(1, shift_ms);
        assert_eq!(bench.ending(), Some(EndingCause::Oscillators));
        assert_eq!(bench.grant(), None);
        let discards = |action: &Action| matches!(action, Action::Discard(_));
        assert!(bench.out.iter().any(discards), "{:?}", bench.out);
        assert_eq!(bench.ward.record().latch, None);
        // The next answer is compared with this one.
        bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: LeaseSeq::new(1) });
        bench.probes(5, shift_ms);
        assert!(bench.grant().is_some());
    }
    // The control: the same deviation of a box whose oscillator ran on.
    let mut bench = Bench::granted();
    bench.probes(1, 50);
    assert!(bench.grant().is_some());
}
