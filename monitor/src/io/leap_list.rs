//! The file with the list of leap seconds: read at the start, and again while the monitor runs.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::leap::list::{BYTES_MAX, LeapList, ListError};
use chronolease_core::time::{Bound, RawInstant};
use tracing::{error, info};

/// How often the file is looked at.
pub const POLL: Bound = Bound::from_millis(5_000);

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum ListFileError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no sound list.
    #[error("{path}: {source}")]
    List {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: ListError,
    },
}

/// Reads a list. With a `pin`, SHA-256 over the file must be that.
///
/// # Errors
/// [`ListFileError`]; such a list counts as missing.
pub fn load(path: &Path, pin: Option<&Hash>) -> Result<LeapList, ListFileError> {
    let bytes =
        read(path).map_err(|source| ListFileError::Read { path: path.to_owned(), source })?;
    LeapList::parse(&bytes, pin)
        .map_err(|source| ListFileError::List { path: path.to_owned(), source })
}

/// Where the list is, and what was found there last.
#[derive(Debug, Default)]
pub struct ListFile {
    path: Option<PathBuf>,
    pin: Option<Hash>,
    polled: Option<RawInstant>,
    /// What the file was found to be, or what was wrong: only what is new is told.
    found: Option<Result<Hash, String>>,
}

impl ListFile {
    /// The configured file, if there is one, which must be this very one when it is pinned.
    #[must_use]
    pub const fn new(path: Option<PathBuf>, pin: Option<Hash>) -> Self {
        Self { path, pin, polled: None, found: None }
    }

    /// Looks at the file when that is due. `Some` when the list in force is another one now;
    /// `Some(None)` when there is none any more: it is missing, or was refused.
    pub fn poll(&mut self, now: RawInstant) -> Option<Option<LeapList>> {
        let path = self.path.as_ref()?;
        if self.polled.is_some_and(|polled| (now - polled).magnitude() < POLL) {
            return None;
        }
        self.polled = Some(now);
        let loaded = tokio::task::block_in_place(|| load(path, self.pin.as_ref()));
        let found = match &loaded {
            Ok(list) => Ok(*list.digest()),
            Err(why) => Err(why.to_string()),
        };
        if self.found.as_ref() == Some(&found) {
            return None;
        }
        match &found {
            Ok(sha256) => info!(file = %path.display(), %sha256, "the list of leap seconds"),
            Err(why) => error!(%why, "the list of leap seconds counts as missing"),
        }
        self.found = Some(found);
        Some(loaded.ok())
    }
}

/// At most a byte more than a list may have.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
