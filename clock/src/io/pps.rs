//! The thread that waits for edges of the pulse-per-second signal.

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use chronolease_core::time::{Bound, RawInstant};
use chronolease_sys::{Captured, Clocks, PpsDevice, PpsEvent};
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::core::{Fetched, PpsLook};

/// The longest wait for an edge. Shorter than a second, so that missing edges are told as such.
const WAIT: Duration = Duration::from_millis(200);

/// From one failure of the device to the next attempt.
const REST: Duration = Duration::from_millis(500);

/// The bracket that a reading after an edge should have.
const BRACKET: Bound = Bound::from_nanos(50_000);

/// Looks that may wait for the publisher. When it is stuck, so is the thread.
const LOOKS_MAX: usize = 64;

/// Where edges come from.
pub trait PpsSource: Send + 'static {
    /// Waits for an edge, `timeout` at most, and answers the newest there is, new or not.
    ///
    /// # Errors
    /// When the device does not answer; it is asked again.
    fn wait(&mut self, timeout: Duration) -> io::Result<Captured>;
}

/// A device of the kernel. It is opened when it is asked, and again after a failure.
#[derive(Debug)]
pub struct KernelPps {
    path: PathBuf,
    event: PpsEvent,
    device: Option<PpsDevice>,
}

impl KernelPps {
    /// The device at `path`, which need not be there yet.
    #[must_use]
    pub const fn new(path: PathBuf, event: PpsEvent) -> Self {
        Self { path, event, device: None }
    }
}

impl PpsSource for KernelPps {
    fn wait(&mut self, timeout: Duration) -> io::Result<Captured> {
        let device = match self.device.take() {
            Some(device) => device,
            #[expect(clippy::disallowed_methods, reason = "this is the process that reads it")]
            None => PpsDevice::open(&self.path, self.event)?,
        };
        let captured = device.wait(timeout)?;
        self.device = Some(device);
        Ok(captured)
    }
}

/// One return of the thread from the device.
#[derive(Debug)]
struct Look {
    until: RawInstant,
    /// A new edge; an error when the device failed.
    found: io::Result<Option<Fetched>>,
}

/// The publisher's end.
#[derive(Debug)]
pub struct PpsFeed {
    looks: Option<mpsc::Receiver<Look>>,
    until: RawInstant,
    failure: Option<io::Error>,
}

impl PpsFeed {
    /// There is no device.
    #[must_use]
    pub const fn absent() -> Self {
        Self { looks: None, until: RawInstant::from_nanos(0), failure: None }
    }

    /// Starts a thread that waits for edges from `source`. It ends by itself when the feed is
    /// dropped.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(source: impl PpsSource, clocks: Clocks) -> io::Result<Self> {
        let (sender, looks) = mpsc::channel(LOOKS_MAX);
        let until = clocks.raw();
        thread::Builder::new()
            .name("pps".to_owned())
            .spawn(move || watch(source, clocks, &sender))?;
        Ok(Self { looks: Some(looks), until, failure: None })
    }

    /// What came since the last time, without waiting.
    pub fn take(&mut self) -> PpsLook {
        let Some(looks) = &mut self.looks else { return PpsLook::Absent };
        let mut edges = Vec::new();
        while let Ok(look) = looks.try_recv() {
            self.until = look.until;
            let failed_before = self.failure.is_some();
            match look.found {
                Ok(edge) => {
                    edges.extend(edge);
                    self.failure = None;
                    if failed_before {
                        info!("the PPS device is read again");
                    }
                }
                Err(error) => {
                    if !failed_before {
                        warn!(%error, "the PPS device cannot be read");
                    }
                    self.failure = Some(error);
                }
            }
        }
        if self.failure.is_some() || (looks.is_closed() && looks.is_empty()) {
            return PpsLook::Failed;
        }
        PpsLook::Seen { until: self.until, edges }
    }
}

/// Looks at the device for as long as somebody takes the looks.
fn watch(mut source: impl PpsSource, clocks: Clocks, looks: &mpsc::Sender<Look>) {
    // The count of the last look, and an instant when it still stood.
    let mut known: Option<(u32, RawInstant)> = None;
    loop {
        let until = clocks.raw();
        let waited = source.wait(WAIT);
        // Directly after the edge: what lies between them is what its place can be wrong by.
        let read = clocks.sample_within(BRACKET);
        let failed = waited.is_err();
        let found = waited.map(|Captured { sequence, real }| {
            // Nobody knows how old the first one is.
            let since = known.filter(|(count, _)| *count != sequence).map(|(_, since)| since);
            known = Some((sequence, until));
            since.map(|since| Fetched { sequence, real, since, read })
        });
        if looks.blocking_send(Look { until, found }).is_err() {
            return;
        }
        if failed {
            known = None;
            thread::sleep(REST);
        }
    }
}
