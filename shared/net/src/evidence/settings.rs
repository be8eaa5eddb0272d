//! What a log is opened with.

use chronolease_core::evidence::TreeHead;

use super::format::{COMMIT_FRAME_BYTES, HEADER_BYTES};

/// The figures of a log.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The log's name, as its checkpoints bear it. It never changes.
    pub origin: String,
    /// How large a segment is made, in bytes.
    pub segment_bytes: u64,
    /// After how many seconds a segment with commits is closed, by the clock of [`Seconds`].
    pub segment_age_s: u64,
    /// How many bytes must stay available on the disk when a segment has been made.
    pub reserve_bytes: u64,
    /// How many groups of entries may wait.
    pub queue_groups: usize,
    /// How many entries a batch holds at most.
    pub batch_entries: usize,
    /// How many bytes the leaf frames of a batch take at most. An entry that needs more by itself
    /// is refused when it is appended.
    pub batch_bytes: u64,
}

/// Why settings make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsFault {
    /// The origin is empty.
    #[error("the log has no origin")]
    Origin,
    /// A figure is zero.
    #[error("{0} is 0")]
    Zero(&'static str),
    /// A segment must be able to hold the longest batch.
    #[error("a segment of {segment_bytes} bytes cannot hold every batch: at least {least_bytes}")]
    Segment {
        /// The setting.
        segment_bytes: u64,
        /// The least that works.
        least_bytes: u64,
    },
}

impl Settings {
    /// The usual figures: segments of 64 MiB and a day, 256 MiB in reserve, 1024 groups waiting,
    /// batches of 1024 entries or 1 MiB.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            segment_bytes: 64 << 20,
            segment_age_s: 86_400,
            reserve_bytes: 256 << 20,
            queue_groups: 1024,
            batch_entries: 1024,
            batch_bytes: 1 << 20,
        }
    }

    /// Checks the figures against each other.
    pub(super) fn check(&self) -> Result<(), SettingsFault> {
        if self.origin.is_empty() {
            return Err(SettingsFault::Origin);
        }
        if self.queue_groups == 0 {
            return Err(SettingsFault::Zero("queue_groups"));
        }
        if self.batch_entries == 0 {
            return Err(SettingsFault::Zero("batch_entries"));
        }
        if self.batch_bytes == 0 {
            return Err(SettingsFault::Zero("batch_bytes"));
        }
        let others = HEADER_BYTES + COMMIT_FRAME_BYTES;
        let least_bytes = self.batch_bytes.saturating_add(others);
        if self.segment_bytes < least_bytes {
            return Err(SettingsFault::Segment { segment_bytes: self.segment_bytes, least_bytes });
        }
        Ok(())
    }
}

/// Yields seconds on a clock that tells the age of segments and nothing else; the writer asks it at
/// each batch. When the clock jumps, a segment is closed early or late, no more.
pub type Seconds = Box<dyn FnMut() -> u64 + Send>;

/// A tree that is known to have been: from the log's own newest checkpoint, or the peer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who knows, for the message: "own checkpoint".
    pub witness: String,
    /// The tree.
    pub tree: TreeHead,
}
