//! What Prometheus reads of the monitor.

mod drift;
mod end_to_end;
mod leap;
mod nts;
mod pps;
mod reader;
mod sources;

use chronolease_core::clock_reader::ReaderWord;
use chronolease_core::confirmation::NotConfirmed;
use chronolease_core::evidence::TreeSize;
use chronolease_core::evidence::leaf::EndToEndResult;
use chronolease_core::id::TsuId;
use chronolease_core::lease::EndingCause;
use chronolease_core::pps::PpsState;
use chronolease_core::time::{Bound, Ppb, RawInstant, Span};
use chronolease_net::observe::{Metrics, MetricsError, State, StateSet};
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use drift::DriftMetrics;
use end_to_end::EndToEndMetrics;
use leap::LeapMetrics;
pub use nts::NtsMetrics;
pub(crate) use nts::NtsResults;
use pps::PpsMetrics;
use reader::ReaderMetrics;
use sources::SourceMetrics;

use super::engine::Clock;
use super::records::Records;
use crate::core::authority::{Rules, Ward, WardState};
use crate::core::end_to_end::Found;
use crate::core::leap::watch::LeapWatch;
use crate::core::pps::PpsWatch;
use crate::core::sources::{PollResult, Reason, SourceState, Sources, View};

const CONFIRMED: &str = "confirmed";

impl State for WardState {
    const ALL: &'static [Self] = Self::ALL;
    fn label(self) -> &'static str {
        Self::label(self)
    }
}

impl State for SourceState {
    const ALL: &'static [Self] = &Self::ALL;
    fn label(self) -> &'static str {
        Self::label(self)
    }
}

/// The metrics of a monitor. Nothing unknown is ever shown as a number: its series goes away.
#[derive(Debug)]
pub struct MonitorMetrics {
    metrics: Metrics,
    lease_state: StateSet<WardState>,
    lease_endings: IntCounterVec,
    leases_granted: IntCounterVec,
    clock_bound: GaugeVec,
    tsu_connected: IntGaugeVec,
    source_state: StateSet<SourceState>,
    source_offset: GaugeVec,
    source_uncertainty: GaugeVec,
    utc_known: IntGauge,
    utc_bound: Gauge,
    evidence_records: IntGauge,
    evidence_trouble: IntGauge,
    evidence_missing: IntCounter,
    peer_checkpoint: IntGaugeVec,
    confirmations: IntCounterVec,
    leap: LeapMetrics,
    nts: NtsMetrics,
    sources: SourceMetrics,
    reader: ReaderMetrics,
    tsu_reader: ReaderMetrics,
    drift: DriftMetrics,
    end_to_end: EndToEndMetrics,
    pps: PpsMetrics,
}

impl MonitorMetrics {
    /// Registers everything, every counter at zero.
    ///
    /// # Errors
    /// [`MetricsError`] when a name is malformed or taken.
    pub fn new(tsus: &[TsuId], virtual_monitor: bool) -> Result<Self, MetricsError> {
        let metrics = Metrics::new("chronolease_monitor")?;
        let endings = "Leases that ended other than by renewal, by cause.";
        let lease_endings =
            metrics.int_counter_vec("lease_endings_total", endings, &["tsu", "cause"])?;
        let granted = "Leases granted, renewals included.";
        let leases_granted = metrics.int_counter_vec("leases_granted_total", granted, &["tsu"])?;
        for tsu in tsus {
            leases_granted.with_label_values(&[tsu.as_str()]);
            for cause in EndingCause::ALL {
                lease_endings.with_label_values(&[tsu.as_str(), cause.label()]);
            }
        }
        let confirmations = metrics.int_counter_vec(
            "confirmations_total",
            "Batches that a TSU asked about, by result: confirmed, or why not.",
            &["tsu", "result"],
        )?;
        for tsu in tsus {
            let reasons = NotConfirmed::ALL.iter().map(|why| why.label());
            for result in reasons.chain([CONFIRMED]) {
                confirmations.with_label_values(&[tsu.as_str(), result]);
            }
        }
        let virtual_box = "1 when a hypervisor runs the monitor's box.";
        metrics.int_gauge("virtual", virtual_box)?.set(virtual_monitor.into());
        Ok(Self {
            lease_state: metrics.state_set(
                "lease_state",
                "The state of a TSU's lease.",
                &["tsu"],
            )?,
            clock_bound: metrics.gauge_vec(
                "clock_bound_seconds",
                "Upper bound of |TSU clock - UTC|, from the last probe.",
                &["tsu"],
            )?,
            tsu_connected: metrics.int_gauge_vec(
                "tsu_connected",
                "1 while the TSU is connected and admitted.",
                &["tsu"],
            )?,
            source_state: metrics.state_set(
                "source_state",
                "What is to be said of a source.",
                &["source"],
            )?,
            source_offset: metrics.gauge_vec(
                "source_offset_seconds",
                "Source minus the monitor's system clock; positive when the source is ahead.",
                &["source"],
            )?,
            source_uncertainty: metrics.gauge_vec(
                "source_uncertainty_seconds",
                "Half-width of the source's interval.",
                &["source"],
            )?,
            utc_known: metrics.int_gauge("utc_known", "1 while enough laboratories agree.")?,
            utc_bound: metrics.gauge(
                "utc_bound_seconds",
                "Half-width of the fused interval when UTC was last known.",
            )?,
            evidence_records: metrics
                .int_gauge("evidence_records", "How many leaves the evidence log holds.")?,
            evidence_trouble: metrics
                .int_gauge("evidence_trouble", "1 while the evidence log takes no records.")?,
            evidence_missing: metrics.int_counter(
                "evidence_missing_total",
                "Events that never came on record, since the start.",
            )?,
            peer_checkpoint: metrics.int_gauge_vec(
                "peer_checkpoint_size",
                "Leaves of a TSU's log in the newest checkpoint that the monitor vouched for.",
                &["tsu"],
            )?,
            leap: LeapMetrics::new(&metrics)?,
            nts: NtsMetrics::new(&metrics)?,
            sources: SourceMetrics::new(&metrics)?,
            reader: ReaderMetrics::new(&metrics, "", &[])?,
            tsu_reader: ReaderMetrics::new(&metrics, "tsu_", &["tsu"])?,
            drift: DriftMetrics::new(&metrics)?,
            end_to_end: EndToEndMetrics::new(&metrics, tsus)?,
            pps: PpsMetrics::new(&metrics)?,
            confirmations,
            lease_endings,
            leases_granted,
            metrics,
        })
    }

    /// The registry, to be served.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.metrics.registry()
    }

    /// What the pollers count of sources under NTS.
    #[must_use]
    pub fn nts(&self) -> NtsMetrics {
        self.nts.clone()
    }

    /// A lease was granted or renewed.
    pub fn granted(&self, tsu: &TsuId) {
        self.leases_granted.with_label_values(&[tsu.as_str()]).inc();
    }

    /// A batch was confirmed.
    pub fn confirmed(&self, tsu: &TsuId) {
        self.confirmations.with_label_values(&[tsu.as_str(), CONFIRMED]).inc();
    }

    /// A batch was not confirmed.
    pub fn not_confirmed(&self, tsu: &TsuId, why: NotConfirmed) {
        self.confirmations.with_label_values(&[tsu.as_str(), why.label()]).inc();
    }

    /// A lease ended.
    pub fn ended(&self, tsu: &TsuId, cause: EndingCause) {
        self.lease_endings.with_label_values(&[tsu.as_str(), cause.label()]).inc();
    }

    /// Shows how the evidence log fares.
    pub fn evidence(&self, records: &Records) {
        self.evidence_records.set(i64::try_from(records.size()).unwrap_or(i64::MAX));
        self.evidence_trouble.set(records.trouble().is_some().into());
        self.evidence_missing.inc_by(records.missing().saturating_sub(self.evidence_missing.get()));
    }

    /// Shows how far the monitor has vouched for a TSU's log.
    pub fn vouched(&self, tsu: &TsuId, size: TreeSize) {
        let size = i64::try_from(size.as_u64()).unwrap_or(i64::MAX);
        self.peer_checkpoint.with_label_values(&[tsu.as_str()]).set(size);
    }

    /// Shows a ward.
    pub fn ward(&self, ward: &Ward) {
        let labels = [ward.rules().tsu.as_str()];
        self.lease_state.set(&labels, ward.state());
        self.tsu_connected.with_label_values(&labels).set(ward.is_connected().into());
        let bound = ward.verdict().and_then(|verdict| verdict.clock_bound());
        show(&self.clock_bound, &labels, bound.map(bound_seconds));
        self.tsu_reader.show(&labels, ward.reader());
    }

    /// Shows what the clock reader of the monitor's own box says.
    pub fn reader(&self, word: &ReaderWord) {
        self.reader.show(&[], Some(word));
    }

    /// Shows a source: its state, and offset and uncertainty while it has a usable sample.
    pub fn source(&self, name: &str, state: SourceState, known: Option<(Span, Bound)>) {
        self.source_state.set(&[name], state);
        let labels = [name];
        show(&self.source_offset, &labels, known.map(|(offset, _)| span_seconds(offset)));
        show(&self.source_uncertainty, &labels, known.map(|(_, bound)| bound_seconds(bound)));
    }

    /// A source was polled.
    pub fn polled(&self, source: &str, result: &PollResult) {
        self.sources.polled(source, result);
    }

    /// A source was asked by two clients; `None` when one of them had no answer.
    pub fn compared(&self, source: &str, agree: Option<bool>) {
        self.sources.compared(source, agree);
    }

    /// Shows why a source is in its state.
    pub fn reason(&self, source: &str, reason: Option<&Reason>) {
        self.sources.reason(source, reason.map(Reason::label));
    }

    /// Shows whether a source smears.
    pub fn smearing(&self, source: &str, smears: bool) {
        self.sources.smearing(source, smears);
    }

    /// Shows what the laboratories are worth together.
    pub fn fusion(&self, sources: &Sources, view: &View, now: RawInstant) {
        self.sources.fusion(sources, view, now);
    }

    /// Shows this box's oscillator and system clock.
    pub fn box_b(&self, clock: &Clock, rho: Ppb) {
        self.drift.box_b(clock, rho);
    }

    /// Shows how a TSU's clock runs.
    pub fn tsu_clock(&self, rules: &Rules, clock: &Clock) {
        self.drift.tsu(rules.tsu.as_str(), clock, rules.limits.rho);
    }

    /// Shows what is known of leap seconds.
    pub fn leap(&self, watch: &LeapWatch) {
        self.leap.show(watch);
    }

    /// Shows the pulse-per-second signal.
    pub fn pps(&self, watch: &PpsWatch) {
        self.pps.show(watch);
    }

    /// The pulse-per-second signal became `state`.
    pub fn pps_became(&self, state: PpsState) {
        self.pps.became(state);
    }

    /// A token was asked for at the public endpoint.
    pub fn token(&self, tsu: &TsuId, result: EndToEndResult) {
        self.end_to_end.count(tsu, result);
    }

    /// Shows the last result from the public endpoint.
    pub fn end_to_end(&self, tsu: &TsuId, found: &Found, now: RawInstant) {
        self.end_to_end.show(tsu, found, now);
    }

    /// Shows how well UTC is known, if it is.
    pub fn utc(&self, half_width: Option<Bound>) {
        self.utc_known.set(half_width.is_some().into());
        if let Some(bound) = half_width {
            self.utc_bound.set(bound_seconds(bound));
        }
    }
}

fn show(gauge: &GaugeVec, labels: &[&str], value: Option<f64>) {
    match value {
        Some(value) => gauge.with_label_values(labels).set(value),
        // An error says that it was not there: just as wanted.
        None => drop(gauge.remove_label_values(labels)),
    }
}

/// Seconds, for display.
#[must_use]
pub fn span_seconds(span: Span) -> f64 {
    span.as_nanos() as f64 / 1e9
}

/// Seconds, for display.
#[must_use]
pub fn bound_seconds(bound: Bound) -> f64 {
    bound.as_nanos() as f64 / 1e9
}
