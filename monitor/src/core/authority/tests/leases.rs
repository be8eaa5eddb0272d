//! What is granted, why it ends, and how it comes back.

use super::*;

#[test]
fn the_first_lease_takes_k_good_probes_and_each_further_one_renews() {
    let mut bench = Bench::connected();
    bench.probes(4, 0);
    assert_eq!((bench.grant(), bench.ward.state()), (None, WardState::Holding));
    bench.probes(1, 0);
    let first = bench.grant().expect("the fifth good probe grants");
    assert_eq!((first.sequence, first.ttl), (LeaseSeq::new(1), Bound::from_millis(3_000)));
    bench.probes(1, 0);
    assert_eq!(bench.grant().expect("renewed").sequence, LeaseSeq::new(2));
}

#[test]
fn a_bad_probe_in_between_starts_the_count_afresh() {
    let mut bench = Bench::connected();
    bench.probes(4, 0);
    bench.probes(1, 180); // neither good nor bad
    bench.probes(4, 0);
    assert_eq!(bench.grant(), None);
    bench.probes(1, 0);
    assert!(bench.grant().is_some());
}

#[test]
fn no_consensus_and_lost_quorum_end_the_lease_at_once_and_do_not_latch() {
    let lost = NoUtc::QuorumLost { usable: 2, required: 3 };
    for (no_utc, cause) in
        [(NO_CONSENSUS, EndingCause::NoConsensus), (lost, EndingCause::QuorumLost)]
    {
        let mut bench = Bench::granted();
        bench.utc = Err(no_utc);
        bench.handle(Event::Fused);
        assert_eq!(bench.ending(), Some(cause));
        assert_eq!(bench.revoked(), Some((LeaseSeq::new(1), cause)));
        assert_eq!(bench.ward.record().latch, None);
        bench.handle(Event::Fused);
        assert_eq!(bench.ending(), None, "an ending is counted once");

        bench.utc = Ok(utc());
        bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: LeaseSeq::new(1) });
        bench.probes(4, 0);
        assert_eq!(bench.grant(), None);
        bench.probes(1, 0);
        assert!(bench.grant().is_some(), "five good probes last longer than the hold of 3 s");
    }
}

/// The third ending within the hour asks the longer hold, though nothing is latched.
#[test]
fn a_lease_that_comes_and_goes_waits_longer() {
    let mut bench = Bench::granted();
    for ending in 1..=4 {
        bench.utc = Err(NO_CONSENSUS);
        bench.handle(Event::Fused);
        assert_eq!(bench.ending(), Some(EndingCause::NoConsensus));
        let revoked = bench.revoked().expect("acts first").0;
        bench.utc = Ok(utc());
        bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: revoked });
        bench.probes(5, 0);
        let soon = bench.grant().is_some();
        assert_eq!(soon, ending < 3, "ending {ending}: the hold is 3 s, and then 5 s");
        if !soon {
            bench.probes(1, 0);
            assert!(bench.grant().is_some());
        }
        assert_eq!(bench.ward.record().latch, None);
    }
}

#[test]
fn a_deviation_revokes_latches_and_is_recorded() {
    let mut bench = Bench::granted();
    bench.probes(1, -300);
    assert_eq!(bench.ending(), Some(EndingCause::Deviation));
    let persisted = bench.out.iter().position(|a| matches!(a, Action::Persist(_)));
    let sent = bench.out.iter().position(|a| matches!(a, Action::Send(_, ToTsu::Revoke { .. })));
    assert!(sent < persisted && sent.is_some(), "the revocation acts first: {:?}", bench.out);
    assert_eq!(bench.ward.record().latch, Some(EndingCause::Deviation));
    assert_eq!(bench.ward.state(), WardState::Latched);

    bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: LeaseSeq::new(1) });
    bench.probes(5, 0);
    assert_eq!(bench.grant(), None, "the latched hold is 5 s");
    bench.probes(1, 0);
    assert!(bench.grant().is_some());
    assert_eq!(bench.ward.record().latch, None);
}

#[test]
fn a_latch_that_needs_two_persons_stays_over_good_probes_and_restarts() {
    let record = Record { latch: Some(EndingCause::Step), ..Record::default() };
    let mut bench = Bench::new(Rearm::TwoPersons, record);
    bench.connect(1, A);
    bench.probes(30, 0);
    assert_eq!((bench.grant(), bench.ward.state()), (None, WardState::Latched));
}

#[test]
fn a_latch_from_before_the_restart_asks_the_longer_hold_and_revokes_again() {
    let record = Record {
        latch: Some(EndingCause::Step),
        sequence: LeaseSeq::new(7),
        incarnation: Some(Incarnation::from_bytes([A; 16])),
        ..Record::default()
    };
    let mut bench = Bench::new(Rearm::Automatic, record);
    bench.connect(1, A);
    assert_eq!(bench.revoked(), Some((LeaseSeq::new(7), EndingCause::Step)));
    bench.probes(5, 0);
    assert_eq!(bench.grant(), None);
    bench.probes(1, 0);
    assert_eq!(bench.grant().expect("after 5 s").sequence, LeaseSeq::new(8));
}

#[test]
fn an_unproven_clock_is_not_renewed_and_the_lease_lapses() {
    let mut bench = Bench::granted();
    bench.probes(3, 180);
    assert_eq!((bench.ending(), bench.ward.state()), (None, WardState::Granted));
    bench.pass(999);
    assert_eq!(bench.ending(), Some(EndingCause::Lapsed));
    assert_eq!(bench.ward.record().latch, None);
}

#[test]
fn a_revocation_is_repeated_until_it_is_confirmed() {
    let mut bench = Bench::granted();
    bench.utc = Err(NO_CONSENSUS);
    bench.handle(Event::Fused);
    bench.handle(Event::Closed { conn: ConnId(1) });
    bench.utc = Ok(utc());
    bench.connect(2, A);
    assert_eq!(bench.revoked(), Some((LeaseSeq::new(1), EndingCause::NoConsensus)));
    bench.handle(Event::RevocationAcked { conn: ConnId(2), up_to: LeaseSeq::new(1) });
    bench.handle(Event::Closed { conn: ConnId(2) });
    bench.connect(3, A);
    assert_eq!(bench.revoked(), None);
}

#[test]
fn a_lease_that_the_tsu_ended_is_counted_once() {
    let mut bench = Bench::granted();
    bench.pass(1_000);
    let ended = Some(LeaseEnded { sequence: LeaseSeq::new(1), cause: EndingCause::Step });
    let nonce = bench.probe_sent(1).unwrap();
    bench.answer(1, nonce, 0, ended);
    assert_eq!(bench.ending(), Some(EndingCause::Step));
    assert_eq!(bench.ward.record().latch, Some(EndingCause::Step));
    bench.pass(1_000);
    let nonce = bench.probe_sent(1).unwrap();
    bench.answer(1, nonce, 0, ended);
    assert_eq!(bench.ending(), None);
}

#[test]
fn a_monitor_that_cannot_record_revokes() {
    let mut bench = Bench::granted();
    bench.handle(Event::PersistFailed);
    assert_eq!(bench.ending(), Some(EndingCause::StateLost));
    assert!(bench.revoked().is_some());
}

#[test]
fn a_step_latches_even_when_the_lease_ended_for_a_milder_cause_first() {
    let mut bench = Bench::granted();
    bench.handle(Event::Closed { conn: ConnId(1) });
    bench.pass(3_001);
    assert_eq!(bench.ending(), Some(EndingCause::LinkLost));
    bench.connect(2, A);
    let nonce = bench.probe_sent(2).unwrap();
    let ended = Some(LeaseEnded { sequence: LeaseSeq::new(1), cause: EndingCause::Step });
    bench.answer(2, nonce, 0, ended);
    assert_eq!(bench.ward.record().latch, Some(EndingCause::Step));
    assert_eq!(bench.ending(), None, "it ended once");
}

#[test]
fn a_grant_that_cannot_be_recorded_clears_no_latch() {
    let record = Record { latch: Some(EndingCause::Step), ..Record::default() };
    let mut bench = Bench::new(Rearm::Automatic, record);
    bench.connect(1, A);
    bench.probes(6, 0);
    assert!(bench.grant().is_some());
    bench.handle(Event::PersistFailed);
    assert_eq!(bench.ending(), Some(EndingCause::StateLost));
    assert_eq!(bench.ward.record().latch, Some(EndingCause::Step));
    assert_eq!(bench.ward.state(), WardState::Latched);

    // And the longer hold begins afresh.
    bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: LeaseSeq::new(1) });
    bench.probes(5, 0);
    assert_eq!(bench.grant(), None);
    bench.probes(1, 0);
    assert!(bench.grant().is_some());
}

#[test]
fn a_lost_evidence_log_revokes_and_latches() {
    let mut bench = Bench::granted();
    bench.handle(Event::EvidenceLost);
    assert_eq!(bench.ending(), Some(EndingCause::EvidencePoisoned));
    assert_eq!(bench.revoked(), Some((LeaseSeq::new(1), EndingCause::EvidencePoisoned)));
    assert_eq!(bench.ward.state(), WardState::Latched);
    assert!(bench.out.iter().any(|action| matches!(action, Action::Persist(_))));
}

#[test]
fn a_lost_evidence_log_latches_without_a_lease_too() {
    let mut bench = Bench::connected();
    bench.handle(Event::EvidenceLost);
    assert_eq!(bench.ending(), None);
    assert_eq!(bench.ward.record().latch, Some(EndingCause::EvidencePoisoned));
}

#[test]
fn a_grant_that_the_lost_log_did_not_take_clears_no_latch() {
    let record = Record { latch: Some(EndingCause::Step), ..Record::default() };
    let mut bench = Bench::new(Rearm::Automatic, record);
    bench.connect(1, A);
    bench.probes(6, 0);
    assert!(bench.grant().is_some());
    bench.handle(Event::EvidenceLost);
    assert_eq!(bench.ending(), Some(EndingCause::EvidencePoisoned));
    assert_eq!(bench.ward.record().latch, Some(EndingCause::Step));
}

#[test]
fn a_lease_lapses_while_nothing_can_be_recorded_and_comes_back_afterwards() {
    let mut bench = Bench::granted();
    bench.recordable = false;
    bench.probes(2, 0);
    assert_eq!((bench.grant(), bench.ending()), (None, None));
    bench.pass(1_000);
    bench.pass(1);
    assert_eq!(bench.ending(), Some(EndingCause::Lapsed));
    bench.probes(9, 0);
    assert_eq!((bench.grant(), bench.ward.record().latch), (None, None));
    bench.recordable = true;
    bench.probes(1, 0);
    assert!(bench.grant().is_some());
}

#[test]
fn the_sample_of_a_bad_verdict_stands_with_the_ending() {
    let mut bench = Bench::granted();
    bench.probes(1, -300);
    let ended = bench.out.iter().find_map(|action| match action {
        Action::Ended(ended) => Some(ended),
        _ => None,
    });
    let judged = bench.out.iter().find_map(|action| match action {
        Action::Judged(probed) => Some(probed.answer),
        _ => None,
    });
    assert!(judged.is_some());
    assert_eq!(ended.expect("ended").found_by, judged);
}

#[test]
fn a_good_clock_earns_no_lease_while_the_log_is_not_vouched_for() {
    let mut bench = Bench::connected();
    let log = bench.log.take();
    bench.probes(10, 0);
    assert_eq!((bench.grant(), bench.ward.state()), (None, WardState::Holding));
    bench.log = log;
    bench.probes(1, 0);
    assert!(bench.grant().is_some(), "the clock was good all along");
    // Nor is a lease renewed: it runs out.
    bench.log = None;
    bench.probes(1, 0);
    assert_eq!((bench.grant(), bench.ward.state()), (None, WardState::Granted));
    bench.pass(3_001);
    assert_eq!(bench.ending(), Some(EndingCause::Lapsed));
}

#[test]
fn a_broken_log_ends_the_lease_and_latches_with_the_longer_hold() {
    for cause in [EndingCause::Rollback, EndingCause::Fork] {
        let mut bench = Bench::granted();
        let sequence = bench.ward.record().sequence;
        bench.handle(Event::LogBroken { cause });
        assert_eq!((bench.revoked(), bench.ending()), (Some((sequence, cause)), Some(cause)));
        assert_eq!(bench.ward.record().latch, Some(cause));
        bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: sequence });
        bench.handle(Event::LogBroken { cause });
        assert_eq!(bench.ending(), None, "it ended once");
        // Good probes for the hold of a milder cause are not enough.
        bench.probes(5, 0);
        assert_eq!((bench.grant(), bench.ward.state()), (None, WardState::Latched));
        bench.probes(2, 0);
        assert!(bench.grant().is_some(), "re-arming is automatic here");

        let mut bench = Bench::new(Rearm::TwoPersons, Record::default());
        bench.connect(1, A);
        bench.probes(5, 0);
        bench.handle(Event::LogBroken { cause });
        bench.probes(20, 0);
        assert_eq!((bench.grant(), bench.ward.state()), (None, WardState::Latched));
    }
}
