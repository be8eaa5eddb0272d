//! Whether the process lives, and whether it can do its job.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chronolease_core::time::{Bound, RawInstant};
use chronolease_sys::Clocks;

/// What the core loop last told of itself. Clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    clocks: Clocks,
    stall_limit: Bound,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    progress_raw_ns: AtomicI64,
    unready: Mutex<Vec<String>>,
}

impl Health {
    /// A process that starts: alive as of now, not ready yet. It counts as stalled when there is
    /// no [`progress`](Self::progress) for longer than `stall_limit`.
    #[must_use]
    pub fn new(clocks: Clocks, stall_limit: Bound) -> Self {
        let shared = Shared {
            progress_raw_ns: AtomicI64::new(clocks.raw().as_nanos()),
            unready: Mutex::new(vec!["starting".to_owned()]),
        };
        Self { clocks, stall_limit, shared: Arc::new(shared) }
    }

    /// Notes that the core loop came round at `at`.
    pub fn progress(&self, at: RawInstant) {
        self.shared.progress_raw_ns.store(at.as_nanos(), Ordering::Release);
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
