//! Whether the process lives, and whether it can do its job.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chronolease_core::time::{Bound, RawInstant};
use chronolease_sys::Clocks;

use crate::watchdog::Notifier;

/// What the core loop last told of itself. Clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    clocks: Clocks,
    stall_limit: Bound,
    shared: Arc<Shared>,
    notifier: Option<Arc<Notifier>>,
}

#[derive(Debug)]
struct Shared {
    progress_raw_ns: AtomicI64,
    turns: AtomicU64,
    unready: Mutex<Vec<String>>,
}

impl Health {
    /// A process that starts: alive as of now, not ready yet. It counts as stalled when there is
    /// no [`progress`](Self::progress) for longer than `stall_limit`.
    #[must_use]
    pub fn new(clocks: Clocks, stall_limit: Bound) -> Self {
        let shared = Shared {
            progress_raw_ns: AtomicI64::new(clocks.raw().as_nanos()),
            turns: AtomicU64::new(0),
            unready: Mutex::new(vec!["starting".to_owned()]),
        };
        Self { clocks, stall_limit, shared: Arc::new(shared), notifier: None }
    }

    /// The same, and each turn of the core loop is told to the service manager.
    #[must_use]
    pub fn notifying(self, notifier: Arc<Notifier>) -> Self {
        Self { notifier: Some(notifier), ..self }
    }

    /// Notes that the core loop came round at `at`. The first time, the daemon does its work.
    pub fn progress(&self, at: RawInstant) {
        self.shared.progress_raw_ns.store(at.as_nanos(), Ordering::Release);
        let before = self.shared.turns.fetch_add(1, Ordering::Release);
        if let Some(notifier) = &self.notifier {
            if before == 0 {
                notifier.ready();
            }
            notifier.turned(at);
        }
    }

    /// How often the core loop came round so far.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.shared.turns.load(Ordering::Acquire)
    }

    /// Notes why the process cannot do its job now; no reason means that it can.
    pub fn set_unready(&self, reasons: Vec<String>) {
        *self.unready() = reasons;
    }

    /// Why the process does not live, if so: the core loop makes no progress.
    #[must_use]
    pub fn stall(&self) -> Option<String> {
        // The order matters: progress noted between the two readings must not look like a clock
        // that ran backwards.
        let last = RawInstant::from_nanos(self.shared.progress_raw_ns.load(Ordering::Acquire));
        let silence = (self.clocks.raw() - last).magnitude();
        let limit = self.stall_limit;
        (silence > limit).then(|| format!("no progress for {silence}, the limit is {limit}"))
    }

    /// Why the process is not ready: all that [`set_unready`](Self::set_unready) said, and the
    /// stall if there is one.
    #[must_use]
    pub fn unready_reasons(&self) -> Vec<String> {
        let stated = self.unready().clone();
        self.stall().into_iter().chain(stated).collect()
    }

    fn unready(&self) -> MutexGuard<'_, Vec<String>> {
        // A list is whole at every moment, so one from a thread that panicked is still good.
        self.shared.unready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
