//! What Prometheus reads of the pulse-per-second signal.

use chronolease_core::interval::Interval;
use chronolease_core::pps::PpsState;
use chronolease_net::observe::{Metrics, MetricsError};
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::{show, span_seconds};
use crate::core::pps::PpsWatch;

#[derive(Debug)]
pub(super) struct PpsMetrics {
    state: IntGaugeVec,
    required: IntGauge,
    anomalies: IntCounterVec,
    missing: IntCounter,
    doubled: IntCounter,
    /// Lower and upper bound.
    residual: [GaugeVec; 2],
    jitter: [GaugeVec; 2],
}

impl PpsMetrics {
    /// Every counter at zero.
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let anomalies = metrics.int_counter_vec(
            "pps_anomalies_total",
            "How often the PPS signal became an anomaly, by which.",
            &["state"],
        )?;
        for state in PpsState::ALL.iter().filter(|state| state.is_anomaly()) {
            anomalies.with_label_values(&[state.label()]);
        }
        let bounds = |name: &str, what: &str| {
            let bound = |end: &str| {
                let help = format!("{end} bound of {what}; absent while unknown.");
                let name = format!("pps_{name}_{}_seconds", end.to_lowercase());
                metrics.gauge_vec(&name, &help, &[])
            };
            Ok::<_, MetricsError>([bound("Lower")?, bound("Upper")?])
        };
        Ok(Self {
            state: metrics.int_gauge_vec(
                "pps_state",
                "The state of the PPS signal: exactly one is 1.",
                &["state"],
            )?,
            required: metrics.int_gauge("pps_required", "1 when leases need a good PPS signal.")?,
            missing: metrics
                .int_counter("pps_edges_missing_total", "PPS edges that are missing.")?,
            doubled: metrics
                .int_counter("pps_edges_doubled_total", "PPS edges beyond one a second.")?,
            residual: bounds("residual", "the last PPS edge less the whole second of UTC")?,
            jitter: bounds("jitter", "the last PPS edge less whole seconds after the one before")?,
            anomalies,
        })
    }

    /// The signal became `state`.
    pub(super) fn became(&self, state: PpsState) {
        if state.is_anomaly() {
            self.anomalies.with_label_values(&[state.label()]).inc();
        }
    }

    pub(super) fn show(&self, watch: &PpsWatch) {
        for state in PpsState::ALL {
            let is_it = i64::from(*state == watch.state());
            self.state.with_label_values(&[state.label()]).set(is_it);
        }
        self.required.set(watch.rules().required.into());
        let counts = watch.counts();
        self.missing.inc_by(counts.missing.saturating_sub(self.missing.get()));
        self.doubled.inc_by(counts.doubled.saturating_sub(self.doubled.get()));
        show_both(&self.residual, watch.residual());
        show_both(&self.jitter, watch.jitter());
    }
}

fn show_both([lower, upper]: &[GaugeVec; 2], known: Option<Interval>) {
    show(lower, &[], known.map(|known| span_seconds(known.lo())));
    show(upper, &[], known.map(|known| span_seconds(known.hi())));
}
