use super::*;
use crate::core::testing::{BOOT, undisturbed};
use chronolease_core::time::{GenTimeDigits, Ppb, RawInstant, Span, Timestamp};

mod reader;

const MS: i64 = 1_000_000;

/// A clock that runs with the oscillator, `ms` after the start, `error_ms` off.
pub(crate) fn sample(ms: i64, error_ms: i64) -> Sample {
    Sample {
        raw_before: RawInstant::from_nanos(ms * MS),
        real: Timestamp::from_unix_nanos((1_790_000_000_000 + ms + error_ms) * MS),
        raw_after: RawInstant::from_nanos(ms * MS + 300),
        boot_minus_mono: Span::ZERO,
        boot_id: BOOT,
    }
}

pub(crate) fn terms() -> Terms {
    Terms {
        tsu: TsuId::new("tsu-1").expect("a fair name"),
        incarnation: Incarnation::from_bytes([2; 16]),
        boot_id: BOOT,
        policy: "0.4.0.2023.1.1".to_owned(),
        accuracy: Bound::from_millis(500),
        limits: Limits {
            guard: Bound::from_millis(5),
            bracket: Bound::from_millis(1),
            digits: GenTimeDigits::Three,
        },
        rho: Ppb::from_ppm(100),
        mode: Mode::Leased,
    }
}

pub(crate) fn lease(sequence: u64, sample: Sample) -> LeaseTerms {
    LeaseTerms {
        tsu: terms().tsu,
        incarnation: terms().incarnation,
        sequence: LeaseSeq::new(sequence),
        channel: CHANNEL,
        sample,
        ttl: Bound::from_millis(3_000),
        clock_bound: Bound::from_millis(125),
        rho: Ppb::from_ppm(100),
        policy: terms().policy,
        blackout: None,
    }
}

fn reading(ms: i64, error_ms: i64) -> Reading {
    undisturbed(sample(ms, error_ms))
}

/// The grant comes right after its sample.
fn granted(holder: &mut Holder, lease: LeaseTerms) -> Result<LeaseSeq, GrantRefused> {
    holder.granted(&undisturbed(lease.sample), lease)
}

pub(crate) const CHANNEL: ChannelBinding = ChannelBinding::from_bytes([3; 32]);
const NONCE: Nonce = Nonce::from_bytes([4; 32]);

fn holding() -> Holder {
    let mut holder = Holder::new(terms());
    holder.connected(CHANNEL);
    holder.probed(&reading(0, 0), NONCE);
    holder.vouched();
    granted(&mut holder, lease(1, sample(0, 0))).expect("a fair lease");
    holder
}

#[test]
fn it_starts_without_a_lease_and_issues_under_one() {
    let mut holder = Holder::new(terms());
    assert_eq!(holder.judge(&reading(1, 0)), Err(Refusal::NoLease));
    assert!(holding().judge(&reading(1, 0)).is_ok());
}

#[test]
fn a_lease_for_anyone_else_is_refused() {
    let fresh = || {
        let mut holder = Holder::new(terms());
        holder.connected(CHANNEL);
        holder.probed(&reading(0, 0), NONCE);
        holder.vouched();
        holder
    };
    let good = || lease(1, sample(0, 0));
    let mut other_boot = sample(0, 0);
    other_boot.boot_id = BootId::from_bytes([9; 16]);
    let cases = [
        (LeaseTerms { tsu: TsuId::new("tsu-2").unwrap(), ..good() }, GrantRefused::NotMe),
        (
            LeaseTerms { incarnation: Incarnation::from_bytes([9; 16]), ..good() },
            GrantRefused::NotMe,
        ),
        (LeaseTerms { sample: other_boot, ..good() }, GrantRefused::NotMe),
        (
            LeaseTerms { channel: ChannelBinding::from_bytes([9; 32]), ..good() },
            GrantRefused::OtherChannel,
        ),
        (
            LeaseTerms { policy: "1.2".to_owned(), ..good() },
            GrantRefused::OtherPolicy("1.2".to_owned()),
        ),
        (lease(1, sample(1, 0)), GrantRefused::OtherSample),
    ];
    for (lease, why) in cases {
        assert_eq!(granted(&mut fresh(), lease), Err(why));
    }
    let greedy = LeaseTerms { clock_bound: Bound::from_millis(495), ..good() };
    assert!(matches!(granted(&mut fresh(), greedy), Err(GrantRefused::Budget(_))));
    assert_eq!(granted(&mut fresh(), good()), Ok(LeaseSeq::new(1)));
}

#[test]
fn a_replayed_lease_is_refused() {
    let mut holder = holding();
    let replay = granted(&mut holder, lease(1, sample(0, 0)));
    assert!(matches!(replay, Err(GrantRefused::NotNewer { .. })), "{replay:?}");
}

#[test]
fn a_step_ends_the_lease_for_good_and_is_reported_until_the_next() {
    let mut holder = holding();
    assert!(matches!(holder.judge(&reading(10, 700)), Err(Refusal::ClockMoved { .. })));
    // The clock is put back: the lease stays dead, and what was judged under it stays inside.
    assert_eq!(holder.judge(&reading(20, 0)), Err(Refusal::NoLease));
    assert!(holder.permit(LeaseSeq::new(1)).is_none());
    let ended = LeaseEnded { sequence: LeaseSeq::new(1), cause: EndingCause::Step };
    for ms in [30, 1_030] {
        assert_eq!(holder.probed(&reading(ms, 0), NONCE).ended, Some(ended));
    }
    holder.vouched();
    granted(&mut holder, lease(2, sample(1_030, 0))).expect("a new lease");
    assert_eq!(holder.probed(&reading(2_030, 0), NONCE).ended, None);
}

#[test]
fn a_grant_on_its_way_while_the_guard_trips_is_refused() {
    let mut holder = holding();
    holder.probed(&reading(1_000, 0), NONCE);
    holder.vouched();
    assert!(holder.judge(&reading(1_001, 700)).is_err());
    let late = granted(&mut holder, lease(2, sample(1_000, 0)));
    assert_eq!(late, Err(GrantRefused::OtherSample));
}

#[test]
fn a_probe_finds_a_step_by_itself() {
    let mut holder = holding();
    let answer = holder.probed(&reading(1_000, -700), NONCE);
    assert_eq!(answer.ended.map(|e| e.cause), Some(EndingCause::Step));
}

#[test]
fn a_revocation_withdraws_what_was_judged() {
    let mut holder = holding();
    let judged = holder.judge(&reading(1, 0)).expect("good");
    assert!(holder.permit(judged.lease()).is_some());
    holder.revoked(LeaseSeq::new(1));
    assert!(holder.permit(judged.lease()).is_none());
    assert_eq!(holder.judge(&reading(2, 0)), Err(Refusal::NoLease));
}

#[test]
fn a_lease_that_ran_out_still_releases_what_was_judged_in_time() {
    let mut holder = holding();
    let judged = holder.judge(&reading(2_999, 0)).expect("good");
    assert!(matches!(holder.judge(&reading(3_001, 0)), Err(Refusal::Expired { .. })));
    assert!(holder.permit(judged.lease()).is_some());
    assert_eq!(holder.ended(), None);
}

#[test]
fn the_lease_outlives_the_connection_but_a_new_one_needs_the_new_channel() {
    let mut holder = holding();
    holder.disconnected();
    assert!(holder.judge(&reading(1_000, 0)).is_ok());
    assert_eq!(granted(&mut holder, lease(2, sample(0, 0))), Err(GrantRefused::OtherChannel));
}

#[test]
fn gen_time_never_goes_back() {
    let mut holder = holding();
    let judged = holder.judge(&reading(100, 0)).expect("good");
    holder.used(&judged);
    let back = holder.judge(&reading(100, -1));
    assert!(matches!(back, Err(Refusal::GenTimeRegressed { .. })), "{back:?}");
}

#[test]
fn a_lease_on_a_paused_sample_is_refused() {
    let mut holder = Holder::new(terms());
    holder.connected(CHANNEL);
    let mut wide = sample(0, 0);
    wide.raw_after = RawInstant::from_nanos(400 * MS);
    holder.probed(&undisturbed(wide), NONCE);
    holder.vouched();
    let limit = terms().limits.bracket;
    assert_eq!(granted(&mut holder, lease(1, wide)), Err(GrantRefused::WideSample(limit)));
}

#[test]
fn the_worse_of_both_boxes_oscillators_counts() {
    let poor = Terms { rho: Ppb::from_ppm(130_000), ..terms() };
    let mut holder = Holder::new(poor);
    holder.connected(CHANNEL);
    holder.probed(&reading(0, 0), NONCE);
    holder.vouched();
    assert!(matches!(granted(&mut holder, lease(1, sample(0, 0))), Err(GrantRefused::Budget(_))));
}

#[test]
fn a_lease_runs_out_even_when_every_sample_is_taken_through_a_pause() {
    let mut holder = holding();
    let mut late = sample(60_000, 0);
    late.raw_after = RawInstant::from_nanos(60_002 * MS);
    assert!(matches!(holder.judge(&undisturbed(late)), Err(Refusal::Expired { .. })));
    assert!(holder.lease().is_none());
}

#[test]
fn a_lease_at_or_below_a_revocation_is_refused() {
    let mut holder = holding();
    holder.revoked(LeaseSeq::new(2));
    holder.probed(&reading(1_000, 0), NONCE);
    holder.vouched();
    let dead = granted(&mut holder, lease(2, sample(1_000, 0)));
    assert!(matches!(dead, Err(GrantRefused::NotNewer { .. })), "{dead:?}");
}

#[test]
fn nothing_is_taken_before_the_monitors_log_is_vouched_for() {
    let mut holder = holding();
    holder.probed(&reading(1_000, 0), NONCE);
    let offered = lease(2, sample(1_000, 0));
    assert_eq!(granted(&mut holder, offered.clone()), Err(GrantRefused::LogNotVouched));
    holder.vouched();
    assert!(granted(&mut holder, offered).is_ok());
    // Vouched for once is not vouched for at the next answer.
    holder.probed(&reading(2_000, 0), NONCE);
    let next = lease(3, sample(2_000, 0));
    assert_eq!(granted(&mut holder, next), Err(GrantRefused::LogNotVouched));
}

#[test]
fn a_broken_log_ends_the_lease_and_what_it_covers_stays_inside() {
    for cause in [EndingCause::Rollback, EndingCause::Fork] {
        let mut holder = holding();
        holder.log_broken(cause);
        assert_eq!(holder.judge(&reading(10, 0)), Err(Refusal::NoLease));
        assert!(holder.permit(LeaseSeq::new(1)).is_none());
        let ended = LeaseEnded { sequence: LeaseSeq::new(1), cause };
        assert_eq!(holder.probed(&reading(20, 0), NONCE).ended, Some(ended));
        let refused = granted(&mut holder, lease(2, sample(20, 0)));
        assert_eq!(refused, Err(GrantRefused::LogNotVouched));
    }
}

#[test]
fn gen_time_never_goes_back_behind_an_earlier_run() {
    let mut holder = holding();
    let before = GenTime::at(sample(50, 0).real, GenTimeDigits::Three);
    holder.resume(Some(before));
    holder.resume(None);
    assert!(
        matches!(holder.judge(&reading(49, 0)), Err(Refusal::GenTimeRegressed { .. })),
        "earlier"
    );
    assert!(holder.judge(&reading(50, 0)).is_ok(), "equal is allowed");
}
