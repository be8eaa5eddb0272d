//! The load: connections that each have one request in flight. A thread for each, which sleeps most
//! of the time, and reads of an answer no more than it must.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, ensure};
use chronolease_e2e::tsp;
use chronolease_sys::Clocks;

use crate::boxes::Boxes;

/// What happened in one round.
pub(crate) struct Round {
    /// From its start until the last answer was in, on the oscillator.
    pub(crate) took_ns: u64,
    /// Processor time of the TSU.
    pub(crate) tsu_ns: u64,
    /// Processor time of the monitor.
    pub(crate) monitor_ns: u64,
    /// How long each token took.
    pub(crate) latencies_ns: Vec<u64>,
    /// How many requests got no token: a box that shares its processors with too much else cannot
    /// prove its time.
    pub(crate) rejected: u64,
}

/// What one connection got.
#[derive(Default)]
struct Got {
    latencies_ns: Vec<u64>,
    rejected: u64,
}

/// Keeps `connections` requests in flight for `length_ms`.
pub(crate) fn ask(
    boxes: &Boxes,
    clocks: Clocks,
    connections: usize,
    length_ms: u64,
) -> anyhow::Result<Round> {
    let address = boxes.rig.ports().tsu_http();
    let used = boxes.used()?;
    let start = clocks.raw();
    let length_ns = length_ms * 1_000_000;
    let got = std::thread::scope(|scope| -> anyhow::Result<Got> {
        let one = |number: usize| {
            scope.spawn(move || {
                let elapsed_ns = || (clocks.raw() - start).magnitude().as_nanos();
                one_after_the_other(address, number, length_ns, elapsed_ns)
            })
        };
        let threads: Vec<_> = (0..connections).map(one).collect();
        let mut all = Got::default();
        for thread in threads {
            let got = thread.join().ok().context("a client panicked")??;
            all.latencies_ns.extend(got.latencies_ns);
            all.rejected += got.rejected;
        }
        Ok(all)
    })?;
    let after = boxes.used()?;
    ensure!(!got.latencies_ns.is_empty(), "no token came");
    Ok(Round {
        took_ns: (clocks.raw() - start).magnitude().as_nanos(),
        tsu_ns: after.tsu_ns - used.tsu_ns,
        monitor_ns: after.monitor_ns - used.monitor_ns,
        latencies_ns: got.latencies_ns,
        rejected: got.rejected,
    })
}

fn one_after_the_other(
    address: SocketAddr,
    number: usize,
    length_ns: u64,
    elapsed_ns: impl Fn() -> u64,
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
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (mut got, mut buffer) = (Got::default(), vec![0; 16_384]);
    loop {
        let asked = elapsed_ns();
        if asked >= length_ns {
            return Ok(got);
        }
        stream.write_all(&request)?;
        if granted(&mut stream, &mut buffer)? {
            got.latencies_ns.push(elapsed_ns() - asked);
        } else {
            got.rejected += 1;
        }
    }
}

/// Reads one answer, and whether it grants a token.
fn granted(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<bool> {
    let mut filled = 0;
    loop {
        let more = stream.read(&mut buffer[filled..])?;
        ensure!(more > 0, "the TSU closed the connection");
        filled += more;
        let answer = &buffer[..filled];
        let Some(end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&answer[..end])?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("Content-Length")?.parse()?;
        let body = &answer[end + 4..];
        if body.len() < length {
            continue;
        }
        // SEQUENCE (two octets of length) { SEQUENCE { status granted (0) } ... }
        return Ok(body.get(4..9) == Some(&[0x30, 3, 2, 1, 0]));
    }
}
