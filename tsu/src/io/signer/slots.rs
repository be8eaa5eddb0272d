//! The threads that sign. Signing is work for a processor, or a wait for an HSM; neither belongs
//! on the threads that serve connections.

use std::io;
use std::sync::Arc;
use std::thread;

use chronolease_core::token::{Signed, Witnessed};
use tokio::sync::mpsc;
use tracing::error;

use super::Signer;
use crate::core::issuing::{Content, Finished, SlotId, Unsigned};
use crate::core::rfc3161::{TokenBuilder, TokenError};

/// Signing threads, one for each slot of the pipeline.
#[derive(Debug)]
pub struct Slots {
    batches: Vec<mpsc::Sender<Unsigned>>,
}

impl Slots {
    /// Starts `count` threads. Each finished batch goes to `finished`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(
        count: usize,
        builder: &Arc<TokenBuilder>,
        signer: &Arc<dyn Signer>,
        finished: &mpsc::Sender<(SlotId, Finished)>,
    ) -> io::Result<Self> {
        let start = |slot| {
            // The pipeline gives a slot its next batch only after the last one came back.
            let (sender, mut batches) = mpsc::channel::<Unsigned>(1);
            let (builder, signer) = (Arc::clone(builder), Arc::clone(signer));
            let finished = finished.clone();
            thread::Builder::new().name(format!("sign-{slot}")).spawn(move || {
                while let Some(batch) = batches.blocking_recv() {
                    let batch = batch
                        .into_iter()
                        .map(|(id, token)| (id, sign(&builder, &*signer, token)))
                        .collect();
                    if finished.blocking_send((SlotId(slot), batch)).is_err() {
                        break;
                    }
                }
            })?;
            Ok(sender)
        };
        Ok(Self { batches: (0..count).map(start).collect::<io::Result<_>>()? })
    }

    /// Hands a batch to a slot. `false` when its thread is gone.
    #[must_use]
    pub fn give(&self, slot: SlotId, batch: Unsigned) -> bool {
        self.batches.get(slot.0).is_some_and(|sender| sender.try_send(batch).is_ok())
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
