//! Two boxes, their logs on disks that fail, and what they say of each other's.

mod kept;
mod vouching;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chronolease_core::evidence::TreeSize;
use chronolease_core::evidence::note::KeyName;
use chronolease_core::id::BootId;
use chronolease_core::sample::Sample;
use chronolease_core::time::{RawInstant, Span, Timestamp};

use super::*;
use crate::evidence::{self, Entry, MemoryDisk, Owner, Settings};
use crate::keys::EvidenceSigner;
use crate::scratch::Scratch;

/// A box with its disk, its key and its open log.
pub(super) struct Side {
    pub(super) disk: MemoryDisk,
    origin: KeyName,
    signer: Arc<EvidenceSigner>,
    owner: Owner,
}

pub(super) fn folder() -> &'static Path {
    Path::new("/log")
}

pub(super) fn name(origin: &str) -> KeyName {
    KeyName::new(origin).expect("a fair name")
}

/// Segments that a disk in memory copies quickly.
fn settings(origin: &str) -> Settings {
    let (segment_bytes, batch_entries, batch_bytes) = (4_096, 8, 512);
    Settings { segment_bytes, batch_entries, batch_bytes, ..Settings::new(origin) }
}

/// A key of its own, in a file.
pub(super) fn key_file(scratch: &Scratch, name: &str) -> PathBuf {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let file = scratch.path(name);
    std::fs::write(&file, pair.serialize_pem()).expect("the folder is ours");
    file
}

pub(super) fn signer() -> Arc<EvidenceSigner> {
    let scratch = Scratch::new();
    Arc::new(EvidenceSigner::load(&key_file(&scratch, "key")).expect("an Ed25519 key"))
}

/// This long after the oscillator began, at a fair time of day.
pub(super) fn at(s: i64) -> Sample {
    let raw = RawInstant::from_nanos(s * 1_000_000_000);
    Sample {
        raw_before: raw,
        real: Timestamp::from_unix_nanos(1_790_000_000_000_000_000 + raw.as_nanos()),
        raw_after: raw,
        boot_minus_mono: Span::ZERO,
        boot_id: BootId::from_bytes([7; 16]),
    }
}

impl Side {
    pub(super) fn new(origin: &str) -> Self {
        let disk = MemoryDisk::new();
        let owner = evidence::create(
            Arc::new(disk.clone()),
            folder(),
            settings(origin),
            Box::new(|| 1_790_000_000),
        );
        Self { disk, origin: name(origin), signer: signer(), owner: owner.expect("room") }
    }

    /// The same box on another disk: a copy of this one that was made earlier.
    fn restored(&self, disk: MemoryDisk) -> Self {
        disk.crash(evidence::Crash::Drop);
        let settings = settings(self.origin.as_str());
        let (files, clock) = (Arc::new(disk.clone()), Box::new(|| 1_790_000_000));
        let (owner, _) = evidence::open(files, folder(), settings, &[], clock).expect("sound");
        Self { disk, origin: self.origin.clone(), signer: Arc::clone(&self.signer), owner }
    }

    /// Appends leaves, each a batch, until there are so many.
    pub(super) fn grow(&self, size: u64, text: &str) -> &Self {
        let log = self.owner.log();
        while log.head().tree.size < TreeSize::new(size) {
            let leaf = format!("{text} {}", log.head().tree.size);
            let entry = Entry::new(leaf.into_bytes()).expect("short");
            log.append_blocking(vec![entry]).expect("there is room");
        }
        self
    }

    pub(super) fn own_log(&self) -> OwnLog {
        let (disk, log) = (Arc::new(self.disk.clone()), self.owner.log().clone());
        OwnLog::new(disk, folder(), self.origin.clone(), Arc::clone(&self.signer), log)
    }

    pub(super) fn as_peer(&self) -> PeerLog {
        let key = EvidenceVerifier::from_public_key(self.signer.public_key());
        PeerLog { origin: self.origin.clone(), key: key.expect("it is one") }
    }

    pub(super) fn commissioned(&self, peer: &Side) -> &Self {
        commission(Arc::new(self.disk.clone()), folder(), &peer.origin).expect("new");
        self
    }

    pub(super) fn vouching(&self, peer: PeerLog) -> Result<Vouching, PeerTrouble> {
        Vouching::open(Arc::new(self.disk.clone()), folder(), self.own_log(), peer)
    }

    pub(super) fn offering(&self, witness: &Side) -> Offering {
        Offering::new(self.own_log(), witness.as_peer())
    }

    /// What this box offers a witness that is at `held`, whether or not it continues that.
    pub(super) fn offer(&self, witness: &Side, held: &Vouching) -> Vec<u8> {
        let mut offering = self.offering(witness);
        let _ = offering.met(held.held());
        offering.offer().checkpoint
    }
}
