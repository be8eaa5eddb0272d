mod signers;

use super::*;
use std::path::Path;
use std::sync::Arc;

use chronolease_core::clock_reader::{ClockWatch, Lost};
use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::{LeaseSeq, Nonce};
use chronolease_core::lease::{EndingCause, LeaseTerms, SignedLease};
use chronolease_core::sample::Sample;
use chronolease_core::time::Bound;
use chronolease_net::clock_reader::ClockReader;
use chronolease_net::evidence::{self, MemoryDisk, Settings};

use chronolease_sys::Clocks;
use tokio::sync::watch;

use crate::core::holder::Terms;
use crate::core::holder::tests::{CHANNEL, lease, terms};
use crate::core::issuing::{LaneId, NotRecorded};
use crate::core::rfc3161::testing::{self, Pki};
use crate::io::link;
use crate::io::signer::Signer;

/// A new log on a disk in memory; its writer ends with the last handle.
fn log(disk: &MemoryDisk) -> Recorder {
    let settings = Settings { segment_bytes: 1_100_000, ..Settings::new("test.example/tsu") };
    let files = Arc::new(disk.clone());
    let owner = evidence::create(files, Path::new("log"), settings, Box::new(|| 0));
    Recorder::over(owner.expect("an empty disk").log().clone())
}

/// A pipeline at work, and what stands around it.
struct Bench {
    clocks: Clocks,
    recorder: Recorder,
    events: mpsc::Sender<Event>,
    from_tsu: mpsc::Receiver<ToLink>,
    requests: mpsc::Sender<Incoming>,
    reader_says: watch::Sender<ClockWatch>,
    stop: CancellationToken,
    driver: tokio::task::JoinHandle<()>,
}

impl Bench {
    fn start() -> Self {
        let pki = Pki::new();
        Self::signing_with(&pki, Arc::new(pki.signer()))
    }

    fn signing_with(pki: &Pki, signer: Arc<dyn Signer>) -> Self {
        let clocks = Clocks::open().expect("clocks");
        let builder = Arc::new(pki.builder());
        let me = Terms { boot_id: clocks.boot_id(), ..terms() };
        let recorder = log(&MemoryDisk::new());
        let (requests, requests_in) = queue();
        let (events, events_in) = mpsc::channel(16);
        let (to_monitor, from_tsu) = link::outgoing();
        let (finished, finished_in) = mpsc::channel(2);
        let (reader_says, heard) = watch::channel(ClockWatch::undisturbed(clocks.boot_id()));
        let reader = ClockReader::over(heard);
        let driver = Driver {
            issuer: Issuer::new(me, Arc::clone(&builder), 2),
            clocks: WatchedClocks { clocks, bracket: Bound::from_millis(1), reader },
            signers: SignerPool::start(2, &builder, &signer, clocks, &finished).expect("threads"),
            recorder: recorder.clone(),
            link: events_in,
            to_monitor,
            requests: requests_in,
            finished: finished_in,
            metrics: TsuMetrics::new(false).expect("metrics"),
            health: Health::new(clocks, Bound::from_millis(5_000)),
        };
        let stop = CancellationToken::new();
        let driver = tokio::spawn(driver.run(stop.clone()));
        Self { clocks, recorder, events, from_tsu, requests, reader_says, stop, driver }
    }

    async fn tell(&self, event: Event) {
        self.events.send(event).await.expect("the pipeline runs");
    }

    /// Grants a lease for longer than any test takes.
    async fn grant(&mut self) {
        self.tell(Event::Connected(CHANNEL)).await;
        self.tell(Event::Probed(Nonce::from_bytes([6; 32]))).await;
        let Some(ToLink::Answer(answer)) = self.from_tsu.recv().await else {
            panic!("a probe is answered")
        };
        let signed = SignedLease { terms_der: vec![], signature: vec![] };
        let terms = LeaseTerms { ttl: Bound::from_millis(300_000), ..lease(1, answer.sample) };
        self.tell(Event::Vouched).await;
        self.tell(Event::Granted(signed, terms)).await;
    }

    /// Two hundred requests, which wait before the pipeline runs for the first time.
    fn many_ask(&self) -> Vec<oneshot::Receiver<Reply>> {
        let ask = |_| {
            let (reply, answer) = oneshot::channel();
            let incoming = Incoming { request: testing::request(true), reply };
            self.requests.try_send(incoming).expect("there is room");
            answer
        };
        (0..200).map(ask).collect()
    }

    async fn ask(&self) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        let incoming = Incoming { request: testing::request(true), reply };
        self.requests.send(incoming).await.expect("the pipeline runs");
        answer
    }
}

#[tokio::test]
async fn whoever_asks_together_is_answered_and_on_record_each_by_himself() {
    let mut bench = Bench::start();
    bench.grant().await;
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(bench.ask().await);
    }
    let mut tokens = Vec::new();
    for answer in answers {
        tokens.push(answer.await.expect("an answer").expect("a token").into_der());
    }
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 40);
    assert!(bench.recorder.size() > 40, "the lease and an intent for each token");
}

#[tokio::test]
async fn an_order_to_stop_is_heard_however_many_ask() {
    let bench = Bench::start();
    let answers = bench.many_ask();
    bench.stop.cancel();
    bench.driver.await.expect("no panic");
    let answered = answers.into_iter().filter_map(|mut answer| answer.try_recv().ok()).count();
    assert!(answered > 0 && answered <= READY_MAX as usize, "{answered}");
}

/// What is there already takes nothing of what a task may use up in its turn.
#[tokio::test]
async fn others_have_their_turn_however_many_ask() {
    let bench = Bench::start();
    let mut answers = bench.many_ask();
    let last = answers.pop().expect("many");
    // It runs for the first time when the pipeline gives way for the first time.
    let waits = tokio::spawn(async move { last.is_empty() });
    assert!(waits.await.expect("no panic"), "all were answered in one turn");
    for answer in answers {
        assert!(answer.await.expect("an answer").is_err(), "there is no lease");
    }
}

/// The runtime's own clock stands still as long as there is something to do, so there is no tick
/// here: only the oscillator can bring the record to the log.
#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_reaches_the_log_while_clients_keep_asking() {
    let mut bench = Bench::start();
    bench.grant().await;
    let token = bench.ask().await.await.expect("an answer");
    assert!(token.is_ok(), "{token:?}");
    let without = bench.recorder.size();
    let start = bench.clocks.raw();
    bench.tell(Event::Revoked(LeaseSeq::new(1), EndingCause::Deviation)).await;
    // That the token was issued, and that the lease ended.
    while bench.recorder.size() < without + 2 {
        let rejected = bench.ask().await.await.expect("an answer");
        assert!(rejected.is_err());
        let waited = (bench.clocks.raw() - start).magnitude();
        assert!(waited < Bound::from_millis(30_000), "the ending never reached the log");
    }
}

/// Nobody asks for a token, and no tick comes: the runtime's own clock stands still.
#[tokio::test(start_paused = true)]
async fn a_lost_clock_reader_is_acted_upon_at_once() {
    let mut bench = Bench::start();
    bench.grant().await;
    let token = bench.ask().await.await.expect("an answer");
    assert!(token.is_ok(), "{token:?}");
    bench.reader_says.send_modify(|watch| watch.on_loss(Lost::Closed));
    bench.tell(Event::Probed(Nonce::from_bytes([7; 32]))).await;
    let Some(ToLink::Answer(answer)) = bench.from_tsu.recv().await else {
        panic!("a probe is answered")
    };
    assert_eq!(answer.ended.map(|ended| ended.cause), Some(EndingCause::ReaderLost));
    assert!(answer.reader.heard.is_err());
    let rejected = bench.ask().await.await.expect("an answer");
    assert!(rejected.is_err());
}

fn sample() -> Sample {
    crate::core::holder::tests::sample(0, 0)
}

fn recording(disk: &MemoryDisk) -> Recording {
    Recording::new(log(disk), sample().raw_after)
}

#[tokio::test]
async fn a_batch_stands_behind_what_was_laid_aside() {
    let mut recording = recording(&MemoryDisk::new());
    recording.lay_aside(leaf::Event::Stopped);
    recording.gather(Waits::Lease(LeaseSeq::new(1)), vec![leaf::Event::Stopped]);
    recording.submit(&sample());
    recording.gather(Waits::Confirmation(LaneId(2)), vec![leaf::Event::Stopped]);
    recording.gather(Waits::Batch(LaneId(3)), vec![leaf::Event::Stopped; 2]);
    recording.submit(&sample());
    recording.gather(Waits::Batch(LaneId(1)), vec![leaf::Event::Stopped]);
    recording.submit(&sample());
    let lease = recording.recorded().await;
    assert!(matches!(lease, Some(Event::LeaseLogged(_, Ok(())))), "{lease:?}");
    let confirmation = recording.recorded().await;
    assert!(
        matches!(confirmation, Some(Event::ConfirmationLogged(LaneId(2), Ok(())))),
        "{confirmation:?}"
    );
    for (lane, place) in [(LaneId(3), 3), (LaneId(1), 5)] {
        match recording.recorded().await {
            Some(Event::Logged(of, Ok(first))) => {
                assert_eq!((of, first), (lane, LeafIndex::new(place)));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(recording.recorded().await.is_none());
}

#[tokio::test]
async fn what_the_log_did_not_take_is_kept_and_who_waits_is_told() {
    let disk = MemoryDisk::new();
    let mut recording = recording(&disk);
    disk.fail_sync();
    recording.lay_aside(leaf::Event::Stopped);
    recording.gather(Waits::Batch(LaneId(0)), vec![leaf::Event::Stopped]);
    recording.submit(&sample());
    let told = recording.recorded().await;
    assert!(matches!(told, Some(Event::Logged(_, Err(NotRecorded::ForGood)))), "{told:?}");
    assert_eq!(recording.aside(), [leaf::Event::Stopped]);
}

#[tokio::test]
async fn what_the_log_did_not_take_keeps_the_order_in_which_it_was_laid_aside() {
    let event = |number| leaf::Event::ConfigDigest(Hash::from_bytes([number; 32]));
    let disk = MemoryDisk::new();
    let mut recording = recording(&disk);
    disk.fail_sync();
    for number in [1, 2, 3] {
        recording.lay_aside(event(number));
        recording.gather(Waits::Batch(LaneId(0)), vec![leaf::Event::Stopped]);
        recording.submit(&sample());
    }
    recording.lay_aside(event(4));
    for _ in [1, 2, 3] {
        let told = recording.recorded().await;
        assert!(matches!(told, Some(Event::Logged(_, Err(NotRecorded::ForGood)))), "{told:?}");
    }
    assert_eq!(recording.aside(), [1, 2, 3, 4].map(event));
}
