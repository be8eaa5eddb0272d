//! A new beginning, agreed by two persons, after a rollback, a fork, a lost disk or a replaced box
//! (design 5.10). The daemon must be stopped: the log's lock sees to it.
//!
//! [`own`] seals this box's log and begins the next one with the sealed head. [`peer`] puts on
//! record that this box goes on with another log of its peer, and says what it has vouched for of
//! the old one.

mod own;
mod peer;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use chronolease_core::evidence::note::KeyName;

use super::{PeerTrouble, SealedError};
use crate::evidence::{OpenError, PeerError};
use crate::keys::KeyError;
use crate::recorder::RecorderError;

pub use own::{Begun, own};
pub use peer::peer;

/// The longest text of an operator, in characters.
const TEXT_MAX: usize = 1_000;

/// What the operators say, as the options of `re-pair` give it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Why.
    pub reason: String,
    /// Which two persons agreed to it.
    pub by: Vec<String>,
    /// The file with the newest note of this box's old log that the peer has vouched for.
    pub sealed: Option<PathBuf>,
    /// What is missing is lost for good.
    pub nothing_known: bool,
    /// The name of the old log.
    pub old_origin: Option<String>,
}

/// Why no new epoch begins. Without a failure of the file system nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// One person named twice is one person.
    #[error("two different persons must agree: give --by twice, with two names")]
    TwoPersons,
    /// A text is empty, has control characters, or is too long.
    #[error("{0}: 1 to {TEXT_MAX} characters in one line are needed")]
    Text(&'static str),
    /// It is no name of a log.
    #[error("--old-origin: {} is needed", crate::recorder::ORIGIN)]
    Name,
    /// This box's key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The configuration still names the old log.
    #[error(
        "{0} is the name of the log that would be sealed: the new one needs a name of its own. \
         Write it into the configuration first, of both boxes"
    )]
    SameOrigin(KeyName),
    /// It is not known how far the old log went.
    #[error(
        "no checkpoint of the old log is known. Take what the other box has vouched for: its \
         re-pair peer prints it, --sealed takes it. Only if it never vouched for anything: \
         --nothing-known, with --old-origin"
    )]
    NothingKnown,
    /// It is not known what this box has vouched for.
    #[error(
        "it is not known what this box has vouched for of its peer's log {0}. Only if that is lost \
         for good: --nothing-known"
    )]
    PeerUnknown(KeyName),
    /// The checkpoint of the old log cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] SealedError),
    /// A checkpoint of another log than the one that is there.
    #[error("the log in {} is not {origin}", .folder.display())]
    OtherLog {
        /// Where the log is.
        folder: PathBuf,
        /// What the checkpoint, or the operator, calls it.
        origin: KeyName,
    },
    /// An earlier new beginning stands half made, in another name.
    #[error(
        "{} was begun under another name than {origin}: finish that one first",
        .folder.display()
    )]
    Unfinished {
        /// Where it is.
        folder: PathBuf,
        /// What the configuration calls the log.
        origin: KeyName,
    },
    /// It cannot be told which log of the peer is given up.
    #[error("which log of the peer is given up? Of these --old-origin names one: {0:?}")]
    WhichOld(String),
    /// The state of a peer cannot be used.
    #[error(transparent)]
    Peer(#[from] PeerTrouble),
    /// The old log cannot be had: a daemon runs, or it cannot be read.
    #[error(transparent)]
    Old(#[from] OpenError),
    /// The new log, or the record in it, cannot be made.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The file system failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// At which file or folder.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
}

/// What a run of [`own`] that was cut short has left of the log in `dir`.
pub(crate) fn unfinished(dir: &Path) -> Option<PathBuf> {
    Some(own::making(dir)).filter(|making| making.exists())
}

impl Told {
    /// Why and by whom, as it goes on record.
    fn agreement(&self) -> Result<String, EpochError> {
        let reason = text("--reason", &self.reason)?;
        let names = self.by.iter().map(|name| text("--by", name)).collect::<Result<Vec<_>, _>>()?;
        match names[..] {
            [one, other] if one.to_lowercase() != other.to_lowercase() => {
                Ok(format!("{reason} (agreed by {one} and {other})"))
            }
            _ => Err(EpochError::TwoPersons),
        }
    }

    fn old_origin(&self) -> Result<Option<KeyName>, EpochError> {
        let name = |name: &String| KeyName::new(name).ok_or(EpochError::Name);
        self.old_origin.as_ref().map(name).transpose()
    }
}

fn text<'a>(what: &'static str, given: &'a str) -> Result<&'a str, EpochError> {
    let given = given.trim();
    let fair = (1..=TEXT_MAX).contains(&given.chars().count());
    let fair = fair && !given.contains(char::is_control);
    if fair { Ok(given) } else { Err(EpochError::Text(what)) }
}

impl From<PeerError> for EpochError {
    fn from(error: PeerError) -> Self {
        Self::Peer(error.into())
    }
}
