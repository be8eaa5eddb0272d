//! Clients that each keep one request in flight, on a connection of their own, and do as little as
//! they can besides: they share the cores with what is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use anyhow::{Context as _, ensure};
use chronolease_core::time::{RawInstant, Span};
use chronolease_e2e::tsp;
use chronolease_sys::Clocks;

/// Longer than a token in its response.
const RESPONSE_BYTES_MAX: usize = 16 * 1_024;
/// A response without a token is shorter than this.
const TOKEN_BYTES_MIN: usize = 400;

/// The requests for one TSU.
pub(crate) struct Load {
    address: SocketAddr,
    request: Vec<u8>,
}

impl Load {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let body = tsp::encode(&tsp::request(b"the witness's bench"));
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            tsp::QUERY,
            body.len()
        );
        Self { address, request: [head.as_bytes(), &body].concat() }
    }

    /// Keeps so many requests in flight for `ms`. Answers how long that took, in seconds, and how
    /// long each token, in nanoseconds.
    pub(crate) fn run(
        &self,
        clocks: Clocks,
        in_flight: usize,
        ms: i64,
    ) -> anyhow::Result<(f64, Vec<u64>)> {
        let start = clocks.raw();
        let end = RawInstant::from_nanos(start.as_nanos() + Span::from_millis(ms).as_nanos());
        let latencies = thread::scope(|scope| {
            let client = |_| scope.spawn(move || self.client(clocks, end));
            let clients: Vec<_> = (0..in_flight).map(client).collect();
            let ended = clients.into_iter().map(|c| c.join().expect("a client does not panic"));
            ended.collect::<anyhow::Result<Vec<_>>>()
        })?;
        let took_s = (clocks.raw() - start).magnitude().as_nanos() as f64 / 1e9;
        Ok((took_s, latencies.concat()))
    }

    fn client(&self, clocks: Clocks, end: RawInstant) -> anyhow::Result<Vec<u64>> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let (mut buffer, mut latencies_ns) = (vec![0; RESPONSE_BYTES_MAX], Vec::new());
        let mut now = clocks.raw();
        while now < end {
            stream.write_all(&self.request)?;
            let length = response(&mut stream, &mut buffer)?;
            let answered = clocks.raw();
            ensure!(length >= TOKEN_BYTES_MIN, "a request was refused: is the machine too busy?");
            latencies_ns.push((answered - now).magnitude().as_nanos());
            now = answered;
        }
        Ok(latencies_ns)
    }
}

/// Reads one response and answers the length of its body.
fn response(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<usize> {
    let (mut filled, mut whole) = (0, None);
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        ensure!(read > 0, "the connection ended");
        filled += read;
        if whole.is_none() {
            whole = head(&buffer[..filled])?;
        }
        match whole {
            Some((head, body)) if filled >= head + body => return Ok(body),
            _ => {}
        }
    }
}

/// The lengths of head and body, once the head is in.
fn head(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?.to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200"), "not 200: {head}");
    let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
    Ok(Some((end + 4, length.context("Content-Length")?.trim().parse()?)))
}
