//! The load: requesters that each keep one request in flight, and what came of it.

use std::hint::black_box;

use anyhow::{Context as _, ensure};
use chronolease_core::time::{RawInstant, Span};
use chronolease_net::random;
use chronolease_sys::{Clocks, cpu_time};
use chronolease_tsu::core::rfc3161::Request;
use chronolease_tsu::io::issuing::Incoming;
use chronolease_tsu::io::signer::Signer;
use tokio::sync::{mpsc, oneshot};

use crate::pipeline::Pipeline;
use chronolease_benches::keys;

/// What happened in one round.
pub(crate) struct Round {
    /// From its start until the last answer was in, on the oscillator.
    pub(crate) took_ns: u64,
    /// Processor time of the whole process, the requesters included.
    pub(crate) cpu_ns: u64,
    /// How long each request took that was answered by a token.
    pub(crate) latencies_ns: Vec<u64>,
    /// How many requests were rejected.
    pub(crate) rejected: usize,
    /// How long each fdatasync took.
    pub(crate) syncs_ns: Vec<u64>,
}

/// What the bare cryptography costs, in nanoseconds of processor time for each operation.
#[derive(Clone, Copy)]
pub(crate) struct Primitives {
    pub(crate) sign_ns: u64,
    pub(crate) verify_ns: u64,
}

impl Primitives {
    /// Signs and verifies messages as long as the signed attributes of a token. Nothing else may
    /// work in the process meanwhile.
    pub(crate) fn measure(signer: &dyn Signer) -> anyhow::Result<Self> {
        const TIMES: u64 = 2_000;
        let message: [u8; 256] = random::bytes();
        let signature = signer.sign(&message)?;
        let each = |mut operation: Box<dyn FnMut() -> bool + '_>| -> anyhow::Result<u64> {
            let before = cpu_time()?;
            for _ in 0..TIMES {
                ensure!(operation(), "the key does not work");
            }
            Ok((cpu_time()?.as_nanos() - before.as_nanos()) / TIMES)
        };
        Ok(Self {
            sign_ns: each(Box::new(|| black_box(signer.sign(black_box(&message))).is_ok()))?,
            verify_ns: each(Box::new(|| signer.verify(black_box(&message), &signature)))?,
        })
    }
}

/// Keeps `in_flight` requests in flight for `length_ms`.
pub(crate) async fn run(
    pipeline: &Pipeline,
    clocks: Clocks,
    in_flight: usize,
    length_ms: u64,
) -> anyhow::Result<Round> {
    let requests: Vec<Request> = (0..in_flight)
        .map(|index| keys::request(u8::try_from(index % 256)?))
        .collect::<anyhow::Result<_>>()?;
    drop(pipeline.syncs.take());
    let (start, cpu_before) = (clocks.raw(), cpu_time()?);
    let end_ns = start.as_nanos() + Span::from_millis(i64::try_from(length_ms)?).as_nanos();
    let end = RawInstant::from_nanos(end_ns);
    let requesters: Vec<_> = requests
        .into_iter()
        .map(|request| tokio::spawn(ask(pipeline.requests.clone(), clocks, request, end)))
        .collect();
    let (mut latencies_ns, mut rejected) = (Vec::new(), 0);
    for requester in requesters {
        let (its_latencies_ns, its_rejected) = requester.await??;
        latencies_ns.extend(its_latencies_ns);
        rejected += its_rejected;
    }
    Ok(Round {
        took_ns: (clocks.raw() - start).magnitude().as_nanos(),
        cpu_ns: cpu_time()?.as_nanos() - cpu_before.as_nanos(),
        latencies_ns,
        rejected,
        syncs_ns: pipeline.syncs.take(),
    })
}

/// One request after the other until `end`.
async fn ask(
    requests: mpsc::Sender<Incoming>,
    clocks: Clocks,
    request: Request,
    end: RawInstant,
) -> anyhow::Result<(Vec<u64>, usize)> {
    let (mut latencies_ns, mut rejected) = (Vec::new(), 0);
    let mut now = clocks.raw();
    while now < end {
        let (reply, answer) = oneshot::channel();
        let asked = requests.send(Incoming { request: request.clone(), reply }).await;
        asked.ok().context("the pipeline takes nothing")?;
        let answer = answer.await.context("the pipeline dropped a request")?;
        let answered = clocks.raw();
        match answer {
            Ok(token) => {
                black_box(token.into_der());
                latencies_ns.push((answered - now).magnitude().as_nanos());
            }
            Err(_) => rejected += 1,
        }
        now = answered;
    }
    Ok((latencies_ns, rejected))
}
