//! What follows when box B may not have run through.

use chronolease_core::stamped::Turn;
use tracing::{error, info};

use super::Engine;
use crate::core::authority::Event;
use crate::core::continuity::Break;

/// The guard over box B found a break. The kernel announces its own leap second as a step; RAW does
/// not leap, and the change must be observed over it.
pub(super) fn broke(engine: &mut Engine, now: &Turn, why: Break) {
    if matches!(why, Break::ClockSet(_)) && engine.leap.boundaries().crossing {
        return info!(%why, "around a possible leap second");
    }
    error!(%why, "every sample is discarded");
    discard_all(engine, now);
}

/// Nothing that was measured before counts any more.
pub(super) fn discard_all(engine: &mut Engine, now: &Turn) {
    engine.date.send_replace(None);
    let _ = engine.epoch.send(engine.sources.discard_all());
    engine.leap.broken();
    engine.drifts.restart();
    engine.pps.broken();
    engine.slots.iter_mut().flat_map(|slot| &mut slot.public).for_each(|public| {
        public.probe.broken();
    });
    engine.everybody(now, &Event::Broken);
}
