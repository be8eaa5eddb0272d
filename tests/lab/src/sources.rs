//! All servers of a lab, and the HTTP listener that turns their knobs.
//!
//! | request | answer |
//! |---|---|
//! | `GET /sources` | 200 and an object: the knobs of every source under its name |
//! | `PUT /sources/NAME` with any of the knobs | 200 and how the knobs of that source stand now |
//! | the same with anything but such an object | 400 and what is wrong; no knob was turned |
//! | the same for a source that does not exist | 404 |

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use chronolease_sys::Clocks;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::LabConfig;
use crate::ntp::{Knobs, Server, Source};

/// The longest body that a PUT may have, in bytes.
const BODY_MAX: usize = 16 * 1_024;

/// Why the sources did not start.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot listen on {address}: {source}")]
pub struct StartError {
    /// The source's name, or `control`.
    pub what: String,
    /// Where it was to listen.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// The running sources of a lab. Dropping it ends them.
#[derive(Debug)]
pub struct Sources {
    control: SocketAddr,
    servers: BTreeMap<String, (SocketAddr, Source)>,
    tasks: JoinSet<()>,
}

impl Sources {
    /// Starts every server of `config`, all of them honest, and the control listener. They run on
    /// the current tokio runtime until `stop`. An address with port 0 gets a free port.
    ///
    /// # Errors
    /// [`StartError`] for the first listener that cannot be had; nothing runs then.
    pub async fn start(
        config: &LabConfig,
        clocks: Clocks,
        stop: &CancellationToken,
    ) -> Result<Self, StartError> {
        let failed = |what: &str, address| {
            let what = what.to_owned();
            move |source| StartError { what, address, source }
        };
        let listener =
            TcpListener::bind(config.control).await.map_err(failed("control", config.control))?;
        let control = listener.local_addr().map_err(failed("control", config.control))?;
        let (mut servers, mut bound) = (BTreeMap::new(), Vec::new());
        for source in &config.sources {
            let honest = Source::honest(&source.name, clocks);
            let server = Server::bind(source.listen, honest.clone())
                .await
                .map_err(failed(&source.name, source.listen))?;
            servers.insert(source.name.clone(), (server.address(), honest));
            bound.push(server);
        }
        let mut tasks = JoinSet::new();
        for server in bound {
            tasks.spawn(server.run(stop.clone()));
        }
        let named = servers.iter().map(|(name, (_, source))| (name.clone(), source.clone()));
        let http = axum::serve(listener, router(named.collect())).into_future();
        let stop = stop.clone();
        tasks.spawn(async move {
            if let Some(Err(error)) = stop.run_until_cancelled(http).await {
                tracing::error!(%error, "the control listener failed");
            }
        });
        Ok(Self { control, servers, tasks })
    }

    /// Where the control listener is.
    #[must_use]
    pub const fn control(&self) -> SocketAddr {
        self.control
    }

    /// Where the NTP server `name` is.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.servers.get(name).map(|(address, _)| *address)
    }

    /// The knobs of `name`, to be turned without HTTP.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.servers.get(name).map(|(_, source)| source)
    }

    /// Waits until all of them have stopped.
    pub async fn stopped(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

type Named = Arc<BTreeMap<String, Source>>;
type Refusal = (StatusCode, String);

fn router(sources: BTreeMap<String, Source>) -> Router {
    Router::new()
        .route("/sources", get(list))
        .route("/sources/{name}", put(turn))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(Arc::new(sources))
}

async fn list(State(sources): State<Named>) -> Json<BTreeMap<String, Knobs>> {
    Json(sources.iter().map(|(name, source)| (name.clone(), source.knobs())).collect())
}

/// Takes the body as bytes, because curl calls JSON a form unless told otherwise.
async fn turn(
    State(sources): State<Named>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Knobs>, Refusal> {
    let source = sources.get(&name).ok_or_else(|| {
        let names: Vec<_> = sources.keys().map(String::as_str).collect();
        (StatusCode::NOT_FOUND, format!("no source {name:?}; there are {}\n", names.join(", ")))
    })?;
    let refuse = |why: String| (StatusCode::BAD_REQUEST, format!("{why}\n"));
    let changes: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|error| refuse(format!("not a JSON object: {error}")))?;
    let knobs = source.turn(&changes).map_err(|error| refuse(error.to_string()))?;
    let changes = Value::Object(changes);
    tracing::info!(source = name, %changes, "knobs turned");
    Ok(Json(knobs))
}

#[cfg(test)]
mod tests;
