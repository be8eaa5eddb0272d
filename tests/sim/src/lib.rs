//! The simulator: the cores that ship, in a seeded world, with an oracle that knows the true time.
//!
//! | module | what it holds |
//! |---|---|
//! | [`world`] | the queue of events: boxes, network, disks, sources and what goes wrong with them |
//! | [`tsu`], [`monitor`] | one run of each process: its core, and as little of a shell as it needs |
//! | [`clock`] | the truth, and the clocks of a box |
//! | [`oracle`] | what must never happen, and how near it came |

pub mod boxlog;
pub mod clock;
pub mod controls;
pub mod dice;
pub mod figures;
pub mod monitor;
pub mod oracle;
pub mod trace;
pub mod tsu;
pub mod world;
