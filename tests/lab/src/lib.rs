//! The lab: time sources that can be told to lie, throw-away keys, and the demo.
//!
//! | module | what it holds |
//! |---|---|
//! | [`layout`] | which file and which port is what |
//! | [`mod@init`] | writes a lab directory: configuration, keys and certificates |
//! | [`ntp`] | one NTP server with knobs |
//! | [`config`] | `lab.toml` |
//! | [`sources`] | all servers of a lab and the listener that turns their knobs |
//! | [`demo`] | the lab, a monitor and a TSU, with a guide of what to try |
//!
//! The NTP packets are built here byte by byte and share nothing with the monitor's codec, so that
//! a test between the two cannot pass because both err alike.

pub mod config;
pub mod demo;
pub mod init;
pub mod layout;
pub mod ntp;
pub mod sources;
#[cfg(test)]
mod testing;

pub use init::{Accuracy, InitError, init};
pub use layout::{Laboratory, Layout, Ports, SOURCES};
