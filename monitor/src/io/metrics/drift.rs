//! What Prometheus reads of drifts and steps.

use chronolease_core::time::{Ppb, Rate};
use chronolease_net::observe::{Metrics, MetricsError};
use prometheus::{Gauge, GaugeVec, IntGauge, IntGaugeVec};

use super::{bound_seconds, show};
use crate::io::engine::Clock;

#[derive(Debug)]
pub(super) struct DriftMetrics {
    oscillator: GaugeVec,
    oscillator_beyond: IntGauge,
    system_stepped: Gauge,
    tsu_drift: GaugeVec,
    tsu_beyond: IntGaugeVec,
    tsu_stepped: GaugeVec,
}

impl DriftMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            oscillator: metrics.gauge_vec(
                "oscillator_drift_ppm",
                "How much UTC gains on this box's oscillator, over the last hour. Absent until \
                 known.",
                &[],
            )?,
            oscillator_beyond: metrics.int_gauge(
                "oscillator_beyond_rho",
                "1 when this box's oscillator is proven to be off by more than rho.",
            )?,
            system_stepped: metrics.gauge(
                "system_clock_stepped_seconds",
                "The steps of this box's system clock since the start, all sizes together.",
            )?,
            tsu_drift: metrics.gauge_vec(
                "tsu_clock_drift_ppm",
                "How much the TSU's clock gains on UTC, over the last hour. Absent until known.",
                &["tsu"],
            )?,
            tsu_beyond: metrics.int_gauge_vec(
                "tsu_clock_beyond_rho",
                "1 when the TSU's clock is proven to drift by more than rho.",
                &["tsu"],
            )?,
            tsu_stepped: metrics.gauge_vec(
                "tsu_clock_stepped_seconds",
                "The steps of the TSU's clock since the start, all sizes together.",
                &["tsu"],
            )?,
        })
    }

    pub(super) fn box_b(&self, clock: &Clock, rho: Ppb) {
        let rate = clock.rate.rate();
        show(&self.oscillator, &[], rate.map(ppm));
        self.oscillator_beyond.set(rate.is_some_and(|rate| rate.is_beyond(rho)).into());
        self.system_stepped.set(bound_seconds(clock.steps.total()));
    }

    pub(super) fn tsu(&self, tsu: &str, clock: &Clock, rho: Ppb) {
        let rate = clock.rate.rate();
        show(&self.tsu_drift, &[tsu], rate.map(ppm));
        let beyond = rate.is_some_and(|rate| rate.is_beyond(rho));
        self.tsu_beyond.with_label_values(&[tsu]).set(beyond.into());
        self.tsu_stepped.with_label_values(&[tsu]).set(bound_seconds(clock.steps.total()));
    }
}

fn ppm(rate: Rate) -> f64 {
    rate.middle_ppb() as f64 / 1e3
}
