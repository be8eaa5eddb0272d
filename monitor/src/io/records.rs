//! What the engine puts on record in the evidence log.

use chronolease_core::confirmation::{NotConfirmed, SignedConfirmation};
use chronolease_core::evidence::leaf::Event;
use chronolease_core::id::BatchSeq;
use chronolease_core::sample::Sample;
use chronolease_core::wire::ToTsu;
use chronolease_net::recorder::{Aside, Kept, RecordError, Recorder};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, block_in_place};
use tracing::{error, info};

/// The engine's way into the evidence log. What one turn of the engine notes goes in together, as
/// neighbours and in that order. Nothing waits for the disk but a grant.
#[derive(Debug)]
pub struct Records {
    recorder: Recorder,
    /// Noted in this turn.
    noted: Aside,
    /// Endings that the log did not take: they go in with what comes next, before what is noted then.
    owed: Kept,
    under_way: JoinSet<Outcome>,
    missing: u64,
    failing: bool,
    /// Why the log will never take a record again.
    lost: Option<RecordError>,
    /// [`Records::settle`] said so.
    told: bool,
}

/// What became of events on their way to the disk.
#[derive(Debug)]
struct Outcome {
    endings: Kept,
    /// How many were no endings.
    others: usize,
    result: Result<(), RecordError>,
}

impl Records {
    /// Records through this handle.
    #[must_use]
    pub fn new(recorder: Recorder) -> Self {
        Self {
            recorder,
            noted: Aside::default(),
            owed: Kept::default(),
            under_way: JoinSet::new(),
            missing: 0,
            failing: false,
            lost: None,
            told: false,
        }
    }

    /// Notes what happened, for the next [`flush`](Self::flush) or [`commit`](Self::commit).
    pub fn note(&mut self, event: Event) {
        self.noted.lay(event);
    }

    /// Puts what was noted on its way to the disk and does not wait. Must be called within the
    /// async runtime.
    pub fn flush(&mut self, now: &Sample) {
        if !self.noted.kept().is_empty() {
            self.send_off(now, |_| ());
        }
    }

    /// The last [`flush`](Self::flush): an ending that is owed gets its last chance.
    pub fn finish(mut self, now: &Sample) {
        if !self.noted.kept().is_empty() || !self.owed.is_empty() {
            self.send_off(now, |_| ());
        }
    }

    /// Puts what was noted and `event` on record, and waits until they are durable.
    ///
    /// # Errors
    /// [`RecordError`]; then `event` is not on record, and will not be.
    pub fn commit(&mut self, now: &Sample, event: Event) -> Result<(), RecordError> {
        self.note(event);
        let (events, endings, others) = self.due();
        let result = self.recorder.submit(now, events);
        let result = result
            .and_then(|pending| Ok(block_in_place(|| pending.committed_blocking()).map(drop)?));
        self.judge(Outcome { endings, others, result: result.clone() });
        result
    }

    /// Puts the confirmation of `batch` on record, with what was noted before; it goes to `outgoing`
    /// when it is durable, and never otherwise: then the TSU hears that the batch is not confirmed,
    /// rather than nothing for as long as its lease lasts. Does not wait.
    pub fn confirm(
        &mut self,
        now: &Sample,
        batch: BatchSeq,
        signed: SignedConfirmation,
        outgoing: mpsc::Sender<ToTsu>,
    ) {
        self.note(Event::Confirmed(signed.clone()));
        self.send_off(now, move |is_durable| {
            let word = if is_durable {
                ToTsu::Confirmed(signed)
            } else {
                ToTsu::NotConfirmed(batch, NotConfirmed::NoRecord)
            };
            // A TSU that takes nothing is about to be cut off.
            let _ = outgoing.try_send(word);
        });
    }

    /// Takes note of what became of earlier records. `true` once, when the log will never take a
    /// record again.
    pub fn settle(&mut self) -> bool {
        while let Some(joined) = self.under_way.try_join_next() {
            // A task that only waits can neither panic nor be cancelled while this lives.
            if let Ok(outcome) = joined {
                self.judge(outcome);
            }
        }
        self.lost.is_some() && !std::mem::replace(&mut self.told, true)
    }

    /// Why the log takes nothing, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.lost.as_ref().map(ToString::to_string).or_else(|| self.recorder.trouble())
    }

    /// How many leaves are on record.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.recorder.size()
    }

    /// How many events never came on record.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// What is to be submitted: all of it, the endings in it, and how many others there are.
    fn due(&mut self) -> (Vec<Event>, Kept, usize) {
        let mut due = std::mem::take(&mut self.owed);
        due.append(self.noted.take());
        let events = due.events();
        let mut endings = due;
        endings.retain(|event| matches!(event, Event::LeaseEnded(_)));
        let others = events.len() - endings.len();
        (events, endings, others)
    }

    fn send_off(&mut self, now: &Sample, then: impl FnOnce(bool) + Send + 'static) {
        let (events, endings, others) = self.due();
        match self.recorder.submit(now, events) {
            Ok(pending) => {
                self.under_way.spawn(async move {
                    let result = pending.committed().await.map(drop).map_err(RecordError::from);
                    then(result.is_ok());
                    Outcome { endings, others, result }
                });
            }
            Err(why) => {
                then(false);
                self.judge(Outcome { endings, others, result: Err(why) });
            }
        }
    }

    fn judge(&mut self, outcome: Outcome) {
        let Err(why) = outcome.result else {
            if std::mem::take(&mut self.failing) {
                info!("the evidence log takes records again");
            }
            return;
        };
        if !std::mem::replace(&mut self.failing, true) {
            error!(%why, "the evidence log does not take records");
        }
        self.missing += outcome.others as u64;
        if why.is_final() {
            self.missing += outcome.endings.len() as u64;
            self.lost.get_or_insert(why);
        } else {
            self.owed.append(outcome.endings);
        }
    }
}

#[cfg(test)]
mod tests;
