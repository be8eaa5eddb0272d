//! The connection to the monitor. It is made again whenever it breaks; the lease is not tied to
//! its life but to its time.

mod logs;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chronolease_core::confirmation::ConfirmationError;
use chronolease_core::id::{BootId, Incarnation, TsuId};
use chronolease_core::lease::LeaseError;
use chronolease_core::wire::{
    self, Confirm, Hello, PROTOCOL_VERSION, ProbeAnswer, RefusedWhy, ToMonitor, ToTsu, WireError,
};
use chronolease_net::frame::{FrameError, read_frame, write_frame};
use chronolease_net::keys::EvidenceVerifier;
use chronolease_net::tls::{self, TlsError};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

pub use logs::{Logs, LogsError};

use crate::core::holder::Answer;
use crate::core::issuing::{Event, ToLink};

/// How long after a failure the next attempt is made.
const RETRY: Duration = Duration::from_millis(250);

/// The most messages that wait to be sent.
const OUTGOING_MAX: usize = 320;

/// Whom to call, and as whom.
pub struct Link {
    /// Where the monitor listens.
    pub monitor: SocketAddr,
    /// TLS with the pinned keys.
    pub tls: Arc<ClientConfig>,
    /// Checks the monitor's signature on leases.
    pub evidence_key: EvidenceVerifier,
    /// The logs of both boxes.
    pub logs: Logs,
    /// This TSU.
    pub tsu: TsuId,
    /// This run.
    pub incarnation: Incarnation,
    /// This boot.
    pub boot_id: BootId,
    /// How long the monitor may say nothing before the connection counts as dead.
    pub silence_max: Duration,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the monitor sent what is no message: {0}")]
    Wire(#[from] WireError),
    #[error("the monitor sent a lease that is none: {0}")]
    Lease(#[from] LeaseError),
    #[error("the monitor sent a confirmation that is none: {0}")]
    Confirmation(#[from] ConfirmationError),
    #[error(transparent)]
    Logs(#[from] LogsError),
    #[error("the monitor closed the connection")]
    Closed,
    #[error("the monitor did not admit this TSU: {0}")]
    NotAdmitted(RefusedWhy),
    #[error("the monitor has said nothing for {0:?}")]
    Silent(Duration),
    #[error("the pipeline is gone")]
    Stopped,
}

/// The channel for messages to the monitor.
#[must_use]
pub fn outgoing() -> (mpsc::Sender<ToLink>, mpsc::Receiver<ToLink>) {
    mpsc::channel(OUTGOING_MAX)
}

impl Link {
    /// Keeps a connection until `stop`. What the monitor says goes to `events`.
    pub async fn run(
        self,
        events: mpsc::Sender<Event>,
        mut outgoing: mpsc::Receiver<ToLink>,
        stop: CancellationToken,
    ) {
        let mut last_failure = String::new();
        loop {
            let failure = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.connection(&events, &mut outgoing) => match ended {
                    Err(LinkError::Stopped) => return,
                    Err(failure) => failure.to_string(),
                    Ok(never) => match never {},
                },
            };
            // The same failure four times a second is said once.
            if failure != last_failure {
                warn!(monitor = %self.monitor, %failure, "no link to the monitor");
                last_failure = failure;
            }
            if events.send(Event::Disconnected).await.is_err() {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    async fn connection(
        &self,
        events: &mpsc::Sender<Event>,
        outgoing: &mut mpsc::Receiver<ToLink>,
    ) -> Result<std::convert::Infallible, LinkError> {
        let stream = tls::connect(self.monitor, Arc::clone(&self.tls)).await?;
        let channel = tls::channel_binding(stream.get_ref().1)?;
        let (mut reader, mut writer) = tokio::io::split(stream);
        // What an earlier connection left unsaid means nothing on this one.
        while outgoing.try_recv().is_ok() {}
        let hello = Hello {
            version: PROTOCOL_VERSION,
            tsu: self.tsu.clone(),
            incarnation: self.incarnation,
            boot_id: self.boot_id,
            held: self.logs.connected().await?,
        };
        write_frame(&mut writer, &wire::encode_to_monitor(&ToMonitor::Hello(hello))).await?;
        events.send(Event::Connected(channel)).await.map_err(|_| LinkError::Stopped)?;
        debug!(monitor = %self.monitor, "connected to the monitor");
        let (replies, mut replied) = mpsc::channel(OUTGOING_MAX);
        tokio::select! {
            ended = self.listen(&mut reader, events, &replies) => ended,
            ended = self.talk(&mut writer, outgoing, &mut replied) => ended,
        }
    }

    /// `replies` takes what is said to the monitor without the pipeline.
    async fn listen<R: AsyncRead + Unpin>(
        &self,
        reader: &mut R,
        events: &mpsc::Sender<Event>,
        replies: &mpsc::Sender<ToMonitor>,
    ) -> Result<std::convert::Infallible, LinkError> {
        let mut refused = None;
        loop {
            let read = tokio::time::timeout(self.silence_max, read_frame(reader)).await;
            let frame = match (read, refused) {
                (Ok(Ok(Some(frame))), _) => frame,
                // However it went away then.
                (_, Some(why)) => return Err(LinkError::NotAdmitted(why)),
                (Ok(Ok(None)), None) => return Err(LinkError::Closed),
                (Ok(Err(failure)), None) => return Err(failure.into()),
                (Err(_), None) => return Err(LinkError::Silent(self.silence_max)),
            };
            let event = match wire::decode_to_tsu(&frame)? {
                ToTsu::Welcome(welcome) => {
                    if let Some(broken) = self.logs.met(welcome) {
                        send(events, broken).await?;
                    }
                    Event::Welcomed
                }
                ToTsu::Refused(why) => {
                    // It closes then.
                    refused = Some(why);
                    Event::Refused(why)
                }
                ToTsu::Probe(nonce) => Event::Probed(nonce),
                ToTsu::Grant(lease) => {
                    let verify = |m: &[u8], s: &[u8]| self.evidence_key.verify(m, s);
                    let terms = lease.open(verify)?;
                    Event::Granted(lease, terms)
                }
                ToTsu::Confirmed(signed) => {
                    let verify = |m: &[u8], s: &[u8]| self.evidence_key.verify(m, s);
                    let confirmation = signed.open(verify)?;
                    self.logs.shown_to(&confirmation)?;
                    Event::Confirmed(signed, confirmation)
                }
                ToTsu::NotConfirmed(batch, why) => Event::NotConfirmed(batch, why),
                ToTsu::Revoke { up_to, cause } => Event::Revoked(up_to, cause),
                ToTsu::Witnessed(both) => {
                    let (event, reply) = self.logs.vouch(both.checkpoint).await?;
                    if let Some(line) = reply {
                        // Bounded by what the monitor sends: it waits for none of them.
                        let said = replies.try_send(ToMonitor::Cosigned(line));
                        said.map_err(|_| LinkError::Closed)?;
                    }
                    send(events, event).await?;
                    self.logs.cosigned(&both.cosignature).await?;
                    continue;
                }
            };
            send(events, event).await?;
        }
    }

    async fn talk<W: AsyncWrite + Unpin>(
        &self,
        writer: &mut W,
        outgoing: &mut mpsc::Receiver<ToLink>,
        replied: &mut mpsc::Receiver<ToMonitor>,
    ) -> Result<std::convert::Infallible, LinkError> {
        loop {
            let message = tokio::select! {
                said = outgoing.recv() => match said.ok_or(LinkError::Stopped)? {
                    ToLink::Answer(Answer { nonce, sample, reader, ended }) => {
                        let log = self.logs.offer();
                        ToMonitor::Answer(ProbeAnswer { nonce, sample, reader, ended, log })
                    }
                    ToLink::Confirm(batch) => {
                        let Some((log, since_shown)) = self.logs.show(batch.sequence) else {
                            continue;
                        };
                        ToMonitor::Confirm(Confirm { batch, log, since_shown })
                    }
                    ToLink::Revoked(up_to) => ToMonitor::Revoked(up_to),
                },
                Some(reply) = replied.recv() => reply,
            };
            write_frame(writer, &wire::encode_to_monitor(&message)).await?;
        }
    }
}

async fn send(events: &mpsc::Sender<Event>, event: Event) -> Result<(), LinkError> {
    events.send(event).await.map_err(|_| LinkError::Stopped)
}
