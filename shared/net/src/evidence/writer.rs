//! The one thread that writes a log.

use std::any::Any;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use chronolease_core::evidence::merkle::{Hash, leaf_hash};
use chronolease_core::evidence::proof::MemoryNodes;
use chronolease_core::evidence::{LeafIndex, TreeHead, TreeSize};
use tokio::sync::{mpsc, oneshot};

use super::files::{Files, OpenFile, is_full};
use super::format::{
    COMMIT_FRAME_BYTES, Commit, HEADER_BYTES, Header, Kind, Seed, put_frame, sha256,
};
use super::layout::Layout;
use super::log::{Committed, Entry, Shared, State};
use super::refused::{AppendError, OpenError};
use super::settings::{Seconds, Settings};
use super::survey::{Chain, Segment, io_error};

/// Held while the log is open.
pub(super) type Lock = Box<dyn Any + Send>;

/// What comes through the queue.
#[derive(Debug)]
pub(super) enum Message {
    Append(Group),
    Close,
}

/// Entries that stay together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) entries: Vec<Entry>,
    pub(super) bytes: u64,
    pub(super) reply: oneshot::Sender<Result<Committed, AppendError>>,
}

/// Groups that share one write.
struct Batch {
    groups: Vec<Group>,
    entries: usize,
    bytes: u64,
}

/// The segment that batches go to.
struct Active {
    file: Box<dyn OpenFile>,
    path: PathBuf,
    seed: Seed,
    created_s: u64,
    end: u64,
    capacity_bytes: u64,
}

/// A segment to cut and close as soon as the next one stands.
struct Closing {
    path: PathBuf,
    end: u64,
}

pub(super) struct Writer {
    files: Arc<dyn Files>,
    layout: Layout,
    settings: Settings,
    now: Seconds,
    chain: Chain,
    active: Option<Active>,
    closing: Option<Closing>,
    /// What the next segment says was cut.
    cut_bytes: u64,
    poisoned: Option<Arc<str>>,
    shared: Arc<Shared>,
    _lock: Lock,
}

impl Writer {
    pub(super) fn new(
        files: Arc<dyn Files>,
        layout: Layout,
        settings: Settings,
        now: Seconds,
        chain: Chain,
        nodes: MemoryNodes,
        lock: Lock,
    ) -> Self {
        let shared = Arc::new(Shared::new(chain.head(), nodes));
        Self {
            files,
            layout,
            settings,
            now,
            chain,
            active: None,
            closing: None,
            cut_bytes: 0,
            poisoned: None,
            shared,
            _lock: lock,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Makes the first segment of a new log.
    pub(super) fn make_first_segment(&mut self) -> Result<(), OpenError> {
        let now_s = (self.now)();
        self.rotate(now_s).map_err(|source| {
            if is_full(&source) { OpenError::Full } else { io_error(self.layout.folder(), source) }
        })
    }

    /// Goes on behind the segments that were found.
    pub(super) fn resume(&mut self, segments: &[Segment]) -> Result<(), OpenError> {
        let Some((last, closed)) = segments.split_last() else { return Ok(()) };
        for segment in closed {
            if segment.file_bytes != segment.end {
                let path = self.layout.segment(segment.header.first);
                let sealed = self.files.seal(&path, segment.end);
                sealed.map_err(|source| io_error(&path, source))?;
            }
        }
        let path = self.layout.segment(last.header.first);
        // What a killed process wrote may be in the page cache alone; soon a peer will rely on it.
        self.files.sync(&path).map_err(|source| io_error(&path, source))?;
        if last.is_open() {
            let file = self.files.open(&path).map_err(|source| io_error(&path, source))?;
            self.active = Some(Active {
                file,
                path,
                seed: last.seed,
                created_s: last.header.created_s,
                end: last.end,
                capacity_bytes: last.header.capacity_bytes,
            });
        } else {
            self.cut_bytes = last.unrecorded_bytes();
            // One without commits is replaced: the next segment has its name.
            self.closing = last.has_commits().then_some(Closing { path, end: last.end });
        }
        Ok(())
    }

    /// Writes batch after batch until the log is closed.
    pub(super) fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut waiting = None;
        while let Some(Message::Append(group)) = waiting.take().or_else(|| messages.blocking_recv())
        {
            waiting = self.serve_with(group, &mut messages);
        }
    }

    /// Writes a batch that begins with `group` and takes in what waits behind it. Returns the
    /// message that did not fit.
    pub(super) fn serve_with(
        &mut self,
        group: Group,
        messages: &mut mpsc::Receiver<Message>,
    ) -> Option<Message> {
        let mut batch = Batch::of(group);
        let mut left = None;
        while let Ok(message) = messages.try_recv() {
            match message {
                Message::Append(group) if batch.has_room_for(&group, &self.settings) => {
                    batch.add(group);
                }
                other => {
                    left = Some(other);
                    break;
                }
            }
        }
        self.serve(batch);
        left
    }

    /// Writes a batch and answers everybody who has entries in it.
    fn serve(&mut self, batch: Batch) {
        let mut first = self.chain.next_leaf().as_u64();
        let result = match &self.poisoned {
            Some(why) => Err(AppendError::Poisoned(Arc::clone(why))),
            None => self.write(&batch),
        };
        for group in batch.groups {
            let answer = result.clone().map(|()| {
                let head = self.chain.head();
                Committed { first: LeafIndex::new(first), tree: head.tree }
            });
            first += group.entries.len() as u64;
            // Whoever no longer waits has no use for an answer.
            let _ = group.reply.send(answer);
        }
    }

    fn write(&mut self, batch: &Batch) -> Result<(), AppendError> {
        let now_s = (self.now)();
        if let Err(error) = self.make_room(batch.bytes, now_s) {
            if !is_full(&error) {
                return Err(self.poison(&error));
            }
            if self.shared.set_state(State::Full) {
                tracing::warn!(%error, "no room for the next evidence segment");
            }
            return Err(AppendError::Full);
        }
        match self.put(batch) {
            Ok(leaves) => {
                self.shared.extend(&leaves, self.chain.head());
                self.shared.set_state(State::Writing);
                Ok(())
            }
            Err(error) => Err(self.poison(&error)),
        }
    }

    /// Sees to it that a segment is open that holds this batch. An old one that still has room
    /// stays in use while there is none for the next.
    fn make_room(&mut self, bytes: u64, now_s: u64) -> io::Result<()> {
        let Some(active) = &self.active else { return self.rotate(now_s) };
        let fits = active.capacity_bytes - active.end >= bytes + COMMIT_FRAME_BYTES;
        let old = active.end > HEADER_BYTES
            && now_s.saturating_sub(active.created_s) >= self.settings.segment_age_s;
        if fits && !old {
            return Ok(());
        }
        match self.rotate(now_s) {
            Err(error) if fits && is_full(&error) => Ok(()),
            result => result,
        }
    }

    /// One write, one fdatasync. Returns the hashes of the leaves.
    fn put(&mut self, batch: &Batch) -> io::Result<Vec<Hash>> {
        let active = self.active.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let mut tree = self.chain.tree.clone();
        let mut leaves = Vec::with_capacity(batch.entries);
        let mut bytes = Vec::with_capacity((batch.bytes + COMMIT_FRAME_BYTES) as usize);
        for entry in batch.groups.iter().flat_map(|group| &group.entries) {
            put_frame(&mut bytes, active.end, active.seed, Kind::Leaf, entry.as_bytes());
            leaves.push(leaf_hash(entry.as_bytes()));
        }
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        let commit = Commit {
            first: self.chain.next_leaf(),
            count: u32::try_from(batch.entries).map_err(io::Error::other)?,
            tree: TreeHead { size: TreeSize::new(tree.size()), root: tree.root() },
            previous: self.chain.link,
        }
        .encode();
        put_frame(&mut bytes, active.end, active.seed, Kind::Commit, &commit);
        active.file.write_at(active.end, &bytes)?;
        active.file.sync_data()?;
        active.end += bytes.len() as u64;
        self.chain.tree = tree;
        self.chain.commit = sha256(&commit);
        self.chain.link = self.chain.commit;
        Ok(leaves)
    }

    /// Makes the next segment, then cuts and seals the one before. Nothing has changed when there
    /// is no room.
    fn rotate(&mut self, now_s: u64) -> io::Result<()> {
        let capacity_bytes = self.settings.segment_bytes;
        let needed = capacity_bytes.saturating_add(self.settings.reserve_bytes);
        let unfinished = self.layout.unfinished_segment();
        // An earlier attempt that was cut short must not count as space taken.
        drop(self.files.create(&unfinished, 0)?);
        if self.files.available_bytes(&self.layout.segments())? < needed {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let head = self.chain.head();
        let header = Header {
            capacity_bytes,
            created_s: now_s,
            cut_bytes: self.cut_bytes,
            first: self.chain.next_leaf(),
            origin: self.chain.origin,
            root: head.tree.root,
            previous: head.commit,
        };
        let (bytes, seed) = header.encode();
        let file = self.files.create(&unfinished, capacity_bytes)?;
        file.write_at(0, &bytes)?;
        self.files.sync(&unfinished)?;
        let path = self.layout.segment(header.first);
        self.files.publish(&unfinished, &path)?;
        self.chain.link = sha256(&bytes);
        let active =
            Active { file, path, seed, created_s: now_s, end: HEADER_BYTES, capacity_bytes };
        let before = self.active.replace(active);
        let before = before.map(|active| Closing { path: active.path, end: active.end });
        self.cut_bytes = 0;
        match before.or(self.closing.take()) {
            Some(Closing { path, end }) => self.files.seal(&path, end),
            None => Ok(()),
        }
    }

    /// After a failed write nobody knows what the disk holds, and asking again proves nothing.
    fn poison(&mut self, error: &io::Error) -> AppendError {
        let why: Arc<str> = error.to_string().into();
        tracing::error!(%error, "the evidence log is poisoned");
        // The disk is failing: the mark may fail as well. This process stays poisoned either way.
        if let Err(error) = self.files.replace(&self.layout.poisoned(), why.as_bytes()) {
            tracing::error!(%error, "the mark of the poisoned log could not be written");
        }
        self.poisoned = Some(Arc::clone(&why));
        self.shared.set_state(State::Poisoned(Arc::clone(&why)));
        AppendError::Poisoned(why)
    }
}

impl Batch {
    fn of(group: Group) -> Self {
        Self { entries: group.entries.len(), bytes: group.bytes, groups: vec![group] }
    }

    fn has_room_for(&self, group: &Group, settings: &Settings) -> bool {
        self.entries + group.entries.len() <= settings.batch_entries
            && self.bytes + group.bytes <= settings.batch_bytes
    }

    fn add(&mut self, group: Group) {
        self.entries += group.entries.len();
        self.bytes += group.bytes;
        self.groups.push(group);
    }
}
