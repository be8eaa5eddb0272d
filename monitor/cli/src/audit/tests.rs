use super::*;
use chronolease_core::clock_reader::RawWindow;
use chronolease_core::evidence::leaf::{BoxRole, Imprint, Started};
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::{BootId, ChannelBinding};
use chronolease_core::interval::Interval;
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::leap::passage::{LeapChange, Observed, Reading};
use chronolease_core::leap::plan::Outlook;
use chronolease_core::pps::{PlacedEdge, PpsChange, PpsLimits, PpsState};
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, GenTimeDigits, Ppb, RawInstant, Span, Timestamp};

const LIMITS: Limits = Limits {
    guard: Bound::from_millis(5),
    bracket: Bound::from_millis(1),
    digits: GenTimeDigits::Three,
};
const TTL_MS: i64 = 3_000;

/// The clocks `ms` milliseconds after the boot.
fn sample(ms: i64) -> Sample {
    Sample {
        raw_before: RawInstant::from_nanos(ms * 1_000_000),
        real: Timestamp::from_unix_nanos(1_800_000_000_000_000_000 + ms * 1_000_000),
        raw_after: RawInstant::from_nanos(ms * 1_000_000 + 500),
        boot_minus_mono: Span::ZERO,
        boot_id: BootId::from_bytes([0xb0; 16]),
    }
}

fn run_of(incarnation: u8) -> Event {
    Event::Started(Started {
        role: BoxRole::Tsu,
        version: "0.1.0".to_owned(),
        build: "b".to_owned(),
        incarnation: Some(Incarnation::from_bytes([incarnation; 16])),
        config_digest: Hash::from_bytes([1; 32]),
        virtual_allowed: false,
    })
}

fn lease_of(tsu: &str, sequence: u64, ms: i64) -> Event {
    let terms = LeaseTerms {
        tsu: TsuId::new(tsu).expect("a fair name"),
        incarnation: Incarnation::from_bytes([1; 16]),
        sequence: LeaseSeq::new(sequence),
        channel: ChannelBinding::from_bytes([2; 32]),
        sample: sample(ms),
        ttl: Bound::from_millis(TTL_MS.unsigned_abs()),
        clock_bound: Bound::from_millis(2),
        rho: Ppb::from_ppm(100),
        policy: "1.2.3".to_owned(),
        blackout: None,
    };
    let signed = SignedLease::sign(&terms, |_| Ok::<_, ()>(b"good".to_vec()));
    Event::LeaseGranted(signed.expect("it signs"))
}

fn lease(sequence: u64, ms: i64) -> Event {
    lease_of("tsu-1", sequence, ms)
}

fn serial(token: u8) -> Serial {
    Serial::from_hash(&[token; 32])
}

fn an_intent(token: u8, lease: u64, ms: i64) -> Intent {
    Intent {
        serial: serial(token),
        imprint: Imprint::Sha256([3; 32]),
        tst_info_digest: Hash::from_bytes([4; 32]),
        sample: sample(ms),
        lease: LeaseSeq::new(lease),
        gen_time: GenTime::at(sample(ms).real, GenTimeDigits::Three),
    }
}

fn intent(token: u8, lease: u64, ms: i64) -> Event {
    Event::Intent(an_intent(token, lease, ms))
}

fn issued(tokens: &[u8]) -> Event {
    let token = |token: &u8| IssuedToken {
        serial: serial(*token),
        signature_digest: Hash::from_bytes([5; 32]),
    };
    Event::Issued(tokens.iter().map(token).collect())
}

fn at(index: u64, kind: Kind, fault: Fault) -> Finding {
    Finding { leaf: LeafIndex::new(index), kind, fault }
}

fn audit_with(verify: Option<Verify<'_>>, events: &[Event]) -> Vec<Finding> {
    let mut audit = Audit::new(LIMITS, verify);
    let mut findings = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let leaf = Leaf { made: sample(0), event: event.clone() }.encode().expect("short");
        findings.extend(audit.leaf(LeafIndex::new(index as u64), &leaf));
    }
    assert_eq!(audit.counts().values().sum::<u64>(), events.len() as u64);
    findings
}

fn audit(events: &[Event]) -> Vec<Finding> {
    audit_with(None, events)
}

#[test]
fn a_sound_log_has_no_findings() {
    let events = [
        run_of(1),
        Event::ConfigDigest(Hash::from_bytes([1; 32])),
        lease(1, 0),
        intent(1, 1, 10),
        intent(2, 1, 10),
        issued(&[1]),
        lease(3, 1_000),
        // Announced under the lease before, which is not over yet.
        intent(3, 1, 2_900),
        intent(4, 3, 3_999),
        issued(&[2, 4]),
        Event::Stopped,
    ];
    assert_eq!(audit(&events), []);
}

#[test]
fn a_serial_number_is_used_once() {
    let fault = Fault::Serial { serial: serial(1), first: LeafIndex::new(2) };
    let events = [run_of(1), lease(1, 0), intent(1, 1, 10), intent(2, 1, 11), intent(1, 1, 12)];
    assert_eq!(audit(&events), [at(4, Kind::Intent, fault)]);
    // In another run as well.
    let events = [run_of(1), lease(1, 0), intent(1, 1, 10), run_of(1), intent(1, 1, 12)];
    assert_eq!(audit(&events).len(), 1);
}

#[test]
fn no_token_without_an_intent_and_none_twice() {
    let events =
        [run_of(1), lease(1, 0), issued(&[1]), intent(1, 1, 10), issued(&[1]), issued(&[1])];
    let twice = Fault::IssuedTwice { serial: serial(1), first: LeafIndex::new(4) };
    let expected = [at(2, Kind::Issued, Fault::NoIntent(serial(1))), at(5, Kind::Issued, twice)];
    assert_eq!(audit(&events), expected);
}

#[test]
fn gen_time_goes_back_in_another_run_alone() {
    let latest = GenTime::at(sample(20).real, GenTimeDigits::Three);
    let stated = GenTime::at(sample(19).real, GenTimeDigits::Three);
    let fault = Fault::Regressed { stated, latest, by: LeafIndex::new(2) };
    let before = [run_of(1), lease(1, 0), intent(1, 1, 20)];
    let events = [&before[..], &[intent(2, 1, 19), intent(3, 1, 20)]].concat();
    assert_eq!(audit(&events), [at(3, Kind::Intent, fault)]);
    let events = [&before[..], &[run_of(1), intent(2, 1, 19)]].concat();
    assert_eq!(audit(&events), []);
}

#[test]
fn gen_time_is_that_of_the_sample() {
    let read = GenTime::at(sample(10).real, GenTimeDigits::Three);
    let stated = GenTime::at(sample(11).real, GenTimeDigits::Three);
    let changed = Intent { gen_time: stated, ..an_intent(1, 1, 10) };
    let events = [run_of(1), lease(1, 0), Event::Intent(changed)];
    assert_eq!(audit(&events), [at(2, Kind::Intent, Fault::GenTime { stated, read })]);
}

fn refusal_of(intent: Intent) -> Option<Refusal> {
    let events = [run_of(1), lease(1, 100), Event::Intent(intent)];
    match &audit(&events)[..] {
        [] => None,
        [Finding { fault: Fault::Judged(lease, refusal), .. }] if lease.as_u64() == 1 => {
            Some(*refusal)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_intent_is_judged_again() {
    let ms_500ns = |ms: u64| Bound::from_nanos(ms * 1_000_000 + 500);
    let with = |change: fn(&mut Sample)| {
        let mut intent = an_intent(1, 1, 110);
        change(&mut intent.sample);
        intent.gen_time = GenTime::at(intent.sample.real, GenTimeDigits::Three);
        refusal_of(intent)
    };
    assert_eq!(refusal_of(an_intent(1, 1, 100 + TTL_MS - 1)), None);
    let expired = Refusal::Expired { age: ms_500ns(3_000), ttl: Bound::from_millis(3_000) };
    assert_eq!(refusal_of(an_intent(1, 1, 100 + TTL_MS)), Some(expired));
    assert_eq!(refusal_of(an_intent(1, 1, 99)), Some(Refusal::RawRegressed));
    let moved = with(|sample| sample.real = sample.real + Span::from_nanos(5_000_001));
    assert!(matches!(moved, Some(Refusal::ClockMoved { .. })), "{moved:?}");
    let wide =
        with(|sample| sample.raw_after = sample.raw_before.plus(Bound::from_nanos(1_000_001)));
    assert!(matches!(wide, Some(Refusal::BracketTooWide { .. })), "{wide:?}");
    let suspended = with(|sample| sample.boot_minus_mono = Span::from_millis(3));
    assert!(matches!(suspended, Some(Refusal::Suspended { .. })), "{suspended:?}");
    let other_boot = with(|sample| sample.boot_id = BootId::from_bytes([9; 16]));
    assert!(matches!(other_boot, Some(Refusal::OtherBoot { .. })), "{other_boot:?}");
}

#[test]
fn an_intent_needs_a_lease_before_it_and_a_run() {
    let no_lease = |lease| Fault::Judged(LeaseSeq::new(lease), Refusal::NoLease);
    let events = [run_of(1), intent(1, 1, 10), lease(1, 0), intent(2, 2, 10)];
    let expected = [at(1, Kind::Intent, no_lease(1)), at(3, Kind::Intent, no_lease(2))];
    assert_eq!(audit(&events), expected);

    let events = [lease(1, 0), intent(1, 1, 10)];
    assert_eq!(audit(&events), [at(1, Kind::Intent, Fault::NoRun)]);

    let other = Refusal::OtherIncarnation {
        lease: Incarnation::from_bytes([1; 16]),
        now: Incarnation::from_bytes([2; 16]),
    };
    let events = [lease(1, 0), run_of(2), intent(1, 1, 10)];
    let fault = Fault::Judged(LeaseSeq::new(1), other);
    assert_eq!(audit(&events), [at(2, Kind::Intent, fault)]);
}

#[test]
fn lease_numbers_rise_for_each_tsu() {
    let events = [lease(7, 0), lease_of("tsu-2", 3, 0), lease(8, 0), lease(8, 1), lease(5, 2)];
    let fault = |sequence| Fault::Sequence {
        tsu: TsuId::new("tsu-1").expect("a fair name"),
        sequence: LeaseSeq::new(sequence),
        before: LeaseSeq::new(8),
    };
    let expected = [at(3, Kind::LeaseGranted, fault(8)), at(4, Kind::LeaseGranted, fault(5))];
    assert_eq!(audit(&events), expected);
}

#[test]
fn an_unsound_lease_is_found_and_permits_nothing() {
    let Event::LeaseGranted(good) = lease(1, 0) else { panic!("a lease") };
    let forged = Event::LeaseGranted(SignedLease { signature: b"bad".to_vec(), ..good.clone() });
    let broken = Event::LeaseGranted(SignedLease { terms_der: vec![1, 2, 3], ..good });
    let verify = |_: &[u8], signature: &[u8]| signature == b"good";
    let events = [run_of(1), forged, intent(1, 1, 10), lease(1, 0), intent(2, 1, 11)];
    let no_lease = Fault::Judged(LeaseSeq::new(1), Refusal::NoLease);
    let expected = [at(1, Kind::LeaseGranted, Fault::Signature), at(2, Kind::Intent, no_lease)];
    assert_eq!(audit_with(Some(&verify), &events), expected);
    assert_eq!(audit(&events[..3]), [], "signatures are checked with a key alone");
    assert!(matches!(audit(&[broken])[..], [Finding { fault: Fault::Terms(_), .. }]));
}

#[test]
fn bytes_that_are_no_leaf_are_found() {
    let mut audit = Audit::new(LIMITS, None);
    let findings = audit.leaf(LeafIndex::new(9), b"no leaf");
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert!(matches!(finding.fault, Fault::Unreadable(_)));
    assert!(finding.to_string().starts_with("leaf 9 (unreadable): "), "{finding}");
    assert_eq!(audit.counts(), &BTreeMap::from([(Kind::Unreadable, 1)]));
}

#[test]
fn what_was_observed_at_a_boundary_is_observed_again() {
    let end = MonthEnd::of(2026, 12).expect("a month");
    let known = Interval::new(Span::ZERO, Span::from_millis(1)).expect("in order");
    let reading = |ms| Reading { at: sample(ms).raw_before, utc_minus_raw: known };
    let record = |observed| {
        let (before, after) = (reading(1_000), reading(9_000));
        let (expected, rho) = (Outlook::Nothing, Ppb::from_ppm(100));
        Event::LeapChange(LeapChange { end, expected, observed, before, after, rho, list: None })
    };
    assert_eq!(audit(&[record(Observed::Nothing)]), []);
    let lie = audit(&[record(Observed::Unclear)]);
    assert_eq!(lie, [at(0, Kind::LeapChange, Fault::LeapChange(end))]);
}

#[test]
fn an_edge_of_the_pps_signal_is_judged_again() {
    let at = |ns| RawInstant::from_nanos(ns);
    let edge = PlacedEdge { sequence: 1, raw: RawWindow::new(at(9), at(9)).expect("in order") };
    let utc = Reading { at: at(9), utc_minus_raw: Interval::within(Bound::from_millis(1)) };
    let limits = PpsLimits {
        residual: Bound::from_millis(5),
        jitter: Bound::from_millis(1),
        rho: Ppb::from_ppm(100),
    };
    let record = |to| {
        let (from, before) = (PpsState::Acquiring, None);
        let (edge, utc) = (Some(edge), Some(utc));
        Event::PpsChange(PpsChange { from, to, limits, before, edge, utc })
    };
    assert_eq!(audit(&[record(PpsState::Good)]), []);
    let lie = audit(&[record(PpsState::Shifted)]);
    assert_eq!(lie, [self::at(0, Kind::PpsChange, Fault::PpsChange(PpsState::Shifted))]);
}
