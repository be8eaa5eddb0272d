//! Listening to the clock reader, `chronolease-clock`, on its Unix socket.
//!
//! [`ClockReader`] is a cheap handle. Behind it one task connects, reads reports, feeds a
//! [`ClockWatch`] and connects again after a loss. Every loss shows at once, with its reason, and
//! so does silence: what the handle says is judged by the instant it is asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chronolease_core::clock_reader::{
    self as report, ClockReport, ClockWatch, Lost, Mark, ReaderState, ReaderView, Since,
};
use chronolease_core::sample::Sample;
use chronolease_core::stamped::{ReadClocks, Reading};
use chronolease_core::time::{Bound, RawInstant};
use chronolease_sys::Clocks;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::config::Section;
use crate::frame::{FrameError, read_frame};

/// From one attempt to connect to the next.
const RETRY: Duration = Duration::from_millis(100);

/// Where the clock reader is, and when it counts as lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockReaderConfig {
    /// Its socket.
    pub socket: PathBuf,
    /// How old its newest sample may be. Several times its interval.
    pub silence_max: Bound,
}

impl ClockReaderConfig {
    /// Reads the `[clock_reader]` section: `socket`, and `silence_max`, 1 s unless it says
    /// otherwise.
    #[must_use]
    pub fn read(section: &Section<'_>) -> Option<Self> {
        let socket = section.path("socket");
        let silence_max = section.duration_or("silence_max", Bound::from_millis(1_000));
        if silence_max.is_some_and(|limit| limit < Bound::from_millis(20)) {
            section.error("silence_max", "no clock reader reports as often; at least 20ms");
        }
        Some(Self { socket: socket?, silence_max: silence_max? })
    }
}

/// A handle on what the clock reader says. Clones share the one connection.
#[derive(Clone, Debug)]
pub struct ClockReader {
    watch: watch::Receiver<ClockWatch>,
}

impl ClockReader {
    /// Starts listening until `stop`. Until the first report the reader is lost. Must be called
    /// within a tokio runtime.
    #[must_use]
    pub fn start(config: ClockReaderConfig, clocks: Clocks, stop: CancellationToken) -> Self {
        Self::listen(config, clocks, None, stop)
    }

    /// As [`Self::start`]; every report goes to `reports` as well, before the handles show it. The
    /// listener does not wait for room: a report that finds none shows as a gap in the sequence.
    #[must_use]
    pub fn start_telling(
        config: ClockReaderConfig,
        clocks: Clocks,
        reports: mpsc::Sender<ClockReport>,
        stop: CancellationToken,
    ) -> Self {
        Self::listen(config, clocks, Some(reports), stop)
    }

    fn listen(
        config: ClockReaderConfig,
        clocks: Clocks,
        reports: Option<mpsc::Sender<ClockReport>>,
        stop: CancellationToken,
    ) -> Self {
        let nothing = ClockWatch::new(clocks.boot_id(), config.silence_max);
        let (sender, watch) = watch::channel(nothing);
        let listener = Listener { config, clocks, reports, watch: sender };
        tokio::spawn(async move {
            stop.run_until_cancelled(listener.run()).await;
        });
        Self { watch }
    }

    /// A handle on a watch that somebody else feeds, as benches and tests do.
    #[must_use]
    pub const fn over(watch: watch::Receiver<ClockWatch>) -> Self {
        Self { watch }
    }

    /// All that it can say at `now`.
    #[must_use]
    pub fn view(&self, now: RawInstant) -> ReaderView {
        self.watch.borrow().view(now)
    }

    /// Has the clocks read, and says what it can of them. A lease rests on the mark of its sample,
    /// so the mark is taken first: this thread may be held up between sample and view, and somebody
    /// may set the clock then.
    fn watching(&self, sample: impl FnOnce() -> Sample) -> Reading {
        let begun = self.watch.borrow().mark();
        let sample = sample();
        Reading { sample, reader: self.view(sample.raw_after).begun_at(begun) }
    }

    /// Whether the reader watches at `now`.
    #[must_use]
    pub fn state(&self, now: RawInstant) -> ReaderState {
        self.watch.borrow().state(now)
    }

    /// What happened to this box's clock from `mark` to `now`.
    #[must_use]
    pub fn since(&self, mark: &Mark, now: RawInstant) -> Since {
        self.watch.borrow().since(mark, now)
    }

    /// The newest report, alive or lost: kernel state, machine, marker. `None` before the first.
    #[must_use]
    pub fn latest(&self) -> Option<ClockReport> {
        self.watch.borrow().latest().cloned()
    }

    /// Waits until the state is another than when this handle last waited: a loss, a return, a
    /// step, a disruption. Not for a mere new report. Cancel-safe. Waits for ever once nobody
    /// listens any more; then silence shows in [`Self::state`].
    pub async fn changed(&mut self) {
        if self.watch.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// The clocks of a box together with what its clock reader says of them: what the cores' events
/// are stamped with.
#[derive(Clone, Debug)]
pub struct WatchedClocks {
    /// The clocks.
    pub clocks: Clocks,
    /// The bracket that a sample should keep.
    pub bracket: Bound,
    /// The reader.
    pub reader: ClockReader,
}

impl ReadClocks for WatchedClocks {
    fn read(&self) -> Reading {
        self.reader.watching(|| self.clocks.sample_within(self.bracket))
    }
}

/// The task behind the handles.
struct Listener {
    config: ClockReaderConfig,
    clocks: Clocks,
    reports: Option<mpsc::Sender<ClockReport>>,
    watch: watch::Sender<ClockWatch>,
}

impl Listener {
    async fn run(self) {
        loop {
            let why = match UnixStream::connect(&self.config.socket).await {
                Ok(stream) => self.follow(stream).await,
                Err(error) => {
                    debug!(socket = %self.socket().display(), %error, "no clock reader");
                    Lost::Unreachable
                }
            };
            self.update(|watch, _| watch.on_loss(why));
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Takes reports in until they end.
    async fn follow(&self, mut stream: UnixStream) -> Lost {
        let patience = Duration::from_nanos(self.config.silence_max.as_nanos());
        loop {
            let frame = match tokio::time::timeout(patience, read_frame(&mut stream)).await {
                Ok(Ok(Some(frame))) => frame,
                Ok(Ok(None)) | Ok(Err(FrameError::Io(_) | FrameError::Truncated { .. })) => {
                    return Lost::Closed;
                }
                Ok(Err(FrameError::TooLong { .. })) => return Lost::Malformed,
                Err(_elapsed) => return Lost::Silent { age: self.config.silence_max },
            };
            match report::decode(&frame) {
                Ok(report) => {
                    if let Some(reports) = &self.reports {
                        let _ = reports.try_send(report.clone());
                    }
                    self.update(|watch, now| watch.on_report(now, report));
                }
                Err(error) => {
                    warn!(%error, "what the clock reader sent is no report");
                    return Lost::Malformed;
                }
            }
        }
    }

    /// Lets `change` have the watch, and wakes the handles if that makes a difference to them.
    fn update(&self, change: impl FnOnce(&mut ClockWatch, RawInstant)) {
        let now = self.clocks.raw();
        self.watch.send_if_modified(|watch| {
            let before = watch.state(now);
            change(watch, now);
            let after = watch.state(now);
            if before != after {
                self.tell(before, after);
            }
            before != after
        });
    }

    fn tell(&self, before: ReaderState, after: ReaderState) {
        let socket = self.socket().display();
        match (before, after) {
            // A pile of old reports, after this process was paused, is one silence.
            (ReaderState::Lost(was), ReaderState::Lost(is)) if was.label() == is.label() => {}
            (_, ReaderState::Lost(why)) => warn!(%socket, %why, "the clock reader is lost"),
            (ReaderState::Lost(_), ReaderState::Alive(_)) => {
                info!(%socket, "the clock reader is heard");
            }
            (ReaderState::Alive(_), ReaderState::Alive(_)) => {
                warn!(%socket, "the clock reader tells of a break: a step, a disruption or a gap");
            }
        }
    }

    fn socket(&self) -> &Path {
        &self.config.socket
    }
}

#[cfg(test)]
mod tests;
