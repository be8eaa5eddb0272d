//! What the pulse-per-second signal of the monitor's box does to a lease.

use super::*;
use chronolease_core::confirmation::NotConfirmed;
use chronolease_core::wire::Confirm;

fn acked(bench: &mut Bench) {
    bench.handle(Event::RevocationAcked { conn: ConnId(1), up_to: LeaseSeq::new(1) });
}

#[test]
fn an_anomaly_of_a_needed_signal_ends_the_lease_at_once_and_does_not_latch() {
    let mut bench = Bench::granted();
    bench.pps = PpsSays::Forbids;
    bench.handle(Event::Tick);
    assert_eq!(bench.ending(), Some(EndingCause::PpsAnomaly));
    assert_eq!(bench.revoked(), Some((LeaseSeq::new(1), EndingCause::PpsAnomaly)));
    assert_eq!(bench.ward.record().latch, None);
    // It is told once.
    bench.handle(Event::Tick);
    assert_eq!((bench.ending(), bench.revoked()), (None, None));
}

#[test]
fn a_lease_comes_back_after_k_good_probes_over_the_hold_from_the_end_of_the_anomaly_on() {
    let mut bench = Bench::granted();
    bench.pps = PpsSays::Forbids;
    bench.handle(Event::Tick);
    acked(&mut bench);
    bench.probes(10, 0);
    assert_eq!((bench.grant(), bench.ward.state()), (None, WardState::None));
    bench.pps = PpsSays::Permits;
    bench.probes(4, 0);
    assert_eq!((bench.grant(), bench.ward.state()), (None, WardState::Holding));
    bench.probes(1, 0);
    assert!(bench.grant().is_some());
}

#[test]
fn a_needed_signal_of_which_too_little_is_known_lets_the_lease_lapse() {
    let mut bench = Bench::granted();
    bench.pps = PpsSays::Withholds;
    bench.probes(2, 0);
    assert_eq!((bench.grant(), bench.ending()), (None, None));
    bench.pass(1_000);
    bench.pass(1);
    assert_eq!(bench.ending(), Some(EndingCause::Lapsed));
    bench.probes(9, 0);
    assert_eq!(bench.grant(), None);
    bench.pps = PpsSays::Permits;
    bench.probes(1, 0);
    assert!(bench.grant().is_some());
}

#[test]
fn a_batch_that_comes_with_the_anomaly_is_not_confirmed() {
    for (pps, confirms) in [(PpsSays::Permits, true), (PpsSays::Forbids, false)] {
        let mut bench = Bench::granted();
        let confirm: Confirm = bench.batch(1, 1, 0);
        bench.pps = pps;
        bench.handle(Event::Confirm { conn: ConnId(1), confirm });
        let confirmed = bench.out.iter().any(|action| matches!(action, Action::Confirm(..)));
        let refused = bench.out.iter().any(|action| {
            matches!(action, Action::Send(_, ToTsu::NotConfirmed(_, NotConfirmed::NoLease)))
        });
        assert_eq!((confirmed, refused), (confirms, !confirms), "{:?}", bench.out);
    }
}
