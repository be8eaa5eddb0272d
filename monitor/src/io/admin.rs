//! The listener for persons: TLS 1.3, each person known by a pinned key.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chronolease_core::id::SpkiPin;
use chronolease_net::tls::{Peer, TlsListener};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use super::status::Status;
use crate::config::{Person, Role};

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What the listener serves, and to whom.
#[derive(Clone, Debug)]
pub struct Admin {
    persons: Arc<HashMap<SpkiPin, (String, Role)>>,
    status: watch::Receiver<Option<Status>>,
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
}

impl Admin {
    /// Serves `status` to `persons`.
    #[must_use]
    pub fn new(persons: &[Person], status: watch::Receiver<Option<Status>>) -> Self {
        let pinned = persons.iter().flat_map(|person| {
            person.pins.iter().map(|pin| (*pin, (person.name.clone(), person.role)))
        });
        Self { persons: Arc::new(pinned.collect()), status }
    }

    /// Serves until `stop`.
    pub async fn run(self, listener: TlsListener, stop: CancellationToken) {
        let router = Router::new()
            .route("/v1/status", get(status))
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .with_state(self)
            .into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            error!(%error, "the admin listener ended");
        }
    }
}

async fn status(State(admin): State<Admin>, ConnectInfo(peer): ConnectInfo<Peer>) -> Response {
    // Every role may read the status.
    let Some((name, role)) = admin.persons.get(&peer.pin) else {
        return problem(StatusCode::FORBIDDEN, "No such person", "this key belongs to nobody");
    };
    debug!(person = name, ?role, "status read");
    match admin.status.borrow().clone() {
        Some(status) => Json(status).into_response(),
        None => problem(StatusCode::SERVICE_UNAVAILABLE, "Starting", "nothing is known yet"),
    }
}

async fn not_found(uri: Uri) -> Response {
    problem(StatusCode::NOT_FOUND, "No such resource", &format!("there is no {}", uri.path()))
}

async fn method_not_allowed(uri: Uri) -> Response {
    let detail = format!("{} cannot be asked so", uri.path());
    problem(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", &detail)
}

fn problem(status: StatusCode, title: &'static str, detail: &str) -> Response {
    let problem =
        Problem { kind: "about:blank", title, status: status.as_u16(), detail: detail.to_owned() };
    (status, [(header::CONTENT_TYPE, PROBLEM)], Json(problem)).into_response()
}
