//! What processes use of the processors.

use std::fs;

use anyhow::Context as _;

/// The processor time of all threads of a process, in nanoseconds. User and system time as the
/// kernel shows them of a process count in hundredths of a second, and miss who never runs as
/// long.
///
/// # Errors
/// When there is no such process.
pub fn used_ns(pid: u32) -> anyhow::Result<u64> {
    let mut ns = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        ns += text.split(' ').next().context("three figures")?.parse::<u64>()?;
    }
    Ok(ns)
}
