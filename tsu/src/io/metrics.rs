//! What Prometheus reads of the TSU.

use chronolease_core::clock_reader::{Account, Lost};
use chronolease_core::confirmation::NotConfirmed;
use chronolease_core::evidence::TreeSize;
use chronolease_core::time::{Timestamp, Utc};
use chronolease_net::observe::{Metrics, MetricsError};
use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry};

use crate::core::rfc3161::FailInfo;

/// What became of a request, beyond the rejections of RFC 3161.
const GRANTED: &str = "granted";
const HTTP_REFUSED: &str = "http_refused";
const OVERLOADED: &str = "overloaded";

/// The metrics of a TSU. Clones share them.
#[derive(Clone, Debug)]
pub struct TsuMetrics {
    metrics: Metrics,
    requests: IntCounterVec,
    granted: IntCounter,
    lease_held: IntGauge,
    grants_refused: IntCounter,
    evidence_records: IntGauge,
    evidence_trouble: IntGauge,
    peer_checkpoint: IntGauge,
    logs_broken: IntGauge,
    not_confirmed: IntCounterVec,
    tasks: IntGauge,
    clock_reader_heard: IntGauge,
}

impl TsuMetrics {
    /// Registers everything, every label at zero.
    ///
    /// # Errors
    /// [`MetricsError`] when a name is malformed or taken.
    pub fn new(unwitnessed_vm: bool) -> Result<Self, MetricsError> {
        let metrics = Metrics::new("chronolease_tsu")?;
        let requests = metrics.int_counter_vec(
            "requests_total",
            "Requests of clients by result: granted, an RFC 3161 failure, or refused before.",
            &["result"],
        )?;
        let rejections = FailInfo::ALL.map(FailInfo::label);
        for result in [GRANTED, HTTP_REFUSED, OVERLOADED].into_iter().chain(rejections) {
            requests.with_label_values(&[result]);
        }
        let granted = requests.with_label_values(&[GRANTED]);
        let lease_held = metrics.int_gauge("lease_held", "1 while the TSU holds a lease.")?;
        let grants_refused = metrics
            .int_counter("grants_refused_total", "Leases of the monitor that were not accepted.")?;
        let evidence_records =
            metrics.int_gauge("evidence_records", "Leaves in the evidence log.")?;
        let evidence_trouble = metrics.int_gauge(
            "evidence_trouble",
            "1 while the evidence log takes nothing: the disk is full, or it is poisoned.",
        )?;
        let peer_checkpoint = metrics.int_gauge(
            "peer_checkpoint_size",
            "Leaves of the monitor's log in the newest checkpoint that this TSU vouched for.",
        )?;
        let not_confirmed = metrics.int_counter_vec(
            "batches_not_confirmed_total",
            "Batches of tokens that the monitor did not confirm, by reason.",
            &["reason"],
        )?;
        for why in NotConfirmed::ALL {
            not_confirmed.with_label_values(&[why.label()]);
        }
        let tasks = metrics.int_gauge(
            "tasks",
            "Tasks that run: one for each connection of a client, and those of the TSU itself.",
        )?;
        let logs_broken = metrics.int_gauge(
            "logs_broken",
            "1 when one of the two logs was found, since the start, not to continue what the other \
             box had vouched for.",
        )?;
        let clock_reader_heard = metrics.int_gauge(
            "clock_reader_heard",
            "1 while the clock reader of this box is heard. Without it nothing is issued.",
        )?;
        metrics
            .int_gauge(
                "unwitnessed_vm",
                "1 when tokens are issued on a lease alone although a hypervisor runs the box.",
            )?
            .set(unwitnessed_vm.into());
        Ok(Self {
            metrics,
            requests,
            granted,
            lease_held,
            grants_refused,
            evidence_records,
            evidence_trouble,
            peer_checkpoint,
            logs_broken,
            not_confirmed,
            tasks,
            clock_reader_heard,
        })
    }

    /// Shows when tokens are signed no more, and when the certificate of HTTPS ends, if there is one.
    ///
    /// # Errors
    /// [`MetricsError`] when it is shown already.
    pub fn ends(
        &self,
        signs_until: Timestamp<Utc>,
        https_until: Option<Timestamp<Utc>>,
    ) -> Result<(), MetricsError> {
        let show = |name: &str, help: &str, at: Timestamp<Utc>| {
            let seconds = at.as_unix_nanos().div_euclid(1_000_000_000);
            self.metrics.int_gauge(name, help).map(|gauge| gauge.set(seconds))
        };
        show(
            "signs_until_timestamp_seconds",
            "The first end of the TSU's certificate, its key and its algorithm, in seconds since \
             1970: no token is signed after it.",
            signs_until,
        )?;
        https_until.map_or(Ok(()), |until| {
            show(
                "https_certificate_until_timestamp_seconds",
                "The end of the certificate of HTTPS, in seconds since 1970.",
                until,
            )
        })
    }

    /// The registry, to be served.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.metrics.registry()
    }

    /// A token left.
    pub fn granted(&self) {
        self.granted.inc();
    }

    /// A request was rejected in the terms of RFC 3161.
    pub fn rejected(&self, fail: FailInfo) {
        self.requests.with_label_values(&[fail.label()]).inc();
    }

    /// A request was refused in the terms of HTTP.
    pub fn http_refused(&self) {
        self.requests.with_label_values(&[HTTP_REFUSED]).inc();
    }

    /// A request was turned away because too many wait.
    pub fn overloaded(&self) {
        self.requests.with_label_values(&[OVERLOADED]).inc();
    }

    /// Whether a lease is held.
    pub fn lease_held(&self, held: bool) {
        self.lease_held.set(held.into());
    }

    /// How the evidence log is.
    pub fn evidence(&self, records: u64, trouble: bool) {
        self.evidence_records.set(i64::try_from(records).unwrap_or(i64::MAX));
        self.evidence_trouble.set(trouble.into());
    }

    /// How far this TSU has vouched for the monitor's log.
    pub fn peer_checkpoint(&self, size: TreeSize) {
        self.peer_checkpoint.set(i64::try_from(size.as_u64()).unwrap_or(i64::MAX));
    }

    /// Whether one of the two logs was found broken.
    pub fn logs_broken(&self, broken: bool) {
        self.logs_broken.set(broken.into());
    }

    /// The monitor did not confirm a batch.
    pub fn not_confirmed(&self, why: NotConfirmed) {
        self.not_confirmed.with_label_values(&[why.label()]).inc();
    }

    /// How many tasks run.
    pub fn tasks(&self, count: usize) {
        self.tasks.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// What the clock reader tells.
    pub fn clock_reader(&self, heard: Result<Account, Lost>) {
        self.clock_reader_heard.set(heard.is_ok().into());
    }

    /// A lease was not accepted.
    pub fn grant_refused(&self) {
        self.grants_refused.inc();
    }
}
