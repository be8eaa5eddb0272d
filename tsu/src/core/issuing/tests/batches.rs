//! When a batch closes, and who is in it.

use super::*;

/// Somebody's batch is on its way to the disk or the monitor; the next ones gather meanwhile.
#[test]
fn whoever_comes_while_a_batch_is_on_its_way_shares_the_next_one() {
    let mut bench = Bench::leased(3);
    bench.request(&sample(10, 0));
    let (lane, first) = bench.intents();
    assert_eq!(first.len(), 1, "nobody waits for company");
    for ms in 11..16 {
        bench.request(&sample(ms, 0));
        assert!(bench.out.is_empty(), "{:?}", bench.out);
        assert!(!bench.issuer.wants_another_sample(), "it would be no use");
    }
    bench.handle(&sample(20, 0), Event::Logged(lane, Ok(LeafIndex::new(70))));
    assert!(bench.out.iter().any(|action| matches!(action, Action::Sign(..))), "{:?}", bench.out);
    assert_eq!(bench.intents().1.len(), 5, "the way is free while the first is signed");
}

#[test]
fn a_full_batch_waits_for_none_on_its_way() {
    let mut bench = Bench::leased(2);
    bench.request(&sample(10, 0));
    for _ in 1..BATCH_MAX {
        bench.request(&sample(11, 0));
        assert!(bench.out.is_empty(), "{:?}", bench.out);
    }
    bench.request(&sample(11, 0));
    assert_eq!(bench.intents().1.len(), BATCH_MAX);
}

/// Slow signatures: the next batch would only wait behind the ones before, and grows meanwhile.
#[test]
fn where_signing_is_slow_a_batch_gathers_until_the_signers_run_low() {
    for (signature_us, gathers) in [(15, false), (1_500, true)] {
        let mut bench = Bench::leased(3);
        bench.signature = Bound::from_nanos(signature_us * 1_000);
        // One, which shows how long a signature takes; the next ones gather behind it.
        bench.request(&sample(10, 0));
        let (lane, first) = bench.batch();
        let first = bench.sign(lane, first);
        bench.request(&sample(11, 0));
        let (lane, _) = bench.intents();
        for _ in 0..7 {
            bench.request(&sample(12, 0));
        }
        bench.finish(&sample(13, 0), first);
        bench.handle(&sample(14, 0), Event::Logged(lane, Ok(LeafIndex::new(71))));
        let (lane, second) = bench.batch();
        assert_eq!(second.len(), 7);
        let second = bench.sign(lane, second);
        bench.request(&sample(15, 0));
        let closes = bench.out.iter().any(|action| matches!(action, Action::Log(..)));
        assert_eq!(closes, !gathers, "signatures of {signature_us} us");
        for token in second {
            bench.finish(&sample(16, 0), vec![token]);
        }
    }
}
