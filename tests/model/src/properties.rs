//! What must hold in every state, and what must happen in some.

use stateright::Property;

use crate::state::State;
use crate::world::{Mode, World};

/// P1 of design section 1.
pub const P1: &str = "P1: genTime is within A of UTC between recv and rel";
/// P2, where nothing freezes.
pub const P2: &str = "P2: genTime is within A of UTC at the reading";
/// P3, first half.
pub const P3_SERIAL: &str = "P3: no two released tokens share a serial";
/// P3, second half.
pub const P3_ONE: &str = "P3: one incarnation at a time";
/// P4.
pub const P4: &str = "P4: nothing judged after a revocation is released";
/// What the TSU acknowledges holds at once.
pub const P4_ACK: &str = "P4: nothing is released after its revocation was taken";
/// What the witnessed budget is for.
pub const WINDOW: &str = "budget: no sound and timely batch is refused";
/// The model is not empty.
pub const RELEASED: &str = "a token is released";
/// Nor is it over after a revocation.
pub const REARMED: &str = "a token is released under the first lease after an end";
/// The witness has something to refuse.
pub const REFUSED: &str = "a batch is refused for its time";
/// The monitor sees two boxes, or one from the past.
pub const CAUGHT: &str = "a clone or a rollback is found";

/// The properties that are checked in this world.
#[must_use]
pub(crate) fn of(world: &World) -> Vec<Property<World>> {
    let mut all = vec![
        Property::<World>::always(P1, |_, s| !s.just.breaks_p1),
        Property::<World>::always(P3_ONE, one_incarnation),
        Property::<World>::always(P4, |_, s| !s.just.breaks_p4),
        Property::<World>::always(P4_ACK, |_, s| !s.just.after_revoked),
        Property::<World>::sometimes(RELEASED, |_, s| s.just.released),
    ];
    if world.must_rearm {
        all.push(Property::<World>::sometimes(REARMED, |_, s| s.just.rearmed));
    }
    if checks_p2(world) {
        all.push(Property::<World>::always(P2, |_, s| !s.just.breaks_p2));
    }
    if world.tells_logs_apart() {
        all.push(Property::<World>::always(P3_SERIAL, |_, s| !s.just.breaks_p3));
    }
    if world.faults.clone || world.faults.rollback {
        all.push(Property::<World>::sometimes(CAUGHT, |_, s| s.just.caught));
    }
    if world.checks_window {
        all.push(Property::<World>::always(WINDOW, |_, s| !s.just.sound_refused));
    }
    if world.mode == Mode::Witnessed {
        all.push(Property::<World>::sometimes(REFUSED, |_, s| s.just.refused));
    }
    all
}

/// Whether P2 is promised: with the guard alone, where nothing freezes.
pub(crate) fn checks_p2(world: &World) -> bool {
    world.mode == Mode::Leased && world.faults.freeze == 0
}

/// Witnessed: confirmations never go back to an incarnation that another one has replaced. Leased:
/// never do two incarnations hold a lease that their judge would accept.
fn one_incarnation(world: &World, state: &State) -> bool {
    match world.mode {
        Mode::Witnessed => !state.just.superseded_confirmed,
        Mode::Leased => {
            let mut holders = state.boxes.iter().filter(|tsu| tsu.lease.is_some());
            let first = holders.next().map(|tsu| tsu.incarnation);
            holders.all(|tsu| Some(tsu.incarnation) == first)
        }
    }
}
