//! What a new box and a new TSU need: made once, by hand. A start only looks for it, so what is
//! gone is noticed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chronolease_core::id::TsuId;
use chronolease_net::daemon::DaemonError;
use chronolease_net::durable;
use chronolease_net::evidence::Disk;
use chronolease_net::exchange::{self, PeerTrouble};
use chronolease_net::recorder::{self, EvidenceConfig};
use chronolease_sys::Clocks;

use crate::config::{Config, Ward};
use crate::core::authority::Record;

/// Where the record of a TSU is.
pub(crate) fn record_file(state_dir: &Path, tsu: &TsuId) -> PathBuf {
    state_dir.join(format!("{tsu}.ward"))
}

/// What to say when the evidence log is gone.
pub(crate) fn no_log(config: &EvidenceConfig) -> DaemonError {
    DaemonError::failed(format!(
        "{}: there is no evidence log. One that was lost held what this box has vouched for. Only \
         for a box that never had one, make it: chronolease-monitor --config FILE commission log",
        config.dir.display()
    ))
}

/// Makes the empty evidence log of a new box.
///
/// # Errors
/// [`DaemonError`] when there is one already or it cannot be made.
pub fn log(config: &Config) -> Result<(), DaemonError> {
    let clocks = Clocks::open().map_err(DaemonError::failed)?;
    recorder::commission(&config.evidence, clocks).map_err(DaemonError::failed)
}

/// What to say when it is not known what was vouched for.
pub(crate) fn peer_trouble(dir: &Path, tsu: &TsuId, why: &PeerTrouble) -> DaemonError {
    let advice = match why {
        PeerTrouble::Absent(_) => format!(
            ". One that was lost held what this box has vouched for. Only for a TSU that never had \
             one, make it: chronolease-monitor --config FILE commission tsu {tsu}"
        ),
        _ => String::new(),
    };
    DaemonError::failed(format!("{}: {why}{advice}", dir.display()))
}

/// The TSU of this name.
///
/// # Errors
/// [`DaemonError`] when it is not configured.
pub fn ward<'a>(config: &'a Config, name: &str) -> Result<&'a Ward, DaemonError> {
    let found = config.wards.iter().find(|ward| ward.rules.tsu.as_str() == name);
    found.ok_or_else(|| DaemonError::config(format!("no [[tsu]] of the configuration is {name:?}")))
}

/// Writes the first record of a new TSU, and notes that nothing of its log was vouched for yet.
/// The monitor's own log must be there.
///
/// # Errors
/// [`DaemonError`] when the TSU is not configured, has a record already, or it cannot be written.
pub fn tsu(config: &Config, name: &str) -> Result<(), DaemonError> {
    let ward = ward(config, name)?;
    let rules = &ward.rules;
    let file = record_file(&config.state_dir, &rules.tsu);
    let failed = |what: String| DaemonError::failed(format!("{}: {what}", file.display()));
    if durable::read_if_present(&file).map_err(|e| failed(e.to_string()))?.is_some() {
        return Err(failed("there is a record already; it is left as it is".to_owned()));
    }
    let (dir, origin) = (&config.evidence.dir, &ward.evidence_origin);
    if !dir.is_dir() {
        return Err(no_log(&config.evidence));
    }
    exchange::commission(Arc::new(Disk), dir, origin)
        .map_err(|why| peer_trouble(dir, &rules.tsu, &why))?;
    std::fs::create_dir_all(&config.state_dir).map_err(|e| failed(e.to_string()))?;
    durable::write_atomically(&file, Record::default().to_text().as_bytes())
        .map_err(|e| failed(e.to_string()))
}

/// Reads the record of a TSU. One that is gone or unreadable is never taken for a new one: it may
/// have held a latch.
pub(crate) fn read_record(state_dir: &Path, tsu: &TsuId) -> Result<Record, DaemonError> {
    let file = record_file(state_dir, tsu);
    let failed = |what: String| DaemonError::failed(format!("{}: {what}", file.display()));
    let Some(bytes) = durable::read_if_present(&file).map_err(|e| failed(e.to_string()))? else {
        return Err(failed(format!(
            "there is no record. One that was lost may have held a latch. Only for a TSU that never \
             had one, write the first: chronolease-monitor --config FILE commission tsu {tsu}"
        )));
    };
    let text = String::from_utf8(bytes).map_err(|e| failed(e.to_string()))?;
    Record::parse(&text).map_err(|e| {
        failed(format!("damaged ({e}). It may have held a latch, so the monitor does not start"))
    })
}
