//! Computes the build id: a hash over the sources that the two boxes are built from.
//!
//! It hashes sources, not binaries, so a debug and a release build of one tree share it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What goes into the hash, relative to the root of the workspace. `tests/lab` is a program that
/// is shipped to those who try the product; the other tests change nothing that runs.
const FILES: [&str; 2] = ["Cargo.lock", "Cargo.toml"];
const FOLDERS: [&str; 5] = ["clock", "monitor", "shared", "tests/lab", "tsu"];

fn main() -> Result<(), Box<dyn Error>> {
    let crate_root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let root = crate_root.ancestors().nth(2).ok_or("the crate lies two folders down")?;

    let mut sources: Vec<PathBuf> = FILES.iter().map(|file| root.join(file)).collect();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut sources)?;
    }
    for watched in FILES.iter().chain(&FOLDERS) {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    println!("cargo::rustc-env=CHRONOLEASE_BUILD_ID={}", build_id(root, sources)?);
    Ok(())
}

/// What a test needs alone is in no binary.
const TESTS_ALONE: [&str; 3] = ["tests", "tests.rs", "testing.rs"];

/// Adds every `.rs` and `.toml` file under `folder`, tests left out.
fn collect(folder: &Path, sources: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if TESTS_ALONE.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&path, sources)?;
        } else if path.extension().is_some_and(|ext| ext == "rs" || ext == "toml") {
            sources.push(path);
        }
    }
    Ok(())
}

/// The first 16 hexadecimal digits of SHA-256 over all sources in the order of their relative
/// paths: each as path and contents, with the length of either in front.
fn build_id(root: &Path, sources: Vec<PathBuf>) -> Result<String, Box<dyn Error>> {
    let mut named = Vec::new();
    for path in sources {
        let name = path.strip_prefix(root)?.to_str().ok_or("a path that is not UTF-8")?.to_owned();
        named.push((name, path));
    }
    named.sort();

    let mut hasher = Sha256::new();
    for (name, path) in named {
        for part in [name.into_bytes(), fs::read(path)?] {
            hasher.update(u64::try_from(part.len())?.to_be_bytes());
            hasher.update(part);
        }
    }
    Ok(hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}
