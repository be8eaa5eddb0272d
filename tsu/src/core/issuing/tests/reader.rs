//! What is on its way when the clock reader is lost.

use super::*;
use chronolease_core::clock_reader::Lost;

/// Before signing and before release: what was judged before the reader was lost stays inside.
#[test]
fn a_lost_clock_reader_holds_back_what_is_not_released_yet() {
    let lost = |bench: &mut Bench| bench.watch.on_loss(Lost::Closed);
    let mut bench = Bench::leased(1);
    let id = bench.request(&sample(10, 0));
    let lane = bench.intents().0;
    lost(&mut bench);
    bench.handle(&sample(11, 0), Event::Logged(lane, Ok(LeafIndex::new(70))));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::TimeNotAvailable))]);

    let mut bench = Bench::leased(1);
    let id = bench.request(&sample(10, 0));
    let (lane, batch) = bench.batch();
    let finished = bench.sign(lane, batch);
    lost(&mut bench);
    bench.finish(&sample(12, 0), finished);
    assert_eq!(bench.replies(), [(id, Err(FailInfo::TimeNotAvailable))]);
    assert!(!bench.issuer.holds_lease());
    let ended = |note: &&Note| matches!(note, Note::LeaseEnded(NoLeaseWhy::Guard(ended)) if ended.cause == EndingCause::ReaderLost);
    assert!(bench.notes().iter().any(ended), "{:?}", bench.out);

    // The control: the same with a reader that stays.
    let mut bench = Bench::leased(1);
    let id = bench.request(&sample(10, 0));
    let (lane, batch) = bench.batch();
    let finished = bench.sign(lane, batch);
    bench.finish(&sample(12, 0), finished);
    assert_eq!(bench.replies(), [(id, Ok(()))]);
}
