//! A page of results: under what circumstances it was made, and where it goes.

use std::process::Command;

use chronolease_sys::Clocks;
use time::OffsetDateTime;

/// Date, commit and processors, as the first lines of a page.
///
/// # Errors
/// When the date or the number of cores cannot be told.
pub fn circumstances(clocks: Clocks) -> anyhow::Result<String> {
    let unix_s = clocks.real().as_unix_nanos().div_euclid(1_000_000_000);
    let date = OffsetDateTime::from_unix_timestamp(unix_s)?.date();
    let cores = std::thread::available_parallelism()?;
    let commit = commit().unwrap_or_else(|| "unknown".to_owned());
    let build = if cfg!(debug_assertions) { ", not optimised" } else { "" };
    let kind = processor().map(|kind| format!(" ({kind})")).unwrap_or_default();
    Ok(format!("{date} (UTC), commit {commit}, {cores} cores{kind}{build}.\n"))
}

/// What the processors are, and whether they hash by themselves: without that SHA-256 takes several
/// times as long.
fn processor() -> Option<String> {
    let told = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let of = |key: &str| {
        let line = told.lines().find(|line| line.starts_with(key))?;
        line.split_once(':').map(|(_, value)| value.trim())
    };
    let hashes = of("flags")?.split(' ').any(|flag| flag == "sha_ni");
    let sha = if hashes { "with" } else { "without" };
    Some(format!("{}, {sha} SHA instructions", of("model name")?))
}

/// The commit, and whether there is more than it; `None` where there is no git.
fn commit() -> Option<String> {
    let arguments = ["describe", "--always", "--dirty", "--abbrev=12"];
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Prints a page, and writes it to `docs/results/NAME.md` if so asked.
///
/// # Errors
/// When it cannot be written.
pub fn show(text: &str, name: &str, write: bool) -> anyhow::Result<()> {
    print!("{text}");
    if write {
        std::fs::create_dir_all("docs/results")?;
        std::fs::write(format!("docs/results/{name}.md"), text)?;
    }
    Ok(())
}

/// The middle one of some figures; not a number when there are none.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
