//! The evidence log as a daemon uses it: opened with the daemon's start on record, written through
//! cheap handles, closed with its stop on record.

mod aside;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::leaf::{Event, Leaf, LeafError, Started, TornTail};
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::note::KeyName;
use chronolease_core::sample::Sample;
use chronolease_sys::Clocks;

use crate::config::Section;
use crate::evidence::{
    self, AppendError, Committed, Disk, Entry, Known, Log, OpenError, Owner, Pending, ReadError,
    Reader, Refused, Seconds, Settings, State,
};
use crate::exchange::{self, OwnLog, SealedError, epoch};
use crate::keys::EvidenceSigner;

pub use aside::{Aside, Kept};

/// What the name of a log must be, in words.
pub const ORIGIN: &str = "a log name of 1 to 100 visible ASCII characters without \"+\"";

/// How many leaves are looked at first from the end of a log; as many as can be under way at one
/// time lie well within.
const WINDOW_MIN: u64 = 16_384;

/// `[evidence]`: where the log is and how large its parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceConfig {
    /// The log's folder.
    pub dir: PathBuf,
    /// The log's name in its checkpoints; it never changes.
    pub origin: KeyName,
    /// The key that signs them and cosigns the peer's: Ed25519, PKCS#8 in PEM.
    pub key_file: PathBuf,
    /// The size of a segment, in bytes.
    pub segment_bytes: u64,
    /// What must stay free on the disk, in bytes.
    pub reserve_bytes: u64,
}

/// Why there is no log to record in.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The log does not open.
    #[error("{dir}: {source}")]
    Open {
        /// The log's folder.
        dir: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// The log's own newest checkpoint cannot be used.
    #[error("{dir}: {source}")]
    Checkpoint {
        /// The log's folder.
        dir: PathBuf,
        /// Why.
        source: SealedError,
    },
    /// The start could not be put on record.
    #[error("{dir}: the start cannot be recorded: {source}")]
    Start {
        /// The log's folder.
        dir: PathBuf,
        /// Why.
        source: RecordError,
    },
}

/// Why something is not on record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It has no leaf.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl RecordError {
    /// Whether the log will never take anything again.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Append(AppendError::Poisoned(_) | AppendError::Closed))
    }
}

impl EvidenceConfig {
    /// Reads the `[evidence]` section.
    #[must_use]
    pub fn read(section: &Section<'_>) -> Option<Self> {
        const MIB: i64 = 1 << 20;
        let dir = section.path("dir");
        let origin = section.parsed("origin", ORIGIN, KeyName::new);
        let key_file = section.existing_file("key_file");
        let segment_mib = section.integer_or("segment_mib", 2..=1_024, 64);
        let reserve_mib = section.integer_or("reserve_mib", 1..=65_536, 256);
        let bytes = |mib: i64| u64::try_from(mib.saturating_mul(MIB)).ok();
        Some(Self {
            dir: dir?,
            origin: origin?,
            key_file: key_file?,
            segment_bytes: bytes(segment_mib?)?,
            reserve_bytes: bytes(reserve_mib?)?,
        })
    }

    fn settings(&self) -> Settings {
        Settings {
            segment_bytes: self.segment_bytes,
            reserve_bytes: self.reserve_bytes,
            ..Settings::new(self.origin.as_str())
        }
    }
}

/// Makes the empty log of a new box. Never done at a start: a log that is gone must be noticed.
///
/// # Errors
/// [`RecorderError`] when there is a log already or it cannot be made.
pub fn commission(config: &EvidenceConfig, clocks: Clocks) -> Result<(), RecorderError> {
    if let Some(dir) = epoch::unfinished(&config.dir) {
        return Err(RecorderError::Open { dir, source: Refused::Present.into() });
    }
    create(config, &config.dir, clocks, Vec::new())
}

/// Makes a log in `folder` that begins with `events`.
pub(crate) fn create(
    config: &EvidenceConfig,
    folder: &Path,
    clocks: Clocks,
    events: Vec<Event>,
) -> Result<(), RecorderError> {
    let create = || {
        let owner = evidence::create(Arc::new(Disk), folder, config.settings(), seconds(clocks))
            .map_err(|source| RecorderError::Open { dir: folder.to_owned(), source })?;
        let recorder = Recorder::over(owner.log().clone());
        let begun = if events.is_empty() {
            Ok(())
        } else {
            let begun = recorder.submit(&clocks.sample(), events);
            begun.and_then(|pending| Ok(pending.committed_blocking().map(drop)?))
        };
        owner.close();
        begun.map_err(|source| RecorderError::Start { dir: folder.to_owned(), source })
    };
    // On a thread of its own, so that it may be called from anywhere, an async runtime included.
    let created = thread::scope(|scope| scope.spawn(create).join());
    created.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Puts one event on record in a log that no daemon has open.
pub(crate) fn append(
    config: &EvidenceConfig,
    signer: &EvidenceSigner,
    clocks: Clocks,
    event: Event,
) -> Result<(), RecorderError> {
    Evidence::open_with(config, signer, clocks, event).map(|evidence| evidence.owner.close())
}

/// An open log. It is closed by [`Evidence::close`].
#[derive(Debug)]
pub struct Evidence {
    owner: Owner,
    recorder: Recorder,
    origin: KeyName,
    dir: PathBuf,
}

/// A handle for recording. Clones share the log.
#[derive(Clone, Debug)]
pub struct Recorder {
    log: Log,
}

impl Evidence {
    /// Opens the log, checks all of it, its newest cosigned checkpoint included, and puts the
    /// start on record, with what a crash tore off. Blocks; call it outside the async runtime.
    ///
    /// # Errors
    /// [`RecorderError`] when the log cannot be trusted or cannot be written.
    pub fn open(
        config: &EvidenceConfig,
        signer: &EvidenceSigner,
        clocks: Clocks,
        started: Started,
    ) -> Result<Self, RecorderError> {
        Self::open_with(config, signer, clocks, Event::Started(started))
    }

    /// As [`open`](Self::open), with this event in place of the start.
    fn open_with(
        config: &EvidenceConfig,
        signer: &EvidenceSigner,
        clocks: Clocks,
        first: Event,
    ) -> Result<Self, RecorderError> {
        let dir = || config.dir.clone();
        let disk = Arc::new(Disk);
        let known = known(config, signer)?;
        let opened = evidence::open(disk, &config.dir, config.settings(), &known, seconds(clocks));
        let (owner, recovered) =
            opened.map_err(|source| RecorderError::Open { dir: dir(), source })?;
        let torn = recovered
            .torn_tail
            .map(|tail| Event::TornTail(TornTail { after: tail.after, cut_bytes: tail.bytes }));
        let events = torn.into_iter().chain([first]).collect();
        let recorder = Recorder::over(owner.log().clone());
        let start = recorder.submit(&clocks.sample(), events);
        start
            .and_then(|pending| Ok(pending.committed_blocking()?))
            .map_err(|source| RecorderError::Start { dir: dir(), source })?;
        let (origin, dir) = (config.origin.clone(), dir());
        Ok(Self { owner, recorder, origin, dir })
    }

    /// The log, as the exchange with a peer needs it.
    #[must_use]
    pub fn own_log(&self, signer: Arc<EvidenceSigner>) -> OwnLog {
        let log = self.owner.log().clone();
        OwnLog::new(Arc::new(Disk), &self.dir, self.origin.clone(), signer, log)
    }

    /// The newest of the values that `value` finds in leaves, looked for from the end of the log
    /// backwards; of neighbours the largest, for what is under way at one time is recorded in no
    /// order. Blocks on the disk; call it outside the async runtime.
    ///
    /// # Errors
    /// [`ReadError`] when the log does not read, or holds a leaf that this version does not know.
    pub fn newest<T: Ord>(
        &self,
        value: impl Fn(&Event) -> Option<T>,
    ) -> Result<Option<T>, ReadError> {
        self.seek_back(value, T::max)
    }

    /// The last of the values that `value` finds in leaves, looked for from the end of the log
    /// backwards. Blocks on the disk; call it outside the async runtime.
    ///
    /// # Errors
    /// [`ReadError`] when the log does not read, or holds a leaf that this version does not know.
    pub fn last<T>(&self, value: impl Fn(&Event) -> Option<T>) -> Result<Option<T>, ReadError> {
        self.seek_back(value, |_, later| later)
    }

    /// `choose` takes the earlier and the later of two values in one window.
    fn seek_back<T>(
        &self,
        value: impl Fn(&Event) -> Option<T>,
        choose: impl Fn(T, T) -> T,
    ) -> Result<Option<T>, ReadError> {
        let (mut end, mut window) = (self.recorder.size(), WINDOW_MIN);
        while end > 0 {
            let begin = end.saturating_sub(window);
            let (disk, start) = (Arc::new(Disk), LeafIndex::new(begin));
            let mut reader = Reader::new(disk, &self.dir, self.origin.as_str(), start)?;
            let (mut found, mut read) = (None, 0);
            while read < end {
                let Some(batch) = reader.next_batch()? else { break };
                read = batch.commit.first.as_u64().saturating_add(batch.leaves.len() as u64);
                for leaf in &batch.leaves {
                    let leaf = Leaf::decode(leaf).map_err(std::io::Error::other)?;
                    let Some(later) = value(&leaf.event) else { continue };
                    found = Some(match found {
                        None => later,
                        Some(earlier) => choose(earlier, later),
                    });
                }
            }
            if found.is_some() {
                return Ok(found);
            }
            end = begin;
            window = window.saturating_mul(4);
        }
        Ok(None)
    }

    /// A handle.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Puts the stop on record and closes the log. Blocks; call it outside the async runtime.
    ///
    /// # Errors
    /// [`RecordError`] when the stop is not on record.
    pub fn close(self, now: &Sample) -> Result<(), RecordError> {
        let stopped = self.recorder.submit(now, vec![Event::Stopped]);
        let recorded = stopped.and_then(|pending| Ok(pending.committed_blocking().map(drop)?));
        self.owner.close();
        recorded
    }
}

impl Recorder {
    /// A handle over a log that its owner opened, on a file layer of its choice.
    #[must_use]
    pub const fn over(log: Log) -> Self {
        Self { log }
    }

    /// Puts events on their way to the disk, as neighbours and in this order. `made` is a sample
    /// taken when they had happened.
    ///
    /// # Errors
    /// [`RecordError`]; then none of them is on record.
    pub fn submit(&self, made: &Sample, events: Vec<Event>) -> Result<Pending, RecordError> {
        let entry = |event: Event| -> Result<Entry, RecordError> {
            let leaf = Leaf { made: *made, event }.encode()?;
            let bytes = leaf.len();
            Ok(Entry::new(leaf).ok_or(LeafError::TooLong(bytes))?)
        };
        let entries = events.into_iter().map(entry).collect::<Result<_, _>>()?;
        Ok(self.log.submit(entries)?)
    }

    /// Whether the log takes nothing, and why.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        match &*self.log.watch_state().borrow() {
            State::Writing => None,
            State::Full => Some(AppendError::Full.to_string()),
            State::Poisoned(why) => Some(AppendError::Poisoned(Arc::clone(why)).to_string()),
        }
    }

    /// How many leaves are on record.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.log.head().tree.size.as_u64()
    }
}

/// What the log's own newest checkpoint says: that its witness cosigned this tree.
fn known(config: &EvidenceConfig, signer: &EvidenceSigner) -> Result<Vec<Known>, RecorderError> {
    let newest = exchange::newest(Arc::new(Disk), &config.dir, signer).and_then(|newest| {
        let ours = newest.as_ref().is_none_or(|checkpoint| checkpoint.origin == config.origin);
        if ours { Ok(newest) } else { Err(SealedError::Origin(config.origin.clone())) }
    });
    let newest =
        newest.map_err(|source| RecorderError::Checkpoint { dir: config.dir.clone(), source })?;
    let known = |checkpoint: Checkpoint| Known {
        witness: "the log's newest cosigned checkpoint".to_owned(),
        tree: checkpoint.head(),
    };
    Ok(newest.map(known).into_iter().collect())
}

/// The place of the event at `position` among those that were submitted together.
#[must_use]
pub fn place(committed: &Committed, position: usize) -> LeafIndex {
    let after = u64::try_from(position).unwrap_or(u64::MAX);
    LeafIndex::new(committed.first.as_u64().saturating_add(after))
}

/// SHA-256 over a configuration as `config show` prints it.
#[must_use]
pub fn config_digest(shown: &str) -> Hash {
    Hash::of(shown.as_bytes())
}

/// The box's own clock, for the age of segments.
fn seconds(clocks: Clocks) -> Seconds {
    Box::new(move || {
        u64::try_from(clocks.sample().real.as_unix_nanos() / 1_000_000_000).unwrap_or(0)
    })
}
