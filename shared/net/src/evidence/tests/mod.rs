//! The log on a disk that fails.

mod crash;
mod faults;
mod reading;
mod rollback;
mod small_files;
mod tamper;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chronolease_core::evidence::LeafIndex;

use super::*;

const ORIGIN: &str = "test.example/log";
const SEGMENT_BYTES: u64 = 800;
const RESERVE_BYTES: u64 = 1_000;

/// The clock that tells the age of segments, in seconds.
type Clock = Arc<AtomicU64>;

/// A log's disk, folder and clock.
struct Bench {
    disk: MemoryDisk,
    clock: Clock,
}

impl Bench {
    fn new() -> Self {
        Self::on(MemoryDisk::new())
    }

    fn on(disk: MemoryDisk) -> Self {
        Self { disk, clock: Clock::default() }
    }

    /// Segments hardly larger than the settings permit.
    fn settings() -> Settings {
        Settings {
            segment_bytes: SEGMENT_BYTES,
            segment_age_s: 100,
            reserve_bytes: RESERVE_BYTES,
            queue_groups: 4,
            batch_entries: 8,
            batch_bytes: 512,
            ..Settings::new(ORIGIN)
        }
    }

    fn seconds(&self) -> Seconds {
        let clock = Arc::clone(&self.clock);
        Box::new(move || clock.load(Ordering::Relaxed))
    }

    fn files(&self) -> Arc<dyn Files> {
        Arc::new(self.disk.clone())
    }

    fn create(&self) -> Result<Owner, OpenError> {
        create(self.files(), folder(), Self::settings(), self.seconds())
    }

    fn open(&self, known: &[Known]) -> Result<(Owner, Recovered), OpenError> {
        open(self.files(), folder(), Self::settings(), known, self.seconds())
    }

    fn survey(&self, known: &[Known]) -> Result<Survey, Refused> {
        Survey::take(&self.disk, folder(), ORIGIN, known).map_err(|error| match error {
            OpenError::Refused(refused) => refused,
            other => panic!("{other}"),
        })
    }

    /// All leaves, through the reader.
    fn leaves(&self) -> Vec<Vec<u8>> {
        let mut reader = Reader::new(self.files(), folder(), ORIGIN, LeafIndex::new(0))
            .expect("the folder is readable");
        let mut leaves = Vec::new();
        while let Some(batch) = reader.next_batch().expect("sound") {
            leaves.extend(batch.leaves);
        }
        leaves
    }

    /// The next batch begins a new segment.
    fn age(&self) {
        self.clock.fetch_add(100, Ordering::Relaxed);
    }
}

fn folder() -> &'static Path {
    Path::new("/log")
}

fn segment(first: u64) -> PathBuf {
    layout::Layout::new(folder()).segment(LeafIndex::new(first))
}

fn entries(texts: &[&str]) -> Vec<Entry> {
    texts.iter().map(|text| Entry::new(text.as_bytes().to_vec()).expect("short")).collect()
}

fn refused<T: std::fmt::Debug>(result: Result<T, OpenError>) -> Refused {
    match result {
        Err(OpenError::Refused(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

fn known(head: Head) -> [Known; 1] {
    [Known { witness: "the peer".to_owned(), tree: head.tree }]
}
