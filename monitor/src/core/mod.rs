//! The pure half of the monitor.

pub mod ntp;
