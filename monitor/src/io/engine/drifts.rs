//! How fast the clocks run, for alarms: box B's oscillator and system clock, and the TSUs' clocks.

use std::collections::BTreeMap;

use chronolease_core::evidence::leaf::{Assessment, Drift, Probed, Round};
use chronolease_core::id::TsuId;
use chronolease_core::sample::Sample;
use chronolease_core::time::Ppb;
use tracing::{error, info, warn};

use super::Engine;
use crate::core::drift::{RateWatch, StepWatch};
use crate::core::sources::View;

/// One clock.
#[derive(Debug, Default)]
pub struct Clock {
    /// Its rate against UTC.
    pub rate: RateWatch,
    /// What it was stepped by, against the oscillator of its box.
    pub steps: StepWatch,
    is_beyond: bool,
}

impl Clock {
    /// Whether its rate is proven to be beyond `rho`, when that is news.
    fn beyond_is_news(&mut self, rho: Ppb) -> Option<bool> {
        let is_beyond = self.rate.rate().is_some_and(|rate| rate.is_beyond(rho));
        (self.is_beyond != is_beyond).then(|| {
            self.is_beyond = is_beyond;
            is_beyond
        })
    }

    fn drift(&self, tsu: Option<TsuId>) -> Drift {
        Drift { tsu, rate: self.rate.rate(), stepped: self.steps.total() }
    }
}

/// What goes on record of the sources, with how the clocks run against them.
pub(super) fn round(engine: &Engine, now: &Sample) -> Round {
    // A leaf's intervals hold for its `raw_before`.
    let mut round = engine.sources.round(now.raw_before);
    let tsus = engine.slots.iter().enumerate().filter_map(|(ward, slot)| {
        let clock = engine.drifts.of(ward)?;
        Some(clock.drift(Some(slot.ward.rules().tsu.clone())))
    });
    round.drifts = std::iter::once(engine.drifts.own.drift(None)).chain(tsus).collect();
    round
}

/// All clocks that the monitor sees.
#[derive(Debug, Default)]
pub struct Drifts {
    own: Clock,
    tsus: BTreeMap<usize, Clock>,
}

impl Drifts {
    /// Box B: its clocks showed `now`, and this is known of UTC.
    pub(super) fn own(&mut self, now: &Sample, view: &View, rho: Ppb) {
        if let Some(step) = self.own.steps.note(now) {
            warn!(%step, "this box's system clock was stepped");
        }
        if let Ok(utc) = view.utc {
            self.own.rate.note(now.raw_after, utc);
        }
        match self.own.beyond_is_news(rho) {
            Some(true) => error!(
                rho_ppb = rho.as_ppb(),
                "this box's oscillator is proven to be off by more than rho"
            ),
            Some(false) => info!("this box's oscillator is not proven to be off any more"),
            None => {}
        }
    }

    /// A TSU's clock was judged.
    pub(super) fn tsu(&mut self, ward: usize, probed: &Probed, rho: Ppb) {
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
        match clock.beyond_is_news(rho) {
            Some(true) => {
                error!(%tsu, rho_ppb = rho.as_ppb(), "the TSU's clock is proven to drift by more than rho")
            }
            Some(false) => info!(%tsu, "the TSU's clock is not proven to drift too fast any more"),
            None => {}
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
