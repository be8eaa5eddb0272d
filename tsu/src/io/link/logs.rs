//! Both boxes' logs on the link: this TSU offers the tree of its own, and vouches for the monitor's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chronolease_core::confirmation::Confirmation;
use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::leaf;
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::offers::{AnswerError, Broken};
use chronolease_core::id::BatchSeq;
use chronolease_core::lease::EndingCause;
use chronolease_core::wire::{LogOffer, Welcome};
use chronolease_net::exchange::{Offering, OwnLog, VouchError, Vouched, Vouching};
use chronolease_net::recorder::Recorder;
use chronolease_sys::Clocks;
use tokio::task::{JoinError, spawn_blocking};
use tracing::{error, warn};

use crate::core::issuing::Event;
use crate::io::metrics::TsuMetrics;

/// How many batches may be without an answer before the oldest is forgotten.
const BATCHES_MAX: usize = 1_024;

/// The logs of both boxes, as the link needs them.
pub struct Logs {
    own: OwnLog,
    offering: Mutex<Side>,
    vouching: Arc<Mutex<Vouching>>,
    /// A broken log is put on record once, until it continues again.
    told: Arc<AtomicBool>,
    recorder: Recorder,
    clocks: Clocks,
    metrics: TsuMetrics,
}

/// This TSU's side.
struct Side {
    offering: Offering,
    /// The monitor has said, on this connection, what it holds.
    met: bool,
    /// The trees that went with batches, until the monitor says something of them.
    batches: BTreeMap<BatchSeq, TreeHead>,
}

/// Why the connection cannot go on. The next one begins anew.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// What the monitor offers cannot be vouched for.
    #[error("the monitor's checkpoint: {0}")]
    Vouch(#[from] VouchError),
    /// The monitor's answer to an offer is none.
    #[error("the monitor's cosignature: {0}")]
    Answer(#[from] AnswerError),
    /// A confirmation names a tree that was not shown with its batch.
    #[error("a confirmation of batch {0} names another log than was shown")]
    OtherLog(BatchSeq),
    /// A thread ended before its time.
    #[error(transparent)]
    Thread(#[from] JoinError),
}

impl Logs {
    /// `own` is this box's log; `vouching` stands for the monitor's.
    #[must_use]
    pub fn new(
        own: OwnLog,
        offering: Offering,
        vouching: Vouching,
        recorder: Recorder,
        clocks: Clocks,
        metrics: TsuMetrics,
    ) -> Self {
        let offering = Mutex::new(Side { offering, met: false, batches: BTreeMap::new() });
        let vouching = Arc::new(Mutex::new(vouching));
        let told = Arc::new(AtomicBool::new(false));
        Self { own, offering, vouching, told, recorder, clocks, metrics }
    }

    /// A new connection. Returns the newest tree of the monitor's that this TSU has vouched for.
    ///
    /// # Errors
    /// [`LogsError::Thread`].
    pub(super) async fn connected(&self) -> Result<TreeHead, LogsError> {
        {
            let mut side = locked(&self.offering);
            side.met = false;
            side.batches.clear();
        }
        // Not here: who vouches holds it while he waits for the disk.
        let vouching = Arc::clone(&self.vouching);
        Ok(spawn_blocking(move || locked(&vouching).held()).await?)
    }

    /// The monitor holds these trees of the TSU's. What the pipeline must hear when the log does
    /// not continue them.
    pub(super) fn met(&self, welcome: Welcome) -> Option<Event> {
        let mut side = locked(&self.offering);
        side.met = true;
        let broken = side.offering.met_shown(welcome.vouched, welcome.shown).err()?;
        error!(why = %broken, "this TSU's evidence log does not continue what the monitor knows of \
               it: no lease until it is paired anew");
        self.metrics.logs_broken(true);
        Some(Event::LogBroken(match broken {
            Broken::RolledBack { .. } => EndingCause::Rollback,
            Broken::Forked { .. } => EndingCause::Fork,
        }))
    }

    /// The newest checkpoint, for an answer; none before the monitor said what it holds.
    pub(super) fn offer(&self) -> Option<LogOffer> {
        let mut side = locked(&self.offering);
        side.met.then(|| side.offering.offer())
    }

    /// The newest tree, for a batch; none before the monitor said what it holds.
    pub(super) fn show(&self, batch: BatchSeq) -> Option<(TreeHead, Vec<Hash>)> {
        let mut side = locked(&self.offering);
        if !side.met {
            return None;
        }
        let (tree, proof) = side.offering.show();
        side.batches.insert(batch, tree);
        // Of a batch that is never answered nothing need be known for long.
        while side.batches.len() > BATCHES_MAX {
            side.batches.pop_first();
        }
        Some((tree, proof))
    }

    /// Whether the confirmation names the tree that was shown with its batch.
    pub(super) fn shown_to(&self, confirmation: &Confirmation) -> Result<(), LogsError> {
        let batch = confirmation.batch.sequence;
        match locked(&self.offering).batches.remove(&batch) {
            Some(shown) if shown == confirmation.log => Ok(()),
            _ => Err(LogsError::OtherLog(batch)),
        }
    }

    /// Judges the monitor's checkpoint: what the pipeline must hear, and the cosignature if there
    /// is one. Durable when it returns.
    pub(super) async fn vouch(&self, offer: Vec<u8>) -> Result<(Event, Option<String>), LogsError> {
        let (vouching, clocks) = (Arc::clone(&self.vouching), self.clocks);
        let take = move || locked(&vouching).take(&offer, &clocks.sample());
        match spawn_blocking(take).await? {
            Ok(Vouched { line, note, tree }) => {
                self.told.store(false, Ordering::Relaxed);
                self.record(leaf::Event::PeerCheckpoint(note));
                self.metrics.peer_checkpoint(tree.size);
                Ok((Event::Vouched, Some(line)))
            }
            Err(VouchError::Broken { record, why }) => {
                let cause = record.cause;
                if !self.told.swap(true, Ordering::Relaxed) {
                    error!(%why, "the monitor's evidence log does not continue what this TSU has \
                           vouched for: no lease until it is paired anew");
                    self.metrics.logs_broken(true);
                    self.record_broken(record);
                }
                Ok((Event::LogBroken(cause), None))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// The monitor cosigned an offer: it is kept for the next opening of the log.
    pub(super) async fn cosigned(&self, line: &str) -> Result<(), LogsError> {
        let note = locked(&self.offering).offering.cosigned(line)?;
        let (own, now) = (self.own.clone(), self.clocks.sample());
        if let Err(why) = spawn_blocking(move || own.keep(&note, &now)).await? {
            // The monitor has it all the same.
            warn!(%why, "the newest checkpoint cannot be kept");
        }
        Ok(())
    }

    /// It is told again with the next checkpoint if it does not come on record.
    fn record_broken(&self, record: leaf::PeerBroken) {
        let event = leaf::Event::PeerBroken(record);
        let (told, pending) =
            (Arc::clone(&self.told), self.recorder.submit(&self.clocks.sample(), vec![event]));
        tokio::spawn(async move {
            let is_durable = match pending {
                Ok(pending) => pending.await.is_ok(),
                Err(_) => false,
            };
            if !is_durable {
                told.store(false, Ordering::Relaxed);
            }
        });
    }

    fn record(&self, event: leaf::Event) {
        // Nobody waits for it; a log in trouble is said by the pipeline.
        if let Ok(pending) = self.recorder.submit(&self.clocks.sample(), vec![event]) {
            drop(pending);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
