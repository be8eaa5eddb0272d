//! What both boxes need around their cores: links, configuration, metrics and the process frame.
//!
//! | module | what it holds |
//! |---|---|
//! | [`build`] | version and build id |
//! | [`clock_reader`] | listening to the clock reader |
//! | [`config`] | layered TOML that reports every mistake at once |
//! | [`daemon`] | how a daemon fails to start |
//! | [`durable`] | small files that survive a crash whole or not at all |
//! | [`evidence`] | the evidence log on disk: append, recover, read |
//! | [`exchange`] | the checkpoints of both boxes' logs, offered and vouched for |
//! | [`frame`] | length-prefixed messages with a size bound |
//! | [`keys`] | Ed25519 keys that sign and check evidence |
//! | [`logging`] | structured logs on stderr |
//! | [`observe`] | the listener for `/metrics`, `/livez` and `/readyz` |
//! | [`profile`] | the figures of a lease, read and checked |
//! | [`random`] | the operating system's randomness |
//! | [`recorder`] | the evidence log as a daemon uses it |
//! | [`shutdown`] | SIGINT and SIGTERM as one token |
//! | [`tls`] | TLS 1.3 with pinned keys on both sides |
//! | [`watchdog`] | a loop that stands still ends its process, and the service manager hears of one that turns |

pub mod build;
pub mod clock_reader;
pub mod config;
mod crowd;
pub mod daemon;
pub mod durable;
pub mod evidence;
pub mod exchange;
pub mod frame;
pub mod keys;
pub mod logging;
pub mod observe;
pub mod profile;
pub mod random;
pub mod recorder;
#[cfg(test)]
mod scratch;
pub mod shutdown;
pub mod tls;
pub mod watchdog;
