//! What a TSU's clock reader says, and what follows from it: no lease on a clock that nobody
//! watches, and a latch when somebody set it.

use chronolease_core::broken::{Condition, kept};
use chronolease_core::clock_reader::ReaderWord;
use chronolease_core::id::Incarnation;
use chronolease_core::lease::EndingCause;
use chronolease_core::wire::ProbeAnswer;

use super::{Action, Context, Ward};

/// What the TSU last said of its reader.
#[derive(Debug, Default)]
pub(super) struct Readers {
    /// Its counts grow as long as that incarnation runs.
    last: Option<(Incarnation, ReaderWord)>,
    connected: bool,
}

impl Readers {
    /// Takes the newest word of an incarnation in. What happened since the last one, if anything
    /// did; the first word of an incarnation tells of no change.
    fn hear(&mut self, incarnation: Incarnation, word: ReaderWord) -> Option<EndingCause> {
        self.connected = true;
        let (of, last) = self.last.replace((incarnation, word))?;
        if of != incarnation {
            None
        } else if word.steps != last.steps {
            Some(EndingCause::StepNotice)
        } else if word.disruptions != last.disruptions {
            Some(EndingCause::Disrupted)
        } else {
            None
        }
    }

    /// Nobody is heard any more; the counts stay for when the incarnation comes back.
    pub(super) const fn disconnected(&mut self) {
        self.connected = false;
    }

    fn shown(&self) -> Option<&ReaderWord> {
        self.last.as_ref().filter(|_| self.connected).map(|(_, word)| word)
    }
}

impl Ward {
    /// The newest word of the TSU's clock reader, while the TSU is connected.
    #[must_use]
    pub fn reader(&self) -> Option<&ReaderWord> {
        self.readers.shown()
    }

    /// Takes the reader's word in. Whether a lease may rest on this answer.
    pub(super) fn watch_reader(
        &mut self,
        context: &Context,
        answer: &ProbeAnswer,
        out: &mut Vec<Action>,
    ) -> bool {
        let Some(link) = self.connections.current() else { return false };
        let changed = self.readers.hear(link.hello.incarnation, answer.reader);
        let changed = changed.filter(|_| kept(Condition::WardUntouched));
        // The kernel announces a leap second as a step. No lease stands then, and what is granted
        // afterwards rests on new samples.
        let crossing = context.boundaries.crossing || !self.crossing.permits();
        let leaps = changed == Some(EndingCause::StepNotice) && crossing;
        let cause = match (changed, answer.reader.heard) {
            (Some(cause), _) if !leaps => Some(cause),
            (_, Err(_)) if kept(Condition::WardWatched) => Some(EndingCause::ReaderLost),
            (_, _) => None,
        };
        self.unwatched(context, cause, answer, out)
    }

    #[cfg(not(feature = "negative-control"))]
    fn unwatched(
        &mut self,
        context: &Context,
        cause: Option<EndingCause>,
        answer: &ProbeAnswer,
        out: &mut Vec<Action>,
    ) -> bool {
        let Some(cause) = cause else { return true };
        // Without a lease a reader that is not there yet costs no hold: nothing is lost.
        if cause.latches() || self.leases.live().is_some() {
            self.end_found(context, cause, Some(answer.sample), out);
        }
        false
    }

    /// The negative control of the tests: nobody minds.
    #[cfg(feature = "negative-control")]
    fn unwatched(
        &mut self,
        _: &Context,
        _: Option<EndingCause>,
        _: &ProbeAnswer,
        _: &mut Vec<Action>,
    ) -> bool {
        true
    }
}
