//! What is said and recorded against sources, besides their states.

use chronolease_core::evidence::leaf::{Doubt, Event, SourceDoubt};
use tracing::{error, info, warn};

use super::Engine;
use crate::core::ntp::comparison::Comparison;

/// Two implementations asked a source.
pub(super) fn compared(engine: &mut Engine, source: usize, comparison: Option<Comparison>) {
    let Some(source) = engine.sources.sources().nth(source) else { return };
    let source = source.name.clone();
    engine.metrics.compared(&source, comparison.map(|it| it.agree()));
    match comparison {
        Some(it) if !it.agree() => {
            error!(source, ours = %it.ours, rsntp = %it.theirs, "two NTP clients disagree");
            let doubt = Doubt::Disagreement { ours: it.ours, theirs: it.theirs };
            engine.records.note(Event::SourceDoubt(SourceDoubt { source, doubt }));
        }
        Some(_) => tracing::debug!(source, "two NTP clients agree"),
        None => info!(source, "there was no second opinion this time"),
    }
}

/// Sources that were found to smear since the last turn.
pub(super) fn tell_smears(engine: &mut Engine) {
    for found in engine.leap.smears_mut().take_news() {
        let Some(source) = engine.sources.sources().nth(found.source) else { continue };
        let (source, smear) = (source.name.clone(), found.smear);
        let undecided = engine.leap.smears().is_undecided();
        let (spreads, ppb) = (smear.sign(), smear.drift_ppb);
        warn!(source, %spreads, ppb, over = %smear.over, undecided, "a source smears");
        let doubt = Doubt::Smear(smear);
        engine.records.note(Event::SourceDoubt(SourceDoubt { source, doubt }));
    }
}
