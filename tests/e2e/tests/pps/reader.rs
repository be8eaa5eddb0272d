//! The clock reader of box B as it ships, on a device that a test makes up: no kernel here has one.

use std::io::{self, PipeWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chronolease_clock::config::{Access, SocketConfig};
use chronolease_clock::core::Reporter;
use chronolease_clock::io::listeners::Listeners;
use chronolease_clock::io::pps::{PpsFeed, PpsSource};
use chronolease_clock::io::publisher::Publisher;
use chronolease_clock::io::socket::Socket;
use chronolease_clock::io::steps::StepNotices;
use chronolease_core::clock_reader::Machine;
use chronolease_core::id::ReaderRun;
use chronolease_core::time::{Bound, Timestamp};
use chronolease_sys::{Captured, Clocks};
use tokio::net::unix::pipe::Receiver;
use tokio_util::sync::CancellationToken;

const SECOND_NS: i64 = 1_000_000_000;

/// What the signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// An edge a second, so much after its beginning.
    Pulses(i64),
    /// One at the beginning of each second, and one in between.
    Doubled,
    /// No edge.
    Gone,
}

/// The knobs of the device.
#[derive(Debug, Default)]
struct Knobs {
    edges_a_second: AtomicU8,
    shift_ns: AtomicI64,
}

/// A device whose edges are by the system clock, which is what the lab's sources go by as well.
struct Device {
    clocks: Clocks,
    knobs: Arc<Knobs>,
    newest: Captured,
}

impl Device {
    /// When the next edge is due, in nanoseconds since 1970; never two in quick succession when the
    /// knobs are turned.
    fn next(&self) -> Option<i64> {
        let last = self.newest.real.as_unix_nanos();
        let shift = self.knobs.shift_ns.load(Ordering::SeqCst);
        let (offsets, gap): (&[i64], i64) = match self.knobs.edges_a_second.load(Ordering::SeqCst) {
            0 => return None,
            1 => (&[0], SECOND_NS / 2),
            _ => (&[0, 3 * SECOND_NS / 10], SECOND_NS / 5),
        };
        let second = last.div_euclid(SECOND_NS);
        let due = (second..second + 3)
            .flat_map(|second| offsets.iter().map(move |at| second * SECOND_NS + at + shift));
        due.filter(|at| *at > last + gap).min()
    }

    fn now(&self) -> i64 {
        self.clocks.real().as_unix_nanos()
    }
}

impl PpsSource for Device {
    fn wait(&mut self, timeout: Duration) -> io::Result<Captured> {
        let asked = self.now();
        let timeout = i64::try_from(timeout.as_nanos()).expect("short");
        let due = self.next().filter(|due| *due <= asked + timeout);
        let until = due.unwrap_or(asked + timeout);
        thread::sleep(Duration::from_nanos(u64::try_from(until - asked).unwrap_or(0)));
        match due {
            Some(due) => {
                let sequence = self.newest.sequence.wrapping_add(1);
                self.newest = Captured { sequence, real: Timestamp::from_unix_nanos(due) };
            }
            // Nothing came, and what was due meanwhile is not made up for.
            None if self.next().is_none() => {
                self.newest.real = Timestamp::from_unix_nanos(self.now());
            }
            None => {}
        }
        Ok(self.newest)
    }
}

/// A reader that runs until it is dropped.
pub(crate) struct Reader {
    knobs: Arc<Knobs>,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
    /// Stands for the kernel's timer, which never goes off.
    _kernel: PipeWriter,
}

impl Reader {
    /// Serves the socket, with a good signal. Returns when it can be connected to.
    pub(crate) fn start(socket: &Path) -> Self {
        let (knobs, stop) = (Arc::new(Knobs::default()), CancellationToken::new());
        let (timer, kernel) = io::pipe().expect("a pipe");
        let (path, theirs, ended) = (socket.to_owned(), Arc::clone(&knobs), stop.clone());
        let running = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let timer = Receiver::from_owned_fd(timer.into()).expect("a pipe");
                let timer = timer.into_nonblocking_fd().expect("it is open");
                let notices = StepNotices::new(timer).expect("it can be waited for");
                let publisher = publisher(path, notices, theirs).await;
                publisher.run(ended).await.expect("it was asked to stop");
            });
        });
        let reader = Self { knobs, stop, running: Some(running), _kernel: kernel };
        reader.set(Signal::Pulses(0));
        chronolease_e2e::eventually("the reader listens", || {
            std::os::unix::net::UnixStream::connect(socket).map(drop).map_err(|e| e.to_string())
        });
        reader
    }

    pub(crate) fn set(&self, signal: Signal) {
        let (edges, shift) = match signal {
            Signal::Gone => (0, 0),
            Signal::Pulses(shift_ns) => (1, shift_ns),
            Signal::Doubled => (2, 0),
        };
        self.knobs.shift_ns.store(shift, Ordering::SeqCst);
        self.knobs.edges_a_second.store(edges, Ordering::SeqCst);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.cancel();
        let ended = self.running.take().map(JoinHandle::join);
        if !thread::panicking() {
            ended.expect("it ran").expect("no panic");
        }
    }
}

async fn publisher(path: PathBuf, notices: StepNotices, knobs: Arc<Knobs>) -> Publisher {
    let clocks = Clocks::open().expect("this box has clocks");
    let config = SocketConfig { path, access: Access::Owner, clients_max: 4 };
    let newest = Captured { sequence: 0, real: clocks.real() };
    let device = Device { clocks, knobs, newest };
    Publisher {
        clocks,
        notices,
        reporter: Reporter::new(ReaderRun::from_bytes([1; 16]), Machine::Unknown, clocks.sample()),
        socket: Socket::bind(&config).await.expect("nobody is there"),
        listeners: Listeners::new(config.clients_max),
        interval: Bound::from_millis(100),
        vmclock: PathBuf::from("/nonexistent"),
        pps: PpsFeed::start(device, clocks).expect("a thread"),
    }
}
