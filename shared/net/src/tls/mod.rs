//! TLS 1.3 in which both ends know each other by their public key alone.
//!
//! A peer is accepted if and only if its key is pinned and it proves to hold that key. Names and
//! dates in certificates are ignored: dates would be judged by the very clock under suspicion.
//! There is no resumption and no early data, so each connection proves both keys anew and derives
//! a fresh [`ChannelBinding`].

mod handshakes;
mod identity;
mod listener;
mod pinning;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chronolease_core::id::{ChannelBinding, SpkiPin};
use chronolease_core::wire::EXPORTER_LABEL;
use rustls::{ClientConfig, CommonState, ConnectionCommon};
use rustls_pki_types::{ServerName, pem};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client};

pub use handshakes::Handshakes;
pub use identity::{Identity, pin_of_certificate};
pub use listener::{Peer, TlsListener};
pub use pinning::{Accepted, client_config, server_config};

/// How long a handshake may take, on either side.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or is not the PEM that it should be.
    #[error("cannot read {}: {source}", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The file is PEM, but no certificate is in it.
    #[error("there is no certificate in {}", .0.display())]
    NoCertificate(PathBuf),
    /// The certificate and the private key do not belong together or cannot be used.
    #[error("cannot use the certificate {} with the key {}: {source}", cert.display(), key.display())]
    Unusable {
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the private key.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// A client that accepts no key can connect to nobody.
    #[error("no server key is pinned")]
    NoPins,
    /// The TLS library refused.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// No connection came about.
    #[error("cannot connect to {addr}: {source}")]
    Connect {
        /// The address that was called.
        addr: SocketAddr,
        /// What happened, in TCP or in TLS.
        source: io::Error,
    },
    /// The other end took too long.
    #[error("cannot connect to {addr}: no answer within {HANDSHAKE_TIMEOUT:?}")]
    Timeout {
        /// The address that was called.
        addr: SocketAddr,
    },
}

/// The pin of the peer's key, or `None` before the end of the handshake.
#[must_use]
pub fn peer_pin(conn: &CommonState) -> Option<SpkiPin> {
    let end_entity = conn.peer_certificates()?.first()?;
    pin_of_certificate(end_entity).ok()
}

/// The secret that both ends of this connection and nobody else can derive: the exporter of
/// RFC 8446 7.5 with [`EXPORTER_LABEL`] and no context. Takes a client or a server connection,
/// such as `stream.get_ref().1`.
///
/// # Errors
/// [`TlsError::Tls`] before the end of the handshake.
pub fn channel_binding<Data>(conn: &ConnectionCommon<Data>) -> Result<ChannelBinding, TlsError> {
    let secret = [0; ChannelBinding::LEN];
    let secret = conn.export_keying_material(secret, EXPORTER_LABEL, None)?;
    Ok(ChannelBinding::from_bytes(secret))
}

/// Connects to a server whose key `config` pins, within [`HANDSHAKE_TIMEOUT`].
///
/// In TLS 1.3 the client is done before the server has seen its certificate. So a server that
/// refuses this client's key shows that only as an error of the first read.
///
/// # Errors
/// [`TlsError::Connect`] or [`TlsError::Timeout`].
pub async fn connect(
    addr: SocketAddr,
    config: Arc<ClientConfig>,
) -> Result<client::TlsStream<TcpStream>, TlsError> {
    let attempt = async {
        let tcp = TcpStream::connect(addr).await?;
        tcp.set_nodelay(true)?;
        // The name is neither sent nor checked: only the key counts.
        let name = ServerName::from(addr.ip());
        TlsConnector::from(config).connect(name, tcp).await
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, attempt).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) => Err(TlsError::Connect { addr, source }),
        Err(_elapsed) => Err(TlsError::Timeout { addr }),
    }
}

#[cfg(test)]
mod tests;
