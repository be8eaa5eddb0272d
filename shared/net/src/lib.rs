//! What both boxes need around their cores: links, configuration, metrics and the process frame.
//!
//! | module | what it holds |
//! |---|---|
//! | [`build`] | version and build id |
//! | [`config`] | layered TOML that reports every mistake at once |
//! | [`durable`] | small files that survive a crash whole or not at all |
//! | [`frame`] | length-prefixed messages with a size bound |
//! | [`logging`] | structured logs on stderr |
//! | [`observe`] | the listener for `/metrics`, `/livez` and `/readyz` |
//! | [`random`] | the operating system's randomness |
//! | [`shutdown`] | SIGINT and SIGTERM as one token |
//! | [`tls`] | TLS 1.3 with pinned keys on both sides |

pub mod build;
pub mod config;
pub mod durable;
pub mod frame;
pub mod logging;
pub mod observe;
pub mod random;
pub mod shutdown;
pub mod tls;
