//! The socket of a server, and the clock behind it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chronolease_core::time::{RawInstant, Span, Timestamp, Utc};
use chronolease_sys::Clocks;
use serde_json::{Map, Value};
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::knobs::{KnobError, Knobs};
use super::packet::{LEN, Request};

/// How many answers may be held back at a time. What comes on top is lost, as on any network.
const HELD_MAX: usize = 1_024;

/// The knobs of one server, shared between its socket and whoever turns them.
#[derive(Clone, Debug)]
pub struct Source {
    clocks: Clocks,
    setting: watch::Sender<Setting>,
}

#[derive(Clone, Debug)]
struct Setting {
    knobs: Knobs,
    drifts_since: RawInstant,
}

impl Source {
    /// An honest source.
    #[must_use]
    pub fn honest(name: &str, clocks: Clocks) -> Self {
        let setting = Setting { knobs: Knobs::honest(name), drifts_since: clocks.raw() };
        Self { clocks, setting: watch::Sender::new(setting) }
    }

    /// How the knobs stand.
    #[must_use]
    pub fn knobs(&self) -> Knobs {
        self.setting.borrow().knobs.clone()
    }

    /// Turns all knobs in `changes` or, when one of them does not fit, none. Setting `drift_ppm`
    /// starts the drift anew from nothing. Answers how the knobs stand now.
    ///
    /// # Errors
    /// [`KnobError`] names the field that does not fit.
    pub fn turn(&self, changes: &Map<String, Value>) -> Result<Knobs, KnobError> {
        let mut result = Ok(());
        self.setting.send_if_modified(|setting| match setting.knobs.with(changes) {
            Ok(knobs) => {
                setting.knobs = knobs;
                if changes.contains_key("drift_ppm") {
                    setting.drifts_since = self.clocks.raw();
                }
                true
            }
            Err(error) => {
                result = Err(error);
                false
            }
        });
        result.map(|()| self.knobs())
    }

    fn setting(&self) -> Setting {
        self.setting.borrow().clone()
    }
}

impl Setting {
    /// What the server's clock shows.
    fn now(&self, clocks: Clocks) -> Timestamp<Utc> {
        let drifted_ns = (clocks.raw() - self.drifts_since).as_nanos() as f64
            * (self.knobs.drift_ppm.get() / 1e6);
        clocks.real()
            + Span::from_nanos(self.knobs.offset_ms.ms_as_nanos())
            + Span::from_nanos(drifted_ns.round() as i64)
    }
}

/// A server on its socket.
#[derive(Debug)]
pub struct Server {
    socket: UdpSocket,
    address: SocketAddr,
    source: Source,
}

impl Server {
    /// Opens the socket; port 0 asks the system for a free one.
    ///
    /// # Errors
    /// What the system says when the address cannot be had.
    pub async fn bind(listen: SocketAddr, source: Source) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, source })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`. A held-back answer holds back no other.
    pub async fn run(self, stop: CancellationToken) {
        let name = self.address;
        let server = Arc::new(self);
        let held = Arc::new(Semaphore::new(HELD_MAX));
        let mut buffer = [0; 2 * LEN];
        loop {
            let received = tokio::select! {
                () = stop.cancelled() => return,
                received = server.socket.recv_from(&mut buffer) => received,
            };
            let (len, client) = match received {
                Ok(received) => received,
                Err(error) => {
                    tracing::warn!(%name, %error, "cannot receive");
                    continue;
                }
            };
            let setting = server.source.setting();
            let t2 = setting.now(server.source.clocks);
            let Some(request) = Request::read(&buffer[..len]) else { continue };
            if setting.knobs.drop {
                continue;
            }
            let Ok(permit) = Arc::clone(&held).try_acquire_owned() else { continue };
            let (server, stop) = (Arc::clone(&server), stop.clone());
            tokio::spawn(async move {
                let answered =
                    stop.run_until_cancelled(server.answer(request, setting, t2, client));
                if let Some(Err(error)) = answered.await {
                    tracing::warn!(%name, %client, %error, "cannot answer");
                }
                drop(permit);
            });
        }
    }

    async fn answer(
        &self,
        request: Request,
        setting: Setting,
        mut t2: Timestamp<Utc>,
        client: SocketAddr,
    ) -> io::Result<()> {
        let forward = delay(setting.knobs.forward_delay_ms.ms_as_nanos());
        if !forward.is_zero() {
            tokio::time::sleep(forward).await;
            t2 = setting.now(self.source.clocks);
        }
        let t3 = setting.now(self.source.clocks);
        let packet = request.answer(&setting.knobs, t2, t3);
        let back = delay(setting.knobs.return_delay_ms.ms_as_nanos());
        if !back.is_zero() {
            tokio::time::sleep(back).await;
        }
        self.socket.send_to(&packet, client).await.map(drop)
    }
}

/// The knob's type leaves no negative delay.
fn delay(ns: i64) -> Duration {
    Duration::from_nanos(ns.unsigned_abs())
}
