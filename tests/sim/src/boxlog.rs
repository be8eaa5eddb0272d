//! The evidence log of a box, on a disk in memory.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::leaf::{BoxRole, Event, Leaf, Started, TornTail};
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::note::KeyName;
use chronolease_core::id::Incarnation;
use chronolease_core::sample::Sample;
use chronolease_net::evidence::{
    Committed, HandWriter, Known, Log, MemoryDisk, Pending, Reader, Settings, create_by_hand,
    open_by_hand,
};
use chronolease_net::exchange::{self, Offering, OwnLog, PeerLog, Vouching};
use chronolease_net::keys::{EvidenceSigner, EvidenceVerifier};
use chronolease_net::recorder::{RecordError, Recorder};

/// Where the log is.
pub const FOLDER: &str = "/evidence";

/// Who a box is to the other one.
#[derive(Clone)]
pub struct Identity {
    /// The key of its evidence.
    pub signer: Arc<EvidenceSigner>,
    /// The name of its log.
    pub origin: KeyName,
}

impl Identity {
    /// The identity with this name.
    #[must_use]
    pub fn new(name: &str, seed: u8) -> Self {
        let signer = EvidenceSigner::from_seed(&[seed; 32]).expect("any 32 bytes are a seed");
        let origin = KeyName::new(&format!("sim.example/{name}")).expect("a fair name");
        Self { signer: Arc::new(signer), origin }
    }

    /// It as its peer knows it.
    #[must_use]
    pub fn as_peer(&self) -> PeerLog {
        let key = EvidenceVerifier::from_public_key(self.signer.public_key());
        PeerLog { origin: self.origin.clone(), key: key.expect("the key of a signer") }
    }
}

/// An open log.
pub struct BoxLog {
    /// The handle that records.
    pub recorder: Recorder,
    /// The log as the exchange needs it.
    pub own: OwnLog,
    log: Log,
    writer: HandWriter,
}

/// Both halves of the exchange with a peer.
pub struct Exchange {
    /// What is offered to it.
    pub offering: Offering,
    /// What is vouched for.
    pub vouching: Vouching,
}

fn settings(origin: &KeyName) -> Settings {
    Settings {
        batch_bytes: 96 << 10,
        segment_bytes: 112 << 10,
        reserve_bytes: 1,
        ..Settings::new(origin.as_str())
    }
}

/// Makes the log of a new box, and notes that nothing was vouched for.
pub fn commission(disk: &MemoryDisk, me: &Identity, peers: &[Identity]) {
    let files = Arc::new(disk.clone());
    create_by_hand(files.clone(), Path::new(FOLDER), settings(&me.origin)).expect("a new disk");
    for peer in peers {
        exchange::commission(files.clone(), Path::new(FOLDER), &peer.origin).expect("a new disk");
    }
}

impl BoxLog {
    /// Opens the log as a daemon does: checked against its newest checkpoint, with the start on its
    /// way to the disk.
    ///
    /// # Errors
    /// Why the daemon does not start.
    pub fn open(
        disk: &MemoryDisk,
        me: &Identity,
        run: Option<Incarnation>,
        now: &Sample,
    ) -> Result<(Self, Pending), String> {
        let (files, folder) = (Arc::new(disk.clone()), Path::new(FOLDER));
        let newest = exchange::newest(files.clone(), folder, &me.signer);
        let newest = newest.map_err(|why| why.to_string())?;
        let known = |checkpoint: Checkpoint| Known {
            witness: "its newest checkpoint".to_owned(),
            tree: checkpoint.head(),
        };
        let known: Vec<Known> = newest.map(known).into_iter().collect();
        let opened = open_by_hand(files.clone(), folder, settings(&me.origin), &known);
        let (log, writer, recovered) = opened.map_err(|why| why.to_string())?;
        let recorder = Recorder::over(log.clone());
        let torn = recovered
            .torn_tail
            .map(|tail| Event::TornTail(TornTail { after: tail.after, cut_bytes: tail.bytes }));
        let started = Event::Started(Started {
            role: if run.is_some() { BoxRole::Tsu } else { BoxRole::Monitor },
            version: "simulated".to_owned(),
            build: "simulated".to_owned(),
            incarnation: run,
            config_digest: Hash::from_bytes([0; 32]),
            virtual_allowed: false,
        });
        let start = recorder.submit(now, torn.into_iter().chain([started]).collect());
        let start = start.map_err(|why| why.to_string())?;
        let own =
            OwnLog::new(files, folder, me.origin.clone(), Arc::clone(&me.signer), log.clone());
        Ok((Self { recorder, own, log, writer }, start))
    }

    /// Opens the exchange with a peer.
    ///
    /// # Errors
    /// Why the daemon does not start.
    pub fn exchange(&self, disk: &MemoryDisk, peer: &Identity) -> Result<Exchange, String> {
        let (files, folder, own) = (Arc::new(disk.clone()), Path::new(FOLDER), self.own.clone());
        let offering = Offering::new(own.clone(), peer.as_peer());
        let vouching = Vouching::open(files, folder, own, peer.as_peer());
        let vouching = vouching.map_err(|why| why.to_string())?;
        Ok(Exchange { offering, vouching })
    }

    /// Writes one batch of what waits. `false` when nothing does.
    pub fn write_batch(&mut self) -> bool {
        self.writer.write_batch()
    }

    /// How many leaves are durable.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.log.head().tree.size.as_u64()
    }
}

/// What became of a record, if that is known by now.
pub fn answered(pending: &mut Pending) -> Option<Result<Committed, RecordError>> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(pending).poll(&mut context) {
        Poll::Ready(answer) => Some(answer.map_err(RecordError::from)),
        Poll::Pending => None,
    }
}

/// All leaves that a disk holds, as the kernel shows them now.
///
/// # Errors
/// Why the log does not read.
pub fn leaves(disk: &MemoryDisk, me: &Identity) -> Result<Vec<Leaf>, String> {
    let files = Arc::new(disk.clone());
    let first = LeafIndex::new(0);
    let reader = Reader::new(files, Path::new(FOLDER), me.origin.as_str(), first);
    let mut reader = reader.map_err(|why| why.to_string())?;
    let mut all = Vec::new();
    while let Some(batch) = reader.next_batch().map_err(|why| why.to_string())? {
        for der in &batch.leaves {
            all.push(Leaf::decode(der).map_err(|why| why.to_string())?);
        }
    }
    Ok(all)
}
