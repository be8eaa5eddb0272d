//! Box B is stepped, or stands still: what follows in the engine.

use chronolease_core::clock_reader::{
    ClockReport, Machine, Marker, OddReading, Pps, StepNotice, Steps,
};
use chronolease_core::fusion::NoUtc;
use chronolease_core::id::ReaderRun;
use std::num::NonZeroU64;

use super::*;

/// A report of the reader that [`ClockWatch::undisturbed`] has heard, with so many steps.
fn report(sequence: u64, sample: Sample, steps: u64) -> ClockReport {
    let last = StepNotice { before: sample, after: sample };
    ClockReport {
        run: ReaderRun::from_bytes([0; 16]),
        sequence,
        sample,
        kernel: Err(OddReading::Refused),
        steps: NonZeroU64::new(steps).map(|count| Steps { count, last }),
        machine: Machine::Unknown,
        marker: Marker::Absent,
        pps: Pps::Absent,
    }
}

/// What a source says that is right by this machine's clock.
fn polled_now(source: usize, epoch: Epoch) -> Report {
    let now = clocks().sample();
    let (off, radius) = (now.real_minus_raw(), Span::from_millis(5));
    let sample = SourceSample {
        utc_minus_raw: Interval::new(off - radius, off + radius).expect("lo <= hi"),
        sent: now.raw_before,
        received: now.raw_before,
        delay: Bound::from_millis(8),
        root_distance: Bound::from_millis(1),
        stratum: 1,
        leap: LeapIndicator::NoWarning,
        reference_id: RefId(*b"PPS\0"),
        authenticated: false,
    };
    Report { source, epoch, result: PollResult::Sample(sample) }
}

/// The engine runs, on the clocks of this machine; somebody sets box B's clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_box_b_ends_every_lease_and_discards_every_sample() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::new(&log, &evidence);
    let (heard, watch) = watch::channel(ClockWatch::undisturbed(clocks().boot_id()));
    bench.engine.clocks.reader = ClockReader::over(watch);
    bench.engine.continuity =
        Continuity::begin(&chronolease_core::stamped::ReadClocks::read(&bench.engine.clocks));
    let mut epochs = bench.engine.epoch.subscribe();
    let epoch = bench.engine.sources.epoch();
    let stop = CancellationToken::new();
    let Bench { engine, feed, outgoing, mut messages, tsu, .. } = bench;
    let running = tokio::spawn(engine.run(stop.clone()));
    feed.send(Bench::connected_by(&outgoing)).await.expect("it runs");
    let (mut tsu, mut granted_in) = (Some(tsu), epoch);
    let cause = loop {
        match messages.recv().await.expect("it runs") {
            ToTsu::Probe(nonce) => {
                // Anew each time: a busy machine may pause the engine, which discards them.
                for source in 0..5 {
                    let report = polled_now(source, *epochs.borrow_and_update());
                    feed.send(Input::Polled(report)).await.expect("it runs");
                }
                let log = tsu.as_mut().map(|tsu| tsu.offer());
                let boot_id = BootId::from_bytes([7; 16]);
                let sample = Sample { boot_id, ..clocks().sample() };
                let answer = ProbeAnswer { nonce, sample, reader: QUIET, ended: None, log };
                let received = clocks().raw();
                let answered = Input::Answered { ward: 0, conn: CONN, answer, received };
                feed.send(answered).await.expect("it runs");
            }
            // The reader tells of a step.
            ToTsu::Grant(_) => {
                granted_in = *epochs.borrow_and_update();
                let now = clocks().sample();
                heard.send_modify(|watch| watch.on_report(now.raw_after, report(2, now, 1)));
            }
            ToTsu::Revoke { cause, .. } => break cause,
            _ => {}
        }
    };
    assert_eq!(cause, EndingCause::MonitorBreak);
    assert!(*epochs.borrow_and_update() != granted_in, "exchanges in flight count no more");
    stop.cancel();
    running.await.expect("no panic");
}

/// Box A's oscillator went on by 50 ms less than ours, or more: one of the two stood still.
#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_stood_still_ends_every_lease_and_discards_every_sample() {
    for shift_ms in [-50, 50] {
        let log = TestLog::new();
        let evidence = log.open();
        let mut bench = Bench::ready(&log, &evidence);
        bench.answered(1_010, 0);
        bench.tick(2_000);
        let nonce = bench.probe();
        let (now, other) = (sample(2_010), sample(2_010 + shift_ms));
        let read = Sample { raw_before: other.raw_before, raw_after: other.raw_after, ..now };
        let log_offer = Some(bench.tsu.offer());
        let answer =
            ProbeAnswer { nonce, sample: read, reader: QUIET, ended: None, log: log_offer };
        let answered = Input::Answered { ward: 0, conn: CONN, answer, received: now.raw_after };
        let turn = turn(2_010);
        bench.engine.take(&turn, Some(answered));
        assert!(bench.engine.discard, "{shift_ms}");
        breaks::discard_all(&mut bench.engine, &turn);
        let sent = bench.sent();
        assert_eq!((grants(&sent), revoked(&sent)), (0, Some(EndingCause::Oscillators)));
        let utc = bench.engine.sources.view(now.raw_after).utc;
        assert_eq!(utc, Err(NoUtc::QuorumLost { usable: 0, required: 3 }));
    }
}
