use super::*;
use crate::clock_reader::StepNotice;
use crate::id::{ChannelBinding, TsuId};
use crate::leap::month_end::MonthEnd;
use crate::time::{Ppb, RawInstant, Timestamp};
use proptest::prelude::*;

const MS: i64 = 1_000_000;
const UTC0: i64 = 1_790_000_000_000 * MS;
const LIMITS: Limits = Limits {
    guard: Bound::from_millis(5),
    bracket: Bound::from_millis(1),
    digits: GenTimeDigits::Three,
};
const ME: Incarnation = Incarnation::from_bytes([7; 16]);

/// A sample `ns` after the lease's, by a clock that runs with the oscillator.
fn sample_at(ns: i64) -> Sample {
    Sample {
        raw_before: RawInstant::from_nanos(1_000 * MS + ns),
        real: Timestamp::from_unix_nanos(UTC0 + ns),
        raw_after: RawInstant::from_nanos(1_000 * MS + ns + 300),
        boot_minus_mono: Span::from_millis(40),
        boot_id: BootId::from_bytes([1; 16]),
    }
}

fn lease() -> LeaseTerms {
    LeaseTerms {
        tsu: TsuId::new("tsu-1").expect("a fair name"),
        incarnation: ME,
        sequence: LeaseSeq::new(9),
        channel: ChannelBinding::from_bytes([3; 32]),
        sample: sample_at(0),
        ttl: Bound::from_millis(3_000),
        clock_bound: Bound::from_millis(125),
        rho: Ppb::from_ppm(100),
        policy: "0.4.0.2023.1.1".to_owned(),
        blackout: None,
    }
}

fn verdict(sample: &Sample) -> Result<JudgedSample, Refusal> {
    judge(sample, Since::Alive, ME, &lease(), &LIMITS, None)
}

#[test]
fn a_sound_sample_becomes_a_gen_time() {
    let sample = sample_at(1_234 * MS + 999_999);
    let judged = verdict(&sample).expect("good");
    assert_eq!(judged.gen_time().as_unix_nanos(), UTC0 + 1_234 * MS);
    assert_eq!(judged.lease(), LeaseSeq::new(9));
    assert_eq!(judged.sample(), &sample);
}

#[test]
fn the_lease_ends_with_its_ttl_counted_from_its_own_sample() {
    assert!(verdict(&sample_at(3_000 * MS - 300)).is_ok());
    let late = verdict(&sample_at(3_000 * MS - 299));
    assert!(matches!(late, Err(Refusal::Expired { .. })), "{late:?}");
}

#[test]
fn another_boot_or_incarnation_is_refused() {
    let mut sample = sample_at(0);
    sample.boot_id = BootId::from_bytes([2; 16]);
    assert!(matches!(verdict(&sample), Err(Refusal::OtherBoot { .. })));
    let other = Incarnation::from_bytes([8; 16]);
    let refused = judge(&sample_at(0), Since::Alive, other, &lease(), &LIMITS, None);
    assert!(matches!(refused, Err(Refusal::OtherIncarnation { .. })));
}

#[test]
fn a_pause_while_sampling_is_worth_a_retry() {
    let mut sample = sample_at(0);
    sample.raw_after = sample.raw_before.plus(Bound::from_nanos(1_000_001));
    let refusal = verdict(&sample).expect_err("too wide");
    assert!(refusal.is_worth_a_retry() && refusal.ends_lease().is_none(), "{refusal}");
}

#[test]
fn an_oscillator_that_runs_backwards_ends_the_lease() {
    let mut inside = sample_at(0);
    inside.raw_after = RawInstant::from_nanos(0);
    for sample in [inside, sample_at(-1)] {
        assert_eq!(verdict(&sample), Err(Refusal::RawRegressed));
    }
    assert_eq!(Refusal::RawRegressed.ends_lease(), Some(EndingCause::Step));
}

#[test]
fn steps_beyond_the_guard_end_the_lease_on_either_side() {
    for (by, good) in [(5 * MS, true), (-5 * MS, true), (5 * MS + 1, false), (-5 * MS - 1, false)] {
        let mut sample = sample_at(500 * MS);
        sample.real = sample.real + Span::from_nanos(by);
        match verdict(&sample) {
            Ok(_) => assert!(good, "{by}"),
            Err(refusal) => {
                assert!(!good, "{by}: {refusal}");
                assert_eq!(refusal.ends_lease(), Some(EndingCause::Step));
            }
        }
    }
}

#[test]
fn a_suspended_box_ends_the_lease() {
    let mut sample = sample_at(500 * MS);
    sample.boot_minus_mono = sample.boot_minus_mono + Span::from_millis(3);
    let refusal = verdict(&sample).expect_err("suspended");
    assert_eq!(refusal.ends_lease(), Some(EndingCause::Suspend), "{refusal}");
}

#[test]
fn gen_time_may_repeat_but_not_regress() {
    let at = |ns| {
        judge(
            &sample_at(ns),
            Since::Alive,
            ME,
            &lease(),
            &LIMITS,
            Some(GenTime::at(sample_at(MS).real, GenTimeDigits::Three)),
        )
    };
    assert!(at(MS).is_ok());
    let back = at(MS - 1);
    assert!(matches!(back, Err(Refusal::GenTimeRegressed { .. })), "{back:?}");
}

fn lease_before(blackout: Blackout, by_ns: i64) -> (LeaseTerms, impl Fn(i64) -> Sample) {
    // The lease's own sample lies that long before the first reading of the blackout.
    let shift = blackout.from() - sample_at(by_ns).real;
    let at = move |ns: i64| {
        let sample = sample_at(ns);
        Sample { real: sample.real + shift, ..sample }
    };
    (LeaseTerms { sample: at(0), blackout: Some(blackout), ..lease() }, at)
}

/// E0, G, rho * TTL and two brackets: how far the clock may be off under this lease.
const BOUND_NS: i64 = 125 * MS + 5 * MS + 300_000 + 2 * MS;

#[test]
fn a_lease_ends_where_its_blackout_may_have_begun() {
    let blackout = Blackout::around(MonthEnd::of(2026, 12).expect("a month"));
    let (lease, at) = lease_before(blackout, 2_000 * MS);
    let verdict = |sample: &Sample| judge(sample, Since::Alive, ME, &lease, &LIMITS, None);
    // 300 ns are the bracket.
    let last = 2_000 * MS - BOUND_NS - 1 - 300;
    assert!(verdict(&at(last)).is_ok());
    for ns in [last + 1, 2_000 * MS, 2_999 * MS] {
        let refusal = verdict(&at(ns)).expect_err("within the blackout");
        assert!(matches!(refusal, Refusal::Blackout { .. }), "{refusal}");
        assert_eq!(refusal.ends_lease(), Some(EndingCause::LeapSecond));
    }
    // A clock that is ahead by its own account is there earlier.
    let mut ahead = at(last - MS);
    ahead.real = ahead.real + Span::from_millis(2);
    assert!(matches!(verdict(&ahead), Err(Refusal::Blackout { .. })));
}

/// A lease that lasts through the whole blackout: nothing within it, nothing after it, whether the
/// clock leaps with UTC or not; and a leap is not taken for a step.
#[test]
fn a_lease_does_not_survive_its_blackout() {
    let blackout = Blackout::around(MonthEnd::of(2026, 12).expect("a month"));
    let (short, at) = lease_before(blackout, 1_000 * MS);
    let lease = LeaseTerms { ttl: Bound::from_millis(60_000), ..short };
    for leap_ms in [-1_000, 0, 1_000] {
        for ms in 1_000..20_000 {
            let mut sample = at(ms * MS);
            if ms >= 3_000 {
                sample.real = sample.real + Span::from_millis(leap_ms);
            }
            let refusal =
                judge(&sample, Since::Alive, ME, &lease, &LIMITS, None).expect_err("after its end");
            assert!(matches!(refusal, Refusal::Blackout { .. }), "{ms} ms, {leap_ms}: {refusal}");
        }
    }
    // The negative control: without the blackout the same samples pass.
    let blind = LeaseTerms { blackout: None, ..lease };
    assert!(judge(&at(3_000 * MS), Since::Alive, ME, &blind, &LIMITS, None).is_ok());
}

/// Whole seconds are the nearest, so they may be later than the reading.
#[test]
fn no_gen_time_is_carried_into_a_blackout() {
    let blackout = Blackout::around(MonthEnd::of(2026, 12).expect("a month"));
    let (lease, at) = lease_before(blackout, 2_000 * MS);
    for digits in GenTimeDigits::ALL {
        let limits = Limits { digits, ..LIMITS };
        let readings = (0..2_000).map(|ms| at(ms * MS));
        let judged =
            readings.filter_map(|s| judge(&s, Since::Alive, ME, &lease, &limits, None).ok());
        let latest = judged.map(|judged| judged.gen_time().as_unix_nanos()).max();
        let latest = latest.expect("some pass");
        assert!(latest < blackout.from().as_unix_nanos(), "{digits:?}: {latest}");
    }
}

#[test]
fn a_step_to_after_the_blackout_is_still_a_step() {
    let blackout = Blackout::around(MonthEnd::of(2026, 12).expect("a month"));
    let (lease, at) = lease_before(blackout, 3_600_000 * MS);
    let mut sample = at(500 * MS);
    sample.real = sample.real + Span::from_millis(7_200_000);
    let refusal = judge(&sample, Since::Alive, ME, &lease, &LIMITS, None).expect_err("stepped");
    assert_eq!(refusal.ends_lease(), Some(EndingCause::Step), "{refusal}");
}

proptest! {
    /// P2 for the local guard: whatever the clock does, a sample that passes is within
    /// E0 + G + rho * TTL + 2 beta of UTC when the lease's sample was within E0, and the genTime
    /// loses at most the resolution besides.
    #[test]
    fn what_passes_is_within_the_budget(
        error_at_grant in -125 * MS..=125 * MS,
        rate_ppb in -100_000i64..=100_000,
        elapsed in 0..4_000 * MS,
        moved in -20 * MS..20 * MS,
        inside in 0..1_500_000i64,
        inside_anchor in 0..MS,
    ) {
        // The oscillator is `rate_ppb` off, so `elapsed` of UTC shows as this much on RAW.
        let raw = |utc: i64| utc + (i128::from(utc) * i128::from(rate_ppb) / 1_000_000_000) as i64;
        let at = |utc: i64, error: i64, inside: i64| Sample {
            raw_before: RawInstant::from_nanos(raw(utc)),
            real: Timestamp::from_unix_nanos(UTC0 + utc + inside + error),
            raw_after: RawInstant::from_nanos(raw(utc + inside)),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([1; 16]),
        };
        let lease = LeaseTerms { sample: at(0, error_at_grant, inside_anchor), ..lease() };
        let now = at(elapsed, error_at_grant + moved, inside);
        if let Ok(judged) = judge(&now, Since::Alive, ME, &lease, &LIMITS, None) {
            let truth = UTC0 + elapsed + inside;
            let off = (judged.gen_time().as_unix_nanos() - truth).unsigned_abs();
            let budget = Bound::from_millis(125) + LIMITS.guard
                + Ppb::from_ppm(100).over(lease.ttl) + LIMITS.bracket.times(2) + LIMITS.digits.resolution();
            // The lease's TTL is counted on the oscillator, so it may last rho * TTL longer.
            prop_assert!(off <= budget.as_nanos() + 1_000, "off by {off} ns, budget {budget}");
        }
    }
}

/// A step within the guard is seen by nobody but the clock reader.
#[test]
fn what_the_clock_reader_saw_or_missed_ends_the_lease() {
    let now = sample_at(MS);
    let with = |since| judge(&now, since, ME, &lease(), &LIMITS, None).expect_err("refused");
    let mut after = sample_at(0);
    after.real = after.real + Span::from_nanos(MS);
    let stepped = with(Since::Stepped(StepNotice { before: sample_at(0), after }));
    assert_eq!(stepped, Refusal::ClockSet { by: Span::from_nanos(MS) });
    for (refusal, cause, latches) in [
        (stepped, EndingCause::StepNotice, true),
        (with(Since::Disrupted), EndingCause::Disrupted, true),
        (with(Since::Lost(Lost::Closed)), EndingCause::ReaderLost, false),
    ] {
        assert_eq!(refusal.ends_lease(), Some(cause));
        assert_eq!(cause.latches(), latches);
        assert!(!refusal.is_worth_a_retry());
    }
    assert!(judge(&now, Since::Alive, ME, &lease(), &LIMITS, None).is_ok());
}

/// A sample that was taken through a pause says nothing of the clock, and the reader does: a token that
/// was judged before must not leave for want of a narrower sample.
#[test]
fn a_pause_while_sampling_hides_nothing_that_the_clock_reader_tells() {
    let mut sample = sample_at(50 * MS);
    sample.raw_after = sample.raw_after.plus(Bound::from_millis(100));
    let at = |since| judge(&sample, since, ME, &lease(), &LIMITS, None);
    let quiet = at(Since::Alive).expect_err("too wide");
    assert!(matches!(quiet, Refusal::BracketTooWide { .. }) && quiet.ends_lease().is_none());
    let notice = StepNotice { before: sample, after: sample };
    for since in [Since::Stepped(notice), Since::Disrupted, Since::Lost(Lost::Closed)] {
        let refused = at(since).expect_err("it tells");
        assert!(refused.ends_lease().is_some(), "{refused:?}");
    }
}

/// The kernel announces a leap second as a step. The lease has ended before, by the blackout.
#[test]
fn the_step_of_a_leap_second_is_not_taken_for_a_fault() {
    let end = MonthEnd::of(2026, 12).expect("a month");
    let mut lease = lease();
    lease.blackout = Some(Blackout::around(end));
    let into = end.instant().as_unix_nanos() - UTC0;
    lease.sample = sample_at(into - 3_000 * MS);
    let now = sample_at(into - 1_000 * MS);
    let notice = StepNotice { before: now, after: now };
    let refusal = judge(&now, Since::Stepped(notice), ME, &lease, &LIMITS, None);
    assert!(matches!(refusal, Err(Refusal::Blackout { .. })), "{refusal:?}");
}
