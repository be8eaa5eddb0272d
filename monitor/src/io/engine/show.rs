//! What is shown of all that the engine knows.

use chronolease_core::evidence::leaf::{self, Assessment};
use chronolease_core::sample::Sample;
use chronolease_core::time::RawInstant;
use tracing::{error, info};

use super::Engine;
use crate::core::pps::PpsSays;
use crate::core::sources::View;
use crate::io::status::{Known, Shown};

impl Engine {
    /// For metrics, health and status.
    pub(super) fn show(&self, now: &Sample, view: &View) {
        let at: RawInstant = now.raw_after;
        for (index, (source, state)) in self.sources.sources().zip(&view.states).enumerate() {
            self.metrics.source(&source.name, *state, self.sources.shown(index, at, now.real));
            let reason = self.sources.reason(index, view, at);
            self.metrics.reason(&source.name, reason.as_ref());
            self.metrics.smearing(&source.name, self.leap.smears().of(index).is_some());
        }
        self.metrics.utc(view.utc.ok().map(|utc| utc.half_width()));
        self.metrics.fusion(&self.sources, view, at);
        self.metrics.box_b(self.drifts.box_b(), self.sources.rules().rho);
        for (index, slot) in self.slots.iter().enumerate() {
            self.metrics.ward(&slot.ward);
            if let Some(clock) = self.drifts.of(index) {
                self.metrics.tsu_clock(slot.ward.rules(), clock);
            }
            if let Some(found) = slot.public.as_ref().and_then(|public| public.probe.last()) {
                self.metrics.end_to_end(&slot.ward.rules().tsu, found, at);
            }
            self.metrics.vouched(&slot.ward.rules().tsu, slot.logs.vouched_size());
        }
        self.metrics.evidence(&self.records);
        self.metrics.leap(&self.leap);
        let pps = self.pps.watch();
        self.metrics.pps(pps);
        let no_utc = view.utc.err().map(|why| format!("UTC is not known: {why}"));
        let unwatched = (!self.continuity.is_watched())
            .then(|| "the clock reader of this box is lost: nothing is granted".to_owned());
        let no_pulse = (pps.says() != PpsSays::Permits).then(|| {
            format!("the PPS signal is {}, and pps.required: nothing is granted", pps.state())
        });
        let reasons = no_utc.into_iter().chain(self.records.trouble()).chain(unwatched);
        let reasons = reasons.chain(no_pulse);
        self.health.set_unready(reasons.collect());
        let wards = self.slots.iter().enumerate().map(|(index, slot)| Shown {
            ward: &slot.ward,
            found: slot.public.as_ref().and_then(|public| public.probe.last()),
            clock: self.drifts.of(index),
        });
        let (sources, clock, leap) = (&self.sources, self.drifts.box_b(), &self.leap);
        let kernels = &self.kernels;
        let known = Known { sources, view, clock, leap, pps, kernels };
        self.status.write(now, &known, wards);
    }
}

/// What came of a probe, for the log.
pub(super) fn log_verdict(probed: &leaf::Probed) {
    let tsu = &probed.tsu;
    match &probed.assessment {
        Assessment::Good(deviation) => tracing::debug!(%tsu, %deviation, "probe: good"),
        Assessment::Unknown(deviation) => info!(%tsu, %deviation, "probe: not proven, no renewal"),
        Assessment::Unusable => info!(%tsu, "probe: the TSU was paused, no renewal"),
        Assessment::Bad(deviation) => error!(%tsu, %deviation, "probe: the TSU's clock is wrong"),
    }
}
