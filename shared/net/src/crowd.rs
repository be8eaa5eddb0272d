//! A bounded crowd of tasks in which a newcomer displaces the oldest.
//!
//! Strangers may open connections and fall silent. Were newcomers to wait for a free place, a few
//! silent ones would shut out everybody; since they displace, an attacker has to outrun the short
//! time that an honest peer needs.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

/// How long to wait when the system has no more sockets to give.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Running tasks and finished ones whose result nobody has taken yet. Dropping it aborts them all.
#[derive(Debug)]
pub(crate) struct Crowd<T> {
    tasks: JoinSet<T>,
    by_age: VecDeque<AbortHandle>,
    places: usize,
}

impl<T: Send + 'static> Crowd<T> {
    /// An empty crowd with `places` places.
    pub(crate) fn new(places: usize) -> Self {
        Self { tasks: JoinSet::new(), by_age: VecDeque::new(), places }
    }

    /// Runs `task`; when all places are taken, the oldest running task is aborted.
    pub(crate) fn admit(&mut self, task: impl Future<Output = T> + Send + 'static) {
        self.by_age.retain(|earlier| !earlier.is_finished());
        while self.by_age.len() >= self.places {
            let Some(oldest) = self.by_age.pop_front() else { break };
            oldest.abort();
        }
        self.by_age.push_back(self.tasks.spawn(task));
    }

    /// The result of a task that ran to its end; waits for ever while there is none. Cancel-safe.
    pub(crate) async fn next(&mut self) -> T {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(result)) => return result,
                Some(Err(error)) if error.is_panic() => {
                    tracing::error!(%error, "a connection's task died");
                }
                Some(Err(_displaced)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// A peer that went away again is no reason to wait; a lack of sockets is.
pub(crate) async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "cannot accept connections");
        tokio::time::sleep(EXHAUSTED_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silent_tasks_give_way_to_newcomers() {
        let mut crowd = Crowd::new(3);
        for _ in 0..10 {
            crowd.admit(std::future::pending());
        }
        crowd.admit(async { 7 });
        assert_eq!(crowd.next().await, 7);
        assert!(crowd.tasks.len() <= 3, "{} still there", crowd.tasks.len());
    }

    #[tokio::test]
    async fn finished_tasks_take_no_place() {
        let mut crowd = Crowd::new(2);
        for n in 0..10 {
            crowd.admit(async move { n });
            assert_eq!(crowd.next().await, n);
        }
        assert!(crowd.by_age.len() <= 2);
    }
}
