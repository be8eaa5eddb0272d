//! The clock reader: the one process of a box that asks the kernel about its clock.
//!
//! It reads the kernel's clock state, watches for somebody setting the clock, and tells everybody
//! who is connected to its Unix socket. It has no network and sets no clock.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | the configuration |
//! | [`core`] | readings become reports; pure |
//! | [`io`] | the socket, its listeners, the notices of the kernel |
//! | [`start`] | puts it together and runs it |

pub mod config;
pub mod core;
pub mod io;
pub mod start;
