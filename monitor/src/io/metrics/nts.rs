//! What Prometheus reads of the sources under NTS.

use chronolease_net::observe::{Metrics, MetricsError};
use prometheus::{IntCounterVec, IntGaugeVec};

use crate::core::nts::exchange::Ignored;

/// The results of a key exchange that are none.
pub(crate) type NtsResults = [&'static str; 4];

/// Counted by the pollers themselves. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NtsMetrics {
    authenticated: IntGaugeVec,
    cookies: IntGaugeVec,
    key_exchanges: IntCounterVec,
    rejected: IntCounterVec,
    ignored: IntCounterVec,
}

impl NtsMetrics {
    /// Registers everything.
    ///
    /// # Errors
    /// [`MetricsError`] when a name is malformed or taken.
    pub fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            authenticated: metrics.int_gauge_vec(
                "source_authenticated",
                "1 for a source that is asked under NTS, 0 for plain NTP.",
                &["source"],
            )?,
            cookies: metrics.int_gauge_vec(
                "nts_cookies",
                "Unused cookies of a source.",
                &["source"],
            )?,
            key_exchanges: metrics.int_counter_vec(
                "nts_key_exchanges_total",
                "Key exchanges with a source, by result.",
                &["source", "result"],
            )?,
            rejected: metrics.int_counter_vec(
                "nts_cookies_refused_total",
                "Polls in which a source said that it cannot open the cookie (NTS NAK).",
                &["source"],
            )?,
            ignored: metrics.int_counter_vec(
                "nts_ignored_total",
                "Datagrams that did not prove to be a source's answer, by reason.",
                &["source", "reason"],
            )?,
        })
    }

    /// Puts every series of a source there, the counters at zero.
    pub fn begin(&self, source: &str, nts: bool) {
        self.authenticated.with_label_values(&[source]).set(nts.into());
        if !nts {
            return;
        }
        self.cookies.with_label_values(&[source]).set(0);
        self.rejected.with_label_values(&[source]);
        for result in ["ok"].into_iter().chain(crate::io::nts::KEY_EXCHANGES) {
            self.key_exchanges.with_label_values(&[source, result]);
        }
        for reason in Ignored::ALL {
            self.ignored.with_label_values(&[source, reason.label()]);
        }
    }

    /// How many cookies are left.
    pub fn cookies(&self, source: &str, left: usize) {
        let left = i64::try_from(left).unwrap_or(i64::MAX);
        self.cookies.with_label_values(&[source]).set(left);
    }

    /// A key exchange ended.
    pub fn key_exchange(&self, source: &str, result: &str) {
        self.key_exchanges.with_label_values(&[source, result]).inc();
    }

    /// The source said that it cannot open the cookie.
    pub fn rejected(&self, source: &str) {
        self.rejected.with_label_values(&[source]).inc();
    }

    /// A datagram was passed over.
    pub fn ignored(&self, source: &str, why: Ignored) {
        self.ignored.with_label_values(&[source, why.label()]).inc();
    }
}
