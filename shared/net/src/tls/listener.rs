//! A listener whose handshakes cannot hold each other up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use chronolease_core::id::SpkiPin;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;

use super::handshakes::Handshakes;
use super::{HANDSHAKE_TIMEOUT, peer_pin};
use crate::crowd::{Crowd, pause_after};

/// How many handshakes run at once. One more displaces the oldest, so silent clients cannot keep
/// others out. As many more may wait until the thread has let go of those that were displaced.
pub(super) const HANDSHAKES_MAX: usize = 64;

/// A TCP listener that hands out connections whose TLS handshake is done and whose peer is known.
///
/// Each handshake has a task of its own and at most [`HANDSHAKE_TIMEOUT`]; [`Handshakes`] computes
/// all of them.
#[derive(Debug)]
pub struct TlsListener {
    tcp: TcpListener,
    handshakes: Handshakes,
    /// A displaced handshake keeps its seat until its thread is done with it.
    seats: Arc<Semaphore>,
    under_way: Crowd<Option<(TlsStream<TcpStream>, Peer)>>,
}

/// The other end of a connection. As `ConnectInfo<Peer>` it tells axum's handlers who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The pin of the key that the peer proved to hold.
    pub pin: SpkiPin,
    /// Where it calls from.
    pub addr: SocketAddr,
}

impl TlsListener {
    /// Listens on `addr`. `config` comes from [`server_config`](super::server_config).
    ///
    /// # Errors
    /// When the address cannot be bound, or there is no thread for the handshakes.
    pub async fn bind(addr: SocketAddr, config: Arc<ServerConfig>) -> io::Result<Self> {
        let tcp = TcpListener::bind(addr).await?;
        Ok(Self::over(tcp, Handshakes::start(config)?, HANDSHAKES_MAX))
    }

    pub(super) fn over(tcp: TcpListener, handshakes: Handshakes, places: usize) -> Self {
        let seats = Arc::new(Semaphore::new(places));
        Self { tcp, handshakes, seats, under_way: Crowd::new(places) }
    }

    /// The address it listens on, with the port that the system chose if it was 0.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The next connection. Failed handshakes are logged and skipped. Cancel-safe. Connections and
    /// handshakes make progress only while somebody waits here.
    pub async fn accept(&mut self) -> (TlsStream<TcpStream>, SpkiPin, SocketAddr) {
        loop {
            tokio::select! {
                biased;
                finished = self.under_way.next() => {
                    if let Some((stream, peer)) = finished {
                        return (stream, peer.pin, peer.addr);
                    }
                }
                accepted = self.tcp.accept() => match accepted {
                    Ok((tcp, addr)) => {
                        let (handshakes, seats) = (self.handshakes.clone(), self.seats.clone());
                        self.under_way.admit(handshake(handshakes, seats, tcp, addr));
                    }
                    Err(error) => pause_after(&error).await,
                },
            }
        }
    }
}

async fn handshake(
    handshakes: Handshakes,
    seats: Arc<Semaphore>,
    tcp: TcpStream,
    addr: SocketAddr,
) -> Option<(TlsStream<TcpStream>, Peer)> {
    let attempt = async {
        tcp.set_nodelay(true)?;
        let seat = seats.acquire_owned().await.map_err(io::Error::other)?;
        handshakes.accept(tcp, seat).await
    };
    let error = match tokio::time::timeout(HANDSHAKE_TIMEOUT, attempt).await {
        Ok(Ok((stream, _seat))) => match peer_pin(stream.get_ref().1) {
            Some(pin) => return Some((stream, Peer { pin, addr })),
            None => io::Error::other("the peer showed no certificate"),
        },
        Ok(Err(error)) => error,
        Err(_elapsed) => io::ErrorKind::TimedOut.into(),
    };
    tracing::info!(%addr, %error, "a TLS handshake failed");
    None
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, _pin, addr) = Self::accept(self).await;
        (stream, addr)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Self::local_addr(self)
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        let pin = peer_pin(stream.io().get_ref().1);
        let pin = pin.expect("the listener hands out no stream without it");
        Self { pin, addr: *stream.remote_addr() }
    }
}
