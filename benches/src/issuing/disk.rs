//! The disk of this box with its fdatasync counted and timed, or left out.

use std::any::Any;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chronolease_net::evidence::{Disk, Files, OpenFile};
use chronolease_sys::Clocks;

/// [`Disk`], which keeps its word about durability or does not. Without durability it writes the
/// same bytes to the same files through the page cache, and leaves it to the kernel when they reach
/// the disk.
pub(crate) struct BenchDisk {
    durable: bool,
    clocks: Clocks,
    syncs: Syncs,
}

/// How long each fdatasync took, in nanoseconds. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Syncs(Arc<Mutex<Vec<u64>>>);

impl Syncs {
    fn push(&self, took_ns: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(took_ns);
    }

    /// All since the last call.
    pub(crate) fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl BenchDisk {
    pub(crate) fn new(durable: bool, clocks: Clocks) -> Self {
        Self { durable, clocks, syncs: Syncs::default() }
    }

    pub(crate) fn syncs(&self) -> Syncs {
        self.syncs.clone()
    }

    fn file(&self, file: Box<dyn OpenFile>) -> Box<dyn OpenFile> {
        let (durable, clocks, syncs) = (self.durable, self.clocks, self.syncs.clone());
        Box::new(BenchFile { file, durable, clocks, syncs })
    }
}

struct BenchFile {
    file: Box<dyn OpenFile>,
    durable: bool,
    clocks: Clocks,
    syncs: Syncs,
}

impl OpenFile for BenchFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        let before = self.clocks.raw();
        if self.durable {
            self.file.sync_data()?;
        }
        self.syncs.push((self.clocks.raw() - before).magnitude().as_nanos());
        Ok(())
    }
}

/// An ordinary open file. [`Disk`]'s own goes past the page cache and so waits for the disk at each
/// write, which is a part of what durability costs.
fn through_page_cache(path: &Path) -> io::Result<Box<dyn OpenFile>> {
    Ok(Box::new(OpenOptions::new().write(true).open(path)?))
}

impl Files for BenchDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        Disk.create_folder(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>> {
        Disk.lock(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        Disk.names(folder)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Disk.read(path)
    }

    fn read_range(&self, path: &Path, offset: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
        Disk.read_range(path, offset, length)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        Disk.replace(path, bytes)
    }

    fn extend(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        Disk.extend(path, bytes)
    }

    fn create(&self, path: &Path, length: u64) -> io::Result<Box<dyn OpenFile>> {
        let file = Disk.create(path, length)?;
        Ok(self.file(if self.durable { file } else { through_page_cache(path)? }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        Ok(self.file(if self.durable { Disk.open(path)? } else { through_page_cache(path)? }))
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.durable { Disk.publish(from, to) } else { std::fs::rename(from, to) }
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        if self.durable { Disk.sync(path) } else { Ok(()) }
    }

    fn seal(&self, path: &Path, length: u64) -> io::Result<()> {
        // The real one is cut and then synced; what is thrown away in the end need not be cut.
        if self.durable { Disk.seal(path, length) } else { Ok(()) }
    }

    fn available_bytes(&self, path: &Path) -> io::Result<u64> {
        Disk.available_bytes(path)
    }
}
