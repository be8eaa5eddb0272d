//! Opening a log, and the handle to append with.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::proof::MemoryNodes;
use chronolease_core::evidence::{LeafIndex, TreeHead};
use tokio::sync::{mpsc, oneshot, watch};

use super::files::Files;
use super::format::{FRAME_OVERHEAD_BYTES, LEAF_BYTES_MAX};
use super::layout::Layout;
use super::refused::{AppendError, OpenError, Refused};
use super::settings::{Known, Seconds, Settings};
use super::survey::{Chain, Head, Survey, TornTail, io_error};
use super::writer::{Group, Message, Writer};

/// One leaf to append: at most [`LEAF_BYTES_MAX`] bytes, which the storage does not look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry(Vec<u8>);

impl Entry {
    /// Wraps the bytes; `None` when there are too many.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() <= LEAF_BYTES_MAX).then_some(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How long its frame is.
    fn frame_bytes(&self) -> u64 {
        self.0.len() as u64 + FRAME_OVERHEAD_BYTES
    }
}

/// Entries are durable: a power cut does not take them away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The place of the first of them; the others follow in order.
    pub first: LeafIndex,
    /// The tree after their batch, which may hold more than these entries.
    pub tree: TreeHead,
}

/// What the log is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The last batch was written, or there was none yet.
    Writing,
    /// The last batch found no room. The next one tries again.
    Full,
    /// It will never write again.
    Poisoned(Arc<str>),
}

/// How a log was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The state after its last commit.
    pub head: Head,
    /// What must go on record with the first entries, if a crash tore a batch.
    pub torn_tail: Option<TornTail>,
}

/// The handle of an open log. Clones share it; the log closes when the last one is gone, or by
/// [`Owner::close`].
#[derive(Debug, Clone)]
pub struct Log {
    queue: mpsc::Sender<Message>,
    shared: Arc<Shared>,
    batch_entries: usize,
    batch_bytes: u64,
}

/// The one who opened a log and may close it.
#[derive(Debug)]
pub struct Owner {
    log: Log,
    writer: JoinHandle<()>,
}

/// What the writer shows to all handles.
#[derive(Debug)]
pub(super) struct Shared {
    nodes: RwLock<MemoryNodes>,
    head: watch::Sender<Head>,
    state: watch::Sender<State>,
}

/// Entries on their way to the disk. They are written whether or not anybody waits. The future
/// ends when they are durable, or with [`AppendError`]; then none of them counts as recorded.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Result<Committed, AppendError>>);

/// Makes a new log in `folder`, which is made if absent, and opens it.
///
/// # Errors
/// [`Refused::Present`] when a segment is there already; else as [`open`].
pub fn create(
    files: Arc<dyn Files>,
    folder: &Path,
    settings: Settings,
    now: Seconds,
) -> Result<Owner, OpenError> {
    Ok(start(created(files, folder, settings, now)?))
}

pub(super) fn created(
    files: Arc<dyn Files>,
    folder: &Path,
    settings: Settings,
    now: Seconds,
) -> Result<Writer, OpenError> {
    settings.check()?;
    let layout = Layout::new(folder);
    for path in [layout.folder().to_owned(), layout.segments(), layout.peers()] {
        files.create_folder(&path).map_err(|source| io_error(&path, source))?;
    }
    let lock = lock(&*files, &layout)?;
    refuse_poisoned(&*files, &layout)?;
    let names = files.names(&layout.segments());
    let names = names.map_err(|source| io_error(&layout.segments(), source))?;
    if names.iter().any(|name| name != Layout::UNFINISHED) {
        return Err(Refused::Present.into());
    }
    let chain = Chain::new(&settings.origin);
    let mut writer = Writer::new(files, layout, settings, now, chain, MemoryNodes::new(), lock);
    writer.make_first_segment()?;
    Ok(writer)
}

/// Opens the log in `folder` after checking all of it, the `known` trees included. Segments that
/// a crash left uncut are cut and sealed; a torn tail stays until the next batch.
///
/// # Errors
/// [`OpenError::Locked`] when somebody has it open; [`OpenError::Refused`] when it cannot be
/// trusted or was poisoned; [`OpenError::Settings`]; [`OpenError::Io`].
pub fn open(
    files: Arc<dyn Files>,
    folder: &Path,
    settings: Settings,
    known: &[Known],
    now: Seconds,
) -> Result<(Owner, Recovered), OpenError> {
    let (writer, recovered) = opened(files, folder, settings, known, now)?;
    Ok((start(writer), recovered))
}

pub(super) fn opened(
    files: Arc<dyn Files>,
    folder: &Path,
    settings: Settings,
    known: &[Known],
    now: Seconds,
) -> Result<(Writer, Recovered), OpenError> {
    settings.check()?;
    let layout = Layout::new(folder);
    let lock = lock(&*files, &layout)?;
    refuse_poisoned(&*files, &layout)?;
    let survey = Survey::take(&*files, folder, &settings.origin, known)?;
    let recovered = Recovered { head: survey.head(), torn_tail: survey.torn_tail() };
    let Survey { chain, nodes, segments } = survey;
    let mut writer = Writer::new(files, layout, settings, now, chain, nodes, lock);
    writer.resume(&segments)?;
    Ok((writer, recovered))
}

/// Takes the lock of the log in `folder`, until the value is dropped.
///
/// # Errors
/// [`OpenError::Locked`] when somebody has it open; [`OpenError::Io`].
pub(crate) fn hold(files: &dyn Files, folder: &Path) -> Result<super::writer::Lock, OpenError> {
    lock(files, &Layout::new(folder))
}

fn start(writer: Writer) -> Owner {
    let (log, messages) = handle(&writer);
    Owner { log, writer: std::thread::spawn(move || writer.run(messages)) }
}

/// A handle of the log that this writer writes, and what comes through it.
pub(super) fn handle(writer: &Writer) -> (Log, mpsc::Receiver<Message>) {
    let (queue, messages) = mpsc::channel(writer.settings().queue_groups);
    let log = Log {
        queue,
        shared: writer.shared(),
        batch_entries: writer.settings().batch_entries,
        batch_bytes: writer.settings().batch_bytes,
    };
    (log, messages)
}

fn lock(files: &dyn Files, layout: &Layout) -> Result<super::writer::Lock, OpenError> {
    files.lock(&layout.lock()).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked(layout.folder().to_owned()),
        // The file stands in the log's folder, so there is none.
        io::ErrorKind::NotFound => Refused::Absent.into(),
        _ => io_error(&layout.lock(), source),
    })
}

fn refuse_poisoned(files: &dyn Files, layout: &Layout) -> Result<(), OpenError> {
    let path = layout.poisoned();
    match files.read(&path).map_err(|source| io_error(&path, source))? {
        None => Ok(()),
        Some(why) => Err(Refused::Poisoned(String::from_utf8_lossy(&why).into_owned()).into()),
    }
}

impl Log {
    /// Appends entries that belong together: they become neighbours, in this order, in one batch.
    /// Waits for room in the queue and then until they are durable. Once queued they are written
    /// even if the future is dropped.
    ///
    /// # Errors
    /// [`AppendError`]; then none of them counts as recorded.
    pub async fn append(&self, entries: Vec<Entry>) -> Result<Committed, AppendError> {
        let (group, pending) = self.group(entries)?;
        self.queue.send(group).await.map_err(|_| AppendError::Closed)?;
        pending.committed().await
    }

    /// [`append`](Self::append) for threads outside the async runtime.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_blocking(&self, entries: Vec<Entry>) -> Result<Committed, AppendError> {
        let (group, pending) = self.group(entries)?;
        self.queue.blocking_send(group).map_err(|_| AppendError::Closed)?;
        pending.committed_blocking()
    }

    /// Puts entries into the queue and does not wait; groups are written in the order in which
    /// they were submitted.
    ///
    /// # Errors
    /// [`AppendError::Busy`] when the queue is full; [`AppendError::Closed`], `Empty`, `TooLarge`.
    pub fn submit(&self, entries: Vec<Entry>) -> Result<Pending, AppendError> {
        let (group, pending) = self.group(entries)?;
        self.queue.try_send(group).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::Busy,
            mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
        })?;
        Ok(pending)
    }

    /// The state after the last durable batch.
    #[must_use]
    pub fn head(&self) -> Head {
        *self.shared.head.borrow()
    }

    /// The head as it grows.
    #[must_use]
    pub fn watch_head(&self) -> watch::Receiver<Head> {
        self.shared.head.subscribe()
    }

    /// What the log is doing, as it changes: for alarms.
    #[must_use]
    pub fn watch_state(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    /// The hashes of all durable leaves, for proofs: 64 bytes of memory for each leaf, so ten
    /// million leaves take 640 MB. Hold it briefly: the writer waits meanwhile.
    pub fn nodes(&self) -> RwLockReadGuard<'_, MemoryNodes> {
        self.shared.nodes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn group(&self, entries: Vec<Entry>) -> Result<(Message, Pending), AppendError> {
        if entries.is_empty() {
            return Err(AppendError::Empty);
        }
        let bytes = entries.iter().map(Entry::frame_bytes).sum();
        if entries.len() > self.batch_entries || bytes > self.batch_bytes {
            return Err(AppendError::TooLarge { entries: entries.len(), bytes });
        }
        let (reply, done) = oneshot::channel();
        Ok((Message::Append(Group { entries, bytes, reply }), Pending(done)))
    }
}

impl Owner {
    /// The handle.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Writes what is queued, then closes the log and gives its lock back. Appends that come later
    /// end with [`AppendError::Closed`]. Blocks; call it outside the async runtime.
    pub fn close(self) {
        // A writer that is gone already has closed.
        let _ = self.log.queue.blocking_send(Message::Close);
        let _ = self.writer.join();
    }
}

impl Pending {
    /// Waits until the entries are durable.
    ///
    /// # Errors
    /// [`AppendError`]; then none of them counts as recorded.
    pub async fn committed(self) -> Result<Committed, AppendError> {
        self.await
    }

    /// [`committed`](Self::committed) for threads outside the async runtime.
    ///
    /// # Errors
    /// As [`committed`](Self::committed).
    pub fn committed_blocking(self) -> Result<Committed, AppendError> {
        self.0.blocking_recv().unwrap_or(Err(AppendError::Closed))
    }
}

impl Future for Pending {
    type Output = Result<Committed, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(context);
        answer.map(|answer| answer.unwrap_or(Err(AppendError::Closed)))
    }
}

impl Shared {
    pub(super) fn new(head: Head, nodes: MemoryNodes) -> Self {
        Self {
            nodes: RwLock::new(nodes),
            head: watch::Sender::new(head),
            state: watch::Sender::new(State::Writing),
        }
    }

    /// Shows a durable batch.
    pub(super) fn extend(&self, leaves: &[Hash], head: Head) {
        {
            let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
            leaves.iter().for_each(|leaf| nodes.append(*leaf));
        }
        self.head.send_replace(head);
    }

    pub(super) fn set_state(&self, state: State) -> bool {
        self.state.send_if_modified(|now| {
            let changed = *now != state;
            *now = state;
            changed
        })
    }
}
