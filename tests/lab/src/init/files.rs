//! Files of a lab directory: whose it is, starting afresh, and modes.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::InitError;
use crate::layout::Layout;

/// The first line of every lab.toml. It is what allows a later run to remove files.
pub(super) const MARKER: &str = "# Written by chronolease-lab init; a new run starts afresh.";

/// Creates the directory, or empties it of what an earlier run wrote, save the marked lab.toml.
pub(super) fn prepare(layout: &Layout) -> Result<(), InitError> {
    let dir = layout.dir();
    fs::create_dir_all(dir).map_err(at(dir))?;
    if fs::read_dir(dir).map_err(at(dir))?.next().is_none() {
        return Ok(());
    }
    let marked = match fs::read_to_string(layout.lab_toml()) {
        Ok(text) => text.lines().next() == Some(MARKER),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(at(&layout.lab_toml())(error)),
    };
    if !marked {
        return Err(InitError::NotOurs { dir: dir.to_owned() });
    }
    for tree in [layout.pki(), layout.state(), layout.logs(), layout.sockets()] {
        absent_is_fine(fs::remove_dir_all(&tree)).map_err(at(&tree))?;
    }
    let clocks = [layout.tsu_clock_toml(), layout.monitor_clock_toml()];
    let boxes = [layout.tsu_toml(), layout.monitor_toml(), layout.leap_list()];
    for file in boxes.into_iter().chain(clocks) {
        absent_is_fine(fs::remove_file(&file)).map_err(at(&file))?;
    }
    Ok(())
}

/// Writes a file that anyone may read, over an older one if there is one.
pub(super) fn write_public(path: &Path, text: &str) -> Result<(), InitError> {
    fs::write(path, text).map_err(at(path))
}

/// Writes a new file that only its owner may read. It is an error when it is there already.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), InitError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(at(path))
}

/// Creates a directory with its parents.
pub(super) fn create_dir(path: &Path) -> Result<(), InitError> {
    fs::create_dir_all(path).map_err(at(path))
}

/// Creates a directory that only its owner may enter.
pub(super) fn create_private_dir(path: &Path) -> Result<(), InitError> {
    DirBuilder::new().mode(0o700).create(path).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> InitError {
    let path = path.to_owned();
    move |source| InitError::File { path, source }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
