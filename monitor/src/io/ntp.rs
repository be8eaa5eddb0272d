//! Asks the sources: plain ones here, those under NTS through [`super::nts`].
//!
//! Every source has a task of its own, so that a slow one delays nobody. Every poll has a socket
//! of its own, and so a port that nobody could guess beforehand.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use chronolease_core::time::{RawInstant, Timestamp, Utc};
use chronolease_net::random;
use chronolease_sys::Clocks;
use tokio::io::Interest;
use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::nts;
use crate::core::ntp::arrival::arrived;
use crate::core::ntp::exchange::{Caps, Exchange, Meaning, Refused, SourceSample};
use crate::core::ntp::packet::{NtpTimestamp, Packet};
use crate::core::sources::pace::Pace;
use crate::core::sources::{Epoch, PollResult, Report};
use crate::io::addresses::Addresses;

/// The longest wait before a source's first poll; it spreads sources that start together.
const PHASE_MAX: Duration = Duration::from_millis(250);

/// A server to ask.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in logs.
    pub name: String,
    /// `host:port`, the host being a name, an IPv4 address or an IPv6 address in brackets. A name
    /// is looked up at the start, once an hour, and whenever the server did not answer. Under NTS
    /// keys are exchanged there, and the name is looked up each time.
    pub address: String,
    /// What is asked of its answers.
    pub caps: Caps,
    /// From one request to the next, give or take a sixteenth.
    pub poll: Duration,
    /// How long one poll may take, the name look-up included.
    pub timeout: Duration,
    /// What it takes to ask it under NTS. There is no way from there to a plain request.
    pub nts: Option<nts::Setup>,
}

/// What all pollers share.
#[derive(Clone, Debug)]
pub struct Pollers {
    /// The clocks of this box.
    pub clocks: Clocks,
    /// Settles the NTP era.
    pub pivot: Timestamp<Utc>,
    /// The present epoch. A change abandons the exchanges in flight and polls afresh at once; when
    /// the sender is dropped the pollers stop.
    pub epoch: watch::Receiver<Epoch>,
    /// Where the results go. When the receiver is dropped the pollers stop.
    pub reports: mpsc::Sender<Report>,
    /// Stops the pollers.
    pub stop: CancellationToken,
}

impl Pollers {
    /// Starts one task per target. A report names its source by the position in `targets`.
    #[must_use]
    pub fn spawn(&self, targets: Vec<Target>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for (source, target) in targets.into_iter().enumerate() {
            let (shared, stop) = (self.clone(), self.stop.clone());
            tasks.spawn(async move {
                stop.run_until_cancelled(shared.poll_epochs(source, &target)).await;
            });
        }
        tasks
    }

    /// Polls until nobody is interested any more, starting over with each new epoch.
    async fn poll_epochs(self, source: usize, target: &Target) {
        let Self { clocks, pivot, mut epoch, reports, stop: _ } = self;
        let (mut pace, mut asker) = (Pace::new(target.poll), Asker::new(target));
        loop {
            let began_in = *epoch.borrow_and_update();
            pace.restart();
            let polling = async {
                sleep(phase(target.poll)).await;
                loop {
                    let began = clocks.raw();
                    let result = asker.poll(target, clocks, pivot).await;
                    let [dice] = random::bytes();
                    let wait = pace.next(&result, dice);
                    let report = Report { source, epoch: began_in, result };
                    if reports.send(report).await.is_err() {
                        return;
                    }
                    let taken = Duration::from_nanos((clocks.raw() - began).magnitude().as_nanos());
                    tokio::select! {
                        () = sleep(wait.saturating_sub(taken)) => {}
                        () = asker.is_due_at_once() => {}
                    }
                }
            };
            tokio::select! {
                changed = epoch.changed() => if changed.is_err() { return },
                () = polling => return,
            }
        }
    }
}

/// How a source is asked, and what is kept of it between polls.
enum Asker {
    Plain(Addresses),
    Nts(Box<nts::Session>),
}

impl Asker {
    fn new(target: &Target) -> Self {
        match &target.nts {
            None => Self::Plain(Addresses::default()),
            Some(setup) => Self::Nts(Box::new(nts::Session::new(setup.clone()))),
        }
    }

    async fn poll(&mut self, target: &Target, clocks: Clocks, pivot: Timestamp<Utc>) -> PollResult {
        match self {
            Self::Plain(addresses) => poll(target, addresses, clocks, pivot).await,
            Self::Nts(session) => session.poll(target, clocks, pivot).await,
        }
    }

    /// Ends when the next poll should not wait for its time.
    async fn is_due_at_once(&mut self) {
        match self {
            Self::Plain(_) => std::future::pending().await,
            Self::Nts(session) => session.certificate_is_due().await,
        }
    }
}

/// A random wait below an eighth of the interval.
fn phase(poll: Duration) -> Duration {
    let most = (poll / 8).min(PHASE_MAX);
    most.saturating_mul(u32::from(random::bytes::<1>()[0])) / 256
}

/// Asks once.
pub(super) async fn poll(
    target: &Target,
    addresses: &mut Addresses,
    clocks: Clocks,
    pivot: Timestamp<Utc>,
) -> PollResult {
    let asking = async {
        look_up(target, addresses, clocks).await?;
        let server = addresses.chosen();
        let server = server.ok_or_else(|| io::Error::other("the name has no address"))?;
        exchange(target, server, clocks, pivot).await
    };
    let result = match timeout(target.timeout, asking).await {
        Ok(Ok(Ok(sample))) => PollResult::Sample(sample),
        Ok(Ok(Err(refused))) => PollResult::Refused(refused),
        Ok(Err(error)) => PollResult::Failed(error.to_string()),
        Err(_elapsed) => PollResult::NoAnswer,
    };
    addresses.asked(matches!(result, PollResult::Sample(_) | PollResult::Refused(_)));
    tracing::debug!(source = target.name, ?result, "polled");
    result
}

/// Looks the name up when that is due. While there is an address to ask, the name service gets half
/// the time of a poll and may fail.
async fn look_up(target: &Target, addresses: &mut Addresses, clocks: Clocks) -> io::Result<()> {
    if !addresses.are_due(clocks.raw()) {
        return Ok(());
    }
    let known = addresses.chosen().is_some();
    let patience = if known { target.timeout / 2 } else { target.timeout };
    let found = match timeout(patience, lookup_host(&target.address)).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) if !known => return Err(error),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    addresses.found(found, clocks.raw());
    Ok(())
}

/// One request, and whatever comes in until something answers it.
async fn exchange(
    target: &Target,
    server: SocketAddr,
    clocks: Clocks,
    pivot: Timestamp<Utc>,
) -> io::Result<Result<SourceSample, Refused>> {
    let nonce = NtpTimestamp::from_bits(u64::from_be_bytes(random::bytes()));
    let request = Packet::request(nonce).to_bytes();
    // The kernel cuts off what does not fit, and nothing after the header is looked at.
    let mut room = [0; Packet::LEN];
    converse(target, server, clocks, &request, &mut room, |sent, datagram, received| {
        let exchange = Exchange::new(nonce, sent);
        match exchange.complete(datagram, received, &target.caps, pivot) {
            Err(refused) if refused.meaning() == Meaning::Ignored => {
                tracing::debug!(source = target.name, reason = refused.label(), "not an answer");
                None
            }
            outcome => Some(outcome),
        }
    })
    .await
}

/// Sends a request, and hands whatever comes in to `judge`, with T1 and T4, until that has an
/// outcome. What is longer than `room` is cut off.
pub(super) async fn converse<T>(
    target: &Target,
    server: SocketAddr,
    clocks: Clocks,
    request: &[u8],
    room: &mut [u8],
    mut judge: impl FnMut(RawInstant, &[u8], RawInstant) -> Option<T>,
) -> io::Result<T> {
    let socket = connect(server).await?;
    // Where the kernel does not note arrivals, the oscillator alone tells of them.
    if let Err(error) = chronolease_sys::stamp_arrivals(&socket) {
        tracing::debug!(source = target.name, %error, "arrivals are not noted");
    }
    let sent = clocks.sample();
    socket.send(request).await?;
    loop {
        let receive = || chronolease_sys::receive_stamped(&socket, room);
        let (length, noted) =
            socket.async_io(Interest::READABLE | Interest::ERROR, receive).await?;
        let received = arrived(&sent, &clocks.sample(), noted);
        if let Some(outcome) = judge(sent.raw_after, &room[..length], received) {
            return Ok(outcome);
        }
    }
}

/// A fresh socket on a random port that hears the server alone.
async fn connect(server: SocketAddr) -> io::Result<UdpSocket> {
    let local = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
