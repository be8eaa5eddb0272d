//! What is said and recorded of leap seconds.

use chronolease_core::evidence::leaf;
use chronolease_core::leap::passage::Observed;
use chronolease_core::leap::plan::{LeapPlan, Severity};
use tracing::{error, info, warn};

use crate::core::leap::watch::LeapWatch;
use crate::io::records::Records;

/// Logs the plan when it changed, and puts passed boundaries on record.
pub(super) fn tell(leap: &mut LeapWatch, records: &mut Records) {
    if let Some(plan) = leap.take_news() {
        log(plan);
    }
    for change in leap.take_changes() {
        let (end, expected, observed) = (change.end, change.expected, change.observed);
        if observed == Observed::Unclear {
            error!(%end, %expected, %observed, "the end of a month was passed");
        } else {
            info!(%end, %expected, %observed, "the end of a month was passed");
        }
        records.note(leaf::Event::LeapChange(change));
    }
}

fn log(plan: &LeapPlan) {
    info!("leap seconds: {}", plan.list());
    for expected in plan.expected() {
        info!("leap seconds: {expected}");
    }
    for finding in plan.findings() {
        let label = finding.label();
        match finding.severity() {
            Severity::Warning => warn!(label, "leap seconds: {finding}"),
            Severity::Critical => error!(label, "leap seconds: {finding}"),
        }
    }
}
