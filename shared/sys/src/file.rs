//! What the standard library lacks for files that must survive a power cut.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, posix_fallocate};
use nix::sys::statvfs::statvfs;

/// Has the file system set aside the first `bytes` bytes of the file. A shorter file grows to that
/// length with zeros; writing there later needs no more space.
///
/// # Errors
/// ENOSPC or EDQUOT ([`io::ErrorKind::StorageFull`], [`io::ErrorKind::QuotaExceeded`]) when there
/// is no room; the file may have grown by a part of it. Whatever else the file system reports.
pub fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    let length = i64::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(posix_fallocate(file, 0, length)?)
}

/// Has the file read and written past the page cache from now on (O_DIRECT), or through it again.
/// Past it, offsets, lengths and addresses must be multiples of the disk's sector. Returns whether
/// it is so: `false` when the file system knows no such way.
///
/// # Errors
/// When the open file cannot be changed.
pub fn bypass_page_cache(file: &File, bypass: bool) -> io::Result<bool> {
    let mut flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    flags.set(OFlag::O_DIRECT, bypass);
    match fcntl(file, FcntlArg::F_SETFL(flags)) {
        Ok(_) => Ok(bypass),
        Err(Errno::EINVAL) if bypass => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes the names in a folder durable: what was created or renamed in it stays so.
///
/// # Errors
/// The folder cannot be opened, or the file system reports a failure.
pub fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// How many bytes an ordinary user may still write on the file system of `path`.
///
/// # Errors
/// When the file system cannot be asked.
pub fn available_bytes(path: &Path) -> io::Result<u64> {
    let figures = statvfs(path)?;
    Ok(figures.blocks_available().saturating_mul(figures.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preallocated_bytes_are_zeros_and_count_as_length() {
        let path = std::env::temp_dir().join(format!("chronolease-file-{}", std::process::id()));
        let file = File::create(&path).expect("created");
        preallocate(&file, 12_345).expect("there is room");
        assert_eq!(std::fs::read(&path).expect("readable"), vec![0; 12_345]);
        sync_dir(&std::env::temp_dir()).expect("a folder");
        assert!(preallocate(&file, 1 << 62).is_err(), "no disk is so large");
        std::fs::remove_file(&path).expect("removed");
    }

    #[test]
    fn a_file_system_without_a_way_past_the_page_cache_says_so() {
        let file = File::open("/proc/version").expect("readable");
        assert!(!bypass_page_cache(&file, true).expect("no failure"));
        assert!(!bypass_page_cache(&file, false).expect("as it was"));
    }

    #[test]
    fn some_space_is_available_and_an_absent_folder_has_none() {
        assert!(available_bytes(&std::env::temp_dir()).expect("a folder") > 0);
        assert!(available_bytes(Path::new("/no/such/folder")).is_err());
    }
}
