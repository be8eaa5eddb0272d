//! Loads what vouches for the sources under NTS.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chronolease_net::daemon::DaemonError;

use crate::config::Config;
use crate::io::nts::trust::Trust;

/// The roots of each source, in the configured order; `None` for a plain one. Each set of files is
/// read once.
///
/// # Errors
/// [`DaemonError`] that names the source and what is wrong with its files.
pub(crate) fn of_sources(config: &Config) -> Result<Vec<Option<Arc<Trust>>>, DaemonError> {
    let mut known: BTreeMap<&[PathBuf], Arc<Trust>> = BTreeMap::new();
    let mut trusts = Vec::with_capacity(config.sources.servers.len());
    for server in &config.sources.servers {
        let Some(nts) = &server.nts else {
            trusts.push(None);
            continue;
        };
        let trust = match known.get(&nts.ca_files[..]) {
            Some(trust) => Arc::clone(trust),
            None => Arc::new(Trust::load(&nts.ca_files).map_err(|why| {
                DaemonError::config(format!("source {}: nts.ca_files: {why}", server.name))
            })?),
        };
        known.insert(&nts.ca_files, Arc::clone(&trust));
        trusts.push(Some(trust));
    }
    Ok(trusts)
}
