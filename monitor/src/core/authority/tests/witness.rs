//! What a batch must keep to be confirmed: one test for each condition.

use super::*;
use chronolease_core::confirmation::{Batch, GenTimes, NotConfirmed};
use chronolease_core::evidence::merkle::{Hash, leaf_hash};
use chronolease_core::evidence::proof::{MemoryNodes, prove_consistency, root};
use chronolease_core::evidence::{TreeHead, TreeSize};
use chronolease_core::id::BatchSeq;
use chronolease_core::leap::blackout::Blackout;
use chronolease_core::time::{GenTime, GenTimeDigits};
use chronolease_core::wire::Confirm;

/// A log of the TSU: leaf by leaf the same up to `common`, and another one after it.
fn log(leaves: u64, common: u64, branch: u8) -> MemoryNodes {
    let mut nodes = MemoryNodes::new();
    for n in 0..leaves {
        let fill = if n < common { 0 } else { branch };
        nodes.append(leaf_hash(&[&n.to_be_bytes()[..], &[fill]].concat()));
    }
    nodes
}

fn head(nodes: &MemoryNodes) -> TreeHead {
    TreeHead { size: nodes.size(), root: root(nodes, nodes.size()).expect("all are there") }
}

fn since(nodes: &MemoryNodes, size: u64) -> Vec<Hash> {
    prove_consistency(nodes, TreeSize::new(size), nodes.size()).expect("not smaller")
}

impl Bench {
    /// What the TSU asks about a sample that is `error_ms` off UTC, of `lease`, with the log's
    /// first leaf.
    pub(super) fn batch(&self, sequence: u64, lease: u64, error_ms: i64) -> Confirm {
        let at = OFFSET + (self.now_ms + error_ms) * MS;
        let gen_time = GenTime::at(Timestamp::from_unix_nanos(at), GenTimeDigits::Three);
        let nodes = log(1, 1, 0);
        Confirm {
            batch: Batch {
                sequence: BatchSeq::new(sequence),
                lease: LeaseSeq::new(lease),
                root: Hash::from_bytes([9; 32]),
                gen_times: GenTimes::of([gen_time]).expect("one"),
            },
            log: head(&nodes),
            since_shown: if sequence == 1 { since(&nodes, 0) } else { vec![] },
        }
    }

    fn asks(&mut self, confirm: Confirm) {
        self.handle(Event::Confirm { conn: ConnId(1), confirm });
    }

    /// Why a batch is refused.
    fn refuses(&mut self, sequence: u64, lease: u64, error_ms: i64) -> NotConfirmed {
        self.asks(self.batch(sequence, lease, error_ms));
        self.confirmed().expect_err("refused").expect("with a reason")
    }

    /// The answer to the last batch.
    fn confirmed(&self) -> Result<(), Option<NotConfirmed>> {
        for action in &self.out {
            match action {
                Action::Confirm(conn, _) => {
                    assert_eq!(*conn, ConnId(1));
                    return Ok(());
                }
                Action::Send(_, ToTsu::NotConfirmed(_, why)) => return Err(Some(*why)),
                _ => {}
            }
        }
        Err(None)
    }
}

#[test]
fn a_sound_batch_is_confirmed_with_the_reading_and_the_log() {
    let mut bench = Bench::granted();
    let confirm = bench.batch(1, 1, 20);
    bench.asks(confirm.clone());
    let Some(Action::Confirm(_, confirmation)) = bench.out.first() else {
        panic!("{:?}", bench.out)
    };
    assert_eq!((confirmation.batch, confirmation.log), (confirm.batch, confirm.log));
    assert_eq!(confirmation.incarnation, Incarnation::from_bytes([A; 16]));
    assert_eq!(confirmation.utc.as_unix_nanos(), OFFSET + bench.now_ms * MS);
    assert_eq!(confirmation.half_width, utc().half_width());
    // The next one has the next number.
    bench.asks(bench.batch(2, 1, 20));
    assert_eq!(bench.confirmed(), Ok(()));
}

#[test]
fn gen_times_beyond_the_accuracy_are_refused_whatever_the_lease_says() {
    let half_width = i64::try_from(utc().half_width().as_nanos() / 1_000_000).expect("small");
    for (error_ms, expected) in [
        (500 - half_width, Ok(())),
        (501 - half_width, Err(Some(NotConfirmed::TooLate))),
        (half_width - 500, Ok(())),
        (half_width - 501, Err(Some(NotConfirmed::TooEarly))),
    ] {
        let mut bench = Bench::granted();
        bench.asks(bench.batch(1, 1, error_ms));
        assert_eq!(bench.confirmed(), expected, "{error_ms} ms");
    }
}

#[test]
fn a_batch_needs_utc_known_now_and_well_enough() {
    let mut bench = Bench::granted();
    let wide = Interval::within(Bound::from_millis(61));
    let shifted =
        Interval::new(wide.lo() + Span::from_nanos(OFFSET), wide.hi() + Span::from_nanos(OFFSET));
    bench.utc = Ok(shifted.expect("in order"));
    assert_eq!(bench.refuses(1, 1, 0), NotConfirmed::Wide);
    bench.utc = Err(NoUtc::QuorumLost { usable: 1, required: 3 });
    // Whatever comes first, the batch or the news: it is not confirmed.
    assert_eq!(bench.refuses(2, 1, 0), NotConfirmed::NoUtc);
}

/// Neither an instant of the reading nor a genTime may lie in it, each by itself.
#[test]
fn a_batch_that_touches_the_blackout_is_not_confirmed() {
    let from_ms = Blackout::around(end()).from().as_unix_nanos() / MS - OFFSET / MS;
    let half_width = i64::try_from(utc().half_width().as_nanos() / 1_000_000).expect("small");
    for (now_ms, error_ms, expected) in [
        (from_ms - half_width - 1, 0, Ok(())),
        (from_ms - half_width, 0, Err(Some(NotConfirmed::Blackout))),
        (from_ms - 100, 99, Ok(())),
        (from_ms - 100, 100, Err(Some(NotConfirmed::Blackout))),
    ] {
        let mut bench = Bench::new(Rearm::Automatic, Record::default());
        bench.now_ms = from_ms - 7_000;
        bench.boundaries.next = Some(Blackout::around(end()));
        bench.connect(1, A);
        bench.probes(5, 0);
        bench.now_ms = now_ms;
        bench.asks(bench.batch(1, 1, error_ms));
        assert_eq!(bench.confirmed(), expected, "{now_ms}, {error_ms}");
    }
}

#[test]
fn a_batch_needs_a_live_lease_of_this_run() {
    let mut never = Bench::connected();
    assert_eq!(never.refuses(1, 1, 0), NotConfirmed::NoLease);

    let mut future = Bench::granted();
    assert_eq!(future.refuses(1, 2, 0), NotConfirmed::NoLease);

    let mut renewed = Bench::granted();
    renewed.probes(1, 0);
    renewed.asks(renewed.batch(1, 1, 0));
    assert_eq!(renewed.confirmed(), Ok(()), "renewed without a break");

    let mut revoked = Bench::granted();
    revoked.probes(1, 700);
    assert_eq!(revoked.ward.state(), WardState::Latched);
    assert_eq!(revoked.refuses(1, 1, 0), NotConfirmed::NoLease);

    let mut lapsed = Bench::granted();
    lapsed.probes(4, 200);
    assert_eq!(lapsed.ward.state(), WardState::None);
    assert_eq!(lapsed.refuses(1, 1, 0), NotConfirmed::NoLease);
}

#[test]
fn a_lease_from_before_a_break_covers_nothing_after_it() {
    let mut bench = Bench::granted();
    bench.probes(1, 700);
    bench.probes(12, 0);
    assert_eq!(bench.ward.state(), WardState::Granted);
    let newest = bench.ward.record().sequence.as_u64();
    assert_eq!(bench.refuses(1, 1, 0), NotConfirmed::NoLease);
    bench.asks(bench.batch(2, newest, 0));
    assert_eq!(bench.confirmed(), Ok(()));
}

#[test]
fn a_batch_out_of_order_ends_the_connection() {
    for sequence in [0, 2, u64::MAX] {
        let mut bench = Bench::granted();
        let confirm = Confirm { since_shown: vec![], ..bench.batch(sequence, 1, 0) };
        bench.asks(confirm);
        assert!(bench.out.contains(&Action::Close(ConnId(1))), "{:?}", bench.out);
        assert_eq!(bench.confirmed(), Err(None));
    }
    let mut repeated = Bench::granted();
    repeated.asks(repeated.batch(1, 1, 0));
    repeated.asks(repeated.batch(1, 1, 0));
    assert!(repeated.out.contains(&Action::Close(ConnId(1))), "{:?}", repeated.out);
}

#[test]
fn another_connection_gets_no_answer() {
    let mut bench = Bench::granted();
    let confirm = bench.batch(1, 1, 0);
    bench.handle(Event::Confirm { conn: ConnId(7), confirm });
    assert_eq!(bench.confirmed(), Err(None));
    assert!(bench.out.is_empty(), "{:?}", bench.out);
}

#[test]
fn a_batch_that_cannot_be_recorded_is_not_confirmed() {
    let mut bench = Bench::granted();
    bench.recordable = false;
    assert_eq!(bench.refuses(1, 1, 0), NotConfirmed::NoRecord);
}

#[test]
fn a_log_that_shrinks_or_forks_between_batches_latches() {
    let long = log(9, 9, 0);
    for (next, cause) in [
        (log(5, 5, 0), EndingCause::Rollback),
        (log(9, 4, 1), EndingCause::Fork),
        (log(12, 4, 1), EndingCause::Fork),
    ] {
        let mut bench = Bench::granted();
        let first = bench.batch(1, 1, 0);
        bench.asks(Confirm { log: head(&long), since_shown: since(&long, 0), ..first });
        assert_eq!(bench.confirmed(), Ok(()));
        let second = bench.batch(2, 1, 0);
        let since_shown = if next.size() > long.size() { since(&next, 9) } else { vec![] };
        bench.asks(Confirm { log: head(&next), since_shown, ..second });
        assert_eq!(bench.confirmed(), Err(None));
        assert_eq!(bench.ward.record().latch, Some(cause));
        let revoked = |a: &Action| matches!(a, Action::Send(_, ToTsu::Revoke { .. }));
        assert!(bench.out.iter().any(revoked), "{:?}", bench.out);
    }
}

#[test]
fn a_checkpoint_must_continue_what_a_batch_showed() {
    let (long, other) = (log(9, 9, 0), log(12, 4, 1));
    let mut bench = Bench::granted();
    let first = bench.batch(1, 1, 0);
    bench.asks(Confirm { log: head(&long), since_shown: since(&long, 0), ..first });
    bench.log = Some(ShownLog { tree: head(&other), since_shown: since(&other, 9), vouched: true });
    bench.probes(1, 0);
    assert_eq!(bench.ward.record().latch, Some(EndingCause::Fork));
}

#[test]
fn without_a_vouched_checkpoint_nothing_is_granted() {
    let mut bench = Bench::connected();
    bench.log = None;
    bench.probes(8, 0);
    assert_eq!(bench.ward.state(), WardState::Holding);
}

/// What went with a confirmed batch is remembered over a new connection, and known again after a
/// restart; the checkpoint that the monitor vouched for lies before it.
#[test]
fn a_tsu_behind_the_last_confirmed_batch_latches_on_its_next_connection() {
    let long = log(9, 9, 0);
    let confirmed = || {
        let mut bench = Bench::granted();
        let first = bench.batch(1, 1, 0);
        bench.asks(Confirm { log: head(&long), since_shown: since(&long, 0), ..first });
        assert_eq!(bench.confirmed(), Ok(()));
        bench.handle(Event::Closed { conn: ConnId(1) });
        bench
    };
    let restarted = || {
        let ward = Ward::new(rules(Rearm::Automatic), Record::default(), RawInstant::from_nanos(0));
        Bench { ward: ward.knowing(head(&long)), ..Bench::connected() }
    };
    for bench in [&confirmed as &dyn Fn() -> Bench, &restarted] {
        for (next, latch) in [
            (log(5, 5, 0), Some(EndingCause::Rollback)),
            (log(9, 4, 1), Some(EndingCause::Fork)),
            (log(12, 4, 1), Some(EndingCause::Fork)),
            (log(9, 9, 0), None),
            (log(12, 9, 0), None),
        ] {
            let mut bench = bench();
            assert_eq!(bench.ward.shown(TreeHead::empty()), head(&long), "the welcome says so");
            bench.connect(1, A);
            let since_shown = if next.size() > long.size() { since(&next, 9) } else { vec![] };
            let shown = ShownLog { tree: head(&next), since_shown, vouched: true };
            let continues = bench.ward.continues(ConnId(1), &shown.tree, &shown.since_shown);
            assert_eq!(continues.err(), latch);
            bench.log = Some(shown);
            bench.probes(1, 0);
            assert_eq!(bench.ward.record().latch, latch);
            assert!(latch.is_none() || bench.grant().is_none());
        }
    }
}
