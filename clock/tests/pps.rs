//! Edges on their way from a device to a listener. No kernel here has one, so a channel stands for
//! the device, and a pipe for the kernel's timer: a byte in it is a step notice.

use std::io::{self, PipeWriter, Write};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use chronolease_clock::config::{Access, SocketConfig};
use chronolease_clock::core::Reporter;
use chronolease_clock::io::listeners::Listeners;
use chronolease_clock::io::pps::{KernelPps, PpsFeed, PpsSource};
use chronolease_clock::io::publisher::{PublishError, Publisher};
use chronolease_clock::io::socket::Socket;
use chronolease_clock::io::steps::StepNotices;
use chronolease_core::clock_reader::{self as report, ClockReport, Machine, Pps, PpsEdge};
use chronolease_core::id::ReaderRun;
use chronolease_core::time::{Bound, RawInstant, Timestamp};
use chronolease_e2e::rig::Directory;
use chronolease_net::frame::read_frame;
use chronolease_sys::{Captured, Clocks, PpsEvent};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What the device does next.
struct Channel {
    next: mpsc::Receiver<io::Result<Captured>>,
    newest: Captured,
}

impl PpsSource for Channel {
    fn wait(&mut self, timeout: Duration) -> io::Result<Captured> {
        match self.next.recv_timeout(timeout) {
            Ok(captured) => self.newest = captured?,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(io::Error::other("unplugged")),
        }
        Ok(self.newest)
    }
}

struct Rig {
    device: mpsc::Sender<io::Result<Captured>>,
    kernel: PipeWriter,
    stream: UnixStream,
    clocks: Clocks,
    stop: CancellationToken,
    running: JoinHandle<Result<(), PublishError>>,
    _directory: Directory,
}

const NONE_YET: Captured = Captured { sequence: 0, real: Timestamp::from_unix_nanos(0) };

impl Rig {
    async fn start(feed: impl FnOnce(Channel, Clocks) -> PpsFeed) -> Self {
        let directory = Directory::new();
        let clocks = Clocks::open().expect("this box has clocks");
        let (timer, kernel) = io::pipe().expect("a pipe");
        let timer = Receiver::from_owned_fd(timer.into()).expect("a pipe");
        let timer = timer.into_nonblocking_fd().expect("it is open");
        let (device, next) = mpsc::channel();
        let path = directory.path().join("clock.sock");
        let config = SocketConfig { path, access: Access::Owner, clients_max: 2 };
        let run = ReaderRun::from_bytes([1; 16]);
        let publisher = Publisher {
            clocks,
            notices: StepNotices::new(timer).expect("it can be waited for"),
            reporter: Reporter::new(run, Machine::Unknown, clocks.sample()),
            socket: Socket::bind(&config).await.expect("nobody is there"),
            listeners: Listeners::new(config.clients_max),
            interval: Bound::from_millis(10),
            vmclock: PathBuf::from("/nonexistent"),
            pps: feed(Channel { next, newest: NONE_YET }, clocks),
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(publisher.run(stop.clone()));
        let stream = UnixStream::connect(&config.path).await.expect("it listens");
        Self { device, kernel, stream, clocks, stop, running, _directory: directory }
    }

    async fn fed() -> Self {
        Self::start(|source, clocks| PpsFeed::start(source, clocks).expect("a thread")).await
    }

    /// An edge now, and the oscillator around it.
    fn edge(&self, sequence: u32) -> (RawInstant, RawInstant) {
        let now = self.clocks.sample();
        self.device.send(Ok(Captured { sequence, real: now.real })).expect("it is read");
        (now.raw_before, now.raw_after)
    }

    async fn report(&mut self) -> ClockReport {
        let frame = read_frame(&mut self.stream).await.expect("whole frames");
        report::decode(&frame.expect("it runs")).expect("a report")
    }

    /// Waits until the device was looked at, so that the next edge is a new one.
    async fn looked_at(&mut self) {
        let start = self.clocks.raw();
        while !matches!(self.report().await.pps, Pps::Read(edges) if edges.until > start) {}
    }

    /// Waits for the next edge that is told.
    async fn told(&mut self) -> PpsEdge {
        loop {
            if let Pps::Read(read) = self.report().await.pps
                && let [edge] = read.edges[..]
            {
                return edge;
            }
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.expect("no panic").expect("it was asked to stop");
    }
}

#[tokio::test]
async fn an_edge_is_told_with_the_instant_at_which_it_was() {
    let mut rig = Rig::fed().await;
    rig.looked_at().await;
    for sequence in 1..=3 {
        let (before, after) = rig.edge(sequence);
        let edge = rig.told().await;
        assert_eq!(edge.sequence, sequence);
        let raw = edge.raw.expect("nobody sets the clock of a test box");
        assert!(raw.earliest() <= after && before <= raw.latest(), "{raw:?}");
    }
    rig.end().await;
}

#[tokio::test]
async fn an_edge_with_a_step_behind_it_has_no_place_and_the_next_one_has() {
    let mut rig = Rig::fed().await;
    rig.looked_at().await;
    // The step is announced while the edge waits to be told, or is noticed before it is read: either
    // way it lost its place.
    rig.edge(1);
    rig.kernel.write_all(&[0]).expect("it is open");
    let edge = rig.told().await;
    assert_eq!((edge.sequence, edge.raw), (1, None));
    rig.looked_at().await;
    rig.edge(2);
    assert!(rig.told().await.raw.is_some());
    rig.end().await;
}

#[tokio::test]
async fn a_device_that_fails_is_told_and_asked_again() {
    let mut rig = Rig::fed().await;
    rig.looked_at().await;
    rig.device.send(Err(io::Error::other("unplugged"))).expect("it is read");
    while rig.report().await.pps != Pps::Failed {}
    while rig.report().await.pps == Pps::Failed {}
    // What it says first after that may be old.
    rig.looked_at().await;
    rig.edge(9);
    assert_eq!(rig.told().await.sequence, 9);
    rig.end().await;
}

#[tokio::test]
async fn a_device_that_is_not_there_has_failed_and_none_is_absent() {
    let device = PathBuf::from("/nonexistent/pps0");
    let kernel = KernelPps::new(device, PpsEvent::Assert);
    let mut rig = Rig::start(|_, clocks| PpsFeed::start(kernel, clocks).expect("a thread")).await;
    while rig.report().await.pps != Pps::Failed {}
    rig.end().await;

    let mut rig = Rig::start(|_, _| PpsFeed::absent()).await;
    while rig.report().await.pps != Pps::Absent {}
    rig.end().await;
}
