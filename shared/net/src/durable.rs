//! Small files that survive a crash whole or not at all.
//!
//! These calls block on the disk; in async code use `spawn_blocking`.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::random;

/// Owner may read and write, nobody else may do anything.
const MODE: u32 = 0o600;

/// Replaces the file at `path` by `bytes`. After a crash at any moment the file holds either what
/// it held before or all of `bytes`; once this returns `Ok` it holds `bytes`, power cut or not.
///
/// The bytes go to a temporary file of mode 0600 in the same directory (`.NAME.HEX.tmp`), which is
/// renamed. A crash may leave that one behind; nothing ever reads it.
///
/// # Errors
/// The first failure of the file system. The temporary file is removed, and the old file stands
/// unless only the last step, making the rename itself durable, failed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = temporary_name(directory, path)?;
    let replaced = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = replaced {
        // Best effort: the first failure is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(directory)?.sync_all()
}

/// The bytes of the file at `path`, or `None` when there is no such file.
///
/// # Errors
/// Any failure of the file system but absence.
pub fn read_if_present(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A name that no other writer uses, so that two at once cannot mix their bytes.
fn temporary_name(directory: &Path, path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{:016x}.tmp", u64::from_be_bytes(random::bytes())));
    Ok(directory.join(hidden))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::os::unix::fs::PermissionsExt;

    fn names(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder)
            .expect("it is there")
            .map(|e| e.expect("readable").file_name())
            .collect()
    }

    #[test]
    fn an_absent_file_is_no_error() {
        let folder = Scratch::new();
        assert_eq!(read_if_present(&folder.path("state")).expect("absent"), None);
    }

    #[test]
    fn a_write_replaces_the_whole_and_leaves_nothing_else() {
        let folder = Scratch::new();
        let path = folder.path("state");
        write_atomically(&path, b"a rather long first state").expect("written");
        write_atomically(&path, b"short").expect("replaced");
        assert_eq!(read_if_present(&path).expect("readable").as_deref(), Some(&b"short"[..]));
        assert_eq!(names(folder.root()), ["state"]);
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, MODE);
    }

    #[test]
    fn a_failed_write_keeps_the_old_and_leaves_nothing_else() {
        let folder = Scratch::new();
        // A folder with something in it cannot be replaced by a file, so the rename fails.
        let path = folder.path("state");
        fs::create_dir(&path).expect("created");
        fs::write(path.join("old"), b"old").expect("written");
        assert!(write_atomically(&path, b"new").is_err());
        assert_eq!(names(folder.root()), ["state"]);
        assert_eq!(fs::read(path.join("old")).expect("readable"), b"old");
    }

    #[test]
    fn a_path_without_a_name_is_refused() {
        assert!(write_atomically(Path::new("/"), b"").is_err());
    }
}
