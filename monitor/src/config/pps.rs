//! `[pps]`: how the pulse-per-second signal of this box is judged.

use chronolease_core::pps::PpsLimits;
use chronolease_core::time::{Bound, Ppb};
use chronolease_net::config::Section;

use crate::core::pps::PpsRules;

/// How the signal is judged, if there is one: whether there is, the clock reader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PpsConfig {
    /// How far an edge may be off the whole second.
    pub limit: Bound,
    /// How far it may be off a whole number of seconds after the one before.
    pub jitter: Bound,
    /// Whether leases need a good signal.
    pub required: bool,
}

impl PpsConfig {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let limit = section.duration_or("limit", Bound::from_millis(5));
        let jitter = section.duration_or("jitter", Bound::from_millis(1));
        let required = section.bool_or("required", false);
        for (key, value) in [("limit", limit), ("jitter", jitter)] {
            if value.is_some_and(|value| value == Bound::ZERO || value > PpsLimits::WIDTH_MAX) {
                let most = PpsLimits::WIDTH_MAX;
                let why = "at zero every edge would be an anomaly, and beyond it none";
                section.error(key, format!("must be above zero and at most {most}: {why}"));
            }
        }
        Some(Self { limit: limit?, jitter: jitter?, required: required? })
    }

    /// The rules that follow from it, on an oscillator that is off by `rho` at most.
    #[must_use]
    pub const fn rules(&self, rho: Ppb) -> PpsRules {
        let limits = PpsLimits { residual: self.limit, jitter: self.jitter, rho };
        PpsRules { limits, required: self.required }
    }
}
