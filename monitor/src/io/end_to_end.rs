//! Asks a TSU's public endpoint over HTTP, as any client would. Every question has a connection of
//! its own.

use std::time::Duration;

use chronolease_core::time::RawInstant;
use chronolease_sys::Clocks;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::engine::Input;
use crate::config::Endpoint;
use crate::core::end_to_end::{Ask, Reply};

/// The largest answer that is read, in bytes. One with the longest keys and a chain of four has
/// half of that; all of it goes on record.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

const QUERY: HeaderValue = HeaderValue::from_static("application/timestamp-query");
const REPLY: HeaderValue = HeaderValue::from_static("application/timestamp-reply");

/// Asks one TSU.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Where.
    pub endpoint: Endpoint,
    /// How long one question may take in all.
    pub timeout: Duration,
    /// The clocks of this box.
    pub clocks: Clocks,
    /// Which ward it is.
    pub ward: usize,
    /// Where the answer goes.
    pub engine: mpsc::Sender<Input>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    #[error("the exchange broke: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be written: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("HTTP status {0}")]
    Status(StatusCode),
    #[error("its Content-Type is not {REPLY:?}")]
    ContentType,
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the answer broke off: {0}")]
    Body(String),
    #[error("no answer within {0:?}")]
    TooLate(Duration),
}

impl Asker {
    /// Asks, in a task of its own: nothing waits for it. Must be called within the async runtime.
    pub fn ask(&self, ask: Ask) {
        let asker = self.clone();
        tokio::spawn(async move {
            let reply = asker.reply(ask).await;
            // The engine may be gone already.
            let _ = asker.engine.send(Input::EndToEnd { ward: asker.ward, reply }).await;
        });
    }

    async fn reply(&self, Ask { id, request }: Ask) -> Reply {
        let mut asked = self.clocks.raw();
        let exchange = tokio::time::timeout(self.timeout, self.exchange(request, &mut asked)).await;
        let body = exchange.unwrap_or(Err(Trouble::TooLate(self.timeout)));
        let answered = self.clocks.raw();
        Reply { id, asked, answered, body: body.map_err(|why| why.to_string()) }
    }

    /// `asked` is read when the connection stands, before the request goes out.
    async fn exchange(&self, request: Vec<u8>, asked: &mut RawInstant) -> Result<Vec<u8>, Trouble> {
        let stream = TcpStream::connect(&self.endpoint.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.endpoint.path)
            .header(HOST, &self.endpoint.authority)
            .header(CONTENT_TYPE, QUERY)
            .header(CONNECTION, "close")
            .body(Full::new(Bytes::from(request)))?;
        *asked = self.clocks.raw();
        let answer = async {
            let response = sender.send_request(request).await?;
            if response.status() != StatusCode::OK {
                return Err(Trouble::Status(response.status()));
            }
            if response.headers().get(CONTENT_TYPE) != Some(&REPLY) {
                return Err(Trouble::ContentType);
            }
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            body.map(|body| body.to_bytes().to_vec()).map_err(|why| {
                if why.is::<LengthLimitError>() {
                    Trouble::TooLarge
                } else {
                    Trouble::Body(why.to_string())
                }
            })
        };
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // The connection does its work while the answer is awaited, and may end before it.
            ended = connection => match ended {
                Ok(()) => answer.await,
                Err(why) => Err(why.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
