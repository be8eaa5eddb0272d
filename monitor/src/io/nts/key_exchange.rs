//! One key exchange over TCP and TLS 1.3 (RFC 8915 4).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::trust::Chain;
use crate::core::nts::client::{Failure, Keyed};
use crate::core::nts::cookie::Jar;
use crate::core::nts::record::{self, RESPONSE_MAX, Refused, Response};
use crate::core::nts::seal::{Direction, EXPORTER_LABEL, KEY_LEN, Key, Keys};
use crate::core::nts::{ALPN, NTP_PORT};

/// Why a key exchange gave no keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyExchangeError {
    /// No connection, or it broke.
    #[error("{0}")]
    Network(io::Error),
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// The TLS handshake was refused; nearly always for the certificate.
    #[error("{0}")]
    Tls(rustls::Error),
    /// The server does not speak the protocol.
    #[error("the server does not speak ntske/1")]
    Protocol,
    /// The response was refused.
    #[error("{0}")]
    Response(#[from] Refused),
}

impl KeyExchangeError {
    /// What follows for the next attempt.
    pub(crate) const fn failure(&self) -> Failure {
        match self {
            Self::Network(_) | Self::Timeout => Failure::Unreachable,
            Self::Tls(_) | Self::Protocol | Self::Response(_) => Failure::Refused,
        }
    }

    /// A name for metric labels.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Network(_) => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls(_) => "tls",
            Self::Protocol | Self::Response(_) => "refused",
        }
    }

    /// All labels.
    pub(crate) const LABELS: [&str; 4] = ["unreachable", "timeout", "tls", "refused"];
}

impl From<io::Error> for KeyExchangeError {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Self::Tls(tls.clone()),
            None => Self::Network(error),
        }
    }
}

/// Exchanges keys with the server at `address` (`host:port`), all of it within `patience`.
///
/// # Errors
/// [`KeyExchangeError`].
pub(crate) async fn exchange(
    address: &str,
    tls: Arc<ClientConfig>,
    patience: Duration,
) -> Result<(Keyed, Chain), KeyExchangeError> {
    match tokio::time::timeout(patience, attempt(address, tls)).await {
        Ok(result) => result,
        Err(_elapsed) => Err(KeyExchangeError::Timeout),
    }
}

async fn attempt(
    address: &str,
    tls: Arc<ClientConfig>,
) -> Result<(Keyed, Chain), KeyExchangeError> {
    let name = server_name(address).ok_or_else(|| io::Error::other("no host to ask"))?;
    let (tcp, peer) = connect(address).await?;
    let mut stream = TlsConnector::from(tls).connect(name.clone(), tcp).await?;
    if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(KeyExchangeError::Protocol);
    }
    stream.write_all(&record::request()).await?;
    stream.flush().await?;
    let response = read(&mut stream).await?;
    let tls = stream.get_ref().1;
    let key = |direction: Direction| {
        let context = direction.context();
        tls.export_keying_material([0; KEY_LEN], EXPORTER_LABEL, Some(&context))
            .map(Key::new)
            .map_err(KeyExchangeError::Tls)
    };
    let keys = Keys {
        client_to_server: key(Direction::ClientToServer)?,
        server_to_client: key(Direction::ServerToClient)?,
    };
    let certificates = tls.peer_certificates().unwrap_or_default().to_vec();
    let server = ntp_server(&response, peer);
    let mut jar = Jar::default();
    jar.fill(response.cookies);
    Ok((Keyed { keys, jar, server }, Chain { certificates, name }))
}

async fn connect(address: &str) -> io::Result<(TcpStream, SocketAddr)> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for server in lookup_host(address).await? {
        match TcpStream::connect(server).await {
            Ok(tcp) => return Ok((tcp, server)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads up to the end of the response and not a byte further.
async fn read(stream: &mut TlsStream<TcpStream>) -> Result<Response, KeyExchangeError> {
    let mut bytes = Vec::with_capacity(1_024);
    loop {
        if let Some(response) = Response::parse(&bytes)? {
            return Ok(response);
        }
        let room = RESPONSE_MAX.saturating_sub(bytes.len());
        let mut limited = (&mut *stream).take(u64::try_from(room).unwrap_or(0));
        if limited.read_buf(&mut bytes).await? == 0 {
            return Err(Refused::BreaksOff.into());
        }
    }
}

/// The host of `host:port`, as certificates name it.
fn server_name(address: &str) -> Option<ServerName<'static>> {
    let (host, _port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).ok()
}

/// Where to ask for the time: at the host of the key exchange unless the response says otherwise
/// (RFC 8915 4.1.7 and 4.1.8).
fn ntp_server(response: &Response, peer: SocketAddr) -> String {
    let port = response.port.unwrap_or(NTP_PORT);
    match &response.server {
        None => SocketAddr::new(peer.ip(), port).to_string(),
        Some(host) if host.contains(':') => format!("[{host}]:{port}"),
        Some(host) => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_its_host() {
        for (address, name) in [
            ("time.example:4460", Some("time.example")),
            ("192.0.2.1:4460", Some("192.0.2.1")),
            ("[2001:db8::1]:4460", Some("2001:db8::1")),
            ("no port", None),
            ("two words:1", None),
        ] {
            let found = server_name(address);
            assert_eq!(found.as_ref().map(|it| it.to_str().into_owned()).as_deref(), name);
        }
    }

    #[test]
    fn the_time_is_where_the_response_says_or_where_the_keys_are() {
        let ask = |server: Option<&str>, port, peer: &str| {
            let server = server.map(str::to_owned);
            let response = Response { cookies: vec![], server, port };
            ntp_server(&response, peer.parse().expect("an address"))
        };
        assert_eq!(ask(None, None, "192.0.2.1:4460"), "192.0.2.1:123");
        assert_eq!(ask(None, Some(11_123), "[2001:db8::1]:4460"), "[2001:db8::1]:11123");
        assert_eq!(ask(Some("ntp.example"), None, "192.0.2.1:4460"), "ntp.example:123");
        assert_eq!(ask(Some("2001:db8::7"), Some(9), "192.0.2.1:4460"), "[2001:db8::7]:9");
    }
}
