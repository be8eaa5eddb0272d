//! Writes a lab directory: configuration files, keys and certificates. It starts nothing.

mod accuracy;
mod files;
mod pki;
mod profile;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chronolease_net::evidence::Disk;
use chronolease_net::exchange::{self, PeerTrouble};
use chronolease_net::recorder::{self, RecorderError};
use chronolease_sys::{Clocks, ClocksError};

pub use accuracy::{Accuracy, AccuracyError};

use crate::layout::{Layout, Ports};

/// The first record of a TSU, as `chronolease-monitor commission` writes it: nothing granted yet,
/// nothing latched.
const NEW_WARD: &str =
    "chronolease-ward 1\nincarnation -\nsequence 0\nreported 0\nttl_ns 0\nlatch -\n";

/// Why no lab was written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The directory holds something, and it is no lab of ours.
    #[error(
        "{dir}: holds files, but no lab.toml written by chronolease-lab; \
         choose an empty directory"
    )]
    NotOurs {
        /// The directory as given.
        dir: PathBuf,
    },
    /// A file or directory cannot be read, written or removed.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The clocks cannot be read, so certificates cannot be dated.
    #[error(transparent)]
    Clocks(#[from] ClocksError),
    /// A key or a certificate cannot be made.
    #[error("cannot make {what}: {source}")]
    Pki {
        /// Which one.
        what: &'static str,
        /// What the library said.
        source: rcgen::Error,
    },
    /// The evidence logs cannot be made.
    #[error(transparent)]
    Evidence(#[from] RecorderError),
    /// What is known of the other box's log cannot be written.
    #[error(transparent)]
    Peer(#[from] PeerTrouble),
    /// The clock is outside the years that a certificate can name.
    #[error("the clock says {unix_s} s since 1970, which no certificate can name")]
    NoDate {
        /// The reading, in seconds since 1970-01-01.
        unix_s: i64,
    },
}

/// Writes a lab for `ports` and `accuracy` below `dir` and answers where its files are.
///
/// An empty or absent directory is filled. Over a lab it starts afresh: new keys, no state. What
/// others put beside the lab's files stays.
///
/// # Errors
/// [`InitError`]; a directory that is not ours is left as it was.
pub fn init(dir: &Path, ports: Ports, accuracy: Accuracy) -> Result<Layout, InitError> {
    let layout = Layout::new(dir);
    files::prepare(&layout)?;
    // First, so that a run that was cut short is known as ours by the next one.
    files::write_public(&layout.lab_toml(), &profile::lab_toml(ports))?;
    let clocks = Clocks::open()?;
    let pins = pki::write(&layout, clocks.real())?;
    files::write_public(&layout.tsu_toml(), &profile::tsu_toml(ports, accuracy, &pins))?;
    files::write_public(&layout.monitor_toml(), &profile::monitor_toml(ports, accuracy, &pins))?;
    for (file, box_name) in
        [(layout.tsu_clock_toml(), "tsu"), (layout.monitor_clock_toml(), "monitor")]
    {
        files::write_public(&file, &profile::clock_toml(box_name))?;
    }
    files::create_private_dir(&layout.sockets())?;
    files::write_public(&layout.leap_list(), &profile::leap_list(clocks.real()))?;
    files::create_private_dir(&layout.state())?;
    files::create_private_dir(&layout.monitor_state())?;
    files::write_secret(&layout.ward_record(), NEW_WARD)?;
    files::create_private_dir(&layout.tsu_state())?;
    for (state, key, own, peer) in [
        (layout.tsu_state(), "tsu", profile::TSU_ORIGIN, profile::MONITOR_ORIGIN),
        (layout.monitor_state(), "monitor", profile::MONITOR_ORIGIN, profile::TSU_ORIGIN),
    ] {
        let key_file = layout.file(&format!("pki/evidence/{key}.key"));
        let config = profile::evidence(state.join("evidence"), own, key_file);
        recorder::commission(&config, clocks)?;
        exchange::commission(Arc::new(Disk), &config.dir, &profile::log_name(peer))?;
    }
    Ok(layout)
}
