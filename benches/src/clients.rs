//! Clients that each keep one request in flight, on a connection of their own. One thread serves
//! all of them and reads of an answer no more than it must: they share the cores with what is
//! measured.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use chronolease_core::time::{RawInstant, Span};
use chronolease_e2e::tsp;
use chronolease_sys::Clocks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Longer than a token in its response.
const RESPONSE_BYTES_MAX: usize = 16 * 1_024;

/// What came of some time of asking.
#[derive(Debug, Default)]
pub struct Got {
    /// From the start until the last answer was in, on the oscillator.
    pub took_ns: u64,
    /// How long each token took, in order of size.
    pub latencies_ns: Vec<u64>,
    /// How many requests got no token: a box that shares its processors with too much else cannot
    /// prove its time.
    pub rejected: u64,
}

impl Got {
    /// Tokens in a second.
    #[must_use]
    pub fn tokens_per_s(&self) -> f64 {
        self.latencies_ns.len() as f64 * 1e9 / self.took_ns as f64
    }

    /// What so many percent of the tokens took at most.
    #[must_use]
    pub fn percentile_us(&self, percent: usize) -> f64 {
        let last = self.latencies_ns.len().saturating_sub(1);
        self.latencies_ns.get(last * percent / 100).map_or(f64::NAN, |&ns| ns as f64 / 1e3)
    }
}

/// Keeps `in_flight` requests in flight at the TSU for `ms`.
///
/// # Errors
/// When a connection breaks, or what comes is no answer.
pub fn ask(address: SocketAddr, clocks: Clocks, in_flight: usize, ms: u64) -> anyhow::Result<Got> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let start = clocks.raw();
    let length = Span::from_millis(ms.try_into()?);
    let end = RawInstant::from_nanos(start.as_nanos() + length.as_nanos());
    runtime.block_on(async {
        let mut clients = JoinSet::new();
        for number in 0..in_flight {
            clients.spawn(one_after_the_other(address, clocks, number, end));
        }
        let mut all = Got::default();
        while let Some(ended) = clients.join_next().await {
            let got = ended??;
            all.latencies_ns.extend(got.latencies_ns);
            all.rejected += got.rejected;
        }
        ensure!(!all.latencies_ns.is_empty(), "no token came");
        all.latencies_ns.sort_unstable();
        all.took_ns = (clocks.raw() - start).magnitude().as_nanos();
        Ok(all)
    })
}

async fn one_after_the_other(
    address: SocketAddr,
    clocks: Clocks,
    number: usize,
    end: RawInstant,
) -> anyhow::Result<Got> {
    let mut request = tsp::request(&number.to_be_bytes());
    request.nonce = Some(number.into());
    request.cert_req = true;
    let body = tsp::encode(&request);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        tsp::QUERY,
        body.len()
    );
    let request = [head.as_bytes(), &body].concat();
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut got, mut buffer) = (Got::default(), vec![0; RESPONSE_BYTES_MAX]);
    let mut now = clocks.raw();
    while now < end {
        stream.write_all(&request).await?;
        let is_granted = granted(&mut stream, &mut buffer).await?;
        let answered = clocks.raw();
        if is_granted {
            got.latencies_ns.push((answered - now).magnitude().as_nanos());
        } else {
            got.rejected += 1;
        }
        now = answered;
    }
    Ok(got)
}

/// Reads one answer, and whether it grants a token.
async fn granted(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<bool> {
    let mut filled = 0;
    loop {
        let more = stream.read(&mut buffer[filled..]).await?;
        ensure!(more > 0, "the TSU closed the connection");
        filled += more;
        let answer = &buffer[..filled];
        let Some(end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&answer[..end])?;
        ensure!(head.starts_with("HTTP/1.1 200"), "not 200: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("Content-Length")?.parse()?;
        let body = &answer[end + 4..];
        if body.len() >= length {
            // SEQUENCE (two octets of length) { SEQUENCE { status granted (0) } ... }
            return Ok(body.get(4..9) == Some(&[0x30, 3, 2, 1, 0]));
        }
    }
}
