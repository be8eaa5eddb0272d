//! An evidence log for tests, in a folder of its own. It blocks: a runtime has several threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::leaf::{BoxRole, Event, Leaf, Started};
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::note::KeyName;
use chronolease_core::id::BootId;
use chronolease_core::sample::Sample;
use chronolease_core::stamped::Turn;
use chronolease_core::time::{RawInstant, Span, Timestamp};
use chronolease_net::evidence::{Disk, Reader};
use chronolease_net::exchange::PeerLog;
use chronolease_net::keys::{EvidenceSigner, EvidenceVerifier};
use chronolease_net::random;
use chronolease_net::recorder::{self, Evidence, EvidenceConfig, Recorder};
use chronolease_sys::Clocks;
use tokio::task::block_in_place;

/// UTC - RAW in these tests, in nanoseconds.
pub(super) const OFFSET: i64 = 1_790_000_000_000_000_000;

/// A box whose clock is right, `ms` after its oscillator began.
pub(super) fn sample(ms: i64) -> Sample {
    let raw = RawInstant::from_nanos(ms * 1_000_000);
    Sample {
        raw_before: raw,
        real: Timestamp::from_unix_nanos(OFFSET + raw.as_nanos()),
        raw_after: raw,
        boot_minus_mono: Span::ZERO,
        boot_id: BootId::from_bytes([7; 16]),
    }
}

/// A turn at the time of [`sample`].
pub(super) fn turn(ms: i64) -> Turn {
    crate::core::testing::turn(sample(ms))
}

/// A new log that goes away with the test.
#[derive(Debug)]
pub(super) struct TestLog {
    folder: PathBuf,
    config: EvidenceConfig,
}

/// The example key of RFC 8410 10.3.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";

impl TestLog {
    pub(super) fn new() -> Self {
        Self::named("test.example/monitor")
    }

    pub(super) fn named(origin: &str) -> Self {
        let tag = u64::from_be_bytes(random::bytes());
        let folder = std::env::temp_dir().join(format!("chronolease-monitor-{tag:016x}"));
        let config = EvidenceConfig {
            dir: folder.join("evidence"),
            origin: KeyName::new(origin).expect("a fair name"),
            key_file: folder.join("key.pem"),
            segment_bytes: 1_100_000,
            reserve_bytes: 1,
        };
        fs::create_dir_all(&folder).expect("a folder of its own");
        fs::write(&config.key_file, KEY).expect("ours");
        block_in_place(|| recorder::commission(&config, clocks()))
            .expect("there is room for a test");
        Self { folder, config }
    }

    /// The folder that the log's folder is in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The key of this log.
    pub(super) fn signer(&self) -> Arc<EvidenceSigner> {
        Arc::new(EvidenceSigner::load(&self.config.key_file).expect("an Ed25519 key"))
    }

    /// This log as another box knows it.
    pub(super) fn as_peer(&self) -> PeerLog {
        let key = EvidenceVerifier::from_public_key(self.signer().public_key());
        PeerLog { origin: self.config.origin.clone(), key: key.expect("it is one") }
    }

    pub(super) fn open(&self) -> Evidence {
        self.open_with_reserve(1)
    }

    /// Open, with no room for anything more.
    pub(super) fn open_full(&self) -> Evidence {
        let evidence = self.open_with_reserve(1 << 60);
        for bytes in [60_000, 4_000, 300, 1] {
            let filler = || Event::PeerCheckpoint(vec![b'x'; bytes]);
            while put(&evidence.recorder(), filler()) {}
        }
        evidence
    }

    fn open_with_reserve(&self, reserve_bytes: u64) -> Evidence {
        let config = EvidenceConfig { reserve_bytes, ..self.config.clone() };
        let started = Started {
            role: BoxRole::Monitor,
            version: "test".to_owned(),
            build: "test".to_owned(),
            incarnation: None,
            config_digest: Hash::from_bytes([0; 32]),
            virtual_allowed: false,
        };
        block_in_place(|| Evidence::open(&config, &self.signer(), clocks(), started))
            .expect("a sound log")
    }

    /// What is on record, starts, stops and fillers left out.
    pub(super) fn events(&self) -> Vec<Event> {
        let (dir, origin) = (&self.config.dir, self.config.origin.as_str());
        let mut reader = Reader::new(Arc::new(Disk), dir, origin, LeafIndex::new(0)).expect("ours");
        let batches = std::iter::from_fn(|| reader.next_batch().expect("sound"));
        let leaves: Vec<Vec<u8>> = batches.flat_map(|batch| batch.leaves).collect();
        let events = leaves.iter().map(|der| Leaf::decode(der).expect("ours").event);
        let told = |event: &Event| {
            !matches!(event, Event::Started(_) | Event::Stopped | Event::PeerCheckpoint(_))
        };
        events.filter(told).collect()
    }
}

impl Drop for TestLog {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether the stop could be recorded.
pub(super) fn close(evidence: Evidence) -> bool {
    block_in_place(|| evidence.close(&sample(0))).is_ok()
}

pub(super) fn clocks() -> Clocks {
    Clocks::open().expect("the clocks of this box")
}

pub(super) fn put(recorder: &Recorder, event: Event) -> bool {
    let pending = recorder.submit(&sample(0), vec![event]).expect("the log is open");
    block_in_place(|| pending.committed_blocking()).is_ok()
}
