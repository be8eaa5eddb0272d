//! A disk whose fdatasync fails or hangs on command, under a program that is not changed for it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tools;

/// What stands between the program and libc.
const SHIM: &str = include_str!("failing_disk.c");

/// The switch, and the environment of a program that obeys it.
#[derive(Debug)]
pub struct FailingDisk {
    shim: PathBuf,
    switch: PathBuf,
    stall: PathBuf,
}

impl FailingDisk {
    /// A disk that works, until [`fail`](Self::fail). Its files go into `folder`. The C compiler is
    /// the one that Rust links with.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        fs::write(folder.join("failing_disk.c"), SHIM).expect("the folder is ours");
        let arguments =
            ["-shared", "-fPIC", "-Wall", "-Werror", "-o", "failing_disk.so", "failing_disk.c"];
        tools::expect(folder, "cc", &arguments);
        Self {
            shim: folder.join("failing_disk.so"),
            switch: folder.join("fdatasync-fails"),
            stall: folder.join("fdatasync-hangs"),
        }
    }

    /// For [`Process::set_env`](crate::process::Process::set_env).
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let shown = |path: &Path| path.to_str().expect("plain names").to_owned();
        let files = [
            ("LD_PRELOAD", &self.shim),
            ("FAILING_DISK_SWITCH", &self.switch),
            ("STALLING_DISK_SWITCH", &self.stall),
        ];
        files.map(|(name, path)| (name.to_owned(), shown(path))).into()
    }

    /// From now on no fdatasync returns.
    pub fn stall(&self) {
        fs::write(&self.stall, b"").expect("the folder is ours");
    }

    /// From now on every fdatasync fails.
    pub fn fail(&self) {
        fs::write(&self.switch, b"").expect("the folder is ours");
    }

    /// From now on it works again.
    pub fn recover(&self) {
        fs::remove_file(&self.switch).expect("it was failing");
    }
}
