//! The socket file: made at the start, removed at the end, never taken from a living reader.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use crate::config::SocketConfig;

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another process answers there, or is about to.
    #[error("socket.path {}: another process is serving it", .0.display())]
    Taken(PathBuf),
    /// Something that is no socket stands there.
    #[error("socket.path {}: there is something that is no socket; it is left alone", .0.display())]
    NotASocket(PathBuf),
    /// The operating system refuses.
    #[error("socket.path {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A socket that listens. Its file goes away with it.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Held as long as the file is ours.
    _lock: File,
}

impl Socket {
    /// Makes the socket. One that a dead process left behind is replaced; the file appears at once
    /// with its final permissions.
    ///
    /// # Errors
    /// [`SocketError`]; then nothing has changed.
    pub async fn bind(config: &SocketConfig) -> Result<Self, SocketError> {
        let path = config.path.clone();
        let failed = |path: &Path, source| SocketError::Io { path: path.to_owned(), source };
        let lock_file = beside(&path, ".lock");
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(&lock_file);
        let lock = lock.map_err(|e| failed(&lock_file, e))?;
        // Only one reader at a time gets past this, so what it finds there stays as it is.
        lock.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => SocketError::Taken(path.clone()),
            TryLockError::Error(e) => failed(&lock_file, e),
        })?;
        expect_nobody(&path).await?;

        let temporary = beside(&path, ".new");
        let made = make(&temporary, config.access.mode(), &path);
        let listener = made.map_err(|e| {
            // Best effort: the first failure is the one to report.
            let _ = fs::remove_file(&temporary);
            failed(&path, e)
        })?;
        Ok(Self { listener, path, _lock: lock })
    }

    /// The listening end.
    #[must_use]
    pub const fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The lock is still held, so it is ours. A leftover would be replaced at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// Binds under another name, so that nobody meets a socket with the wrong permissions, and renames.
fn make(temporary: &Path, mode: u32, path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(temporary)?;
    fs::set_permissions(temporary, Permissions::from_mode(mode))?;
    fs::rename(temporary, path)?;
    Ok(listener)
}

/// Nothing, or a socket that nobody serves any more.
async fn expect_nobody(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::NotASocket(path.to_owned()));
        }
        Ok(_socket) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Ok(_) => Err(SocketError::Taken(path.to_owned())),
        // A queue that is full has somebody behind it.
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(SocketError::Taken(path.to_owned()))
        }
        Err(error) => Err(failed(error)),
    }
}

/// `.NAME` with `ending`, in the same folder.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(ending);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests;
