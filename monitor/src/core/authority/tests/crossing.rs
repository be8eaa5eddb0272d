//! What the end of a month does to a ward. The crossing in full is in `core::leap::watch`.

use super::*;
use chronolease_core::leap::blackout::Blackout;

impl Bench {
    /// So many milliseconds from L.
    fn at(&mut self, from_l_ms: i64) {
        let l_ms = (end().instant().as_unix_nanos() - OFFSET) / MS;
        self.now_ms = l_ms + from_l_ms;
        let past = from_l_ms > 2_001;
        let blackout = Some(Blackout::around(end()));
        self.boundaries = Boundaries {
            last: blackout.filter(|_| past),
            next: blackout.filter(|_| !past),
            crossing: (-2_001..=2_001).contains(&from_l_ms),
            oldest: Some(end().instant() + Span::from_millis(from_l_ms - 500)),
        };
    }

    /// With a lease, 5 s before L.
    fn near() -> Self {
        let mut bench = Self::new(Rearm::Automatic, Record::default());
        bench.at(-10_000);
        bench.connect(1, A);
        bench.probes(5, 0);
        assert_eq!(bench.ward.state(), WardState::Granted);
        bench.at(-5_000);
        bench
    }

    /// A probe that is answered at once, that long from L.
    fn probed_at(&mut self, from_l_ms: i64) {
        self.at(from_l_ms);
        self.handle(Event::Tick);
        if let Some(nonce) = self.probe_sent(1) {
            self.answer(1, nonce, 0, None);
        }
    }
}

#[test]
fn the_lease_names_the_blackout_and_ends_with_its_beginning() {
    let mut bench = Bench::near();
    bench.probed_at(-4_000);
    let terms = bench.grant().expect("renewed");
    assert_eq!(terms.blackout, Some(Blackout::around(end())));
    bench.at(-2_002);
    bench.handle(Event::Tick);
    assert_eq!(bench.ending(), None);
    // The interval is a millisecond either way.
    bench.at(-2_001);
    bench.handle(Event::Tick);
    assert_eq!(bench.ending(), Some(EndingCause::LeapSecond));
    assert_eq!(bench.revoked(), Some((terms.sequence, EndingCause::LeapSecond)));
    assert_eq!(bench.ward.record().latch, None);
}

#[test]
fn nothing_is_judged_in_the_blackout_and_two_full_good_rounds_end_it() {
    let mut rules = rules(Rearm::Automatic);
    rules.good_probes = 1;
    let mut bench = Bench::with(rules, Record::default());
    bench.at(-3_000);
    bench.connect(1, A);
    bench.probes(1, 0);
    assert!(bench.grant().is_some());
    for from_l_ms in (-2_000..=2_000).step_by(1_000) {
        bench.probed_at(from_l_ms);
        assert!(bench.grant().is_none() && bench.ward.verdict().is_none(), "{from_l_ms}");
    }
    bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: LeaseSeq::new(9) });
    // Rests on an exchange from before L + 1 s: not full.
    bench.at(3_000);
    bench.boundaries.oldest = Some(end().instant() + Span::from_millis(1_000));
    bench.handle(Event::Tick);
    let nonce = bench.probe_sent(1).expect("one a second");
    bench.answer(1, nonce, 0, None);
    assert!(bench.grant().is_none());
    bench.probed_at(4_000);
    assert!(bench.grant().is_none(), "the first full one");
    // Time alone, and looks without a probe, count for nothing and take nothing away.
    bench.at(4_500);
    bench.handle(Event::Fused);
    bench.probed_at(5_000);
    assert!(bench.grant().is_some(), "the second");
}

#[test]
fn utc_that_is_lost_to_the_boundary_is_no_quorum_alarm() {
    for (crossing, cause) in [(true, EndingCause::LeapSecond), (false, EndingCause::QuorumLost)] {
        let mut bench = Bench::near();
        bench.boundaries.crossing = crossing;
        bench.utc = Err(NoUtc::QuorumLost { usable: 0, required: 3 });
        bench.handle(Event::Tick);
        assert_eq!(bench.ending(), Some(cause));
    }
}

#[test]
fn a_monitor_that_starts_after_the_boundary_asks_for_the_two_rounds_too() {
    let mut rules = rules(Rearm::Automatic);
    rules.good_probes = 1;
    let mut bench = Bench::with(rules, Record::default());
    bench.at(60_000);
    bench.connect(1, A);
    bench.probes(1, 0);
    assert!(bench.grant().is_none());
    bench.probed_at(61_000);
    assert!(bench.grant().is_some());
}
