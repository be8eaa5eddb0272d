//! TLS handshakes, away from the threads that must keep time.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

/// By how much the thread gives way to all others, as a nice value.
const NICE: i32 = 5;

/// What the thread is called.
pub(super) const THREAD: &str = "handshakes";

/// Where the TLS handshakes of a listener are computed: on a thread of its own.
///
/// Whoever connects makes a box sign, and an RSA key of 4,096 bits takes milliseconds for that. On
/// the threads of the runtime strangers could so hold up pipeline, engine and link, and the word of
/// the clock reader, until the lease is lost. A connection goes on where it was accepted.
///
/// The thread ends with the last clone.
#[derive(Clone)]
pub struct Handshakes {
    acceptor: TlsAcceptor,
    runtime: Handle,
    _last: Option<Arc<oneshot::Sender<()>>>,
}

impl Handshakes {
    /// Starts the thread for a server that speaks TLS as `config` says.
    ///
    /// # Errors
    /// When the operating system gives no thread, or no way to wait on it.
    pub fn start(config: Arc<ServerConfig>) -> io::Result<Self> {
        let (last, ended) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        // The thread makes its runtime itself: one may not be dropped where another runs.
        thread::Builder::new().name(THREAD.to_owned()).spawn(move || {
            if let Err(why) = chronolease_sys::give_way(NICE) {
                warn!(%why, "TLS handshakes are as urgent as everything else");
            }
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    let _ = tell.send(Ok(runtime.handle().clone()));
                    // An error is what it waits for: nobody sends.
                    let _ = runtime.block_on(ended);
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        })?;
        let runtime = told.recv().map_err(io::Error::other)??;
        Ok(Self { acceptor: config.into(), runtime, _last: Some(Arc::new(last)) })
    }

    /// Handshakes on the runtime of this handle, beside whatever else runs there.
    #[cfg(any(test, feature = "test-support"))]
    #[must_use]
    pub fn beside(runtime: Handle, config: Arc<ServerConfig>) -> Self {
        Self { acceptor: config.into(), runtime, _last: None }
    }

    /// How many it has not let go of.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.runtime.metrics().num_alive_tasks()
    }

    /// Does one handshake. It ends when this is dropped; what it takes up, its `place`, stays taken
    /// until its thread has let it go.
    ///
    /// # Errors
    /// When the peer does not speak TLS as it should, or goes away.
    pub async fn accept<S, P>(&self, stream: S, place: P) -> io::Result<(TlsStream<S>, P)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        P: Send + 'static,
    {
        let handshake = self.acceptor.accept(stream);
        let handshake = self.runtime.spawn(async move { Ok((handshake.await?, place)) });
        AbortOnDropHandle::new(handshake).await.map_err(io::Error::other)?
    }
}

impl std::fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshakes").finish_non_exhaustive()
    }
}
