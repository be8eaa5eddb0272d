//! SIGINT and SIGTERM as one token that every task can wait for.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled at the first SIGINT or SIGTERM. Both are caught from this call on;
/// further ones change nothing. Must be called within a tokio runtime.
///
/// # Errors
/// When the operating system does not let the signals be caught.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        tracing::info!(signal = name, "shutting down");
        cancelled.cancel();
    });
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[tokio::test]
    async fn each_signal_cancels() {
        for name in ["INT", "TERM"] {
            let token = on_signal().expect("signals can be caught");
            assert!(!token.is_cancelled());
            let kill = format!("kill -{name} {}", std::process::id());
            assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
            token.cancelled().await;
        }
    }
}
