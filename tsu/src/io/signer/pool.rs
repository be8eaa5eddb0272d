//! The threads that sign. Signing is work for a processor, or a wait for an HSM; neither belongs
//! on the threads that serve connections.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use chronolease_core::token::{Signed, Witnessed};
use tokio::sync::mpsc;
use tracing::error;

use super::Signer;
use crate::core::issuing::{Content, Finished, LaneId, Unsigned};
use crate::core::rfc3161::{TokenBuilder, TokenError};

/// Signing threads that share one queue.
#[derive(Debug)]
pub struct SignerPool {
    batches: mpsc::Sender<(LaneId, Unsigned)>,
}

impl SignerPool {
    /// Starts `threads` threads. At most `lanes` batches may wait, one for each lane of the
    /// pipeline. Each finished batch goes to `finished`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(
        threads: usize,
        lanes: usize,
        builder: &Arc<TokenBuilder>,
        signer: &Arc<dyn Signer>,
        finished: &mpsc::Sender<(LaneId, Finished)>,
    ) -> io::Result<Self> {
        let (batches, queue) = mpsc::channel::<(LaneId, Unsigned)>(lanes);
        let queue = Arc::new(Mutex::new(queue));
        for thread in 0..threads {
            let (builder, signer) = (Arc::clone(builder), Arc::clone(signer));
            let (queue, finished) = (Arc::clone(&queue), finished.clone());
            thread::Builder::new().name(format!("sign-{thread}")).spawn(move || {
                // Who waits for a batch holds the lock; who signs does not.
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                while let Some((lane, batch)) = next() {
                    let signed = |(id, token)| (id, sign(&builder, &*signer, token));
                    let batch = batch.into_iter().map(signed).collect();
                    if finished.blocking_send((lane, batch)).is_err() {
                        break;
                    }
                }
            })?;
        }
        Ok(Self { batches })
    }

    /// Hands a batch over. `false` when the threads are gone.
    #[must_use]
    pub fn give(&self, lane: LaneId, batch: Unsigned) -> bool {
        self.batches.try_send((lane, batch)).is_ok()
    }
}

/// Signs one token and verifies the result; `None` when either fails, with the reason in the log.
fn sign(
    builder: &TokenBuilder,
    signer: &dyn Signer,
    token: Witnessed<Content>,
) -> Option<Signed<Content>> {
    let signed = token.sign(
        |content, judged| {
            let sign = |message: &[u8]| signer.sign(message);
            builder.build(&content.request, &content.serial, judged.gen_time(), sign)
        },
        |der, content, judged| {
            let verify = |message: &[u8], signature: &[u8]| signer.verify(message, signature);
            let (request, serial) = (&content.request, &content.serial);
            builder.verify(der, request, serial, judged.gen_time(), verify)?;
            Ok::<(), TokenError>(())
        },
    );
    signed.inspect_err(|failure| error!(%failure, "a token could not be signed")).ok()
}
