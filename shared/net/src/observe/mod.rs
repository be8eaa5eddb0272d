//! What Prometheus and a service manager may ask: `/metrics`, `/livez` and `/readyz`, over plain
//! HTTP on an address of their own. Nothing here changes anything.
//!
//! A stranger who reaches the address cannot exhaust the process: connections are few, short and
//! carry one request each.

mod health;
mod metrics;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub use health::Health;
pub use metrics::{Metrics, MetricsError, State, StateSet};

use crate::crowd::{Crowd, pause_after};

/// How many connections are served at once. One more displaces the oldest.
const CONNECTIONS_MAX: usize = 32;

/// How long a connection may take, request and response together.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// The bound listener, not yet serving, so that a daemon can refuse to start without its port.
#[derive(Debug)]
pub struct Observer {
    tcp: TcpListener,
}

impl Observer {
    /// Listens on `addr`.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(addr).await? })
    }

    /// The address it listens on, with the port that the system chose if it was 0.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Answers until `shutdown` is cancelled.
    pub async fn run(self, registry: Registry, health: Health, shutdown: CancellationToken) {
        let mut connections = Crowd::new(CONNECTIONS_MAX);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = connections.next() => {}
                accepted = self.tcp.accept() => match accepted {
                    Ok((tcp, _)) => connections.admit(serve(tcp, registry.clone(), health.clone())),
                    Err(error) => pause_after(&error).await,
                },
            }
        }
    }
}

async fn serve(tcp: TcpStream, registry: Registry, health: Health) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = respond(&request, &registry, &health);
        async { Ok::<_, Infallible>(response) }
    });
    let connection =
        http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(tcp), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an observer's connection failed"),
        Err(_elapsed) => tracing::debug!("an observer's connection took too long"),
    }
}

fn respond<B>(request: &Request<B>, registry: &Registry, health: &Health) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", String::new());
        refusal.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/metrics" => match TextEncoder::new().encode_to_string(&registry.gather()) {
            Ok(text) => response(StatusCode::OK, TEXT_FORMAT, text),
            Err(error) => {
                tracing::error!(%error, "cannot encode the metrics");
                response(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string())
            }
        },
        "/livez" => verdict(&health.stall().into_iter().collect::<Vec<_>>()),
        "/readyz" => verdict(&health.unready_reasons()),
        _ => response(StatusCode::NOT_FOUND, "text/plain", "not found\n".to_owned()),
    }
}

/// 200 when there is no reason against it, otherwise 503 with the reasons.
fn verdict(reasons: &[String]) -> Response<Full<Bytes>> {
    let (code, status) = match reasons {
        [] => (StatusCode::OK, "ok"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "unready"),
    };
    let body = serde_json::json!({ "status": status, "reasons": reasons });
    response(code, "application/json", format!("{body}\n"))
}

fn response(code: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    let value = hyper::header::HeaderValue::from_static;
    response.headers_mut().insert(CONTENT_TYPE, value(content_type));
    response.headers_mut().insert(CACHE_CONTROL, value("no-store"));
    response
}

#[cfg(test)]
mod tests;
