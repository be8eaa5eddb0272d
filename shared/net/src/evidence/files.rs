//! The file layer: the few operations that the evidence log asks of a disk.

use std::any::Any;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use chronolease_sys::file;

use super::segment_file;
use crate::durable;

/// Owner may read and write, nobody else may do anything.
const MODE_OPEN: u32 = 0o600;
/// A closed segment: nobody writes any more.
const MODE_SEALED: u32 = 0o400;
/// Folders of the log.
const MODE_FOLDER: u32 = 0o700;

/// A disk. [`Disk`] is the real one; tests put one underneath that drops and tears writes.
///
/// All calls block. What a call documents as durable survives a power cut once it returned `Ok`.
pub trait Files: Send + Sync {
    /// Makes a folder, with those above it, unless it exists. Durable.
    ///
    /// # Errors
    /// The file system's.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Takes the exclusive lock that the file `path` stands for, until the value is dropped or the
    /// process ends in whatever way.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another holds it; the file system's.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>>;

    /// The names in a folder, in no order; none when there is no such folder.
    ///
    /// # Errors
    /// The file system's.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// All bytes of a file, or `None` when there is no such file.
    ///
    /// # Errors
    /// The file system's.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;

    /// Up to `length` bytes from `offset` on, fewer at the end of the file alone; `None` when
    /// there is no such file.
    ///
    /// # Errors
    /// The file system's.
    fn read_range(&self, path: &Path, offset: u64, length: usize) -> io::Result<Option<Vec<u8>>>;

    /// Replaces a small file as a whole, or not at all. Durable.
    ///
    /// # Errors
    /// The file system's.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Adds bytes at the end of a file, which is made if absent. Durable; a crash may leave a part
    /// of the bytes.
    ///
    /// # Errors
    /// The file system's.
    fn extend(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Makes a file of `length` zeros with all its space set aside. One that is there is replaced.
    /// When there is no room, no space stays taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] or [`io::ErrorKind::QuotaExceeded`]; the file system's.
    fn create(&self, path: &Path, length: u64) -> io::Result<Box<dyn OpenFile>>;

    /// Opens a file for writing.
    ///
    /// # Errors
    /// The file system's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>>;

    /// Gives a file its final name, in the same folder. Durable.
    ///
    /// # Errors
    /// The file system's.
    fn publish(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes all that was ever written to a file durable, as well as its name.
    ///
    /// # Errors
    /// The file system's.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Cuts a file to `length` bytes and takes everybody's right to write it. Durable.
    ///
    /// # Errors
    /// The file system's.
    fn seal(&self, path: &Path, length: u64) -> io::Result<()>;

    /// How many bytes there is room for on the disk that holds `path`.
    ///
    /// # Errors
    /// The file system's.
    fn available_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// A file that is open for writing.
pub trait OpenFile: Send {
    /// Writes all of `bytes` at `offset`. Not durable yet.
    ///
    /// # Errors
    /// The file system's; any part of the bytes may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written durable: fdatasync.
    ///
    /// # Errors
    /// The file system's. What was written since the last success may be lost, and asking again
    /// proves nothing: the kernel may have dropped it already.
    fn sync_data(&self) -> io::Result<()>;
}

/// The disk of this box.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        fs::DirBuilder::new().recursive(true).mode(MODE_FOLDER).create(path)?;
        sync_folder_of(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(MODE_OPEN)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        durable::read_if_present(path)
    }

    fn read_range(&self, path: &Path, offset: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = vec![0; length];
        let mut filled = 0;
        // The end may move towards us: a writer cuts the file when it closes it.
        while filled < length {
            match file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(Some(bytes))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        durable::write_atomically(path, bytes)
    }

    fn extend(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let fresh = !path.exists();
        let mut file = OpenOptions::new().append(true).create(true).mode(MODE_OPEN).open(path)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        if fresh { sync_folder_of(path) } else { Ok(()) }
    }

    fn create(&self, path: &Path, length: u64) -> io::Result<Box<dyn OpenFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(MODE_OPEN);
        let file = options.open(path)?;
        if length > 0
            && let Err(error) = file::preallocate(&file, length)
        {
            // Gives back what was set aside so far; the first failure is the one to report.
            let _ = file.set_len(0);
            return Err(error);
        }
        segment_file::over(file, true)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        segment_file::over(OpenOptions::new().read(true).write(true).open(path)?, false)
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        sync_folder_of(to)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()?;
        sync_folder_of(path)
    }

    fn seal(&self, path: &Path, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_permissions(Permissions::from_mode(MODE_SEALED))?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn available_bytes(&self, path: &Path) -> io::Result<u64> {
        file::available_bytes(path)
    }
}

impl OpenFile for File {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => file::sync_dir(parent),
        _ => file::sync_dir(Path::new(".")),
    }
}

/// Whether the error says that there is no room, and nothing worse.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
