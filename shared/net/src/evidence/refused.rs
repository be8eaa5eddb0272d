//! Why a log is not opened, and why an entry is not appended.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::{LeafIndex, TreeSize};

use super::settings::SettingsFault;

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What the files hold cannot be trusted. Latches: nothing but a new epoch helps.
    #[error("the evidence log is refused: {0}")]
    Refused(#[from] Refused),
    /// Another writer has the log open.
    #[error("the evidence log in {} is open already", .0.display())]
    Locked(PathBuf),
    /// There is no room for the first segment.
    #[error("no room for the first segment of the evidence log")]
    Full,
    /// A setting makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsFault),
    /// The file system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// At which file or folder.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
}

/// What is wrong with a log. A segment is named by its first leaf, an offset counts bytes from the
/// start of its file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A write or fdatasync failed once.
    #[error("it was poisoned: {0}")]
    Poisoned(String),
    /// There is no segment at all.
    #[error("there is no log")]
    Absent,
    /// A log was to be made where one is.
    #[error("there is a log already")]
    Present,
    /// A file that no writer puts there.
    #[error("unknown file {0:?} among the segments")]
    UnknownFile(String),
    /// A segment is missing, or one too many is there.
    #[error("the segment of leaf {expected} is missing, that of leaf {found} comes next")]
    Gap {
        /// Which should have come.
        expected: LeafIndex,
        /// Which came.
        found: LeafIndex,
    },
    /// A segment's header is not what it must be.
    #[error("segment {segment}: {fault}")]
    Header {
        /// Which segment.
        segment: LeafIndex,
        /// What is wrong.
        fault: HeaderFault,
    },
    /// A segment's file is neither as long as it was made nor cut at its last commit.
    #[error("segment {segment} is {length_bytes} bytes long, made with {capacity_bytes}")]
    Length {
        /// Which segment.
        segment: LeafIndex,
        /// The length of the file.
        length_bytes: u64,
        /// Its length when it was made.
        capacity_bytes: u64,
    },
    /// A whole frame follows bytes that are none: no crash does that.
    #[error("segment {segment}: a whole frame at {frame_at} after a damage at {damage_at}")]
    FrameAfterDamage {
        /// Which segment.
        segment: LeafIndex,
        /// The first byte that is no frame.
        damage_at: u64,
        /// The first whole frame after it.
        frame_at: u64,
    },
    /// A segment that another follows does not end with a commit.
    #[error("segment {segment}: {bytes} bytes after the last commit, yet another segment follows")]
    Unfinished {
        /// Which segment.
        segment: LeafIndex,
        /// How many bytes, beyond those that the next segment accounts for.
        bytes: u64,
    },
    /// A commit is not what it must be.
    #[error("segment {segment}: the commit at {offset}: {fault}")]
    Commit {
        /// Which segment.
        segment: LeafIndex,
        /// Where its frame begins.
        offset: u64,
        /// What is wrong.
        fault: CommitFault,
    },
    /// The tree is smaller than one that is known to have been.
    #[error("{size} leaves, but {witness} knows of {known}")]
    Smaller {
        /// Whose knowledge it is.
        witness: String,
        /// The size found.
        size: TreeSize,
        /// The size known.
        known: TreeSize,
    },
    /// The tree had another root than the one that is known.
    #[error("at {size} leaves the root is {root}, but {witness} knows of {known}")]
    OtherRoot {
        /// Whose knowledge it is.
        witness: String,
        /// At which size.
        size: TreeSize,
        /// The root found.
        root: Hash,
        /// The root known.
        known: Hash,
    },
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// The file ends within it.
    #[error("the header is cut short")]
    Short,
    /// It begins with something else.
    #[error("not a segment")]
    Magic,
    /// A version that this program does not know.
    #[error("format version {0}")]
    Version(u32),
    /// The checksum does not fit.
    #[error("the header's checksum does not fit")]
    Checksum,
    /// The log of another origin.
    #[error("the segment of another log")]
    Origin,
    /// Its first leaf is not the one in its name.
    #[error("the header names another first leaf than the file name")]
    First,
    /// The root of all before is another.
    #[error("it follows a tree with another root")]
    Root,
    /// The last commit before is another.
    #[error("it follows another commit")]
    Previous,
}

/// What is wrong with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitFault {
    /// The payload has another shape.
    #[error("malformed")]
    Malformed,
    /// It names another first leaf.
    #[error("wrong first leaf")]
    First,
    /// It counts other leaves than stand before it, or none.
    #[error("wrong count")]
    Count,
    /// It names another tree size.
    #[error("wrong size")]
    Size,
    /// The leaves yield another root.
    #[error("wrong root")]
    Root,
    /// It follows another commit, or another header.
    #[error("wrong commit or header before")]
    Previous,
}

/// Why entries were not appended. Nobody may act as if they were on record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk is full. Appending works again as soon as there is room.
    #[error("no room for the next segment of the evidence log")]
    Full,
    /// A write or fdatasync failed; nothing will ever be appended to this log again.
    #[error("the evidence log is poisoned: {0}")]
    Poisoned(Arc<str>),
    /// The queue is full.
    #[error("the evidence log is busy")]
    Busy,
    /// The log was closed.
    #[error("the evidence log is closed")]
    Closed,
    /// Nothing was given to append.
    #[error("nothing to append")]
    Empty,
    /// More than one batch may hold.
    #[error("{entries} entries of {bytes} bytes in all do not fit in one batch")]
    TooLarge {
        /// How many entries.
        entries: usize,
        /// The length of their frames.
        bytes: u64,
    },
}
