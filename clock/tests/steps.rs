//! Step notices on their way from the kernel to a listener.
//!
//! A notice cannot be had without setting the clock of the machine, so a pipe stands for the
//! kernel's timer here: a byte in it is a notice. That a cancelled timer reads as one is tested in
//! `chronolease-sys`; a clock that is really stepped belongs into a guest of its own.

use std::io::{PipeWriter, Write};
use std::path::PathBuf;

use chronolease_clock::config::{Access, SocketConfig};
use chronolease_clock::core::Reporter;
use chronolease_clock::io::listeners::Listeners;
use chronolease_clock::io::pps::PpsFeed;
use chronolease_clock::io::publisher::{PublishError, Publisher};
use chronolease_clock::io::socket::Socket;
use chronolease_clock::io::steps::StepNotices;
use chronolease_core::clock_reader::{Machine, Mark, ReaderState, Since};
use chronolease_core::id::ReaderRun;
use chronolease_core::time::Bound;
use chronolease_e2e::rig::Directory;
use chronolease_net::clock_reader::{ClockReader, ClockReaderConfig};
use chronolease_sys::Clocks;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// So long that no report comes because of it.
const NEVER: Bound = Bound::from_millis(86_400_000);

/// A reader whose kernel is a test.
struct Rig {
    kernel: PipeWriter,
    stop: CancellationToken,
    running: JoinHandle<Result<(), PublishError>>,
    listening: ClockReader,
    clocks: Clocks,
    _directory: Directory,
}

impl Rig {
    async fn start() -> (Self, Mark) {
        let directory = Directory::new();
        let clocks = Clocks::open().expect("this box has clocks");
        let (timer, kernel) = std::io::pipe().expect("a pipe");
        let timer = Receiver::from_owned_fd(timer.into()).expect("a pipe");
        let timer = timer.into_nonblocking_fd().expect("it is open");
        let path = directory.path().join("clock.sock");
        let config = SocketConfig { path, access: Access::Owner, clients_max: 2 };
        let publisher = Publisher {
            clocks,
            notices: StepNotices::new(timer).expect("it can be waited for"),
            reporter: Reporter::new(
                ReaderRun::from_bytes([1; 16]),
                Machine::Unknown,
                clocks.sample(),
            ),
            socket: Socket::bind(&config).await.expect("nobody is there"),
            listeners: Listeners::new(config.clients_max),
            interval: NEVER,
            vmclock: PathBuf::from("/nonexistent"),
            pps: PpsFeed::absent(),
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(publisher.run(stop.clone()));
        let reader = ClockReaderConfig { socket: config.path, silence_max: NEVER };
        let mut listening = ClockReader::start(reader, clocks, stop.clone());
        listening.changed().await;
        let ReaderState::Alive(mark) = listening.state(clocks.raw()) else {
            panic!("a report comes with the connection")
        };
        (Self { kernel, stop, running, listening, clocks, _directory: directory }, mark)
    }
}

#[tokio::test]
async fn a_notice_is_told_at_once_between_the_samples_around_it() {
    let (mut rig, mark) = Rig::start().await;
    let before = rig.listening.latest().expect("the first report").sample;
    assert_eq!(rig.listening.since(&mark, rig.clocks.raw()), Since::Alive);
    let noticed_at = rig.clocks.raw();
    rig.kernel.write_all(&[0]).expect("it is open");
    rig.listening.changed().await;
    let Since::Stepped(notice) = rig.listening.since(&mark, rig.clocks.raw()) else {
        panic!("a step was noticed")
    };
    assert_eq!(notice.before, before);
    assert!(notice.after.raw_before >= noticed_at);

    // It is told once, and the next one is another.
    let ReaderState::Alive(later) = rig.listening.state(rig.clocks.raw()) else {
        panic!("a step is no loss")
    };
    assert_eq!(rig.listening.since(&later, rig.clocks.raw()), Since::Alive);
    rig.kernel.write_all(&[0]).expect("it is open");
    rig.listening.changed().await;
    let Since::Stepped(second) = rig.listening.since(&later, rig.clocks.raw()) else {
        panic!("another step was noticed")
    };
    assert_eq!(second.before, notice.after);
    rig.stop.cancel();
    rig.running.await.expect("no panic").expect("it was asked to stop");
}

#[tokio::test]
async fn without_the_notices_of_the_kernel_there_is_no_reader() {
    let (mut rig, mark) = Rig::start().await;
    drop(rig.kernel);
    let ended = rig.running.await.expect("no panic");
    assert!(matches!(ended, Err(PublishError::Notices(_))), "{ended:?}");
    while rig.listening.since(&mark, rig.clocks.raw()) == Since::Alive {
        rig.listening.changed().await;
    }
    assert!(matches!(rig.listening.since(&mark, rig.clocks.raw()), Since::Lost(_)));
}
