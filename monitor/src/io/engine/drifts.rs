//! How fast the clocks run, for alarms: box B's oscillator and system clock, and the TSUs' clocks.

use std::collections::BTreeMap;

use chronolease_core::evidence::leaf::{Assessment, Probed};
use chronolease_core::sample::Sample;
use tracing::warn;

use crate::core::drift::{RateWatch, StepWatch};
use crate::core::sources::View;

/// One clock.
#[derive(Debug, Default)]
pub struct Clock {
    /// Its rate against UTC.
    pub rate: RateWatch,
    /// What it was stepped by, against the oscillator of its box.
    pub steps: StepWatch,
}

/// All clocks that the monitor sees.
#[derive(Debug, Default)]
pub struct Drifts {
    own: Clock,
    tsus: BTreeMap<usize, Clock>,
}

impl Drifts {
    /// Box B: its clocks showed `now`, and this is known of UTC.
    pub(super) fn own(&mut self, now: &Sample, view: &View) {
        if let Some(step) = self.own.steps.note(now) {
            warn!(%step, "this box's system clock was stepped");
        }
        if let Ok(utc) = view.utc {
            self.own.rate.note(now.raw_after, utc);
        }
    }

    /// A TSU's clock was judged.
    pub(super) fn tsu(&mut self, ward: usize, probed: &Probed) {
        let tsu = &probed.tsu;
        let clock = self.tsus.entry(ward).or_default();
        if let Some(step) = clock.steps.note(&probed.answer) {
            warn!(%tsu, %step, "the TSU's clock was stepped");
            clock.rate.restart();
        }
        match probed.assessment {
            Assessment::Good(off) | Assessment::Bad(off) | Assessment::Unknown(off) => {
                clock.rate.note(probed.judged_at, off);
            }
            Assessment::Unusable => {}
        }
    }

    /// UTC or the oscillator jumped: rates begin anew.
    pub(super) fn restart(&mut self) {
        self.own.rate.restart();
        self.tsus.values_mut().for_each(|clock| clock.rate.restart());
    }

    /// Box B's oscillator, as UTC less RAW, and its system clock.
    #[must_use]
    pub const fn box_b(&self) -> &Clock {
        &self.own
    }

    /// A TSU's clock, if it was ever judged.
    #[must_use]
    pub fn of(&self, ward: usize) -> Option<&Clock> {
        self.tsus.get(&ward)
    }
}
