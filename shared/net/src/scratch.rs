//! A throw-away folder for tests.

use std::fs;
use std::path::{Path, PathBuf};

use crate::random;

/// A new empty folder that is removed with everything in it at the end of the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        let name = format!("chronolease-test-{:016x}", u64::from_be_bytes(random::bytes()));
        let root = std::env::temp_dir().join(name);
        fs::create_dir(&root).expect("the folder for temporary files is writable");
        Self(root)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover in the folder for temporary files is not worth a panic within a panic.
        let _ = fs::remove_dir_all(&self.0);
    }
}
