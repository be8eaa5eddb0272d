//! The endpoint for clients: the Time-Stamp Protocol over HTTP (RFC 3161 3.4).

mod listener;
mod pages;
mod secure;

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use listener::Door;
pub use pages::{Facts, Pages};
pub use secure::{OutOfDate, Secure, TlsError};

use listener::Manners;

use super::issuing::Incoming;
use super::metrics::TsuMetrics;
use crate::core::rfc3161::{self, FailInfo, Rejection, RequestPolicy};

const QUERY: &str = "application/timestamp-query";
const REPLY: HeaderValue = HeaderValue::from_static("application/timestamp-reply");
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A refusal in the terms of HTTP, with a line for the client.
type Refusal = (StatusCode, &'static str);

const OVERLOAD: Refusal = (StatusCode::SERVICE_UNAVAILABLE, "too many requests wait\n");

/// When to come back after [`OVERLOAD`], in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

const STOPPING: Rejection = Rejection::new(FailInfo::SystemFailure, "the TSA is stopping");

/// What the endpoint needs.
#[derive(Debug)]
pub struct Endpoint {
    /// Where requests go.
    pub requests: mpsc::Sender<Incoming>,
    /// The policies that requests may name.
    pub policy: Arc<RequestPolicy>,
    /// The largest request, in bytes.
    pub request_bytes_max: usize,
    /// How long a client may take each time: for the TLS handshake, from connecting or its last
    /// answer to the end of the next head, for a body, and to take an answer in.
    pub patience: Duration,
    /// What is told of the service.
    pub pages: Arc<Pages>,
    /// What Prometheus reads.
    pub metrics: TsuMetrics,
}

impl Endpoint {
    /// Serves on every door until `stop`, then lets open connections end. At most
    /// `connections_max` are open at a time; more wait in the listeners' queues.
    pub async fn serve(self, doors: Vec<Door>, connections_max: usize, stop: CancellationToken) {
        let manners = Manners { connections_max, patience: self.patience };
        let endpoint = Arc::new(self);
        let router = Router::new()
            // Requests for tokens do not reach it; those with another method are told of POST.
            .route("/", post(query).get(pages::page_of))
            .route("/chain.pem", get(pages::chain))
            .route("/policy", get(pages::policy))
            .route("/disclosure.json", get(pages::disclosure_of))
            .with_state(Arc::clone(&endpoint));
        let router = TowerToHyperService::new(router);
        listener::serve(doors, Arc::new(Front { endpoint, router }), manners, stop).await;
    }
}

/// What every request passes, whatever it is for.
#[derive(Debug)]
struct Front {
    endpoint: Arc<Endpoint>,
    router: TowerToHyperService<Router>,
}

impl Front {
    async fn answer(
        self: Arc<Self>,
        request: Request<body::Incoming>,
    ) -> Result<Response, Infallible> {
        // A request may have a length beside its chunks, and somebody on the way may have gone by
        // the length. The chunks alone count, and the connection ends with the answer (RFC 9112
        // 6.1). hyper hides the length, so this holds for everybody who sends chunks.
        let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        let named = names_one_host(&request);
        let mut response = if !named {
            (StatusCode::BAD_REQUEST, "a request needs one Host\n").into_response()
        } else if request.method() == Method::POST && request.uri().path() == "/" {
            // As the router would do it, but a token does not pay for its layers.
            self.endpoint.query(request).await
        } else {
            self.router.call(request).await?
        };
        let headers = response.headers_mut();
        if chunked || !named {
            headers.insert(header::CONNECTION, CLOSE);
        }
        // Answers are for those who asked, and for now.
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        Ok(response)
    }
}

/// A request of HTTP/1.1 names its host, and names one (RFC 9112 3.2). Whoever does not is not to be
/// trusted with where the next request begins either.
fn names_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => true,
        (None, _) => request.version() < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

async fn query(State(endpoint): State<Arc<Endpoint>>, request: Request<Body>) -> Response {
    endpoint.query(request).await
}

impl Endpoint {
    async fn query<B>(&self, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let answer = match self.body(request).await {
            Ok(body) => self.answer(body).await,
            Err(refusal) => {
                self.metrics.http_refused();
                Err(refusal)
            }
        };
        match answer {
            Ok(der) => ([(header::CONTENT_TYPE, REPLY)], der).into_response(),
            Err(OVERLOAD) => ([(header::RETRY_AFTER, RETRY_AFTER_S)], OVERLOAD).into_response(),
            Err(refusal) => refusal.into_response(),
        }
    }

    /// The response of RFC 3161 in DER, or a refusal in the terms of HTTP.
    async fn answer(&self, body: Bytes) -> Result<Vec<u8>, Refusal> {
        let parsed = match rfc3161::parse(&body, &self.policy) {
            Ok(parsed) => parsed,
            Err(rejection) => return Ok(self.reject(&rejection)),
        };
        // It may be a part of the connection's buffer, which is free now.
        drop(body);
        let (reply, answer) = oneshot::channel();
        match self.requests.try_send(Incoming { request: parsed, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.metrics.overloaded();
                return Err(OVERLOAD);
            }
            Err(TrySendError::Closed(_)) => return Ok(self.reject(&STOPPING)),
        }
        match answer.await {
            Ok(Ok(token)) => {
                self.metrics.granted();
                Ok(rfc3161::granted(token.der()))
            }
            Ok(Err(rejection)) => Ok(self.reject(&rejection)),
            Err(_) => Ok(self.reject(&STOPPING)),
        }
    }

    fn reject(&self, rejection: &Rejection) -> Vec<u8> {
        self.metrics.rejected(rejection.fail);
        rfc3161::rejected(rejection)
    }

    async fn body<B>(&self, request: Request<B>) -> Result<Bytes, Refusal>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        const TOO_LARGE: Refusal = (StatusCode::PAYLOAD_TOO_LARGE, "the request is too large\n");
        if !is_query(request.headers()) {
            let expected = "the Content-Type must be application/timestamp-query\n";
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, expected));
        }
        let body = request.into_body();
        // What a declared length already shows need not be read.
        if body.size_hint().lower() > self.request_bytes_max as u64 {
            return Err(TOO_LARGE);
        }
        let read = Limited::new(body, self.request_bytes_max).collect();
        match tokio::time::timeout(self.patience, read).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if is_too_large(&*error) => Err(TOO_LARGE),
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

fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(cause) = source {
        if cause.is::<LengthLimitError>() {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests;
