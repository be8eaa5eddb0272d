//! The frame of a daemon: how it fails to start, and its exit codes.

use std::fmt::Display;
use std::process::ExitCode;

use crate::config::{ConfigErrors, EXIT_CONFIG};

/// Why a daemon does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration, or something that it names, is not fit. Exit code 78 (EX_CONFIG), so
    /// that a service manager does not try again.
    #[error("{0}")]
    Config(String),
    /// Anything else. Exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl From<ConfigErrors> for DaemonError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors.to_string())
    }
}

impl DaemonError {
    /// Something that the configuration names is not fit.
    pub fn config(error: impl Display) -> Self {
        Self::Config(error.to_string())
    }

    /// Something else failed.
    pub fn failed(error: impl Display) -> Self {
        Self::Failed(error.to_string())
    }

    const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => EXIT_CONFIG,
            Self::Failed(_) => 1,
        }
    }
}

/// The exit code of a daemon, with its last words on stderr.
pub fn exit(name: &str, result: Result<(), DaemonError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
