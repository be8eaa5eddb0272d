//! The peer's log: given up for another.

use std::sync::Arc;

use chronolease_core::evidence::leaf::{self, Event};
use chronolease_core::evidence::note::KeyName;
use chronolease_sys::Clocks;

use super::super::{PeerTrouble, commission, vouched_note};
use super::{EpochError, Told};
use crate::evidence::{Disk, PeerStore};
use crate::keys::EvidenceSigner;
use crate::recorder::{self, EvidenceConfig};

/// Takes up the log `origin` of a peer, of which nothing was vouched for yet; `peers` are the logs
/// of all peers, as the configuration names them, and `config` describes this box's own. Returns
/// the newest note of the peer's old log that this box has vouched for, empty when there never was
/// one. Blocks on the disk.
///
/// # Errors
/// [`EpochError`]. After one of the file system, run it again: then it is on record twice.
pub fn peer(
    config: &EvidenceConfig,
    origin: &KeyName,
    peers: &[KeyName],
    told: &Told,
    clocks: Clocks,
) -> Result<Vec<u8>, EpochError> {
    let (reason, old_origin) = (told.agreement()?, told.old_origin()?);
    let signer = EvidenceSigner::load(&config.key_file)?;
    let (disk, dir) = (Arc::new(Disk), &config.dir);
    let failed = |source| EpochError::Io { path: dir.clone(), source };
    let known = PeerStore::origins(&*disk, dir).map_err(failed)?;
    if known.contains(origin) {
        return Err(PeerTrouble::Present(origin.clone()).into());
    }
    let given_up: Vec<KeyName> = known.into_iter().filter(|o| !peers.contains(o)).collect();
    let old = match (&old_origin, &given_up[..]) {
        (Some(old), _) if given_up.contains(old) => old,
        (None, [old]) => old,
        _ => {
            let names: Vec<&str> = given_up.iter().map(KeyName::as_str).collect();
            return Err(EpochError::WhichOld(names.join(", ")));
        }
    };
    let sealed = vouched_note(disk.clone(), dir, old)?;
    let record = leaf::PeerEpoch { sealed: sealed.clone(), origin: origin.clone(), reason };
    // The record first: without it nothing may be vouched for in the new name.
    recorder::append(config, &signer, clocks, Event::PeerEpoch(record))?;
    commission(disk, dir, origin)?;
    Ok(sealed)
}
