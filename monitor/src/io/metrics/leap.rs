//! What Prometheus reads of leap seconds.

use chronolease_core::leap::plan::{LeapPlan, Severity};
use chronolease_net::observe::{Metrics, MetricsError};
use prometheus::{GaugeVec, IntGauge, IntGaugeVec};

use super::{show, span_seconds};
use crate::core::leap::watch::LeapWatch;

const DAY_S: f64 = 86_400.0;

#[derive(Debug)]
pub(super) struct LeapMetrics {
    list_days_to_expiry: GaugeVec,
    next_suspension: GaugeVec,
    suspended: IntGauge,
    findings: IntGaugeVec,
}

impl LeapMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            list_days_to_expiry: metrics.gauge_vec(
                "leap_list_days_to_expiry",
                "Days until the list of leap seconds expires; negative after that. Absent without \
                 a list.",
                &[],
            )?,
            next_suspension: metrics.gauge_vec(
                "leap_next_boundary_timestamp_seconds",
                "The end of the month around which issuing is suspended next, in seconds since \
                 1970. Absent when none is.",
                &[],
            )?,
            suspended: metrics.int_gauge(
                "leap_suspended",
                "1 while a blackout around a possible leap second is under way.",
            )?,
            findings: metrics.int_gauge_vec(
                "leap_findings",
                "How many things are wrong with what is known of leap seconds.",
                &["severity"],
            )?,
        })
    }

    pub(super) fn show(&self, watch: &LeapWatch) {
        let (plan, boundaries) = (watch.plan(), watch.boundaries());
        let days = plan.and_then(|plan| {
            let left = plan.list().expires()? - plan.made();
            Some(span_seconds(left) / DAY_S)
        });
        show(&self.list_days_to_expiry, &[], days);
        let l = boundaries.next.map(|blackout| blackout.end().instant());
        show(&self.next_suspension, &[], l.map(|l| l.as_unix_nanos() as f64 / 1e9));
        self.suspended.set(boundaries.crossing.into());
        for severity in Severity::ALL {
            let findings = plan.map_or(&[][..], LeapPlan::findings).iter();
            let count = findings.filter(|finding| finding.severity() == severity).count();
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.findings.with_label_values(&[severity.label()]).set(count);
        }
    }
}
