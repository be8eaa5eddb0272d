//! The worlds that must hold.

use crate::world::{Control, Faults, Figures, Mode, World};

/// Leased: E0 1, G 1, rho*TTL 1 make 3 of A 3.
const LEASED: Figures = Figures {
    accuracy: 3,
    grant_within: 1,
    revoke_beyond: 2,
    guard: 1,
    drift: 1,
    bracket: 0,
    resolution: 0,
    interval_max: 0,
    queue_max: 0,
    ttl: 2,
};

const WITNESSED: Figures = Figures {
    accuracy: 2,
    grant_within: 0,
    revoke_beyond: 1,
    guard: 0,
    drift: 0,
    interval_max: 1,
    ..LEASED
};

const NOTHING: World = World {
    name: "",
    explores: "",
    mode: Mode::Leased,
    figures: LEASED,
    faults: Faults::NONE,
    lanes: 1,
    batches: None,
    checks_window: false,
    must_rearm: false,
    broken: &[],
};

/// Leased, clocks.
pub const LEASED_CLOCKS: World = World {
    name: "leased-clocks",
    explores: "slews, steps and drift of box A; revocations",
    faults: Faults { clock: 4, revocations: true, ..Faults::NONE },
    ..NOTHING
};

/// Leased, sampling.
pub const LEASED_SAMPLING: World = World {
    name: "leased-sampling",
    explores: "pauses within a sample, and times cut to the resolution",
    figures: Figures {
        accuracy: 3,
        grant_within: 0,
        guard: 0,
        drift: 0,
        bracket: 1,
        resolution: 1,
        ttl: 3,
        ..LEASED
    },
    faults: Faults { clock: 5, ..Faults::NONE },
    ..NOTHING
};

/// Leased, network.
pub const LEASED_NETWORK: World = World {
    name: "leased-network",
    explores: "loss, delay, duplication and reordering; cuts; revocations; two batches in flight",
    faults: Faults { duplicates: true, cuts: true, revocations: true, ..Faults::NONE },
    lanes: 2,
    ..NOTHING
};

/// Leased, crashes.
pub const LEASED_CRASHES: World = World {
    name: "leased-crashes",
    explores: "crash and restart of TSU and monitor",
    faults: Faults { cuts: true, crashes: 1, monitor_crashes: 1, ..Faults::NONE },
    ..NOTHING
};

/// Leased, copies.
pub const LEASED_COPIES: World = World {
    name: "leased-copies",
    explores: "a copied state directory started on another box; restart of the monitor",
    faults: Faults { clone: true, monitor_crashes: 1, ..Faults::NONE },
    ..NOTHING
};

/// Leased, small enough to be searched to its end in every run.
pub const LEASED_CORE: World = World {
    name: "leased-core",
    explores: "slews, steps and revocations, to the last state",
    figures: Figures { accuracy: 1, grant_within: 0, drift: 0, ttl: 1, ..LEASED },
    faults: Faults { clock: 2, revocations: true, ..Faults::NONE },
    must_rearm: true,
    ..NOTHING
};

/// Witnessed, small enough to be searched to its end in every run.
pub const WITNESSED_CORE: World = World {
    name: "witnessed-core",
    explores: "slews, steps, freezes and revocations, to the last state",
    mode: Mode::Witnessed,
    figures: Figures { accuracy: 1, interval_max: 0, ttl: 1, ..WITNESSED },
    faults: Faults { clock: 2, freeze: 2, revocations: true, ..Faults::NONE },
    must_rearm: true,
    ..NOTHING
};

/// Witnessed, without any guard.
pub const WITNESS_ALONE: World = World {
    name: "witness-alone",
    explores: "slews, steps and freezes of box A without guard and verdict: P1 from the witness alone",
    mode: Mode::Witnessed,
    figures: WITNESSED,
    faults: Faults { clock: 4, freeze: 4, ..Faults::NONE },
    broken: &[Control::NoGuard, Control::AnyDeviation],
    ..NOTHING
};

/// Witnessed, everything of the clocks.
pub const WITNESSED_CLOCKS: World = World {
    name: "witnessed-clocks",
    explores: "slews, steps, drift and freezes of box A",
    mode: Mode::Witnessed,
    figures: Figures { guard: 1, drift: 1, grant_within: 1, ..WITNESSED },
    faults: Faults { clock: 4, freeze: 3, ..Faults::NONE },
    ..NOTHING
};

/// Witnessed budget.
pub const WITNESSED_BUDGET: World = World {
    name: "witnessed-budget",
    explores: "whether the budget lets every sound and timely batch pass",
    mode: Mode::Witnessed,
    figures: Figures {
        accuracy: 7,
        grant_within: 1,
        guard: 1,
        drift: 1,
        resolution: 1,
        interval_max: 1,
        queue_max: 1,
        ..LEASED
    },
    faults: Faults { clock: 3, ..Faults::NONE },
    checks_window: true,
    ..NOTHING
};

/// Witnessed network.
pub const WITNESSED_NETWORK: World = World {
    name: "witnessed-network",
    explores: "loss, delay, duplication and reordering; cuts; revocations; two batches in flight",
    mode: Mode::Witnessed,
    figures: Figures { accuracy: 1, interval_max: 0, ..WITNESSED },
    faults: Faults { duplicates: true, cuts: true, revocations: true, ..Faults::NONE },
    lanes: 2,
    ..NOTHING
};

/// Witnessed crashes.
pub const WITNESSED_CRASHES: World = World {
    name: "witnessed-crashes",
    explores: "crash and restart of TSU and monitor",
    mode: Mode::Witnessed,
    figures: Figures { accuracy: 1, interval_max: 0, drift: 1, ..WITNESSED },
    faults: Faults { cuts: true, crashes: 1, monitor_crashes: 1, ..Faults::NONE },
    ..NOTHING
};

/// Witnessed clone.
pub const WITNESSED_CLONE: World = World {
    name: "witnessed-clone",
    explores: "a running clone, or a copied state directory started on another box",
    mode: Mode::Witnessed,
    figures: Figures { accuracy: 1, interval_max: 0, ..WITNESSED },
    faults: Faults { cuts: true, clone: true, ..Faults::NONE },
    batches: Some(3),
    ..NOTHING
};

/// Witnessed rollback.
pub const WITNESSED_ROLLBACK: World = World {
    name: "witnessed-rollback",
    explores: "box A or its state directory restored from a copy",
    mode: Mode::Witnessed,
    figures: Figures { accuracy: 1, interval_max: 0, ..WITNESSED },
    faults: Faults { cuts: true, rollback: true, ..Faults::NONE },
    batches: Some(3),
    ..NOTHING
};

/// Monitor wrong alone.
pub const MONITOR_WRONG: World = World {
    name: "monitor-wrong",
    explores: "an interval of the monitor that misses UTC, with a sound box A",
    mode: Mode::Witnessed,
    figures: Figures { drift: 1, ..WITNESSED },
    faults: Faults { monitor_wrong: 5, ..Faults::NONE },
    ..NOTHING
};

/// All of them.
pub const ALL: [World; 15] = [
    LEASED_CORE,
    LEASED_CLOCKS,
    LEASED_SAMPLING,
    LEASED_NETWORK,
    LEASED_CRASHES,
    LEASED_COPIES,
    WITNESSED_CORE,
    WITNESS_ALONE,
    WITNESSED_CLOCKS,
    WITNESSED_BUDGET,
    WITNESSED_NETWORK,
    WITNESSED_CRASHES,
    WITNESSED_CLONE,
    WITNESSED_ROLLBACK,
    MONITOR_WRONG,
];
