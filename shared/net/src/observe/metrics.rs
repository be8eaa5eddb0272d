//! Metrics in a registry of the process's own, with one prefix for all names.

use std::marker::PhantomData;

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use crate::build;

/// A metric that cannot be made: its name or a label is malformed, or the name is taken.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the metric {name}: {source}")]
pub struct MetricsError {
    /// The full name of the metric.
    pub name: String,
    /// What is wrong with it.
    pub source: prometheus::Error,
}

/// Makes metrics and registers them. Each name is given without the prefix, and by the habits of
/// Prometheus: base units, unit last, `_total` for counters.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    prefix: &'static str,
}

impl Metrics {
    /// A registry for names that start with `prefix` and an underscore, which already holds
    /// `PREFIX_build_info{version,build}` with the value 1.
    ///
    /// # Errors
    /// [`MetricsError`] when the prefix is malformed.
    pub fn new(prefix: &'static str) -> Result<Self, MetricsError> {
        let metrics = Self { registry: Registry::new(), prefix };
        let labels = ["version", "build"];
        let build_info = metrics.int_gauge_vec("build_info", "What was built.", &labels)?;
        build_info.with_label_values(&[build::VERSION, build::BUILD_ID]).set(1);
        Ok(metrics)
    }

    /// The registry, to be served. Clones share their content.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// A number that goes up and down.
    ///
    /// # Errors
    /// [`MetricsError`] when the name is malformed or taken. So for all that follow.
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricsError> {
        self.register(name, Gauge::with_opts(self.opts(name, help)))
    }

    /// Numbers that go up and down, by label.
    ///
    /// # Errors
    /// As [`gauge`](Self::gauge).
    pub fn gauge_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<GaugeVec, MetricsError> {
        self.register(name, GaugeVec::new(self.opts(name, help), labels))
    }

    /// A whole number that goes up and down.
    ///
    /// # Errors
    /// As [`gauge`](Self::gauge).
    pub fn int_gauge(&self, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
        self.register(name, IntGauge::with_opts(self.opts(name, help)))
    }

    /// Whole numbers that go up and down, by label.
    ///
    /// # Errors
    /// As [`gauge`](Self::gauge).
    pub fn int_gauge_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, MetricsError> {
        self.register(name, IntGaugeVec::new(self.opts(name, help), labels))
    }

    /// A count that only grows.
    ///
    /// # Errors
    /// As [`gauge`](Self::gauge).
    pub fn int_counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        self.register(name, IntCounter::with_opts(self.opts(name, help)))
    }

    /// Counts that only grow, by label.
    ///
    /// # Errors
    /// As [`gauge`](Self::gauge).
    pub fn int_counter_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, MetricsError> {
        self.register(name, IntCounterVec::new(self.opts(name, help), labels))
    }

    /// A distribution; `buckets` are the upper ends, in growing order.
    ///
    /// # Errors
    /// As [`gauge`](Self::gauge).
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, MetricsError> {
        self.register(name, Histogram::with_opts(self.histogram_opts(name, help, buckets)))
    }

    /// Distributions, by label; `buckets` are the upper ends, in growing order.
    ///
    /// # Errors
    /// As [`gauge`](Self::gauge).
    pub fn histogram_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, MetricsError> {
        let opts = self.histogram_opts(name, help, buckets);
        self.register(name, HistogramVec::new(opts, labels))
    }

    /// One of the states of `S` at a time, by label. The label `state` is added.
    ///
    /// # Errors
    /// As [`gauge`](Self::gauge).
    pub fn state_set<S: State>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<StateSet<S>, MetricsError> {
        let gauges = self.int_gauge_vec(name, help, &[labels, &["state"]].concat())?;
        Ok(StateSet { gauges, states: PhantomData })
    }

    fn opts(&self, name: &str, help: &str) -> Opts {
        Opts::new(name, help).namespace(self.prefix)
    }

    fn histogram_opts(&self, name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
        HistogramOpts::new(name, help).namespace(self.prefix).buckets(buckets.to_vec())
    }

    fn register<C: Collector + Clone + 'static>(
        &self,
        name: &str,
        made: prometheus::Result<C>,
    ) -> Result<C, MetricsError> {
        let registered = made.and_then(|metric| {
            self.registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        });
        registered
            .map_err(|source| MetricsError { name: format!("{}_{name}", self.prefix), source })
    }
}

/// A closed list of states that a metric shows by label.
pub trait State: Copy + PartialEq + 'static {
    /// Every state there is.
    const ALL: &'static [Self];

    /// The state as a metric label.
    fn label(self) -> &'static str;
}

/// A gauge for each state, of which exactly one is 1 and the others are 0, as in the StateSet of
/// OpenMetrics.
#[derive(Clone, Debug)]
pub struct StateSet<S> {
    gauges: IntGaugeVec,
    states: PhantomData<fn() -> S>,
}

impl<S: State> StateSet<S> {
    /// Shows `state`. `labels` are the values of the labels other than `state`, as many as the set
    /// was made with. A scrape in the middle may find no state at all, never two.
    pub fn set(&self, labels: &[&str], state: S) {
        let gauge = |of: S| self.gauges.with_label_values(&[labels, &[of.label()]].concat());
        for &other in S::ALL.iter().filter(|&&other| other != state) {
            gauge(other).set(0);
        }
        gauge(state).set(1);
    }
}
