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

/// A request is in, and the process stands still before it is handled, for longer than the lease
/// lasts. The control: read before the stop, as [`Stamped`] does not let anybody, it would pass.
#[test]
fn a_stop_between_a_request_and_its_handler_is_judged() {
    let received_at = |stop_ms: i64| {
        let mut bench = Bench::leased(1);
        let (id, request) = (RequestId(1), testing::request(true));
        let event = Event::Requested { id, request, randomness: [7; 32] };
        let clocks = ShownClocks { sample: sample(10 + stop_ms, 0), watch: &bench.watch };
        let mut out = Vec::new();
        bench.issuer.handle(Stamped::receive(event, &clocks), &mut out);
        out.iter().any(|action| matches!(action, Action::Log(..)))
    };
    assert!(received_at(0));
    assert!(!received_at(4_000));
}
