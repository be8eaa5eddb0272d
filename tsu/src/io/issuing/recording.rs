//! What the pipeline puts on record: what it waits for, and what it does not.

use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use chronolease_core::evidence::{LeafIndex, leaf};
use chronolease_core::id::LeaseSeq;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, RawInstant};
use chronolease_net::evidence::Pending;
use chronolease_net::recorder::{self, Aside, Kept, RecordError, Recorder};
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
    aside: Aside,
    /// When that was last looked after.
    flushed: RawInstant,
    /// What somebody waits for, of this turn: it goes to the disk together.
    gathered: Vec<(Waits, Vec<leaf::Event>)>,
    /// What the log answered, for those who wait.
    answered: VecDeque<Event>,
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
    aside: Kept,
    /// Who waits, each with the place of its first event among all of them.
    waits: Vec<(Waits, usize)>,
    pending: Result<Pending, RecordError>,
}

impl Recording {
    /// A way into the log behind `recorder`; `now` starts the time for what is laid aside.
    pub(super) fn new(recorder: Recorder, now: RawInstant) -> Self {
        Self {
            recorder,
            aside: Aside::default(),
            flushed: now,
            gathered: Vec::new(),
            answered: VecDeque::new(),
            under_way: VecDeque::new(),
        }
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
            (_, event) => self.aside.lay(event),
        }
    }

    /// Takes events that somebody waits for. They go on their way with [`submit`](Self::submit);
    /// who waits hears of it through [`recorded`](Self::recorded).
    pub(super) fn gather(&mut self, waits: Waits, events: Vec<leaf::Event>) {
        self.gathered.push((waits, events));
    }

    /// Puts what was gathered on its way to the disk in one piece, and what was laid aside before
    /// it. To be called at the end of every turn.
    pub(super) fn submit(&mut self, now: &Sample) {
        if self.gathered.is_empty() {
            return;
        }
        let aside = self.aside.take();
        let mut events = aside.events();
        let mut waits = Vec::with_capacity(self.gathered.len());
        for (who, more) in self.gathered.drain(..) {
            waits.push((who, events.len()));
            events.extend(more);
        }
        let pending = self.recorder.submit(now, events);
        self.under_way.push_back(UnderWay { aside, waits, pending });
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
        let aside = self.aside.take();
        if aside.is_empty() {
            return;
        }
        match self.recorder.submit(now, aside.events()) {
            Ok(pending) => {
                self.under_way.push_back(UnderWay {
                    aside,
                    waits: Vec::new(),
                    pending: Ok(pending),
                });
            }
            Err(_) => self.take_back(aside),
        }
    }

    /// Waits until the log has answered for the next record that somebody waits for; `None` when
    /// there is none. May be dropped and called again.
    pub(super) async fn recorded(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.answered.pop_front() {
                return Some(event);
            }
            let result = match &mut self.under_way.front_mut()?.pending {
                Ok(pending) => pending.await.map_err(RecordError::from),
                Err(failure) => Err(failure.clone()),
            };
            let UnderWay { aside, waits, .. } = self.under_way.pop_front()?;
            let result = result.map_err(|failure| not_recorded(&failure));
            if result.is_err() {
                self.take_back(aside);
            }
            let answers = waits.into_iter().map(|(who, place)| {
                let first = result.as_ref().map(|committed| recorder::place(committed, place));
                who.hears(first.map_err(|why| *why))
            });
            self.answered.extend(answers);
        }
    }

    /// What the log has answered already, as [`recorded`](Self::recorded) tells it.
    pub(super) fn recorded_by_now(&mut self) -> Option<Event> {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(self.recorded()).poll(&mut context) {
            Poll::Ready(event) => event,
            // Nobody is woken for it: who goes to sleep asks again first.
            Poll::Pending => None,
        }
    }

    /// What waits for the next batch.
    #[cfg(all(test, not(feature = "negative-control")))]
    pub(super) fn aside(&self) -> Vec<leaf::Event> {
        self.aside.kept().events()
    }

    /// Keeps what the log did not take for a better time. When that takes long, the records of
    /// issued tokens go first: their intents are on record.
    fn take_back(&mut self, events: Kept) {
        self.aside.put_back(events);
        let kept = self.aside.kept_mut();
        if kept.len() > ASIDE_MAX {
            kept.retain(|event| !matches!(event, leaf::Event::Issued(_)));
            kept.truncate(ASIDE_MAX);
        }
    }
}

impl Waits {
    fn hears(self, first: Result<LeafIndex, NotRecorded>) -> Event {
        match self {
            Self::Lease(lease) => Event::LeaseLogged(lease, first.map(drop)),
            Self::Confirmation(lane) => Event::ConfirmationLogged(lane, first.map(drop)),
            Self::Batch(lane) => Event::Logged(lane, first),
        }
    }
}

fn not_recorded(failure: &RecordError) -> NotRecorded {
    debug!(%failure, "not on record, so nothing is signed on it");
    if failure.is_final() { NotRecorded::ForGood } else { NotRecorded::ForNow }
}
