//! Waiting for a readiness listener.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How often to ask.
const PAUSE: Duration = Duration::from_millis(100);

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Returns once `GET /readyz` at `address` answers 200.
pub(super) async fn wait(address: SocketAddr) {
    loop {
        let answer = tokio::time::timeout(ANSWER_WITHIN, ask(address)).await;
        if matches!(answer, Ok(Ok(true))) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the status is 200. Of the whole answer only the status line's beginning counts.
async fn ask(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut status = [0; b"HTTP/1.1 200 ".len()];
    stream.read_exact(&mut status).await?;
    Ok(&status == b"HTTP/1.1 200 ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::net::TcpListener;

    /// Accepts one connection per answer and gives it.
    async fn answers(answers: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a client");
                let mut request = [0; 4];
                stream.read_exact(&mut request).await.expect("a request");
                stream.write_all(answer.as_bytes()).await.expect("a client that listens");
                // The client may hang up first, with the rest of its request unread.
                stream.shutdown().await.ok();
            }
        });
        address
    }

    #[tokio::test]
    async fn waits_for_200() {
        let address = answers(&[
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            "HTTP/1.1 2000 Odd\r\n\r\n",
            "",
            "HTTP/1.1 200 OK\r\n\r\n",
        ])
        .await;
        wait(address).await;
        assert!(ask(address).await.is_err(), "every answer before was asked for");
    }
}
