//! What is shown of the end-to-end probe.

use chronolease_core::evidence::leaf::EndToEndResult;
use chronolease_core::id::TsuId;
use chronolease_core::time::{RawInstant, Span};
use chronolease_net::observe::{Metrics, MetricsError};
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};

use super::{show, span_seconds};
use crate::core::end_to_end::Found;

#[derive(Debug)]
pub(super) struct EndToEndMetrics {
    results: IntCounterVec,
    last: IntGaugeVec,
    age: GaugeVec,
    lower: GaugeVec,
    upper: GaugeVec,
}

impl EndToEndMetrics {
    /// Every counter at zero.
    pub(super) fn new(metrics: &Metrics, tsus: &[TsuId]) -> Result<Self, MetricsError> {
        let results = metrics.int_counter_vec(
            "end_to_end_results_total",
            "Tokens that the monitor asked for at the TSU's public endpoint, by result.",
            &["tsu", "result"],
        )?;
        for tsu in tsus {
            for result in EndToEndResult::ALL {
                results.with_label_values(&[tsu.as_str(), result.label()]);
            }
        }
        Ok(Self {
            results,
            last: metrics.int_gauge_vec(
                "end_to_end_last_result",
                "1 for the result of the last token that the monitor asked for.",
                &["tsu", "result"],
            )?,
            age: metrics.gauge_vec(
                "end_to_end_age_seconds",
                "Time since the last result.",
                &["tsu"],
            )?,
            lower: metrics.gauge_vec(
                "end_to_end_error_lower_seconds",
                "Lower bound of genTime - UTC, from the last token; absent without one.",
                &["tsu"],
            )?,
            upper: metrics.gauge_vec(
                "end_to_end_error_upper_seconds",
                "Upper bound of genTime - UTC, from the last token; absent without one.",
                &["tsu"],
            )?,
        })
    }

    pub(super) fn count(&self, tsu: &TsuId, result: EndToEndResult) {
        self.results.with_label_values(&[tsu.as_str(), result.label()]).inc();
    }

    pub(super) fn show(&self, tsu: &TsuId, found: &Found, now: RawInstant) {
        let labels = [tsu.as_str()];
        for result in EndToEndResult::ALL {
            let is_it = i64::from(*result == found.result);
            self.last.with_label_values(&[tsu.as_str(), result.label()]).set(is_it);
        }
        show(&self.age, &labels, Some(span_seconds((now - found.at).max(Span::ZERO))));
        show(&self.lower, &labels, found.error.map(|error| span_seconds(error.lo())));
        show(&self.upper, &labels, found.error.map(|error| span_seconds(error.hi())));
    }
}
