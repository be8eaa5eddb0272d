//! What a box keeps of its own cosigned checkpoints, and what it is good for at the next start.

use std::fs;

use chronolease_core::evidence::leaf::{BoxRole, Event, Started};
use chronolease_core::evidence::merkle::Hash;
use chronolease_sys::Clocks;

use super::*;
use crate::evidence::{Checkpoints, OpenError, Refused};
use crate::recorder::{self, Evidence, EvidenceConfig, RecorderError};

#[test]
fn the_newest_is_kept_each_time_and_the_history_once_a_minute() {
    let (log, witness) = (Side::new("test.example/a"), Side::new("test.example/b"));
    let mut vouching = witness.commissioned(&log).vouching(log.as_peer()).expect("just made");
    let (own, mut offering) = (log.own_log(), log.offering(&witness));
    offering.met(vouching.held()).expect("nothing is held");
    let kept = Checkpoints::new(Arc::new(log.disk.clone()), folder());
    let mut notes = Vec::new();
    for (size, s) in [(1, 0), (2, 30), (3, 59), (4, 60), (5, 61)] {
        log.grow(size, "leaf");
        let vouched = vouching.take(&offering.offer().checkpoint, &at(s)).expect("it continues");
        let note = offering.cosigned(&vouched.line).expect("an answer");
        own.keep(&note, &at(s)).expect("there is room");
        notes.push(note.to_string().into_bytes());
        assert_eq!(kept.newest().expect("readable").as_ref(), notes.last());
        let newest = newest(Arc::new(log.disk.clone()), folder(), &log.signer);
        let newest = newest.expect("ours").expect("kept");
        assert_eq!((newest.size.as_u64(), newest.origin), (size, log.origin.clone()));
    }
    assert_eq!(kept.history().expect("readable"), [notes[0].clone(), notes[3].clone()]);
    let stranger = newest(Arc::new(log.disk.clone()), folder(), &signer());
    assert!(matches!(stranger, Err(SealedError::Damaged(_))));
}

/// A log on the real disk.
struct Real {
    scratch: Scratch,
    config: EvidenceConfig,
}

impl Real {
    fn new() -> Self {
        let scratch = Scratch::new();
        let config = EvidenceConfig {
            dir: scratch.path("evidence"),
            origin: name("test.example/a"),
            key_file: key_file(&scratch, "key.pem"),
            segment_bytes: 1_100_000,
            reserve_bytes: 1,
        };
        recorder::commission(&config, clocks()).expect("there is room");
        Self { scratch, config }
    }

    fn signer(&self) -> Arc<EvidenceSigner> {
        Arc::new(EvidenceSigner::load(&self.config.key_file).expect("ours"))
    }

    fn open(&self) -> Result<Evidence, RecorderError> {
        let started = Started {
            role: BoxRole::Tsu,
            version: "test".to_owned(),
            build: "test".to_owned(),
            incarnation: None,
            config_digest: Hash::from_bytes([0; 32]),
            virtual_allowed: false,
        };
        Evidence::open(&self.config, &self.signer(), clocks(), started)
    }

    fn segment(&self) -> PathBuf {
        self.config.dir.join("segment/0000000000000000.seg")
    }
}

fn clocks() -> Clocks {
    Clocks::open().expect("this box has clocks")
}

#[test]
fn a_log_cut_behind_its_own_newest_checkpoint_is_not_opened() {
    let real = Real::new();
    let evidence = real.open().expect("new");
    let earlier = fs::read(real.segment()).expect("ours");
    let record = evidence.recorder().submit(&at(1), vec![Event::Stopped]).expect("it is open");
    record.committed_blocking().expect("there is room");
    let witness = Side::new("test.example/b");
    let own = evidence.own_log(real.signer());
    let key = EvidenceVerifier::from_public_key(real.signer().public_key()).expect("it is one");
    let peer = PeerLog { origin: real.config.origin.clone(), key };
    commission(Arc::new(witness.disk.clone()), folder(), &peer.origin).expect("new");
    let mut vouching = witness.vouching(peer).expect("just made");
    let mut offering = Offering::new(own.clone(), witness.as_peer());
    offering.met(vouching.held()).expect("nothing is held");
    let vouched = vouching.take(&offering.offer().checkpoint, &at(2)).expect("the first");
    let note = offering.cosigned(&vouched.line).expect("an answer");
    own.keep(&note, &at(2)).expect("there is room");
    evidence.close(&at(3)).expect("there is room");

    real.open().expect("it holds what was cosigned").close(&at(4)).expect("there is room");
    fs::write(real.segment(), &earlier).expect("ours");
    let Err(RecorderError::Open { source: OpenError::Refused(refused), .. }) = real.open() else {
        panic!("whole batches are gone")
    };
    let Refused::Smaller { witness, .. } = &refused else { panic!("{refused}") };
    assert!(witness.contains("newest cosigned checkpoint"), "{refused}");

    // The checkpoint of another log, or of nobody, is no help.
    let file = real.config.dir.join("checkpoint");
    let note = fs::read_to_string(&file).expect("kept");
    fs::write(&file, note.replace("\n2\n", "\n1\n")).expect("ours");
    assert!(matches!(real.open(), Err(RecorderError::Checkpoint { .. })));
    let renamed = EvidenceConfig { origin: name("test.example/z"), ..real.config.clone() };
    fs::write(&file, note).expect("ours");
    let started = Event::Stopped;
    let other = recorder::append(&renamed, &real.signer(), clocks(), started);
    assert!(matches!(other, Err(RecorderError::Checkpoint { .. })), "{other:?}");

    // Nothing but the checkpoint gives it away: who takes both must be found by the peer.
    fs::remove_file(&file).expect("ours");
    real.open().expect("nothing is known of it").close(&at(5)).expect("there is room");
    drop(real.scratch);
}
