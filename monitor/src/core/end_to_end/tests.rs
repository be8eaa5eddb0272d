//! Tokens as the TSU's own code builds them, judged by the monitor's; and what a hostile endpoint
//! may answer.

use super::*;
use chronolease_core::confirmation::WitnessLimits;
use chronolease_core::evidence::TreeHead;
use chronolease_core::id::Nonce;
use chronolease_core::leap::blackout::Blackout;
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::time::Span;
use chronolease_tsu::core::rfc3161::{self, FailInfo, Rejection};

use crate::core::assessment::Limits;
use crate::core::authority::{Context, Event, Facts, Rearm, Record, Rules};
use crate::core::pps::PpsSays;
use crate::core::testing::turn_at;

mod tsu;
mod ward;

use tsu::Tsu;
use ward::granted_and_renewed;

const MS: i64 = 1_000_000;
/// UTC - RAW of the monitor in these tests.
const OFFSET: i64 = 1_790_000_000_000 * MS;
/// When the question goes out, and when the answer is in, on the monitor's oscillator.
const ASKED_MS: i64 = 70_000;
const ANSWERED_MS: i64 = 70_100;
const ACCURACY: Bound = Bound::from_millis(500);
const HALF_WIDTH_MS: i64 = 10;
const POLICY: &str = "0.4.0.2023.1.1";

fn rules() -> Rules {
    Rules {
        tsu: TsuId::new("tsu-1").expect("a fair name"),
        policy: POLICY.to_owned(),
        limits: Limits {
            grant_within: Bound::from_millis(125),
            revoke_beyond: Bound::from_millis(250),
            bracket: Bound::from_millis(1),
            rho: Ppb::from_ppm(100),
        },
        witness: WitnessLimits { accuracy: ACCURACY, half_width_max: Bound::from_millis(60) },
        ttl: Bound::from_millis(3_000),
        probe: Bound::from_millis(1_000),
        good_probes: 1,
        hold: Bound::ZERO,
        hold_latched: Bound::ZERO,
        rearm: Rearm::Automatic,
    }
}

fn raw(ms: i64) -> RawInstant {
    RawInstant::from_nanos(ms * MS)
}

fn utc() -> Interval {
    Interval::within(Bound::from_millis(HALF_WIDTH_MS as u64)).shifted(Span::from_nanos(OFFSET))
}

fn known() -> Known {
    Known { now: raw(ANSWERED_MS), utc: Ok(utc()), boundaries: Boundaries::default() }
}

/// A probe whose first question is out, and the ward that it belongs to: no lease was ever granted.
struct Bench {
    tsu: Tsu,
    probe: EndToEnd,
    ward: Ward,
    ask: Ask,
    known: Known,
}

impl Bench {
    /// The first of the TSU's leases may be alive for ever, as far as the monitor knows.
    fn new() -> Self {
        let incarnation = Some(chronolease_core::id::Incarnation::from_bytes([1; 16]));
        let record = Record { incarnation, ..Record::default() };
        let ward = Ward::new(rules(), record, raw(ANSWERED_MS));
        Self::with(ward)
    }

    fn with(ward: Ward) -> Self {
        let tsu = Tsu::new();
        let terms = Terms {
            tsu: rules().tsu,
            policy: parse_oid(POLICY).expect("fair"),
            accuracy: ACCURACY,
            rho: Ppb::from_ppm(100),
            interval: Bound::from_millis(60_000),
            certificates: vec![Tsu::new().trusted(), tsu.trusted()],
        };
        let mut probe = EndToEnd::new(terms, raw(0));
        assert_eq!(probe.ask(&ward, raw(59_999), || [1; RANDOM_BYTES]), None, "not yet");
        let ask = probe.ask(&ward, raw(ASKED_MS), || [0xa5; RANDOM_BYTES]).expect("it is due");
        Self { tsu, probe, ward, ask, known: known() }
    }

    fn reply(&mut self, body: Result<Vec<u8>, String>) -> Option<Leaf> {
        let (asked, answered) = (raw(ASKED_MS), raw(ANSWERED_MS));
        let reply = Reply { id: self.ask.id, asked, answered, body };
        self.probe.answered(&self.ward, &self.known, reply)
    }

    fn result(&mut self, body: Vec<u8>) -> EndToEndResult {
        self.reply(Ok(body)).expect("it was asked").result
    }

    fn token(&self, time_ms: i64) -> Vec<u8> {
        self.tsu.answers(&self.ask.request, time_ms, ACCURACY)
    }
}

#[test]
fn a_time_is_wrong_only_when_no_utc_admits_it_and_right_only_when_every_one_does() {
    use EndToEndResult::{Good, Unclear, WrongTime};
    let slack_ms = 1; // rho over the exchange, rounded up
    let (early, late) = (ASKED_MS - 500, ANSWERED_MS + 500);
    for (time_ms, expected) in [
        (ASKED_MS, Good),
        (ANSWERED_MS, Good),
        (early + HALF_WIDTH_MS + slack_ms, Good),
        (late - HALF_WIDTH_MS - slack_ms, Good),
        (early, Unclear),
        (late, Unclear),
        (early - HALF_WIDTH_MS, Unclear),
        (late + HALF_WIDTH_MS, Unclear),
        (early - HALF_WIDTH_MS - slack_ms, WrongTime),
        (late + HALF_WIDTH_MS + slack_ms, WrongTime),
        (ASKED_MS - 3_600_000, WrongTime),
        (ASKED_MS + 3_600_000, WrongTime),
    ] {
        let mut bench = Bench::new();
        let body = bench.token(time_ms);
        let leaf = bench.reply(Ok(body.clone())).expect("it was asked");
        assert_eq!(leaf.result, expected, "{time_ms}");
        assert_eq!((leaf.utc_minus_raw, leaf.response), (Some(utc()), Some(body)));
        let found = bench.probe.last().expect("a result");
        let error = found.error.expect("there is a token");
        let middle = error.midpoint().as_nanos() / MS;
        assert_eq!(middle, time_ms - i64::midpoint(ASKED_MS, ANSWERED_MS));
    }
}

/// A slow answer, an old look at the sources and a wide interval make it less sure, never wronger.
#[test]
fn what_is_known_less_well_proves_less() {
    let window = |half_width: u64, now_ms| Window {
        asked: raw(ASKED_MS),
        answered: raw(ANSWERED_MS),
        utc_minus_raw: Interval::within(Bound::from_millis(half_width))
            .shifted(Span::from_nanos(OFFSET)),
        now: raw(now_ms),
        rho: Ppb::from_ppm(100),
    };
    let at = |ms: i64| Timestamp::from_unix_nanos(OFFSET + ms * MS);
    for half_width in [1u64, 10, 60, 300] {
        for now_ms in [ANSWERED_MS, ANSWERED_MS + 10_000] {
            let wide = window(half_width, now_ms);
            for time_ms in (ASKED_MS - 1_500..ANSWERED_MS + 1_500).step_by(7) {
                let (narrow, wide) = (
                    window(0, ANSWERED_MS).judge(at(time_ms), ACCURACY),
                    wide.judge(at(time_ms), ACCURACY),
                );
                assert!(wide == narrow || wide == Proof::Neither || narrow == Proof::Neither);
                // Nothing that some admitted UTC makes right is called wrong.
                let nearest = (time_ms - i64::midpoint(ASKED_MS, ANSWERED_MS)).abs();
                assert!(nearest > 550 || wide != Proof::Wrong, "{time_ms} {half_width}");
            }
        }
    }
    // The end of time does not overflow.
    for ns in [i64::MIN, i64::MAX] {
        let far = Timestamp::from_unix_nanos(ns);
        assert_eq!(window(10, ANSWERED_MS).judge(far, ACCURACY), Proof::Wrong);
        let _ = window(10, ANSWERED_MS).error(far);
    }
}

#[test]
fn what_is_not_the_token_that_was_asked_for_is_unverifiable_and_never_wrong() {
    let bench = Bench::new();
    let good = bench.token(ASKED_MS);
    let other_question = Question::new(parse_oid(POLICY).expect("fair"), &[0xa6; RANDOM_BYTES]);
    // Far off, so that only its not being ours keeps it from being called wrong.
    let replayed = bench.tsu.answers(&other_question.to_der(), 0, ACCURACY);
    let mut same_imprint = [0xa5; RANDOM_BYTES];
    same_imprint[39] ^= 1;
    let other_nonce = Question::new(parse_oid(POLICY).expect("fair"), &same_imprint);
    let other_nonce = bench.tsu.answers(&other_nonce.to_der(), 0, ACCURACY);
    let stranger = Tsu::new().answers(&bench.ask.request, 0, ACCURACY);
    let mut flipped = good.clone();
    *flipped.last_mut().expect("it is long") ^= 1;
    let longer = [&good[..], &[0]].concat();
    let cases: [(&str, Vec<u8>); 10] = [
        ("nothing", Vec::new()),
        ("text", b"<html>busy</html>".to_vec()),
        ("zeros", vec![0; 16_384]),
        ("deep nesting", [0x30, 0x80].repeat(8_000)),
        ("cut short", good[..good.len() - 1].to_vec()),
        ("a byte behind it", longer),
        ("a flipped bit of the signature", flipped),
        ("an older token of ours", replayed),
        ("another nonce", other_nonce),
        ("another certificate", stranger),
    ];
    for (what, body) in cases {
        let mut bench = Bench { ask: bench.ask.clone(), ..Bench::new() };
        bench.probe = Bench::new().probe;
        assert_eq!(bench.result(body), EndToEndResult::Unverifiable, "{what}");
    }
}

#[test]
fn no_flipped_bit_of_a_token_passes_for_another_time() {
    let mut bench = Bench::new();
    let good = bench.token(ASKED_MS);
    let question = Question::new(parse_oid(POLICY).expect("fair"), &[0xa5; RANDOM_BYTES]);
    let trusted = [bench.tsu.trusted()];
    let Ok(Answer::Token(time)) = read(&good, &question, &trusted) else { panic!("it is good") };
    for at in 0..good.len() {
        let mut body = good.clone();
        body[at] ^= 1 << (at % 8);
        if let Ok(Answer::Token(other)) = read(&body, &question, &trusted) {
            assert_eq!(other, time, "byte {at}");
        }
    }
    assert_eq!(bench.result(good), EndToEndResult::Good);
}

#[test]
fn a_token_that_claims_another_accuracy_is_no_good_one_and_wrong_by_its_own_claim() {
    for (claimed_ms, time_ms, expected) in [
        (1_000, ASKED_MS, EndToEndResult::Unverifiable),
        (100, ASKED_MS, EndToEndResult::Unverifiable),
        (100, ASKED_MS - 200, EndToEndResult::WrongTime),
        (1_000, ASKED_MS - 800, EndToEndResult::Unverifiable),
    ] {
        let mut bench = Bench::new();
        let claimed = Bound::from_millis(claimed_ms);
        let body = bench.tsu.answers(&bench.ask.request, time_ms, claimed);
        assert_eq!(bench.result(body), expected, "{claimed_ms} {time_ms}");
    }
}

#[test]
fn a_refusal_is_expected_without_a_lease_and_alarming_with_one() {
    let refusal = |info| rfc3161::rejected(&Rejection::new(info, ""));
    let mut bench = Bench::new();
    assert_eq!(bench.result(refusal(FailInfo::TimeNotAvailable)), EndToEndResult::NoLease);
    let mut bench = Bench::new();
    assert_eq!(bench.result(refusal(FailInfo::SystemFailure)), EndToEndResult::Refused);
    let mut bench = Bench::with(granted_and_renewed());
    assert_eq!(bench.result(refusal(FailInfo::TimeNotAvailable)), EndToEndResult::Refused);
}

#[test]
fn a_token_without_a_lease_is_grave_whatever_its_time() {
    let never = || Ward::new(rules(), Record::default(), raw(0));
    let mut bench = Bench::with(never());
    let body = bench.token(ASKED_MS);
    let leaf = bench.reply(Ok(body)).expect("it was asked");
    assert!(leaf.without_lease && leaf.result.is_grave());
    assert_eq!(leaf.result, EndToEndResult::WithoutLease);
    // A lease that may be alive, as after a restart of the monitor, proves nothing.
    let mut bench = Bench::new();
    let body = bench.token(ASKED_MS);
    assert_eq!(bench.result(body), EndToEndResult::Good);
    // Nor does one that came between question and answer.
    let mut bench = Bench::with(never());
    bench.ward = granted_and_renewed();
    let body = bench.token(ASKED_MS);
    assert_eq!(bench.result(body), EndToEndResult::Good);
}

#[test]
fn without_utc_or_near_a_leap_second_a_token_is_not_judged() {
    let mut bench = Bench::new();
    bench.known.utc = Err(NoUtc::QuorumLost { usable: 1, required: 3 });
    let body = bench.token(0);
    assert_eq!(bench.result(body), EndToEndResult::NoUtc);
    let mut bench = Bench::new();
    let end = MonthEnd::containing(Timestamp::from_unix_nanos(OFFSET));
    let from = Blackout::around(end).from().as_unix_nanos() - OFFSET;
    let (asked, answered) = (RawInstant::from_nanos(from - 50 * MS), RawInstant::from_nanos(from));
    bench.known = Known { now: answered, utc: Ok(utc()), boundaries: Boundaries::default() };
    bench.known.boundaries.next = Some(Blackout::around(end));
    let body = bench.token(0);
    let reply = Reply { id: bench.ask.id, asked, answered, body: Ok(body) };
    let leaf = bench.probe.answered(&bench.ward, &bench.known, reply).expect("asked");
    assert_eq!((leaf.result, leaf.utc_minus_raw), (EndToEndResult::NoUtc, None));
}

#[test]
fn an_answer_counts_once_and_not_over_a_break_of_this_box() {
    let mut bench = Bench::new();
    let wrong = bench.token(0);
    bench.probe.broken();
    assert_eq!(bench.reply(Ok(wrong.clone())), None);
    assert_eq!(bench.probe.last(), None);

    let mut bench = Bench::new();
    assert_eq!(
        bench.probe.ask(&bench.ward, raw(500_000), || [2; RANDOM_BYTES]),
        None,
        "one at a time"
    );
    let unreachable = bench.reply(Err("nobody listens".to_owned())).expect("it was asked");
    assert_eq!((unreachable.result, unreachable.response), (EndToEndResult::Unreachable, None));
    assert_eq!(bench.reply(Ok(wrong)), None, "it was answered");
    let next = bench.probe.ask(&bench.ward, raw(500_000), || [2; RANDOM_BYTES]).expect("due");
    assert_ne!(next.request, bench.ask.request);
}

#[test]
fn a_wrong_token_revokes_and_latches() {
    let mut ward = granted_and_renewed();
    let mut out = Vec::new();
    ward.handle(context(ANSWERED_MS), Event::WrongToken, &mut out);
    assert_eq!(ward.record().latch, Some(chronolease_core::lease::EndingCause::WrongToken));
    let revoked = |action: &crate::core::authority::Action| {
        matches!(
            action,
            crate::core::authority::Action::Send(_, chronolease_core::wire::ToTsu::Revoke { .. })
        )
    };
    assert!(out.iter().any(revoked), "{out:?}");
    assert_eq!(ward.held_lease(), None);
}

fn context(now_ms: i64) -> Context {
    let facts = Facts {
        utc: Ok(utc()),
        boundaries: Boundaries::default(),
        vouched: TreeHead::empty(),
        recordable: true,
        pps: PpsSays::Permits,
        nonces: [Nonce::from_bytes([1; 32]), Nonce::from_bytes([2; 32])],
    };
    Context::of(&turn_at(raw(now_ms)), facts)
}
