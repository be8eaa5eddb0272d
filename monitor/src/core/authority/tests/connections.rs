//! Who is admitted, and what a probe is worth.

use super::*;
use chronolease_core::evidence::TreeHead;

#[test]
fn a_cut_link_leaves_the_lease_to_run_out() {
    let mut bench = Bench::granted();
    bench.handle(Event::Closed { conn: ConnId(1) });
    assert_eq!(bench.ward.state(), WardState::Granted, "the TSU may still issue");
    bench.pass(3_001);
    assert_eq!(bench.ending(), Some(EndingCause::LinkLost));
}

#[test]
fn the_same_incarnation_comes_back_at_once_and_renews() {
    let mut bench = Bench::granted();
    bench.handle(Event::Closed { conn: ConnId(1) });
    bench.connect(2, A);
    let nonce = bench.probe_sent(2).expect("probed at once");
    bench.answer(2, nonce, 0, None);
    let lease = bench.grant().expect("the lease still stood");
    assert_eq!(lease.channel, ChannelBinding::from_bytes([2; 32]));
}

#[test]
fn another_incarnation_waits_until_the_lease_is_dead_for_certain() {
    let mut bench = Bench::granted();
    bench.handle(Event::Closed { conn: ConnId(1) });
    bench.connect(2, B);
    assert_eq!(bench.refused(2), Some(RefusedWhy::Wait));
    assert_eq!(bench.ending(), Some(EndingCause::Restarted));
    bench.pass(3_000);
    bench.connect(3, B);
    assert_eq!(bench.refused(3), Some(RefusedWhy::Wait), "TTL(1+rho)/(1-rho), not TTL");
    bench.pass(1);
    bench.connect(4, B);
    assert_eq!(bench.refused(4), None);
    assert!(bench.ward.is_connected());
}

#[test]
fn after_a_restart_of_the_monitor_another_incarnation_waits_too() {
    let record = Record {
        incarnation: Some(Incarnation::from_bytes([A; 16])),
        sequence: LeaseSeq::new(4),
        ttl: Bound::from_millis(4_000), // an earlier configuration granted longer leases
        ..Record::default()
    };
    let mut bench = Bench::new(Rearm::Automatic, record);
    bench.connect(1, B);
    assert_eq!(bench.refused(1), Some(RefusedWhy::Wait));
    bench.pass(4_000);
    bench.connect(2, B);
    assert_eq!(bench.refused(2), Some(RefusedWhy::Wait));
    bench.connect(3, A);
    assert_eq!(bench.refused(3), None, "the same incarnation is admitted at once");
}

#[test]
fn two_connections_that_answer_are_a_clone() {
    let mut bench = Bench::granted();
    bench.connect(2, A);
    let (first, second) = (bench.probe_sent(1).unwrap(), bench.probe_sent(2).unwrap());
    assert_ne!(first, second);
    bench.answer(1, first, 0, None);
    bench.answer(2, second, 0, None);
    assert_eq!(bench.ending(), Some(EndingCause::Clone));
    assert_eq!(bench.revoked().map(|(_, cause)| cause), Some(EndingCause::Clone));
    assert!(bench.refused(1).is_some() && bench.refused(2).is_some());
    assert_eq!(bench.ward.record().latch, Some(EndingCause::Clone));
}

#[test]
fn a_silent_first_connection_is_superseded() {
    let mut bench = Bench::granted();
    bench.connect(2, A);
    let second = bench.probe_sent(2).unwrap();
    bench.answer(2, second, 0, None);
    assert_eq!(bench.grant(), None, "a challenger is granted nothing");
    bench.pass(1_000);
    assert!(bench.out.contains(&Action::Close(ConnId(1))));
    assert!(bench.out.contains(&Action::Admit(ConnId(2))));
    let nonce = bench.probe_sent(2).expect("probed at once");
    bench.answer(2, nonce, 0, None);
    assert!(bench.grant().is_some());
}

#[test]
fn a_silent_challenger_is_sent_away() {
    let mut bench = Bench::granted();
    bench.connect(2, B);
    let first = bench.probe_sent(1).unwrap();
    bench.answer(1, first, 0, None);
    bench.pass(1_000);
    assert_eq!(bench.refused(2), Some(RefusedWhy::Busy));
    assert_eq!(bench.ward.state(), WardState::Granted);
}

#[test]
fn an_answer_to_no_probe_grants_nothing() {
    let mut bench = Bench::granted();
    bench.answer(1, Nonce::from_bytes([0xee; 32]), 0, None);
    assert_eq!(bench.grant(), None);
    bench.pass(1_000);
    let nonce = bench.probe_sent(1).unwrap();
    bench.answer(1, nonce, 0, None);
    assert!(bench.grant().is_some());
    bench.answer(1, nonce, 0, None);
    assert_eq!(bench.grant(), None, "a replayed answer");
}

#[test]
fn a_silent_link_is_closed() {
    let mut bench = Bench::granted();
    for _ in 0..3 {
        bench.pass(1_000);
    }
    bench.pass(1);
    assert!(bench.out.contains(&Action::Close(ConnId(1))));
    assert_eq!(bench.ending(), Some(EndingCause::LinkLost));
}

#[test]
fn a_probe_from_before_a_break_of_box_b_proves_nothing() {
    let mut bench = Bench::granted();
    bench.pass(1_000);
    let nonce = bench.probe_sent(1).unwrap();
    bench.utc = Err(NoUtc::QuorumLost { usable: 0, required: 3 });
    bench.handle(Event::Broken);
    assert_eq!(bench.ending(), Some(EndingCause::MonitorBreak));
    // Ten seconds of suspension: UTC - RAW has grown by as much, and UTC is known again.
    let later = Span::from_millis(10_000);
    bench.utc = Ok(Interval::new(utc().lo() + later, utc().hi() + later).unwrap());
    bench.now_ms += 200;
    bench.handle(Event::Fused);
    // The answer of a perfect clock, given before the suspension, delivered after it.
    bench.answer(1, nonce, -200, None);
    assert!(bench.out.is_empty(), "{:?}", bench.out);
}

#[test]
fn a_longer_lease_from_before_the_restart_is_waited_for_even_after_a_new_grant() {
    let record = Record {
        incarnation: Some(Incarnation::from_bytes([A; 16])),
        sequence: LeaseSeq::new(4),
        ttl: Bound::from_millis(60_000),
        ..Record::default()
    };
    let mut bench = Bench::new(Rearm::Automatic, record);
    bench.connect(1, A);
    bench.probes(5, 0);
    assert!(bench.grant().is_some());
    // The grant never arrives: A still holds lease 4.
    bench.handle(Event::Closed { conn: ConnId(1) });
    for (conn, wait) in [(2, 3_001), (3, 40_000)] {
        bench.pass(wait);
        bench.connect(conn, B);
        assert_eq!(bench.refused(conn), Some(RefusedWhy::Wait));
    }
    bench.pass(20_000);
    bench.connect(4, B);
    assert_eq!(bench.refused(4), None);
}

#[test]
fn a_lease_that_was_not_revoked_cannot_be_confirmed_dead() {
    let mut bench = Bench::granted();
    bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: LeaseSeq::new(u64::MAX) });
    bench.handle(Event::Closed { conn: ConnId(1) });
    bench.connect(2, B);
    assert_eq!(bench.refused(2), Some(RefusedWhy::Wait));
}

#[test]
fn a_stranger_to_the_protocol_ends_no_lease() {
    let mut bench = Bench::granted();
    bench.handle(Event::Closed { conn: ConnId(1) });
    bench.handle(Event::Connected {
        conn: ConnId(2),
        hello: Hello {
            version: PROTOCOL_VERSION + 1,
            tsu: TsuId::new("tsu-1").unwrap(),
            incarnation: Incarnation::from_bytes([B; 16]),
            boot_id: BootId::from_bytes([1; 16]),
            held: TreeHead::empty(),
        },
        channel: ChannelBinding::from_bytes([2; 32]),
    });
    assert_eq!(bench.refused(2), Some(RefusedWhy::Version(PROTOCOL_VERSION)));
    assert_eq!((bench.ending(), bench.ward.state()), (None, WardState::Granted));
}
