//! The pulse-per-second signal of box B, on its way from the clock reader to the wards.

use chronolease_core::clock_reader::ClockReport;
use chronolease_core::evidence::leaf::Event as Leaf;
use chronolease_core::leap::passage::Reading;
use chronolease_core::pps::{PpsChange, PpsState};
use chronolease_core::stamped::Turn;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::Engine;
use crate::core::authority::Event;
use crate::core::pps::{PpsRules, PpsSays, PpsWatch};

/// The watch on the signal, and the reports of the clock reader that it has not heard yet. They
/// wake nobody: the engine comes round often enough.
#[derive(Debug)]
pub struct Pulse {
    watch: PpsWatch,
    reports: mpsc::Receiver<ClockReport>,
}

impl Pulse {
    /// Nothing was heard yet.
    #[must_use]
    pub const fn new(rules: PpsRules, reports: mpsc::Receiver<ClockReport>) -> Self {
        Self { watch: PpsWatch::new(rules), reports }
    }

    /// What is known of the signal.
    #[must_use]
    pub const fn watch(&self) -> &PpsWatch {
        &self.watch
    }

    /// Box B may not have run through: what was reported before says nothing about what comes.
    pub(super) fn broken(&mut self) {
        while self.reports.try_recv().is_ok() {}
        self.watch.interrupted();
    }
}

/// Judges the edges that were told since the last turn, by UTC as it is known now. What follows
/// for leases follows before anything else of this turn is judged.
pub(super) fn hear(engine: &mut Engine, now: &Turn) {
    let mut said = engine.pps.watch.says();
    while let Ok(report) = engine.pps.reports.try_recv() {
        let utc = engine.leap.look(&mut engine.sources, now.raw_after).utc.ok();
        let utc = utc.map(|utc_minus_raw| Reading { at: now.raw_after, utc_minus_raw });
        engine.pps.watch.hear(&report, utc);
        said = follow(engine, now, said);
    }
    engine.pps.watch.tick(now.raw_after);
    follow(engine, now, said);
}

/// Tells what changed, and the wards when it matters to them. An anomaly that is over again by the
/// next report has ended every lease all the same.
fn follow(engine: &mut Engine, now: &Turn, said: PpsSays) -> PpsSays {
    for change in engine.pps.watch.take_changes() {
        tell(&change, engine.pps.watch.rules());
        engine.metrics.pps_became(change.to);
        engine.records.note(Leaf::PpsChange(change));
    }
    let says = engine.pps.watch.says();
    if says != said {
        engine.everybody(now, &Event::Tick);
    }
    says
}

fn tell(change: &PpsChange, rules: &PpsRules) {
    let PpsChange { from, to, .. } = change;
    let required = rules.required;
    match to {
        to if to.is_anomaly() => error!(%from, %to, required, "the PPS signal is an anomaly"),
        PpsState::Unclear | PpsState::Absent => warn!(%from, %to, required, "the PPS signal"),
        _ => info!(%from, %to, required, "the PPS signal"),
    }
}
