//! A disk in memory that fails on purpose: for tests.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::{Files, OpenFile};

/// What becomes, in a crash, of writes that were not made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The machine loses power and none of them reached the disk.
    Drop,
    /// It loses power; of the last write the first so many bytes reached the disk, of the others
    /// nothing.
    Tear(usize),
    /// Only the process dies: the kernel keeps all of them.
    Kill,
}

/// A disk in memory. Clones share it. It holds what the kernel would show (`seen`) apart from what
/// a power cut would leave (`durable`).
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    seen: Image,
    durable: Image,
    unsynced: Option<(u64, usize, Vec<u8>)>,
    next_file: u64,
    locks: BTreeSet<PathBuf>,
    /// Rises at each crash: who opened a file before may not use it any more.
    life: u64,
    operations: u64,
    stop_at: Option<u64>,
    sync_fails: bool,
    sync_fails_once: bool,
    available_bytes: Option<u64>,
}

#[derive(Debug, Default, Clone)]
struct Image {
    names: BTreeMap<PathBuf, u64>,
    files: BTreeMap<u64, Vec<u8>>,
}

struct MemoryFile {
    disk: MemoryDisk,
    file: u64,
    life: u64,
}

struct MemoryLock {
    disk: MemoryDisk,
    path: PathBuf,
    life: u64,
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that holds what a power cut would leave of this one, and shares nothing with it.
    #[must_use]
    pub fn durable_copy(&self) -> Self {
        let image = self.state().durable.clone();
        let next_file = self.state().next_file;
        let state = State { seen: image.clone(), durable: image, next_file, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The machine or the process ends and starts again. Faults are gone, locks are free.
    pub fn crash(&self, how: Crash) {
        let mut state = self.state();
        let unsynced = state.unsynced.take();
        match how {
            Crash::Drop => {}
            Crash::Tear(kept) => {
                if let Some((file, offset, bytes)) = unsynced
                    && let Some(content) = state.durable.files.get_mut(&file)
                {
                    put(content, offset, &bytes[..kept.min(bytes.len())]);
                }
            }
            Crash::Kill => state.durable = state.seen.clone(),
        }
        state.seen = state.durable.clone();
        state.locks.clear();
        state.life += 1;
        state.stop_at = None;
        state.sync_fails = false;
        state.sync_fails_once = false;
        state.available_bytes = None;
    }

    /// Every operation from the `n`-th on fails, counted from now: the moment of a crash.
    pub fn stop_after(&self, operations: u64) {
        let mut state = self.state();
        state.stop_at = Some(state.operations + operations);
    }

    /// How many operations there have been.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Every fdatasync and fsync fails from now on, and writes nothing.
    pub fn fail_sync(&self) {
        self.state().sync_fails = true;
    }

    /// The next fdatasync or fsync fails and writes nothing; those after it work.
    pub fn fail_sync_once(&self) {
        self.state().sync_fails_once = true;
    }

    /// How many bytes may still be set aside; `None` for any number.
    pub fn set_available_bytes(&self, bytes: Option<u64>) {
        self.state().available_bytes = bytes;
    }

    /// How many bytes the last write had that was not made durable.
    #[must_use]
    pub fn unsynced_bytes(&self) -> Option<usize> {
        self.state().unsynced.as_ref().map(|(_, _, bytes)| bytes.len())
    }

    /// All files with their names.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        let content = |file| state.seen.files.get(file).cloned().unwrap_or_default();
        state.seen.names.iter().map(|(path, file)| (path.clone(), content(file))).collect()
    }

    /// Tampering: what the file holds from now on, durably; `None` takes it away.
    pub fn tamper(&self, path: &Path, bytes: Option<Vec<u8>>) {
        let mut state = self.state();
        state.next_file += 1;
        let file = state.next_file;
        let State { seen, durable, .. } = &mut *state;
        for image in [seen, durable] {
            match &bytes {
                Some(bytes) => {
                    image.names.insert(path.to_owned(), file);
                    image.files.insert(file, bytes.clone());
                }
                None => drop(image.names.remove(path)),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation that changes something, and fails when the crash has come.
    fn operate(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if state.stop_at.is_some_and(|stop| state.operations >= stop) {
            return Err(io::Error::other("the machine is off"));
        }
        state.operations += 1;
        Ok(state)
    }

    fn sync_file(&self, file: u64) -> io::Result<()> {
        let mut state = self.operate()?;
        if std::mem::take(&mut state.sync_fails_once) || state.sync_fails {
            return Err(io::Error::other("input/output error"));
        }
        let content = state.seen.files.get(&file).cloned().ok_or(io::ErrorKind::NotFound)?;
        state.durable.files.insert(file, content);
        if state.unsynced.as_ref().is_some_and(|(written, ..)| *written == file) {
            state.unsynced = None;
        }
        Ok(())
    }

    fn write(&self, file: u64, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.operate()?;
        let content = state.seen.files.get_mut(&file).ok_or(io::ErrorKind::NotFound)?;
        put(content, offset, bytes);
        state.unsynced = Some((file, offset, bytes.to_vec()));
        Ok(())
    }

    fn file_of(&self, path: &Path) -> io::Result<u64> {
        self.state().seen.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A new empty file under this name, which is durable; what it holds is not.
    fn make(&self, path: &Path, length: usize) -> io::Result<u64> {
        let mut state = self.operate()?;
        state.next_file += 1;
        let file = state.next_file;
        state.seen.names.insert(path.to_owned(), file);
        state.seen.files.insert(file, vec![0; length]);
        state.durable.names.insert(path.to_owned(), file);
        state.durable.files.insert(file, Vec::new());
        Ok(file)
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl Files for MemoryDisk {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>> {
        let mut state = self.state();
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryLock { disk: self.clone(), path: path.to_owned(), life: state.life }))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let inside = state.seen.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let state = self.state();
        let file = state.seen.names.get(path);
        Ok(file.and_then(|file| state.seen.files.get(file).cloned()))
    }

    fn read_range(&self, path: &Path, offset: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        Ok(self.read(path)?.map(|bytes| {
            let end = start.saturating_add(length).min(bytes.len());
            bytes.get(start..end).unwrap_or_default().to_vec()
        }))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.state().sync_fails {
            return Err(io::Error::other("input/output error"));
        }
        drop(self.operate()?);
        self.tamper(path, Some(bytes.to_vec()));
        Ok(())
    }

    fn extend(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = match self.file_of(path) {
            Ok(file) => file,
            Err(_) => self.make(path, 0)?,
        };
        let end = self.state().seen.files.get(&file).map_or(0, Vec::len);
        self.write(file, end, bytes)?;
        self.sync_file(file)
    }

    fn create(&self, path: &Path, length: u64) -> io::Result<Box<dyn OpenFile>> {
        if self.state().available_bytes.is_some_and(|available| available < length) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let file = self.make(path, length)?;
        Ok(Box::new(MemoryFile { disk: self.clone(), file, life: self.state().life }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let file = self.file_of(path)?;
        Ok(Box::new(MemoryFile { disk: self.clone(), file, life: self.state().life }))
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        {
            let mut state = self.operate()?;
            let file = state.seen.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            state.seen.names.insert(to.to_owned(), file);
        }
        // A crash in between leaves the old names.
        let mut state = self.operate()?;
        let file = state.durable.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.durable.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.sync_file(self.file_of(path)?)
    }

    fn seal(&self, path: &Path, length: u64) -> io::Result<()> {
        let file = self.file_of(path)?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        {
            let mut state = self.operate()?;
            let content = state.seen.files.get_mut(&file).ok_or(io::ErrorKind::NotFound)?;
            content.truncate(length);
        }
        self.sync_file(file)
    }

    fn available_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.state().available_bytes.unwrap_or(u64::MAX))
    }
}

impl OpenFile for MemoryFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.still_there()?;
        self.disk.write(self.file, usize::try_from(offset).map_err(io::Error::other)?, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.still_there()?;
        self.disk.sync_file(self.file)
    }
}

impl MemoryFile {
    fn still_there(&self) -> io::Result<()> {
        if self.disk.state().life == self.life {
            Ok(())
        } else {
            Err(io::Error::other("opened before the crash"))
        }
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.locks.remove(&self.path);
        }
    }
}
