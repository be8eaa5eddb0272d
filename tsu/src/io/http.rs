//! The endpoint for clients: the Time-Stamp Protocol over HTTP (RFC 3161 3.4).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::issuing::Incoming;
use super::metrics::TsuMetrics;
use crate::core::rfc3161::{self, FailInfo, Rejection, RequestPolicy};

const QUERY: &str = "application/timestamp-query";
const REPLY: HeaderValue = HeaderValue::from_static("application/timestamp-reply");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// How long a connection may stay open without a byte from the client.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a client may take for the head of a request, for its body, and to take an answer in.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long connections may take to end when the TSU stops.
const DRAIN: Duration = Duration::from_secs(3);

const STOPPING: Rejection = Rejection::new(FailInfo::SystemFailure, "the TSA is stopping");

/// What the endpoint needs.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where requests go.
    pub requests: mpsc::Sender<Incoming>,
    /// The policies that requests may name.
    pub policy: Arc<RequestPolicy>,
    /// The largest request, in bytes.
    pub request_bytes_max: usize,
    /// What Prometheus reads.
    pub metrics: TsuMetrics,
}

impl Endpoint {
    /// Serves until `stop`, then lets open connections end. At most `connections_max` are open at
    /// a time; more wait in the listener's queue.
    pub async fn serve(
        self,
        listener: TcpListener,
        connections_max: usize,
        stop: CancellationToken,
    ) {
        let router = Router::new().route("/", post(query)).with_state(self);
        let seats = Arc::new(Semaphore::new(connections_max));
        let tracker = TaskTracker::new();
        while let Some((stream, seat)) = next(&listener, &seats, &stop).await {
            tracker.spawn(connection(stream, router.clone(), stop.clone(), seat));
        }
        tracker.close();
        if tokio::time::timeout(DRAIN, tracker.wait()).await.is_err() {
            warn!(open = tracker.len(), "closing connections that did not end in time");
        }
    }
}

async fn next(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return None,
            seat = Arc::clone(seats).acquire_owned() => {
                let seat = seat.ok()?;
                tokio::select! {
                    () = stop.cancelled() => return None,
                    accepted = listener.accept() => accepted.map(|(stream, _)| (stream, seat)),
                }
            }
        };
        match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) => {
                // Such as too many open files: it passes when others close.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    stop: CancellationToken,
    _seat: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    // Without these a client that never reads, or never asks, would keep its seat for good.
    let mut stream = TimeoutStream::new(stream);
    stream.set_read_timeout(Some(IDLE_TIMEOUT));
    stream.set_write_timeout(Some(CLIENT_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_TIMEOUT)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        debug!(%error, "a client's connection broke");
    }
}

async fn query(State(endpoint): State<Endpoint>, request: Request<Body>) -> Response {
    match endpoint.answer(request).await {
        Ok(der) => {
            let headers = [(header::CONTENT_TYPE, REPLY), (header::CACHE_CONTROL, NO_STORE)];
            (headers, der).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

impl Endpoint {
    /// The response of RFC 3161 in DER, or a refusal in the terms of HTTP.
    async fn answer(&self, request: Request<Body>) -> Result<Vec<u8>, (StatusCode, &'static str)> {
        let body = self.body(request).await.inspect_err(|_| self.metrics.http_refused())?;
        let parsed = match rfc3161::parse(&body, &self.policy) {
            Ok(parsed) => parsed,
            Err(rejection) => return Ok(self.reject(&rejection)),
        };
        let (reply, answer) = oneshot::channel();
        match self.requests.try_send(Incoming { request: parsed, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.metrics.overloaded();
                return Err((StatusCode::SERVICE_UNAVAILABLE, "too many requests wait\n"));
            }
            Err(TrySendError::Closed(_)) => return Ok(self.reject(&STOPPING)),
        }
        match answer.await {
            Ok(Ok(token)) => {
                self.metrics.granted();
                Ok(rfc3161::granted(&token.into_der()))
            }
            Ok(Err(rejection)) => Ok(self.reject(&rejection)),
            Err(_) => Ok(self.reject(&STOPPING)),
        }
    }

    fn reject(&self, rejection: &Rejection) -> Vec<u8> {
        self.metrics.rejected(rejection.fail);
        rfc3161::rejected(rejection)
    }

    async fn body(&self, request: Request<Body>) -> Result<Vec<u8>, (StatusCode, &'static str)> {
        const TOO_LARGE: (StatusCode, &str) =
            (StatusCode::PAYLOAD_TOO_LARGE, "the request is too large\n");
        if !is_query(request.headers()) {
            let expected = "the Content-Type must be application/timestamp-query\n";
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, expected));
        }
        let body = request.into_body();
        // What a declared length already shows need not be read.
        if body.size_hint().lower() > self.request_bytes_max as u64 {
            return Err(TOO_LARGE);
        }
        let read = to_bytes(body, self.request_bytes_max);
        match tokio::time::timeout(CLIENT_TIMEOUT, read).await {
            Ok(Ok(bytes)) => Ok(bytes.to_vec()),
            Ok(Err(error)) if is_too_large(&error) => Err(TOO_LARGE),
            Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "the request's body broke off\n")),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the request's body took too long\n")),
        }
    }
}

/// The media type without parameters, in any case (RFC 9110 8.3.1).
fn is_query(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    let Ok(text) = value.to_str() else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(QUERY)
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::issuing::queue;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const GARBAGE: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\
        Content-Type: application/timestamp-query\r\n\r\nx";

    /// The clock of the runtime stands still while anybody is busy and runs to the next timeout
    /// when all wait, so the test waits for conditions alone.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_reads_loses_its_seat() {
        let (requests, _waiting) = queue();
        let oid = rfc3161::parse_oid("1.2.3").expect("an OID");
        let endpoint = Endpoint {
            requests,
            policy: Arc::new(RequestPolicy::new(oid, vec![])),
            request_bytes_max: 16_384,
            metrics: TsuMetrics::new(false).expect("fresh names"),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(endpoint.serve(listener, 1, CancellationToken::new()));

        // It asks until nothing more can be sent: its answers fill every buffer on the way.
        let mut rude = TcpStream::connect(address).await.expect("loopback");
        let cut_off = tokio::spawn(async move {
            while rude.write_all(GARBAGE).await.is_ok() {}
            rude
        });
        let rude = cut_off.await.expect("no panic");

        let mut polite = TcpStream::connect(address).await.expect("loopback");
        polite.write_all(GARBAGE).await.expect("connected");
        let mut answer = [0; 15];
        polite.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        drop(rude);
    }
}
