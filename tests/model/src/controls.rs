//! The negative controls: a world, one thing broken in it, and the property that must fail.

use crate::properties::{P1, P3_ONE, P3_SERIAL, P4, P4_ACK, WINDOW};
use crate::world::{Control, Faults, Figures, World};
use crate::worlds::{
    LEASED_CLOCKS, LEASED_COPIES, LEASED_NETWORK, LEASED_SAMPLING, WITNESS_ALONE, WITNESSED_BUDGET,
    WITNESSED_CLOCKS, WITNESSED_CLONE, WITNESSED_NETWORK, WITNESSED_ROLLBACK,
};

/// A counterexample must be found within so many generated states.
pub const STATES_MAX: usize = 4_000_000;

/// One thing broken, and what must come of it.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    /// What is broken.
    pub what: &'static str,
    /// The sound world; searched as far as the broken one it must keep the property.
    pub sound: World,
    /// The same with one thing broken.
    pub world: World,
    /// The property that must fail.
    pub property: &'static str,
}

const fn control(
    what: &'static str,
    sound: World,
    broken: &'static [Control],
    property: &'static str,
) -> Broken {
    Broken { what, sound, world: World { name: what, broken, ..sound }, property }
}

const fn fault(what: &'static str, sound: World, faults: Faults, property: &'static str) -> Broken {
    Broken { what, sound, world: World { name: what, faults, ..sound }, property }
}

const fn short(what: &'static str, sound: World, property: &'static str) -> Broken {
    let figures = Figures { accuracy: sound.figures.accuracy - 1, ..sound.figures };
    Broken { what, sound, world: World { name: what, figures, ..sound }, property }
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Broken> {
    use Control as C;
    let frozen = Faults { freeze: 4, ..LEASED_CLOCKS.faults };
    let clone_leased = World {
        figures: Figures { drift: 0, ..LEASED_CLOCKS.figures },
        faults: Faults { clock: 0, cuts: true, clone: true, ..Faults::NONE },
        batches: Some(2),
        ..LEASED_CLOCKS
    };
    let single = World { faults: Faults { clone: false, ..clone_leased.faults }, ..clone_leased };
    vec![
        control("check-then-read", LEASED_CLOCKS, &[C::CheckThenRead], P1),
        control("no-guard", LEASED_CLOCKS, &[C::NoGuard], P1),
        fault("freeze-in-leased-mode", LEASED_CLOCKS, frozen, P1),
        control("stale-sample", LEASED_CLOCKS, &[C::StaleSample], P1),
        control("stale-now", WITNESSED_CLOCKS, &[C::StaleNow], P1),
        control("both-wrong-alike-leased", LEASED_CLOCKS, &[C::BothWrongAlike], P1),
        control("both-wrong-alike-witnessed", WITNESSED_CLOCKS, &[C::BothWrongAlike], P1),
        short("leased-budget-short-by-one", LEASED_CLOCKS, P1),
        short("witnessed-budget-short-by-one", WITNESSED_BUDGET, WINDOW),
        control("any-bracket", LEASED_SAMPLING, &[C::AnyBracket], P1),
        control("any-nonce", LEASED_CLOCKS, &[C::AnyNonce], P1),
        control("any-deviation", LEASED_CLOCKS, &[C::AnyDeviation], P1),
        control("ttl-from-arrival", LEASED_NETWORK, &[C::TtlFromArrival], P4),
        control("no-second-look", LEASED_NETWORK, &[C::NoSecondLook], P4_ACK),
        control("no-wait-after-restart", LEASED_COPIES, &[C::NoWaitAfterRestart], P3_ONE),
        Broken {
            what: "clone-in-leased-mode",
            sound: single,
            world: World { name: "clone-in-leased-mode", ..clone_leased },
            property: P3_SERIAL,
        },
        control("no-window", WITNESS_ALONE, &[C::NoGuard, C::AnyDeviation, C::NoWindow], P1),
        control("wide-window", WITNESS_ALONE, &[C::NoGuard, C::AnyDeviation, C::WideWindow], P1),
        control("no-interval", WITNESS_ALONE, &[C::NoGuard, C::AnyDeviation, C::NoInterval], P1),
        control("no-wait-for-the-witness", WITNESSED_CLOCKS, &[C::NoWait], P1),
        control("confirms-revoked", WITNESSED_NETWORK, &[C::ConfirmsRevoked], P4),
        control("no-fence", WITNESSED_CLONE, &[C::NoFence], P3_SERIAL),
        control(
            "no-check-at-call-and-any-log",
            WITNESSED_CLONE,
            &[C::NoCheckAtCall, C::AnyLog],
            P3_SERIAL,
        ),
        control("no-fence-after-rollback", WITNESSED_ROLLBACK, &[C::NoFence], P3_SERIAL),
    ]
}
