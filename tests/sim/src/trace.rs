//! The history of a world in lines, hashed and, when asked for, printed.

use sha2::{Digest, Sha256};

use crate::clock::Instant;

/// The history.
#[derive(Debug, Default)]
pub struct Trace {
    hash: Sha256,
    print: bool,
}

impl Trace {
    /// A history that is printed, or not.
    #[must_use]
    pub fn new(print: bool) -> Self {
        Self { hash: Sha256::new(), print }
    }

    /// Something happened.
    pub fn line(&mut self, now: Instant, line: impl FnOnce() -> String) {
        let line = format!("{:>11} {}", Seconds(now), line());
        self.hash.update(line.as_bytes());
        if self.print {
            println!("{line}");
        }
    }

    /// Over all lines.
    #[must_use]
    pub fn hash(self) -> String {
        self.hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// An instant in seconds.
struct Seconds(Instant);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000_000, self.0 / 1_000 % 1_000_000);
        f.pad(&format!("{seconds}.{micros:06}"))
    }
}
