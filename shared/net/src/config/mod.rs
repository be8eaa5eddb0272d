//! Layered TOML that reports every mistake at once.
//!
//! A [`Document`] merges the main file, the files of the directory beside it and the environment.
//! The process reads its values through [`Section`]s, adds the mistakes that only it can see
//! ([`Section::error`]), and [finishes](Document::finish): it gets its configuration, or all
//! mistakes of all layers, each with file, line, key and message. Keys that nobody asked for are
//! mistakes too. A value that a later layer replaces is never looked at.
//!
//! ```no_run
//! use chronolease_net::config::{ConfigErrors, Document};
//! # use std::path::Path;
//! # use chronolease_core::time::Bound;
//! # struct Config { ttl: Bound, listen: std::net::SocketAddr }
//! fn read(path: &Path) -> Result<Config, ConfigErrors> {
//!     let document = Document::load(path, "CHRONOLEASE_TSU_")?;
//!     let lease = document.root().section("lease");
//!     let ttl = lease.duration_or("ttl", Bound::from_millis(3_000));
//!     let listen = document.root().socket_addr("listen");
//!     if ttl == Some(Bound::ZERO) {
//!         lease.error("ttl", "a lease must last for some time");
//!     }
//!     document.finish(ttl.zip(listen).map(|(ttl, listen)| Config { ttl, listen }))
//! }
//! ```

mod document;
mod error;
mod layer;
mod path;
mod read;
mod section;
mod show;
#[cfg(test)]
mod tests;
mod unknown;
mod value;

pub use document::Document;
pub use error::{ConfigError, ConfigErrors, EXIT_CONFIG, Origin, Position};
pub use section::Section;
