//! Box A: the time-stamping unit.
//!
//! `core` is pure: requests, tokens, the lease it holds and the issuing pipeline as a state
//! machine. `io` moves bytes: the HTTP endpoint, the signer and the link to the monitor. `start`
//! puts them together.

pub mod config;
pub mod core;
pub mod io;
pub mod start;
