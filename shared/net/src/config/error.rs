//! What is wrong, and where.

use core::fmt;
use std::path::PathBuf;

/// The exit status of a process whose configuration is refused (`EX_CONFIG` of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// A place in a file; both numbers count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, as the operator named it; without a position when the whole file is meant.
    File {
        /// The file.
        path: PathBuf,
        /// Where in it.
        at: Option<Position>,
    },
    /// An environment variable, with its full name.
    Env {
        /// The name, prefix included.
        variable: String,
    },
}

impl fmt::Display for Origin {
    /// `tsu.toml:12:1`, `tsu.toml` or `CHRONOLEASE_TSU_LEASE__TTL`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, at: Some(Position { line, column }) } => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Self::File { path, at: None } => write!(f, "{}", path.display()),
            Self::Env { variable } => f.write_str(variable),
        }
    }
}

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where the mistake stands. For a value that is missing: the table that lacks it.
    pub origin: Origin,
    /// The key, as `source[2].address` (elements count from 0); empty when no key is concerned.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ConfigError {
    /// `tsu.toml:12:1: lease.ttl: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.origin, self.message)
        } else {
            write!(f, "{}: {}: {}", self.origin, self.key, self.message)
        }
    }
}

impl std::error::Error for ConfigError {}

/// Every mistake found: at least one, in the order of the layers and lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub(super) Vec<ConfigError>);

impl ConfigErrors {
    /// The mistakes.
    #[must_use]
    pub fn as_slice(&self) -> &[ConfigError] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    /// One mistake per line, then their number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.0 {
            writeln!(f, "{error}")?;
        }
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} error{plural} in the configuration", self.0.len())
    }
}

impl std::error::Error for ConfigErrors {}
