//! What the pipeline puts on record: what it waits for, and what it does not.

use std::collections::VecDeque;

use chronolease_core::evidence::leaf;
use chronolease_core::id::LeaseSeq;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, RawInstant};
use chronolease_net::evidence::{Committed, Pending};
use chronolease_net::recorder::{self, RecordError, Recorder};
use tracing::debug;

use crate::core::issuing::{BATCH_MAX, Event, LaneId, NotRecorded};

/// How long a record that nobody waits for may stay in memory.
const FLUSH: Bound = Bound::from_millis(100);

/// How much is laid aside at most for the next batch.
const ASIDE_MAX: usize = 256;

/// How many tokens one record of issued tokens names.
const ISSUED_MAX: usize = BATCH_MAX;

/// The way into the evidence log.
#[derive(Debug)]
pub(super) struct Recording {
    recorder: Recorder,
    /// What nobody waits for: it goes to the disk with the next batch, or within [`FLUSH`].
    aside: Vec<leaf::Event>,
    /// When that was last looked after.
    flushed: RawInstant,
    /// In the order in which the log answers.
    under_way: VecDeque<UnderWay>,
}

/// Who waits for a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waits {
    Lease(LeaseSeq),
    Batch(LaneId),
    Confirmation(LaneId),
}

/// Events on their way to the disk.
#[derive(Debug)]
struct UnderWay {
    /// Those that were laid aside; they come first.
    aside: Vec<leaf::Event>,
    waits: Option<Waits>,
    pending: Result<Pending, RecordError>,
}

impl Recording {
    /// A way into the log behind `recorder`; `now` starts the time for what is laid aside.
    pub(super) const fn new(recorder: Recorder, now: RawInstant) -> Self {
        Self { recorder, aside: Vec::new(), flushed: now, under_way: VecDeque::new() }
    }

    /// Lays something aside that nobody waits for.
    pub(super) fn lay_aside(&mut self, event: leaf::Event) {
        match (self.aside.last_mut(), event) {
            // One leaf for the tokens that left one after the other.
            (Some(leaf::Event::Issued(before)), leaf::Event::Issued(more))
                if before.len() < ISSUED_MAX =>
            {
                before.extend(more);
            }
            (_, event) => self.aside.push(event),
        }
    }

    /// Puts events on their way to the disk, and what was laid aside before them. Who waits hears
    /// of it through [`recorded`](Self::recorded).
    pub(super) fn submit(&mut self, now: &Sample, waits: Waits, events: Vec<leaf::Event>) {
        let aside = std::mem::take(&mut self.aside);
        let pending = self.recorder.submit(now, aside.iter().cloned().chain(events).collect());
        self.under_way.push_back(UnderWay { aside, waits: Some(waits), pending });
    }

    /// Puts what was laid aside on its way when that is due. To be called at every event: there is
    /// no tick while clients keep asking.
    pub(super) fn flush_if_due(&mut self, now: &Sample) {
        if (now.raw_after - self.flushed).magnitude() >= FLUSH {
            self.flushed = now.raw_after;
            self.flush(now);
        }
    }

    /// Puts what was laid aside on its way to the disk by itself.
    pub(super) fn flush(&mut self, now: &Sample) {
        let aside = std::mem::take(&mut self.aside);
        if aside.is_empty() {
            return;
        }
        match self.recorder.submit(now, aside.clone()) {
            Ok(pending) => {
                self.under_way.push_back(UnderWay { aside, waits: None, pending: Ok(pending) });
            }
            Err(_) => self.take_back(aside),
        }
    }

    /// Waits until the log has answered for the next record that somebody waits for; `None` when
    /// there is none. May be dropped and called again.
    pub(super) async fn recorded(&mut self) -> Option<Event> {
        loop {
            let result = match &mut self.under_way.front_mut()?.pending {
                Ok(pending) => pending.await.map_err(RecordError::from),
                Err(failure) => Err(failure.clone()),
            };
            let UnderWay { aside, waits, .. } = self.under_way.pop_front()?;
            let place = |committed: Committed| recorder::place(&committed, aside.len());
            let first = result.map(place).map_err(|failure| not_recorded(&failure));
            if first.is_err() {
                self.take_back(aside);
            }
            match waits {
                Some(Waits::Lease(lease)) => {
                    return Some(Event::LeaseLogged(lease, first.map(drop)));
                }
                Some(Waits::Confirmation(lane)) => {
                    return Some(Event::ConfirmationLogged(lane, first.map(drop)));
                }
                Some(Waits::Batch(lane)) => return Some(Event::Logged(lane, first)),
                None => {}
            }
        }
    }

    /// What waits for the next batch.
    #[cfg(all(test, not(feature = "negative-control")))]
    pub(super) fn aside(&self) -> &[leaf::Event] {
        &self.aside
    }

    /// Keeps what the log did not take for a better time. When that takes long, the digests of
    /// tokens go first: their intents are on record.
    fn take_back(&mut self, events: Vec<leaf::Event>) {
        self.aside.splice(0..0, events);
        if self.aside.len() > ASIDE_MAX {
            self.aside.retain(|event| !matches!(event, leaf::Event::Issued(_)));
            self.aside.truncate(ASIDE_MAX);
        }
    }
}

fn not_recorded(failure: &RecordError) -> NotRecorded {
    debug!(%failure, "not on record, so nothing is signed on it");
    if failure.is_final() { NotRecorded::ForGood } else { NotRecorded::ForNow }
}
