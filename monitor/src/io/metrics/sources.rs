//! What Prometheus reads of the sources and of their fusion.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chronolease_core::fusion::NoUtc;
use chronolease_core::time::RawInstant;
use chronolease_net::observe::{Metrics, MetricsError, State, StateSet};
use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec};

use super::span_seconds;
use crate::core::sources::{PollResult, Sources, View};

/// What is known of UTC, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UtcState {
    Known,
    QuorumLost,
    NoConsensus,
}

impl State for UtcState {
    const ALL: &'static [Self] = &[Self::Known, Self::QuorumLost, Self::NoConsensus];
    fn label(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::QuorumLost => "quorum-lost",
            Self::NoConsensus => "no-consensus",
        }
    }
}

#[derive(Debug)]
pub(super) struct SourceMetrics {
    utc_state: StateSet<UtcState>,
    groups_usable: IntGauge,
    groups_faults: IntGauge,
    groups_required: IntGauge,
    group_false: IntGaugeVec,
    estimate_groups: IntGauge,
    estimate_offset: Gauge,
    polls: IntCounterVec,
    compared: IntCounterVec,
    disagrees: IntGaugeVec,
    smearing: IntGaugeVec,
    reason: IntGaugeVec,
    /// The reason that is shown of each source.
    reasons_shown: Mutex<BTreeMap<String, &'static str>>,
}

impl SourceMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            utc_state: metrics.state_set("utc_state", "Whether UTC is known, and why not.", &[])?,
            groups_usable: metrics
                .int_gauge("groups_usable", "m: laboratories that have a vote now.")?,
            groups_faults: metrics
                .int_gauge("groups_faults", "f: laboratories that may lie, by configuration.")?,
            groups_required: metrics
                .int_gauge("groups_required", "2f + 1: laboratories that UTC takes.")?,
            group_false: metrics.int_gauge_vec(
                "group_false",
                "1 while the laboratory's vote does not meet UTC.",
                &["laboratory"],
            )?,
            estimate_groups: metrics.int_gauge(
                "estimate_groups",
                "Laboratories in the largest set that agrees. An estimate; nothing rests on it.",
            )?,
            estimate_offset: metrics.gauge(
                "estimate_offset_seconds",
                "Where the largest set agrees, less the middle of UTC when that was last known. An \
                 estimate; nothing rests on it.",
            )?,
            polls: metrics.int_counter_vec(
                "source_polls_total",
                "Polls of a source, by result: a sample, or why there was none.",
                &["source", "result"],
            )?,
            compared: metrics.int_counter_vec(
                "source_second_opinions_total",
                "How often a plain source was asked by rsntp too, by result.",
                &["source", "result"],
            )?,
            disagrees: metrics.int_gauge_vec(
                "source_clients_disagree",
                "1 when the two NTP clients disagreed about the source the last time.",
                &["source"],
            )?,
            smearing: metrics.int_gauge_vec(
                "source_smearing",
                "1 while the source is found to spread a leap second.",
                &["source"],
            )?,
            reason: metrics.int_gauge_vec(
                "source_reason",
                "1 for why the source is in its state, or what was wrong with its last poll. Absent \
                 while nothing is.",
                &["source", "reason"],
            )?,
            reasons_shown: Mutex::default(),
        })
    }

    pub(super) fn polled(&self, source: &str, result: &PollResult) {
        self.polls.with_label_values(&[source, result.label()]).inc();
    }

    pub(super) fn compared(&self, source: &str, agree: Option<bool>) {
        let result = match agree {
            Some(true) => "agree",
            Some(false) => "disagree",
            None => "failed",
        };
        self.compared.with_label_values(&[source, result]).inc();
        if let Some(agree) = agree {
            self.disagrees.with_label_values(&[source]).set((!agree).into());
        }
    }

    pub(super) fn smearing(&self, source: &str, smears: bool) {
        self.smearing.with_label_values(&[source]).set(smears.into());
    }

    /// Shows `reason`, and takes away the one that was shown before.
    pub(super) fn reason(&self, source: &str, reason: Option<&'static str>) {
        let mut shown = self.reasons_shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.get(source).copied() == reason {
            return;
        }
        if let Some(before) = shown.remove(source) {
            // An error says that it was not there: just as wanted.
            drop(self.reason.remove_label_values(&[source, before]));
        }
        if let Some(reason) = reason {
            self.reason.with_label_values(&[source, reason]).set(1);
            shown.insert(source.to_owned(), reason);
        }
    }

    pub(super) fn fusion(&self, sources: &Sources, view: &View, now: RawInstant) {
        self.utc_state.set(
            &[],
            match view.utc {
                Ok(_) => UtcState::Known,
                Err(NoUtc::QuorumLost { .. }) => UtcState::QuorumLost,
                Err(NoUtc::NoConsensus { .. }) => UtcState::NoConsensus,
            },
        );
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let faults = sources.rules().faults;
        self.groups_usable.set(count(sources.votes(now).len()));
        self.groups_faults.set(count(faults.0));
        self.groups_required.set(count(faults.quorum()));
        for (group, laboratory) in sources.groups().iter().enumerate() {
            let is_false = view.false_groups.contains(&group);
            self.group_false.with_label_values(&[laboratory]).set(is_false.into());
        }
        let agreement = sources.agreement(now);
        self.estimate_groups.set(count(agreement.map_or(0, |agreement| agreement.votes)));
        if let (Some(agreement), Ok(utc)) = (agreement, view.utc) {
            let apart = agreement.interval.midpoint() - utc.midpoint();
            self.estimate_offset.set(span_seconds(apart));
        }
    }
}
