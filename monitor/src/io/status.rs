//! What a person may read of the monitor's state: `GET /v1/status`.

use chronolease_core::clock_reader::{KernelState, ReaderWord};
use chronolease_core::fusion::Agreement;
use chronolease_core::lease::EndingCause;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Ppb, RawInstant, Span};
use chronolease_net::build;
use serde::Serialize;
use tokio::sync::watch;

use super::engine::{Clock, Kernels};
use super::metrics::{bound_seconds, span_seconds};
use crate::core::authority::Ward;
use crate::core::end_to_end::Found;
use crate::core::leap::watch::LeapWatch;
use crate::core::pps::PpsWatch;
use crate::core::sources::{Reason, Sources, View};

/// The state at one instant. Numbers are for display.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    monitor: String,
    version: &'static str,
    /// Milliseconds since 1970 by the monitor's system clock.
    system_clock_unix_ms: i64,
    utc: UtcStatus,
    /// Box B: UTC against its oscillator, and the steps of its system clock.
    oscillator: ClockStatus,
    leap_seconds: LeapStatus,
    pps: PpsStatus,
    kernels: Vec<KernelStatus>,
    sources: Vec<SourceStatus>,
    tsus: Vec<TsuStatus>,
}

#[derive(Clone, Debug, Serialize)]
struct UtcStatus {
    known: bool,
    /// m: laboratories that have a vote now.
    usable_groups: usize,
    /// f: laboratories that may lie.
    faults: usize,
    /// Laboratories whose vote does not meet UTC.
    false_groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bound_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<EstimateStatus>,
}

/// Where most laboratories agree. Nothing rests on it.
#[derive(Clone, Debug, Serialize)]
struct EstimateStatus {
    groups: usize,
    /// Less the middle of what is known of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset_s: Option<f64>,
}

/// How a clock runs.
#[derive(Clone, Debug, Serialize)]
struct ClockStatus {
    /// Over the last hour; absent until known.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift_ppm: Option<f64>,
    /// Proven to be more than what is assumed of an oscillator.
    beyond_rho: bool,
    /// All steps since the monitor's start, whatever their direction.
    stepped_s: f64,
}

#[derive(Clone, Debug, Serialize)]
struct LeapStatus {
    /// A blackout is under way.
    in_blackout: bool,
    /// The end of the month around which issuing is suspended next: seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_suspension_unix_s: Option<i64>,
    /// The plan in words, line by line; empty before UTC was known for the first time.
    plan: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct SourceStatus {
    name: String,
    laboratory: String,
    state: &'static str,
    /// Why it is not to be relied on, or what was wrong with its last answer: in one word, as in the
    /// metrics and on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uncertainty_s: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct TsuStatus {
    id: String,
    state: &'static str,
    connected: bool,
    lease_sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_bound_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latched_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<ClockStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_to_end: Option<EndToEndStatus>,
}

/// What there is to be shown of a ward.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The ward.
    pub ward: &'a Ward,
    /// The last token that was asked for at the public endpoint.
    pub found: Option<&'a Found>,
    /// How its clock runs, if that was ever judged.
    pub clock: Option<&'a Clock>,
}

/// The last token that was asked for at the public endpoint.
#[derive(Clone, Debug, Serialize)]
struct EndToEndStatus {
    result: &'static str,
    age_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_lower_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_upper_s: Option<f64>,
    detail: String,
}

/// The pulse-per-second signal of this box.
#[derive(Clone, Debug, Serialize)]
struct PpsStatus {
    state: &'static str,
    /// Something is wrong with the signal, or with UTC as the sources have it.
    anomaly: bool,
    /// Leases need a good signal.
    required: bool,
    /// The last edge, less the whole second of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    residual_lower_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    residual_upper_s: Option<f64>,
    missing_edges: u64,
    doubled_edges: u64,
}

/// What the clock reader of a box says of its kernel.
#[derive(Clone, Debug, Serialize)]
struct KernelStatus {
    /// `monitor`, or the TSU's name.
    #[serde(rename = "box")]
    whose: String,
    clock_reader_heard: bool,
    step_notices: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    synchronised: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_error_s: Option<f64>,
    /// 0 when nobody told the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    tai_offset_s: Option<i32>,
    /// What it is to do at the end of the day: 1 inserts a second, -1 leaves one out.
    #[serde(skip_serializing_if = "Option::is_none")]
    leap: Option<i8>,
}

/// What is known besides the TSUs.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What the sources say.
    pub sources: &'a Sources,
    /// What they are worth together.
    pub view: &'a View,
    /// Box B's oscillator and system clock.
    pub clock: &'a Clock,
    /// The ends of months.
    pub leap: &'a LeapWatch,
    /// The pulse-per-second signal.
    pub pps: &'a PpsWatch,
    /// The kernels.
    pub kernels: &'a Kernels,
}

/// Where the engine leaves the newest status.
#[derive(Debug)]
pub struct StatusWriter {
    monitor: String,
    newest: watch::Sender<Option<Status>>,
}

impl StatusWriter {
    /// A place for the status of the monitor `id`, and the end that reads it.
    #[must_use]
    pub fn new(id: &str) -> (Self, watch::Receiver<Option<Status>>) {
        let (newest, reader) = watch::channel(None);
        (Self { monitor: id.to_owned(), newest }, reader)
    }

    /// Leaves what is known at `now`.
    pub fn write<'a>(
        &self,
        now: &Sample,
        known: &Known<'_>,
        wards: impl Iterator<Item = Shown<'a>>,
    ) {
        let status = Status::of(&self.monitor, now, known, wards);
        self.newest.send_replace(Some(status));
    }
}

impl Status {
    fn of<'a>(
        monitor: &str,
        now: &Sample,
        known: &Known<'_>,
        wards: impl Iterator<Item = Shown<'a>>,
    ) -> Self {
        let Known { sources, view, clock, leap, pps, kernels } = *known;
        let source = |(index, source): (usize, &crate::core::sources::Source)| {
            let shown = sources.shown(index, now.raw_after, now.real);
            let reason = sources.reason(index, view, now.raw_after);
            SourceStatus {
                name: source.name.clone(),
                laboratory: source.group.clone(),
                state: view.states[index].label(),
                why: reason.as_ref().map(ToString::to_string),
                reason: reason.as_ref().map(Reason::label),
                offset_s: shown.map(|(offset, _)| span_seconds(offset)),
                uncertainty_s: shown.map(|(_, bound)| bound_seconds(bound)),
            }
        };
        Self {
            monitor: monitor.to_owned(),
            version: build::LONG_VERSION,
            system_clock_unix_ms: now.real.as_unix_nanos() / 1_000_000,
            utc: UtcStatus::of(sources, view, now.raw_after),
            oscillator: ClockStatus::of(clock, sources.rules().rho),
            leap_seconds: LeapStatus::of(leap),
            pps: PpsStatus::of(pps),
            kernels: kernels.words().map(|(whose, word)| KernelStatus::of(whose, word)).collect(),
            sources: sources.sources().enumerate().map(source).collect(),
            tsus: wards.map(|shown| TsuStatus::of(shown, now.raw_after)).collect(),
        }
    }
}

impl UtcStatus {
    fn of(sources: &Sources, view: &View, now: RawInstant) -> Self {
        let name = |&group: &usize| sources.groups()[group].clone();
        let estimate = |agreement: Agreement| EstimateStatus {
            groups: agreement.votes,
            offset_s: view
                .utc
                .ok()
                .map(|utc| span_seconds(agreement.interval.midpoint() - utc.midpoint())),
        };
        Self {
            known: view.utc.is_ok(),
            usable_groups: sources.votes(now).len(),
            faults: sources.rules().faults.0,
            false_groups: view.false_groups.iter().map(name).collect(),
            bound_s: view.utc.ok().map(|utc| bound_seconds(utc.half_width())),
            why_not: view.utc.err().map(|why| why.to_string()),
            estimate: sources.agreement(now).map(estimate),
        }
    }
}

impl ClockStatus {
    fn of(clock: &Clock, rho: Ppb) -> Self {
        let rate = clock.rate.rate();
        Self {
            drift_ppm: rate.map(|rate| rate.middle_ppb() as f64 / 1e3),
            beyond_rho: rate.is_some_and(|rate| rate.is_beyond(rho)),
            stepped_s: bound_seconds(clock.steps.total()),
        }
    }
}

impl LeapStatus {
    fn of(leap: &LeapWatch) -> Self {
        let boundaries = leap.boundaries();
        let l = boundaries.next.map(|blackout| blackout.end().instant().as_unix_nanos());
        Self {
            in_blackout: boundaries.crossing,
            next_suspension_unix_s: l.map(|ns| ns / 1_000_000_000),
            plan: leap.words().lines().map(str::to_owned).collect(),
        }
    }
}

impl PpsStatus {
    fn of(watch: &PpsWatch) -> Self {
        let (state, counts, residual) = (watch.state(), watch.counts(), watch.residual());
        Self {
            state: state.label(),
            anomaly: state.is_anomaly(),
            required: watch.rules().required,
            residual_lower_s: residual.map(|known| span_seconds(known.lo())),
            residual_upper_s: residual.map(|known| span_seconds(known.hi())),
            missing_edges: counts.missing,
            doubled_edges: counts.doubled,
        }
    }
}

impl KernelStatus {
    fn of(whose: &str, word: &ReaderWord) -> Self {
        let kernel = word.heard.ok().and_then(|account| account.kernel.ok());
        let leap = |it: KernelState| i8::from(it.status.inserts()) - i8::from(it.status.deletes());
        Self {
            whose: whose.to_owned(),
            clock_reader_heard: word.heard.is_ok(),
            step_notices: word.steps,
            synchronised: kernel.map(|it| !it.is_unsynchronised()),
            max_error_s: kernel.map(|it| bound_seconds(it.max_error)),
            tai_offset_s: kernel.map(|it| it.tai_offset_s),
            leap: kernel.map(leap),
        }
    }
}

impl TsuStatus {
    fn of(Shown { ward, found, clock }: Shown<'_>, now: RawInstant) -> Self {
        let bound = ward.verdict().and_then(|verdict| verdict.clock_bound());
        Self {
            id: ward.rules().tsu.to_string(),
            state: ward.state().label(),
            connected: ward.is_connected(),
            lease_sequence: ward.record().sequence.as_u64(),
            clock_bound_s: bound.map(bound_seconds),
            latched_by: ward.record().latch.map(EndingCause::label),
            clock: clock.map(|clock| ClockStatus::of(clock, ward.rules().limits.rho)),
            end_to_end: found.map(|found| EndToEndStatus::of(found, now)),
        }
    }
}

impl EndToEndStatus {
    fn of(found: &Found, now: RawInstant) -> Self {
        Self {
            result: found.result.label(),
            age_s: span_seconds((now - found.at).max(Span::ZERO)),
            error_lower_s: found.error.map(|error| span_seconds(error.lo())),
            error_upper_s: found.error.map(|error| span_seconds(error.hi())),
            detail: found.why.clone(),
        }
    }
}
