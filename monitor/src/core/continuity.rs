//! Whether box B ran through, as far as it can tell by itself. What the other box's oscillator shows
//! is compared in [`authority`](super::authority).

use chronolease_core::broken::{Condition, kept};
use chronolease_core::clock_reader::{Lost, Mark, Since};
use chronolease_core::id::BootId;
use chronolease_core::stamped::Reading;
use chronolease_core::time::{Bound, Span};

/// Why nothing that was measured before may be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// The clocks are those of another boot.
    #[error("this box was booted again: {0}")]
    Rebooted(BootId),
    /// The box was suspended.
    #[error("this box was suspended for {0}")]
    Suspended(Span),
    /// The kernel said that somebody set the box's clock.
    #[error("somebody set this box's clock, by {0} against the oscillator")]
    ClockSet(Span),
    /// The hypervisor disrupted the box.
    #[error("the hypervisor disrupted this box")]
    Disrupted,
    /// The clock reader was lost, so nobody can tell what happened.
    #[error("this box's clocks were not watched without a gap: {0}")]
    Unwatched(Lost),
    /// The sample was taken through a pause, so it cannot tell.
    #[error("this box was paused while it read its clocks, for {0:?}")]
    Unclear(Option<Bound>),
}

/// Remembers how far `CLOCK_BOOTTIME` was ahead of `CLOCK_MONOTONIC`, and the clock reader's mark.
/// It begins with a first reading, and nothing may be measured before that: without a guard there
/// are no [`Sources`](super::sources::Sources) to poll. There is none without a reading,
///
/// ```compile_fail
/// use chronolease_monitor::core::continuity::Continuity;
/// let guard = Continuity::default(); // no such function
/// ```
#[derive(Debug)]
pub struct Continuity {
    last: (BootId, Span),
    /// Of the newest reading with a reader; `None` while it is lost.
    mark: Option<Mark>,
}

impl Continuity {
    /// The widest bracket of a sample that can tell, and the most by which two readings of a box
    /// that ran through may differ.
    pub const SLACK: Bound = Bound::from_millis(2);

    /// Begins with a first reading, best one at which the box's clock reader was heard: what it told
    /// before is about nothing that was measured. Where it was not, its first word is a break, and
    /// nothing may be granted until then ([`Self::is_watched`]). A pause in the reading does no harm:
    /// a break of before it may be told, one of after it is not missed.
    #[must_use]
    pub fn begin(first: &Reading) -> Self {
        let last = (first.sample.boot_id, first.sample.boot_minus_mono);
        let heard = first.reader.heard().ok();
        Self { last, mark: heard.map(|_| first.reader.told()) }
    }

    /// What broke since the last reading, if anything did. A sample that cannot tell is a break. A
    /// reader that is lost is one break, and its return another: what was measured in between may
    /// be used by nobody, so nothing may be granted meanwhile ([`Self::is_watched`]).
    pub fn broken_by(&mut self, now: &Reading) -> Option<Break> {
        let bracket = now.sample.bracket();
        if bracket.is_none_or(|bracket| bracket > Self::SLACK) {
            return Some(Break::Unclear(bracket));
        }
        // Both are looked at, so that each is told once.
        let (ran, watched) = (self.ran_through(now), self.was_watched(now));
        ran.or(watched)
    }

    /// Whether the box's clock reader was heard at the last reading.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.mark.is_some() || !kept(Condition::MonitorWatched)
    }

    fn ran_through(&mut self, now: &Reading) -> Option<Break> {
        let reading = (now.sample.boot_id, now.sample.boot_minus_mono);
        let (boot, before) = self.last;
        let moved = reading.1 - before;
        let broke = if boot != reading.0 {
            Break::Rebooted(reading.0)
        } else if moved.magnitude() > Self::SLACK {
            Break::Suspended(moved)
        } else {
            return None;
        };
        self.last = reading;
        Some(broke)
    }

    fn was_watched(&mut self, now: &Reading) -> Option<Break> {
        let heard = now.reader.heard();
        let before = core::mem::replace(&mut self.mark, heard.ok().map(|_| now.reader.told()));
        let (untouched, watched) = (Condition::MonitorUntouched, Condition::MonitorWatched);
        match (before, heard) {
            (None, Err(_)) => None,
            (None, Ok(_)) => kept(watched).then_some(Break::Unwatched(Lost::NeverHeard)),
            (Some(mark), _) => match now.reader.since(&mark) {
                Since::Alive => None,
                Since::Stepped(notice) if kept(untouched) => {
                    let by = notice.after.real_minus_raw() - notice.before.real_minus_raw();
                    Some(Break::ClockSet(by))
                }
                Since::Disrupted if kept(untouched) => Some(Break::Disrupted),
                Since::Lost(why) if kept(watched) => Some(Break::Unwatched(why)),
                Since::Stepped(_) | Since::Disrupted | Since::Lost(_) => None,
            },
        }
    }
}

#[cfg(test)]
mod tests;
