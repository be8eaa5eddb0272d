//! Box B: the monitor.
//!
//! `core` is pure: NTP exchanges, the view of UTC, the assessment of a TSU and the lease
//! authority. `io` moves bytes: NTP sockets, the links to the TSUs, the admin listener. `start`
//! puts them together.

pub mod commission;
pub mod config;
pub mod core;
pub mod io;
pub mod probe;
pub mod start;
mod trust;
