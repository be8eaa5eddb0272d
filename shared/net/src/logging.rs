//! Structured logs on stderr, one line an event. They help an operator; evidence is kept apart.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is no filter of `tracing-subscriber`.
    #[error("{level:?} is not a log level: {source}")]
    Level {
        /// What was asked for.
        level: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Logging was started before.
    #[error("logging was started twice")]
    Twice,
}

/// Starts logging for the whole process. `level` is one of `error`, `warn`, `info`, `debug` and
/// `trace`, or a list of directives such as `info,chronolease_tsu=debug`.
///
/// # Errors
/// [`LoggingError`] when `level` is not understood or logging was started before.
pub fn init(level: &str) -> Result<(), LoggingError> {
    tracing_subscriber::fmt()
        .with_env_filter(filter(level)?)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .compact()
        .try_init()
        .map_err(|_| LoggingError::Twice)
}

fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    EnvFilter::try_new(level)
        .map_err(|source| LoggingError::Level { level: level.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_understood() {
        assert!(filter("info").is_ok());
        assert!(filter("info,chronolease_tsu=debug").is_ok());
    }

    #[test]
    fn a_wrong_directive_is_named() {
        let error = filter("info,chronolease_tsu=loud").expect_err("there is no such level");
        assert!(error.to_string().contains("chronolease_tsu=loud"), "{error}");
    }
}
