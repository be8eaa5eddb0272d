//! What a watch says at one instant, for the cores and for the other box.

use crate::coded::coded;

use super::{KernelState, Lost, Mark, Marker, OddReading, Since, StepNotice};

/// What a reader that is heard tells of the box besides its clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The kernel's own account of its clock, or why it is worth nothing this time.
    pub kernel: Result<KernelState, OddReading>,
    /// What the hypervisor promises to change when it disrupts the box.
    pub marker: Marker,
}

/// All that a [`ClockWatch`](super::ClockWatch) can say at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderView {
    pub(super) heard: Result<Account, Lost>,
    /// Where the watch stands.
    pub(super) told: Mark,
    /// Where it stood before the clocks were read.
    pub(super) mark: Mark,
    pub(super) began_by: Lost,
    pub(super) last_step: Option<StepNotice>,
}

impl ReaderView {
    /// What the reader tells, or why it is lost.
    ///
    /// # Errors
    /// [`Lost`] when nobody can tell what happens to the clock.
    pub const fn heard(&self) -> Result<Account, Lost> {
        self.heard
    }

    /// The same at the end of a reading of the clocks before which the watch stood at `begun`: what
    /// came in between came after the clocks, or may have.
    #[must_use]
    pub const fn begun_at(self, begun: Mark) -> Self {
        Self { mark: begun, ..self }
    }

    /// The mark to keep with what is measured at this reading. One of an instant at which the
    /// reader was lost never finds it alive.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        self.mark
    }

    /// The mark of all that this view tells: for who looks from one view to the next.
    #[must_use]
    pub const fn told(&self) -> Mark {
        self.told
    }

    /// What happened since `mark`.
    #[must_use]
    pub fn since(&self, mark: &Mark) -> Since {
        if let Some(notice) = self.last_step.filter(|_| self.told.steps != mark.steps) {
            return Since::Stepped(notice);
        }
        if self.told.disruptions != mark.disruptions {
            return Since::Disrupted;
        }
        match self.heard {
            Err(why) => Since::Lost(why),
            Ok(_) if self.told.epoch != mark.epoch => Since::Lost(self.began_by),
            Ok(_) => Since::Alive,
        }
    }

    /// What the other box is told.
    #[must_use]
    pub fn word(&self) -> ReaderWord {
        let Mark { steps, disruptions, .. } = self.told;
        ReaderWord { steps, disruptions, heard: self.heard.map_err(Lost::kind) }
    }
}

/// What the TSU tells the monitor of its clock reader with each answer. The two counts only grow
/// while the TSU runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderWord {
    /// How many step notices the TSU has heard of since its start.
    pub steps: u64,
    /// How often the hypervisor's marker changed since then.
    pub disruptions: u64,
    /// What the reader tells, or why it is lost.
    pub heard: Result<Account, LostKind>,
}

coded! {
    /// Why a reader is lost, without figures. See [`Lost`].
    pub enum LostKind {
        /// [`Lost::NeverHeard`]
        NeverHeard = 1, "never-heard";
        /// [`Lost::Unreachable`]
        Unreachable = 2, "unreachable";
        /// [`Lost::Closed`]
        Closed = 3, "closed";
        /// [`Lost::Malformed`]
        Malformed = 4, "malformed";
        /// [`Lost::Silent`]
        Silent = 5, "silent";
        /// [`Lost::Gap`]
        Gap = 6, "gap";
        /// [`Lost::Restarted`]
        Restarted = 7, "restarted";
        /// [`Lost::OtherBoot`]
        OtherBoot = 8, "other-boot";
        /// [`Lost::Future`]
        Future = 9, "future";
        /// [`Lost::RawRegressed`]
        RawRegressed = 10, "raw-regressed";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_labels_name_one_loss_each() {
        let mut labels: Vec<_> = LostKind::ALL.iter().map(|kind| kind.label()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), LostKind::ALL.len());
        for &kind in LostKind::ALL {
            assert_eq!(LostKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(LostKind::from_code(0), None);
    }
}
