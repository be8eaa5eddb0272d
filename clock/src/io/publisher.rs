//! The loop: read, report, send.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use chronolease_core::clock_reader::{self as report, KernelState, OddReading};
use chronolease_core::time::Bound;
use chronolease_net::frame::{self, FrameError};
use chronolease_sys::Clocks;
use tokio::net::UnixStream;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::listeners::Listeners;
use super::pps::PpsFeed;
use super::socket::Socket;
use super::steps::StepNotices;
use crate::core::{Reading, Reporter};

/// The bracket that a sample should have; after a few attempts a wider one is sent as it is.
const BRACKET: Bound = Bound::from_millis(1);

/// Why the reader cannot go on. Its listeners notice that it is gone.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Nobody watches the clock any more.
    #[error("the kernel's notices of a set clock cannot be read: {0}")]
    Notices(#[source] io::Error),
    /// A report does not fit into a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Sends a report to every listener: each interval, at once when the clock was set, and when a
/// listener comes.
#[derive(Debug)]
pub struct Publisher {
    /// The clocks of this box.
    pub clocks: Clocks,
    /// The kernel's notices. They were watched before the reporter's first sample.
    pub notices: StepNotices,
    /// Makes the reports.
    pub reporter: Reporter,
    /// Where listeners connect.
    pub socket: Socket,
    /// Those who are connected.
    pub listeners: Listeners,
    /// From one report to the next.
    pub interval: Bound,
    /// The vmclock device.
    pub vmclock: PathBuf,
    /// The pulse-per-second device.
    pub pps: PpsFeed,
}

impl Publisher {
    /// Runs until `stop`.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), PublishError> {
        let mut ticks = tokio::time::interval(Duration::from_nanos(self.interval.as_nanos()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one comes at once, and nobody listens yet.
        ticks.tick().await;
        // Off from a failed accept to the next tick: a lack of sockets must not keep it busy.
        let mut accepting = true;
        loop {
            let mut noticed = 0;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                notice = self.notices.next() => {
                    notice.map_err(PublishError::Notices)?;
                    noticed = 1;
                }
                _ = ticks.tick() => accepting = true,
                accepted = self.socket.listener().accept(), if accepting => {
                    accepting = self.admit(accepted.map(|(stream, _)| stream));
                }
            }
            self.publish(noticed)?;
        }
    }

    /// Whether it went well. The stream is written to without the runtime from here on.
    fn admit(&mut self, accepted: io::Result<UnixStream>) -> bool {
        let known = accepted.and_then(|stream| {
            let peer = stream.peer_cred()?;
            let pid = peer.pid().map_or_else(|| "?".to_owned(), |pid| pid.to_string());
            Ok((stream.into_std()?, format!("pid {pid} uid {}", peer.uid())))
        });
        match known {
            Ok((stream, who)) => {
                self.listeners.admit(stream, who);
                true
            }
            Err(error) => {
                error!(%error, "cannot accept a listener");
                false
            }
        }
    }

    fn publish(&mut self, noticed: u64) -> Result<(), PublishError> {
        let mut notices = noticed;
        // Before the kernel is asked for notices, so that a step between an edge and its reading is
        // known when the edge is reported.
        let pps = self.pps.take();
        let mut sample = self.clocks.sample_within(BRACKET);
        // Asked for after the sample, so that the report holds every step before it; and then
        // sampled again, so that the notice lies between two samples.
        if self.notices.take().map_err(PublishError::Notices)? {
            notices += 1;
            sample = self.clocks.sample_within(BRACKET);
        }
        let marker = chronolease_sys::disruption_marker(&self.vmclock);
        let reading = Reading { sample, notices, kernel: kernel_state(), marker, pps };
        let report = self.reporter.report(reading);
        if let Some(steps) = report.steps.filter(|_| notices > 0) {
            let moved = steps.last.after.real_minus_raw() - steps.last.before.real_minus_raw();
            warn!(count = steps.count, %moved, "the clock was set");
        }
        self.listeners.send(&frame::frame(&report::encode(&report))?);
        Ok(())
    }
}

fn kernel_state() -> Result<KernelState, OddReading> {
    #[expect(clippy::disallowed_methods, reason = "this is the process that asks")]
    let reading = chronolease_sys::kernel_clock().map_err(|_| OddReading::Refused)?;
    reading.checked()
}
