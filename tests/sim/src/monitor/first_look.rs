//! The first look at the clocks of box B, and what there is only after it.

use chronolease_core::fusion::Faults;
use chronolease_core::stamped::ReadClocks as _;
use chronolease_monitor::core::continuity::Continuity;
use chronolease_monitor::core::sources::{self, Epoch, Source, Sources};

use super::Monitor;
use crate::figures;
use crate::world::Shown;

/// The guard over box B, and the sources that may be polled since there is one.
pub(super) struct Begun {
    pub(super) continuity: Continuity,
    pub(super) sources: Sources,
    /// A mistake of the shell: the guard is to begin with the first turn.
    late: bool,
}

impl Monitor {
    /// The process takes its first look at its clocks, and polls from now on. With `late` the shell
    /// makes a mistake: it polls, and begins its guard with the first turn.
    pub(crate) fn begin(&mut self, clocks: &Shown, late: bool) {
        let source = |n: usize| Source { name: format!("ntp{n}"), group: format!("lab{n}") };
        let rules = sources::Rules {
            faults: Faults(1),
            rho: figures::RHO,
            age_max: figures::AGE_MAX,
            voters: sources::Voters::All,
        };
        let continuity = Continuity::begin(&clocks.read());
        let sources = Sources::new((0..figures::SOURCES).map(source).collect(), rules, &continuity);
        self.begun = Some(Begun { continuity, sources, late });
    }

    /// It has looked at its clocks, and takes what comes.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// The epoch of a poll that begins now. There is none before the first look.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.begun.as_ref().map(|begun| begun.sources.epoch())
    }

    pub(super) const fn begun(&mut self) -> &mut Begun {
        self.begun.as_mut().expect("no turn before the first look")
    }

    /// Whether box B may not have run through.
    pub(super) fn broke(&mut self, clocks: &Shown) -> bool {
        let begun = self.begun();
        if std::mem::take(&mut begun.late) {
            begun.continuity = Continuity::begin(&clocks.read());
        }
        begun.continuity.broken_by(&clocks.read()).is_some()
    }
}
