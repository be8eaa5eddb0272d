//! What the clock readers of both boxes say.

use chronolease_core::clock_reader::{Account, KernelState, ReaderWord};
use chronolease_net::observe::{Metrics, MetricsError};
use prometheus::{GaugeVec, IntGaugeVec};

use super::{bound_seconds, show};

/// The families of one kind of box: the monitor's own, or the TSUs'.
#[derive(Debug)]
pub(super) struct ReaderMetrics {
    heard: IntGaugeVec,
    step_notices: GaugeVec,
    disruptions: GaugeVec,
    kernel_state: GaugeVec,
    kernel_status: GaugeVec,
    kernel_unsynchronised: GaugeVec,
    kernel_max_error: GaugeVec,
    kernel_tai_offset: GaugeVec,
    kernel_leap: GaugeVec,
}

impl ReaderMetrics {
    /// Names begin with `prefix`; `labels` tell the boxes apart.
    pub(super) fn new(
        metrics: &Metrics,
        prefix: &str,
        labels: &[&str],
    ) -> Result<Self, MetricsError> {
        let gauge =
            |name: &str, help: &str| metrics.gauge_vec(&format!("{prefix}{name}"), help, labels);
        Ok(Self {
            heard: metrics.int_gauge_vec(
                &format!("{prefix}clock_reader_heard"),
                "1 while the clock reader of the box is heard.",
                labels,
            )?,
            step_notices: gauge(
                "clock_step_notices",
                "How often the kernel said that the clock was set, since the daemon of the box \
                 started.",
            )?,
            disruptions: gauge(
                "clock_disruptions",
                "How often the hypervisor's marker changed, since the daemon of the box started.",
            )?,
            kernel_state: gauge(
                "kernel_state",
                "What adjtimex(2) returned: 0 TIME_OK, 1 INS, 2 DEL, 3 OOP, 4 WAIT, 5 ERROR.",
            )?,
            kernel_status: gauge("kernel_status", "The STA_ flags of the kernel's clock.")?,
            kernel_unsynchronised: gauge(
                "kernel_unsynchronised",
                "1 while the kernel does not hold its clock to be synchronised.",
            )?,
            kernel_max_error: gauge(
                "kernel_max_error_seconds",
                "The largest error that whoever keeps the kernel's clock admits.",
            )?,
            kernel_tai_offset: gauge(
                "kernel_tai_offset_seconds",
                "TAI - UTC as the kernel was told; 0 when nobody told it.",
            )?,
            kernel_leap: gauge(
                "kernel_leap",
                "1 when the kernel is to insert a leap second, -1 when it is to leave one out.",
            )?,
        })
    }

    /// Shows what is known; nothing unknown is shown as a number.
    pub(super) fn show(&self, labels: &[&str], word: Option<&ReaderWord>) {
        let account: Option<Account> = word.and_then(|word| word.heard.ok());
        self.heard.with_label_values(labels).set(account.is_some().into());
        show(&self.step_notices, labels, word.map(|word| word.steps as f64));
        show(&self.disruptions, labels, word.map(|word| word.disruptions as f64));
        let kernel: Option<KernelState> = account.and_then(|account| account.kernel.ok());
        show(&self.kernel_state, labels, kernel.map(|it| f64::from(it.state.code())));
        show(&self.kernel_status, labels, kernel.map(|it| f64::from(it.status.bits())));
        let unsynchronised = kernel.map(|it| f64::from(u8::from(it.is_unsynchronised())));
        show(&self.kernel_unsynchronised, labels, unsynchronised);
        show(&self.kernel_max_error, labels, kernel.map(|it| bound_seconds(it.max_error)));
        show(&self.kernel_tai_offset, labels, kernel.map(|it| f64::from(it.tai_offset_s)));
        show(&self.kernel_leap, labels, kernel.map(leap));
    }
}

fn leap(kernel: KernelState) -> f64 {
    f64::from(i8::from(kernel.status.inserts()) - i8::from(kernel.status.deletes()))
}
