//! The frame of a daemon: its runtime, how it fails to start, and its exit codes.

use std::fmt::Display;
use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

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

    /// What this key of the configuration names is not fit; for `map_err`.
    pub fn of<E: Display>(key: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Config(format!("{key}: {error}"))
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

/// The runtime of a daemon that also has threads of its own: those that sign, those that write.
///
/// It takes half of the processors. One more thread to wake costs more than most of what there is
/// to do at a time, so connections and the core loop had better share theirs.
///
/// # Errors
/// [`DaemonError::Failed`] when the operating system gives no threads.
pub fn runtime() -> Result<Runtime, DaemonError> {
    let processors = chronolease_sys::usable_processors().map_err(DaemonError::failed)?.len();
    let threads = (processors / 2).max(1);
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    runtime.map_err(DaemonError::failed)
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
