//! This box's own log: sealed, and followed by another.
//!
//! Three steps, so that a crash between any two leaves what a second run finishes: the new log is
//! made in `DIR.re-pair`; the old folder becomes `DIR.sealed-N`; the new one gets its place. The
//! new log is complete with its first leaf, which is written last.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::leaf::{Event, Leaf, NewEpoch};
use chronolease_core::evidence::note::KeyName;
use chronolease_core::evidence::{LeafIndex, TreeHead};
use chronolease_sys::Clocks;

use super::super::own::opened;
use super::super::{SealedError, commission, newest};
use super::{EpochError, Told};
use crate::evidence::{self, Disk, Files, PeerState, PeerStore, Reader};
use crate::keys::EvidenceSigner;
use crate::recorder::{self, EvidenceConfig};

/// What is asked for.
struct Epoch<'a> {
    config: &'a EvidenceConfig,
    signer: EvidenceSigner,
    peers: &'a [KeyName],
    reason: String,
    sealed: Option<Vec<u8>>,
    nothing_known: bool,
    old_origin: Option<KeyName>,
}

/// A new epoch has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The last checkpoint of the old log, as the new one names it.
    pub sealed: Checkpoint,
    /// Where the old log is kept; `None` when it is lost.
    pub kept: Option<PathBuf>,
}

impl fmt::Display for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checkpoint { origin, size, .. } = &self.sealed;
        write!(f, "the log {origin} is sealed with {size} leaves")?;
        match &self.kept {
            Some(kept) => write!(f, " and kept in {}", kept.display()),
            None => f.write_str("; its files are lost"),
        }
    }
}

/// Seals this box's log and begins the next one, in the folder of the old one and in the name that
/// `config` has for it. `peers` are the logs of the peers, as the configuration names them. Blocks
/// on the disk.
///
/// # Errors
/// [`EpochError`]. After one of the file system, run it again.
pub fn own(
    config: &EvidenceConfig,
    peers: &[KeyName],
    told: &Told,
    clocks: Clocks,
) -> Result<Begun, EpochError> {
    let read = |file: &PathBuf| fs::read(file).map_err(|source| failed(file, source));
    let epoch = Epoch {
        config,
        signer: EvidenceSigner::load(&config.key_file)?,
        peers,
        reason: told.agreement()?,
        sealed: told.sealed.as_ref().map(read).transpose()?,
        nothing_known: told.nothing_known,
        old_origin: told.old_origin()?,
    };
    let dir = &config.dir;
    let (making, place) = (making(dir), dir.as_path());
    let old_is_there = dir.exists();
    // Held until the end: it goes with the folder when that is renamed.
    let _lock = old_is_there.then(|| evidence::hold(&Disk, dir)).transpose()?;
    if !old_is_there && let Some(sealed) = begun(&making, &config.origin)? {
        publish(&making, place)?;
        return Ok(Begun { sealed, kept: last_kept(dir) });
    }
    if bears(dir, &config.origin)? == Some(true) {
        return Err(EpochError::SameOrigin(config.origin.clone()));
    }
    let sealed = epoch.sealed_head()?;
    if sealed.origin == config.origin {
        return Err(EpochError::SameOrigin(config.origin.clone()));
    }
    if bears(dir, &sealed.origin)? == Some(false) {
        return Err(EpochError::OtherLog { folder: dir.clone(), origin: sealed.origin });
    }
    epoch.make(clocks, &making, &sealed, epoch.carried()?)?;
    let kept = if old_is_there { Some(keep(dir)?) } else { None };
    publish(&making, place)?;
    Ok(Begun { sealed, kept })
}

impl Epoch<'_> {
    /// The newest checkpoint of the old log.
    fn sealed_head(&self) -> Result<Checkpoint, EpochError> {
        let own = match newest(Arc::new(Disk), &self.config.dir, &self.signer) {
            Ok(own) => own,
            Err(_) if self.nothing_known => None,
            Err(damaged) => return Err(damaged.into()),
        };
        let given = self.sealed.as_ref().map(|note| opened(note, &self.signer)).transpose();
        let given = given.map_err(SealedError::from)?;
        // The given one when both have one size: it is the peer's word.
        match given.into_iter().chain(own).reduce(|a, b| if b.size > a.size { b } else { a }) {
            Some(newest) => Ok(newest),
            None => match &self.old_origin {
                Some(origin) if self.nothing_known => {
                    let TreeHead { size, root } = TreeHead::empty();
                    Ok(Checkpoint { origin: origin.clone(), size, root })
                }
                _ => Err(EpochError::NothingKnown),
            },
        }
    }

    /// What this box has vouched for: all of it goes with it into the new epoch, since the peers' logs
    /// go on. With names that the configuration does not bear, for `re-pair peer`.
    fn carried(&self) -> Result<Vec<(KeyName, Option<PeerState>)>, EpochError> {
        let dir = &self.config.dir;
        let mut carried = Vec::new();
        for name in PeerStore::origins(&Disk, dir).map_err(|source| failed(dir, source))? {
            match PeerStore::open(Arc::new(Disk), dir, name.as_str()) {
                Ok((_, state)) => carried.extend(state.map(|state| (name, Some(state)))),
                Err(_) if self.nothing_known => {}
                Err(damaged) => return Err(damaged.into()),
            }
        }
        let retired = carried.iter().any(|(name, _)| !self.peers.contains(name));
        for peer in self.peers {
            // One that is new is for `re-pair peer` to take up.
            if !retired && carried.iter().all(|(name, _)| name != peer) {
                if !self.nothing_known {
                    return Err(EpochError::PeerUnknown(peer.clone()));
                }
                carried.push((peer.clone(), None));
            }
        }
        Ok(carried)
    }

    /// Makes the new log, its first leaf last.
    fn make(
        &self,
        clocks: Clocks,
        making: &Path,
        sealed: &Checkpoint,
        carried: Vec<(KeyName, Option<PeerState>)>,
    ) -> Result<(), EpochError> {
        // What a run that was cut short has left never was a log.
        if making.exists() {
            fs::remove_dir_all(making).map_err(|source| failed(making, source))?;
        }
        for (peer, state) in carried {
            match state {
                Some(state) => {
                    let (mut store, _) = PeerStore::open(Arc::new(Disk), making, peer.as_str())?;
                    store.store(&state).map_err(|source| failed(making, source))?;
                }
                None => commission(Arc::new(Disk), making, &peer)?,
            }
        }
        let reason = self.reason.clone();
        let first = Event::NewEpoch(NewEpoch { sealed: sealed.clone(), reason });
        Ok(recorder::create(self.config, making, clocks, vec![first])?)
    }
}

/// What the log in `folder` begins with, when it is complete.
fn begun(folder: &Path, origin: &KeyName) -> Result<Option<Checkpoint>, EpochError> {
    match bears(folder, origin)? {
        None => return Ok(None),
        Some(true) => {}
        Some(false) => {
            let (folder, origin) = (folder.to_owned(), origin.clone());
            return Err(EpochError::Unfinished { folder, origin });
        }
    }
    let reader = Reader::new(Arc::new(Disk), folder, origin.as_str(), LeafIndex::new(0));
    let mut reader = reader.map_err(|source| failed(folder, source))?;
    let first =
        reader.next_batch().ok().flatten().and_then(|batch| batch.leaves.into_iter().next());
    let first = first.and_then(|leaf| Leaf::decode(&leaf).ok()).map(|leaf| leaf.event);
    Ok(match first {
        Some(Event::NewEpoch(epoch)) => Some(epoch.sealed),
        _ => None,
    })
}

fn bears(folder: &Path, origin: &KeyName) -> Result<Option<bool>, EpochError> {
    evidence::bears(&Disk, folder, origin.as_str()).map_err(|source| failed(folder, source))
}

/// Puts the old log aside.
fn keep(dir: &Path) -> Result<PathBuf, EpochError> {
    let kept = kept_places(dir).find(|place| !place.exists());
    let kept = kept.expect("there are more numbers than folders");
    publish(dir, &kept)?;
    Ok(kept)
}

fn last_kept(dir: &Path) -> Option<PathBuf> {
    kept_places(dir).take_while(|place| place.exists()).last()
}

fn kept_places(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let dir = dir.to_owned();
    (1_u32..).map(move |number| beside(&dir, &format!(".sealed-{number}")))
}

/// Where the next log is made.
pub(super) fn making(dir: &Path) -> PathBuf {
    beside(dir, ".re-pair")
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    dir.with_file_name(name)
}

fn publish(from: &Path, to: &Path) -> Result<(), EpochError> {
    Disk.publish(from, to).map_err(|source| failed(from, source))
}

fn failed(path: &Path, source: std::io::Error) -> EpochError {
    EpochError::Io { path: path.to_owned(), source }
}
