//! The threads that sign. Signing is work for a processor, or a wait for an HSM; neither belongs
//! on the threads that serve connections.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use chronolease_core::time::Bound;
use chronolease_core::token::{Signed, Witnessed};
use chronolease_sys::Clocks;
use tokio::sync::mpsc;
use tracing::{error, warn};

use super::Signer;
use crate::core::issuing::{Content, Finished, LaneId, RequestId, Unsigned};
use crate::core::rfc3161::{TokenBuilder, TokenError};

/// How long a signed token may wait for the next ones.
const HELD_MAX: Bound = Bound::from_nanos(200_000);

/// Signing threads that share one queue of tokens: as many of them sign at one batch as it is worth.
#[derive(Debug)]
pub struct SignerPool {
    queue: Arc<Queue>,
}

/// Tokens that wait for a thread, in the order of their batches.
#[derive(Debug)]
struct Queue<T = Job> {
    waiting: Mutex<Waiting<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Waiting<T> {
    tokens: VecDeque<T>,
    /// How long the last signature took; none was made yet.
    signature: Option<Bound>,
    /// How many threads wait for a token.
    asleep: usize,
    /// Nothing more is signed.
    closed: bool,
}

/// One token to sign.
#[derive(Debug)]
struct Job {
    lane: LaneId,
    id: RequestId,
    token: Witnessed<Content>,
}

impl SignerPool {
    /// Starts `threads` threads. Finished tokens go to `finished`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(
        threads: usize,
        builder: &Arc<TokenBuilder>,
        signer: &Arc<dyn Signer>,
        clocks: Clocks,
        finished: &mpsc::Sender<Vec<Finished>>,
    ) -> io::Result<Self> {
        let pool = Self { queue: Arc::new(Queue::new()) };
        let processors = places(threads)?;
        for thread in 0..threads {
            let processor = processors.get(thread).copied();
            let (builder, signer) = (Arc::clone(builder), Arc::clone(signer));
            let (queue, finished) = (Arc::clone(&pool.queue), finished.clone());
            thread::Builder::new().name(format!("sign-{thread}")).spawn(move || {
                if let Some(Err(why)) = processor.map(chronolease_sys::stay_on) {
                    warn!(%why, "a signing thread has no processor of its own");
                }
                let sign = |token| sign(&builder, &*signer, token);
                serve(&queue, clocks, &finished, sign);
            })?;
        }
        Ok(pool)
    }

    /// Hands a batch over. `false` when the threads are gone.
    #[must_use]
    pub fn give(&self, lane: LaneId, batch: Unsigned) -> bool {
        self.queue.add(batch.into_iter().map(|(id, token)| Job { lane, id, token }))
    }
}

/// Signs until the queue is closed. Whoever takes tokens further is woken once for those that are
/// signed one right after the other, since waking costs as much as a fast signature.
fn serve(
    queue: &Queue,
    clocks: Clocks,
    finished: &mpsc::Sender<Vec<Finished>>,
    sign: impl Fn(Witnessed<Content>) -> Option<Signed<Content>>,
) {
    while let Some(first) = queue.next() {
        let (since, mut done, mut next) = (clocks.raw(), Vec::new(), Some(first));
        let mut before = since;
        while let Some(Job { lane, id, token }) = next {
            let token = sign(token);
            let now = clocks.raw();
            let took = (now - before).magnitude();
            done.push(Finished { lane, id, took, token });
            before = now;
            let is_held = now - since < HELD_MAX.as_span();
            let made = done.last().is_some_and(|finished| finished.token.is_some());
            next = queue.next_of_run(made.then_some(took), is_held);
        }
        if finished.blocking_send(done).is_err() {
            queue.close();
        }
        // Those who bring and fetch work need a processor for microseconds, but where signers keep
        // all of them busy the scheduler takes one away only after milliseconds. So the signers
        // offer theirs.
        thread::yield_now();
    }
}

impl Drop for SignerPool {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl<T> Queue<T> {
    const fn new() -> Self {
        let waiting =
            Waiting { tokens: VecDeque::new(), signature: None, asleep: 0, closed: false };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }

    /// Adds to those that wait. `false` when no more are signed.
    fn add(&self, more: impl Iterator<Item = T>) -> bool {
        let mut waiting = self.lock();
        waiting.tokens.extend(more);
        let (alive, asleep) = (!waiting.closed, waiting.asleep);
        drop(waiting);
        // It wakes the next one if there is enough to do; those at work look for more themselves.
        if asleep > 0 {
            self.changed.notify_one();
        }
        alive
    }

    /// Waits for a token; `None` when no more are signed.
    fn next(&self) -> Option<T> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.tokens.pop_front() {
                let left = waiting.tokens.len();
                let wakes = waiting.asleep > 0 && is_worth(waiting.signature, left);
                drop(waiting);
                if wakes {
                    self.changed.notify_one();
                }
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting.asleep += 1;
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.asleep -= 1;
        }
    }

    /// The next token of a run, if one is `wanted` and there is one; does not wait. `took` is how
    /// long the last signature took, if it was made.
    fn next_of_run(&self, took: Option<Bound>, wanted: bool) -> Option<T> {
        let mut waiting = self.lock();
        waiting.signature = took.or(waiting.signature);
        if wanted { waiting.tokens.pop_front() } else { None }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether so many waiting tokens are more than one thread signs while tokens may be held. To wake a
/// thread costs as much as a fast signature. A thread that is held up holds so many up too, until
/// the next batch wakes another.
fn is_worth(signature: Option<Bound>, tokens: usize) -> bool {
    let Some(signature) = signature else { return tokens > 0 };
    let tokens = u64::try_from(tokens).unwrap_or(u64::MAX);
    signature.as_nanos().saturating_mul(tokens) > HELD_MAX.as_nanos()
}

/// A processor for each signing thread, if there are enough. The threads sleep and wake so often
/// that the scheduler would put two on one processor time and again, and leave another idle.
fn places(threads: usize) -> io::Result<Vec<usize>> {
    let usable = chronolease_sys::usable_processors()?;
    Ok(if threads <= usable.len() { usable } else { Vec::new() })
}

/// Signs one token and verifies the result; `None` when either fails, with the reason in the log.
fn sign(
    builder: &TokenBuilder,
    signer: &dyn Signer,
    token: Witnessed<Content>,
) -> Option<Signed<Content>> {
    let signed = token.sign(
        |content, _| {
            let sign = |message: &[u8]| signer.sign(message);
            builder.build(&content.tst_info, content.request.cert_req(), sign)
        },
        |der, content, judged| {
            let verify = |message: &[u8], signature: &[u8]| signer.verify(message, signature);
            let (request, serial) = (&content.request, &content.serial);
            let signature = builder.verify(der, request, serial, judged.gen_time(), verify)?;
            Ok::<_, TokenError>(signature)
        },
    );
    signed.inspect_err(|failure| error!(%failure, "a token could not be signed")).ok()
}

#[cfg(all(test, not(feature = "negative-control")))]
mod tests;
