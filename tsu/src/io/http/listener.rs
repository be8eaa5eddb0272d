//! Connections of clients, with and without TLS, and how long each may take for what.

use std::sync::Arc;
use std::time::Duration;

use chronolease_net::tls::Handshakes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::Front;

/// How long connections may take to end when the TSU stops.
const DRAIN: Duration = Duration::from_secs(3);

/// The most that is kept of a connection unread, so the longest head of a request, in bytes.
const BUFFER_BYTES: usize = 16_384;

/// What clients may ask of the listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    /// The most connections at a time.
    pub(super) connections_max: usize,
    /// How long a client may take each time.
    pub(super) patience: Duration,
}

/// Where clients come in.
#[derive(Debug)]
pub struct Door {
    /// Where it listens.
    pub listener: TcpListener,
    /// Where it does TLS handshakes, if it speaks TLS.
    pub tls: Option<Handshakes>,
}

/// Serves at every door until `stop`; the connections of all doors count together.
pub(super) async fn serve(
    doors: Vec<Door>,
    front: Arc<Front>,
    manners: Manners,
    stop: CancellationToken,
) {
    let seats = Arc::new(Semaphore::new(manners.connections_max));
    let handshakes = Arc::new(Semaphore::new((manners.connections_max / 2).max(1)));
    let tracker = TaskTracker::new();
    let mut keepers = tokio::task::JoinSet::new();
    for door in doors {
        let (front, seats) = (Arc::clone(&front), Arc::clone(&seats));
        let server = Server { front, patience: manners.patience, stop: stop.clone() };
        let handshakes = door.tls.is_some().then(|| Arc::clone(&handshakes));
        let room = Room { seats, handshakes };
        keepers.spawn(keep(door, server, room, tracker.clone()));
    }
    while keepers.join_next().await.is_some() {}
    tracker.close();
    if tokio::time::timeout(DRAIN, tracker.wait()).await.is_err() {
        warn!(open = tracker.len(), "closing connections that did not end in time");
    }
}

/// What a connection is served with.
#[derive(Clone)]
struct Server {
    front: Arc<Front>,
    patience: Duration,
    stop: CancellationToken,
}

/// For how many connections there is room.
struct Room {
    seats: Arc<Semaphore>,
    /// Half of the seats, at a door with TLS: strangers in their handshakes leave the other half to
    /// those who ask.
    handshakes: Option<Arc<Semaphore>>,
}

/// What a connection takes up.
struct Place {
    _seat: OwnedSemaphorePermit,
    /// Until the handshake is over.
    handshake: Option<OwnedSemaphorePermit>,
}

impl Room {
    async fn take(&self) -> Option<Place> {
        let handshake = match &self.handshakes {
            Some(handshakes) => Some(Arc::clone(handshakes).acquire_owned().await.ok()?),
            None => None,
        };
        Some(Place { _seat: Arc::clone(&self.seats).acquire_owned().await.ok()?, handshake })
    }
}

async fn keep(door: Door, server: Server, room: Room, tracker: TaskTracker) {
    while let Some((stream, place)) = next(&door.listener, &room, &server.stop).await {
        tracker.spawn(server.clone().connection(stream, door.tls.clone(), place));
    }
}

async fn next(
    listener: &TcpListener,
    room: &Room,
    stop: &CancellationToken,
) -> Option<(TcpStream, Place)> {
    loop {
        // A place is taken only for a client that is there: one door must not starve another.
        let accepted = tokio::select! {
            () = stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::select! {
                    () = stop.cancelled() => return None,
                    place = room.take() => return Some((stream, place?)),
                }
            }
            Err(error) => {
                // Such as too many open files: it passes when others close.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl Server {
    async fn connection(self, stream: TcpStream, tls: Option<Handshakes>, place: Place) {
        let _ = stream.set_nodelay(true);
        // Without this a client that never reads would keep its seat for good.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.patience));
        let stream = Box::pin(stream);
        let Some(tls) = tls else { return self.speak(stream).await };
        let handshake = tls.accept(stream, place);
        let done = tokio::select! {
            () = self.stop.cancelled() => return,
            done = tokio::time::timeout(self.patience, handshake) => done,
        };
        match done {
            Ok(Ok((stream, mut place))) => {
                place.handshake = None;
                self.speak(stream).await;
            }
            Ok(Err(error)) => debug!(%error, "a client's TLS handshake failed"),
            Err(_) => debug!("a client's TLS handshake took too long"),
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        // hyper counts from the moment at which it could read a head, so silence between two
        // requests is counted in.
        let service = service_fn(|request| Arc::clone(&self.front).answer(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            debug!(%error, "a client's connection broke");
        }
    }
}
