use chronolease_core::clock_reader::{Machine, Marker, OddReading, Pps, StepNotice, Steps};
use chronolease_core::id::ReaderRun;
use std::num::NonZeroU64;
use std::task::Poll;
use tokio::net::UnixListener;

use super::*;
use crate::frame::write_frame;
use crate::scratch::Scratch;

/// Far longer than a test takes, so that silence plays no part.
const PATIENT: Bound = Bound::from_millis(600_000);

fn report_of(run: u8, sequence: u64, steps: u64, sample: Sample) -> ClockReport {
    let last = StepNotice { before: sample, after: sample };
    ClockReport {
        run: ReaderRun::from_bytes([run; 16]),
        sequence,
        sample,
        kernel: Err(OddReading::Refused),
        steps: NonZeroU64::new(steps).map(|count| Steps { count, last }),
        machine: Machine::Unknown,
        marker: Marker::Absent,
        pps: Pps::Absent,
    }
}

/// Stands for the clock reader: says exactly what a test wants.
struct Fake {
    scratch: Scratch,
    listener: UnixListener,
    clocks: Clocks,
    sequence: u64,
}

impl Fake {
    fn new() -> Self {
        let scratch = Scratch::new();
        let listener = UnixListener::bind(scratch.path("clock.sock")).expect("ours");
        let clocks = Clocks::open().expect("this box has clocks");
        Self { scratch, listener, clocks, sequence: 0 }
    }

    fn reader(&self, silence_max: Bound) -> ClockReader {
        let socket = self.scratch.path("clock.sock");
        let config = ClockReaderConfig { socket, silence_max };
        ClockReader::start(config, self.clocks, CancellationToken::new())
    }

    async fn accept(&self) -> UnixStream {
        self.listener.accept().await.expect("a listener").0
    }

    /// Sends the next report, of `run` and with so many steps.
    async fn report(&mut self, stream: &mut UnixStream, run: u8, steps: u64) {
        self.sequence += 1;
        let report = report_of(run, self.sequence, steps, self.clocks.sample());
        write_frame(stream, &report::encode(&report)).await.expect("somebody listens");
    }

    /// The mark of the reader, which must be alive.
    fn mark(&self, reader: &ClockReader) -> Mark {
        match reader.state(self.clocks.raw()) {
            ReaderState::Alive(mark) => mark,
            ReaderState::Lost(why) => panic!("{why}"),
        }
    }
}

/// Whether nothing has changed since the handle last waited.
async fn is_asleep(reader: &mut ClockReader) -> bool {
    let mut changed = std::pin::pin!(reader.changed());
    std::future::poll_fn(|cx| Poll::Ready(changed.as_mut().poll(cx).is_pending())).await
}

#[tokio::test]
async fn reports_make_it_alive_and_every_end_makes_it_lost() {
    let mut fake = Fake::new();
    let mut reader = fake.reader(PATIENT);
    assert_eq!(reader.state(fake.clocks.raw()), ReaderState::Lost(Lost::NeverHeard));
    let too_long = u32::MAX.to_be_bytes();
    for (last_words, why) in [
        (&[][..], Lost::Closed),
        (&[0, 0][..], Lost::Closed),
        (&[0, 0, 0, 1, 5][..], Lost::Malformed),
        (&too_long[..], Lost::Malformed),
    ] {
        let mut stream = fake.accept().await;
        fake.report(&mut stream, 1, 0).await;
        reader.changed().await;
        let mark = fake.mark(&reader);
        tokio::io::AsyncWriteExt::write_all(&mut stream, last_words).await.expect("it listens");
        drop(stream);
        reader.changed().await;
        assert_eq!(reader.since(&mark, fake.clocks.raw()), Since::Lost(why));
        assert!(reader.latest().is_some(), "what it said last stays");
    }
}

#[tokio::test]
async fn a_step_wakes_and_a_mere_report_does_not() {
    let mut fake = Fake::new();
    let mut reader = fake.reader(PATIENT);
    let mut stream = fake.accept().await;
    fake.report(&mut stream, 1, 0).await;
    reader.changed().await;
    let mark = fake.mark(&reader);
    for _ in 0..10 {
        fake.report(&mut stream, 1, 0).await;
    }
    while reader.latest().is_none_or(|latest| latest.sequence < fake.sequence) {
        tokio::task::yield_now().await;
    }
    assert!(is_asleep(&mut reader).await, "ten reports of nothing woke it");
    fake.report(&mut stream, 1, 1).await;
    reader.changed().await;
    assert!(matches!(reader.since(&mark, fake.clocks.raw()), Since::Stepped(_)));
}

#[tokio::test]
async fn a_return_begins_a_new_epoch() {
    let mut fake = Fake::new();
    let mut reader = fake.reader(PATIENT);
    let mut stream = fake.accept().await;
    fake.report(&mut stream, 1, 0).await;
    reader.changed().await;
    let mark = fake.mark(&reader);
    drop(stream);
    reader.changed().await;
    let mut stream = fake.accept().await;
    fake.report(&mut stream, 2, 0).await;
    reader.changed().await;
    let now = fake.clocks.raw();
    assert_eq!(reader.since(&mark, now), Since::Lost(Lost::Closed));
    assert_eq!(reader.since(&fake.mark(&reader), now), Since::Alive);
}

#[tokio::test]
async fn silence_is_noticed_without_anybody_asking() {
    let mut fake = Fake::new();
    let mut reader = fake.reader(Bound::from_millis(50));
    let mut stream = fake.accept().await;
    fake.report(&mut stream, 1, 0).await;
    // Alive, unless this box was paused; then silent.
    loop {
        reader.changed().await;
        if matches!(reader.state(fake.clocks.raw()), ReaderState::Lost(Lost::Silent { .. })) {
            break;
        }
    }
    drop(fake.accept().await); // It tries another connection.
}

#[tokio::test]
async fn a_missing_socket_is_unreachable_and_looked_for_again() {
    let mut fake = Fake::new();
    let socket = fake.scratch.path("clock.sock");
    std::fs::remove_file(&socket).expect("ours");
    let mut reader = fake.reader(PATIENT);
    reader.changed().await;
    assert_eq!(reader.state(fake.clocks.raw()), ReaderState::Lost(Lost::Unreachable));
    fake.listener = UnixListener::bind(&socket).expect("ours");
    let mut stream = fake.accept().await;
    fake.report(&mut stream, 1, 0).await;
    reader.changed().await;
    fake.mark(&reader);
}

#[tokio::test]
async fn a_handle_outlives_its_listener_and_sees_the_silence() {
    let fake = Fake::new();
    let config =
        ClockReaderConfig { socket: fake.scratch.path("clock.sock"), silence_max: PATIENT };
    let stop = CancellationToken::new();
    let mut reader = ClockReader::start(config, fake.clocks, stop.clone());
    stop.cancel();
    let ended = reader.watch.changed().await;
    assert!(ended.is_err() || reader.watch.changed().await.is_err());
    assert!(is_asleep(&mut reader).await, "nobody is there to wake it");
}

/// The thread is held up between the clocks and the reader's word, and the clock is set meanwhile, or
/// the reader comes back after a loss: the reading's mark is of before.
#[test]
fn what_happens_while_the_clocks_are_read_happens_after_the_mark() {
    let clocks = Clocks::open().expect("this box has clocks");
    for (run, steps) in [(1, 1), (2, 0)] {
        let (sender, watch) = watch::channel(ClockWatch::new(clocks.boot_id(), PATIENT));
        let reader = ClockReader::over(watch);
        let hears = |run, sequence, steps| {
            let report = report_of(run, sequence, steps, clocks.sample());
            sender.send_modify(|watch| watch.on_report(clocks.raw(), report));
        };
        hears(1, 1, 0);
        let quiet = reader.watching(|| clocks.sample());
        assert_eq!(quiet.reader.since(&quiet.reader.mark()), Since::Alive);
        let held_up = reader.watching(|| {
            let sample = clocks.sample();
            hears(run, 2, steps);
            sample
        });
        let since = held_up.reader.since(&held_up.reader.mark());
        assert!(matches!(since, Since::Stepped(_) | Since::Lost(Lost::Restarted)), "{since:?}");
        // All of it is told by this view.
        assert_eq!(held_up.reader.since(&held_up.reader.told()), Since::Alive);
        assert_eq!(held_up.reader.word().steps, steps);
    }
}
