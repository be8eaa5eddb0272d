//! New epochs on the real disk, and runs that were cut short.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::leaf::{Event, Leaf};
use chronolease_core::evidence::note::LogKey;
use chronolease_core::evidence::{LeafIndex, TreeHead, TreeSize};
use chronolease_sys::Clocks;

use super::super::tests::{key_file, name};
use super::super::{commission, vouched_note};
use super::*;
use crate::evidence::{self, Disk, PeerState, PeerStore, Reader, Survey};
use crate::keys::EvidenceSigner;
use crate::recorder::{self, EvidenceConfig};
use crate::scratch::Scratch;

const OLD: &str = "test.example/a/1";
const NEW: &str = "test.example/a/2";
const PEER: &str = "test.example/b/1";

/// A box whose log has vouched for its peer, and is vouched for.
struct Bench {
    scratch: Scratch,
    config: EvidenceConfig,
}

fn clocks() -> Clocks {
    Clocks::open().expect("this box has clocks")
}

fn told() -> Told {
    let by = ["Ada".to_owned(), "Grace".to_owned()].to_vec();
    Told { reason: "disk replaced".to_owned(), by, ..Told::default() }
}

fn tree(size: u64) -> TreeHead {
    let root = chronolease_core::evidence::merkle::leaf_hash(&size.to_be_bytes());
    TreeHead { size: TreeSize::new(size), root }
}

impl Bench {
    fn new() -> Self {
        let scratch = Scratch::new();
        let config = EvidenceConfig {
            dir: scratch.path("evidence"),
            origin: name(OLD),
            key_file: key_file(&scratch, "key.pem"),
            segment_bytes: 1_100_000,
            reserve_bytes: 1,
        };
        recorder::commission(&config, clocks()).expect("there is room");
        let bench = Self { scratch, config };
        bench.vouched_for(PEER, &tree(40), b"the note of 40");
        bench
    }

    /// This box vouched for a tree of its peer.
    fn vouched_for(&self, peer: &str, tree: &TreeHead, note: &[u8]) {
        let (mut store, _) = PeerStore::open(Arc::new(Disk), &self.config.dir, peer).expect("ours");
        store.store(&PeerState { tree: *tree, note: note.to_vec() }).expect("there is room");
    }

    fn state(&self, peer: &str) -> Option<TreeHead> {
        let opened = PeerStore::open(Arc::new(Disk), &self.config.dir, peer);
        opened.expect("sound").1.map(|state| state.tree)
    }

    /// A checkpoint of this box's log, in a file of this name.
    fn note(&self, origin: &str, size: u64, file: &Path) {
        let signer = EvidenceSigner::load(&self.config.key_file).expect("ours");
        let TreeHead { size, root } = tree(size);
        let checkpoint = Checkpoint { origin: name(origin), size, root };
        let key = LogKey::new(name(origin), signer.public_key());
        let note = checkpoint.sign(&key, |message| signer.sign(message)).expect("its own key");
        fs::write(file, note.to_string()).expect("the folder is ours");
    }

    fn cosigned(&self, size: u64) {
        self.note(OLD, size, &self.config.dir.join("checkpoint"));
    }

    /// As the operator has written it before `re-pair own`.
    fn renamed(&self) -> EvidenceConfig {
        EvidenceConfig { origin: name(NEW), ..self.config.clone() }
    }

    fn own(&self, told: &Told) -> Result<Begun, EpochError> {
        own(&self.renamed(), &[name(PEER)], told, clocks())
    }

    fn first_leaf(&self) -> Event {
        leaves(&self.config.dir, NEW).remove(0)
    }

    fn kept(&self, number: u32) -> PathBuf {
        self.scratch.path(&format!("evidence.sealed-{number}"))
    }

    fn making(&self) -> PathBuf {
        self.scratch.path("evidence.re-pair")
    }
}

fn leaves(folder: &Path, origin: &str) -> Vec<Event> {
    Survey::take(&Disk, folder, origin, &[]).expect("sound");
    let reader = Reader::new(Arc::new(Disk), folder, origin, LeafIndex::new(0));
    let mut reader = reader.expect("readable");
    let batches = std::iter::from_fn(|| reader.next_batch().expect("sound"));
    let leaves: Vec<_> = batches.flat_map(|batch| batch.leaves).collect();
    leaves.iter().map(|leaf| Leaf::decode(leaf).expect("ours").event).collect()
}

#[test]
fn the_new_log_begins_with_the_larger_of_both_checkpoints() {
    for (own_size, given, sealed) in
        [(Some(7), None, 7), (None, Some(9), 9), (Some(7), Some(9), 9), (Some(9), Some(7), 9)]
    {
        let bench = Bench::new();
        own_size.into_iter().for_each(|size| bench.cosigned(size));
        let file = bench.scratch.path("sealed.note");
        given.into_iter().for_each(|size| bench.note(OLD, size, &file));
        let told = Told { sealed: given.map(|_| file), ..told() };
        let begun = bench.own(&told).expect("all is known");
        assert_eq!(begun.kept, Some(bench.kept(1)));
        let Event::NewEpoch(epoch) = bench.first_leaf() else { panic!("{:?}", bench.first_leaf()) };
        assert_eq!(epoch.sealed, begun.sealed);
        assert_eq!((epoch.sealed.head(), epoch.sealed.origin.as_str()), (tree(sealed), OLD));
        assert_eq!(epoch.reason, "disk replaced (agreed by Ada and Grace)");
        assert_eq!(bench.state(PEER), Some(tree(40)), "what it vouched for goes with it");
        assert_eq!(leaves(&bench.kept(1), OLD), [], "the old log is as it was");
        assert!(!bench.making().exists());
        // Once is enough.
        let again = bench.own(&told);
        assert!(matches!(again, Err(EpochError::SameOrigin(_))), "{again:?}");
    }
}

#[test]
fn nothing_is_sealed_without_two_persons_a_new_name_and_a_checkpoint() {
    let bench = Bench::new();
    let unknown = bench.own(&told());
    assert!(matches!(unknown, Err(EpochError::NothingKnown)), "{unknown:?}");
    bench.cosigned(7);
    for by in [vec![], vec!["Ada"], vec!["Ada", " ada "], vec!["Ada", "Grace", "Joan"]] {
        let by = by.into_iter().map(str::to_owned).collect();
        let alone = bench.own(&Told { by, ..told() });
        assert!(matches!(alone, Err(EpochError::TwoPersons)), "{alone:?}");
    }
    for reason in ["", "  ", "two\nlines"] {
        let silent = bench.own(&Told { reason: reason.to_owned(), ..told() });
        assert!(matches!(silent, Err(EpochError::Text("--reason"))), "{silent:?}");
    }
    let same = own(&bench.config, &[name(PEER)], &told(), clocks());
    assert!(matches!(same, Err(EpochError::SameOrigin(_))), "{same:?}");
    let file = bench.scratch.path("sealed.note");
    bench.note("test.example/z", 9, &file);
    let other = bench.own(&Told { sealed: Some(file.clone()), ..told() });
    assert!(matches!(other, Err(EpochError::OtherLog { .. })), "{other:?}");
    let key = key_file(&bench.scratch, "other.pem");
    fs::copy(&key, &bench.config.key_file).expect("ours");
    let stranger = bench.own(&told());
    assert!(matches!(stranger, Err(EpochError::Checkpoint(_))), "{stranger:?}");
    assert!(bench.config.dir.exists() && !bench.making().exists() && !bench.kept(1).exists());
}

#[test]
fn nothing_is_sealed_while_a_daemon_has_the_log_open() {
    let bench = Bench::new();
    bench.cosigned(7);
    let lock = evidence::hold(&Disk, &bench.config.dir).expect("nobody has it");
    let busy = bench.own(&told());
    assert!(matches!(busy, Err(EpochError::Old(OpenError::Locked(_)))), "{busy:?}");
    drop(lock);
    bench.own(&told()).expect("nobody has it");
}

#[test]
fn what_is_lost_is_given_up_by_name_alone() {
    let bench = Bench::new();
    let nothing = Told { nothing_known: true, ..told() };
    let nameless = bench.own(&nothing);
    assert!(matches!(nameless, Err(EpochError::NothingKnown)), "{nameless:?}");
    let wrong =
        bench.own(&Told { old_origin: Some("test.example/z".to_owned()), ..nothing.clone() });
    assert!(matches!(wrong, Err(EpochError::OtherLog { .. })), "{wrong:?}");
    let named = Told { old_origin: Some(OLD.to_owned()), ..nothing };
    let begun = bench.own(&named).expect("nothing is known");
    assert_eq!((begun.sealed.head(), begun.sealed.origin.as_str()), (TreeHead::empty(), OLD));
    assert_eq!(bench.state(PEER), Some(tree(40)), "this was known");
}

#[test]
fn a_lost_disk_needs_the_peers_word_and_a_loss_declared() {
    let bench = Bench::new();
    let file = bench.scratch.path("sealed.note");
    bench.note(OLD, 9, &file);
    fs::remove_dir_all(&bench.config.dir).expect("ours");
    let told = Told { sealed: Some(file), ..told() };
    let undeclared = bench.own(&told);
    assert!(matches!(undeclared, Err(EpochError::PeerUnknown(_))), "{undeclared:?}");
    let begun = bench.own(&Told { nothing_known: true, ..told }).expect("declared");
    assert_eq!((begun.sealed.head(), begun.kept), (tree(9), None));
    assert_eq!(bench.state(PEER), Some(TreeHead::empty()));
}

#[test]
fn a_damaged_state_of_the_peer_is_not_passed_over_in_silence() {
    let bench = Bench::new();
    bench.cosigned(7);
    for copy in ["0", "1"] {
        let file = format!("peer/test.example%2Fb%2F1.state.{copy}");
        fs::write(bench.config.dir.join(file), b"damaged").expect("ours");
    }
    let damaged = bench.own(&told());
    assert!(matches!(damaged, Err(EpochError::Peer(_))), "{damaged:?}");
    bench.own(&Told { nothing_known: true, ..told() }).expect("declared");
    assert_eq!(bench.state(PEER), Some(TreeHead::empty()));
}

#[test]
fn a_run_cut_short_anywhere_is_finished_by_the_next() {
    // The new log is half made: no segment, or one without its first leaf.
    for half in ["peer", "segment"] {
        let bench = Bench::new();
        bench.cosigned(7);
        fs::create_dir_all(bench.making().join(half)).expect("ours");
        if half == "segment" {
            recorder::create(&bench.renamed(), &bench.making(), clocks(), vec![]).expect("room");
        }
        let begun = bench.own(&told()).expect("begun anew");
        assert_eq!((begun.sealed.size.as_u64(), begun.kept), (7, Some(bench.kept(1))));
        assert!(matches!(bench.first_leaf(), Event::NewEpoch(_)));
        assert_eq!(bench.state(PEER), Some(tree(40)));
    }
    // The old one is put aside, and the new one not yet in its place.
    let bench = Bench::new();
    bench.cosigned(7);
    let begun = bench.own(&told()).expect("all is known");
    fs::rename(&bench.config.dir, bench.making()).expect("ours");
    let made = recorder::commission(&bench.renamed(), clocks());
    assert!(made.is_err(), "a new log would hide that it is half done");
    let third = EvidenceConfig { origin: name("test.example/a/3"), ..bench.config.clone() };
    let other = own(&third, &[name(PEER)], &told(), clocks());
    assert!(matches!(other, Err(EpochError::Unfinished { .. })), "{other:?}");
    assert_eq!(bench.own(&told()).expect("finished"), begun);
    assert_eq!(bench.state(PEER), Some(tree(40)));
    assert!(!bench.kept(2).exists());
    // The whole folder is lost, and the new log is half made.
    fs::remove_dir_all(&bench.config.dir).expect("ours");
    fs::create_dir_all(bench.making().join("peer")).expect("ours");
    let file = bench.scratch.path("sealed.note");
    bench.note(OLD, 9, &file);
    let lost = Told { sealed: Some(file), nothing_known: true, ..told() };
    assert_eq!(bench.own(&lost).expect("begun anew").sealed.size.as_u64(), 9);
}

#[test]
fn a_third_epoch_keeps_the_second_beside_the_first() {
    let bench = Bench::new();
    bench.cosigned(7);
    bench.own(&told()).expect("all is known");
    bench.note(NEW, 5, &bench.config.dir.join("checkpoint"));
    let third = EvidenceConfig { origin: name("test.example/a/3"), ..bench.config.clone() };
    let begun = own(&third, &[name(PEER)], &told(), clocks()).expect("all is known");
    assert_eq!((begun.sealed.origin.as_str(), begun.kept), (NEW, Some(bench.kept(2))));
    assert!(bench.kept(1).exists());
}

fn take_up(bench: &Bench, origin: &str, told: &Told) -> Result<Vec<u8>, EpochError> {
    peer(&bench.config, &name(origin), &[name(origin)], told, clocks())
}

#[test]
fn another_log_of_the_peer_is_taken_up_with_the_old_note_on_record() {
    let bench = Bench::new();
    let note = take_up(&bench, "test.example/b/2", &told()).expect("there is one");
    assert_eq!(note, b"the note of 40");
    let records = leaves(&bench.config.dir, OLD);
    let [Event::PeerEpoch(record)] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&record.sealed, record.origin.as_str()), (&note, "test.example/b/2"));
    assert_eq!(record.reason, "disk replaced (agreed by Ada and Grace)");
    assert_eq!(bench.state("test.example/b/2"), Some(TreeHead::empty()));
    assert_eq!(bench.state(PEER), Some(tree(40)), "nothing is forgotten");
    let again = take_up(&bench, "test.example/b/2", &told());
    assert!(matches!(again, Err(EpochError::Peer(PeerTrouble::Present(_)))), "{again:?}");

    // Of two old ones it cannot tell.
    let third = |told: &Told| take_up(&bench, "test.example/b/3", told);
    let which = third(&told());
    assert!(matches!(which, Err(EpochError::WhichOld(_))), "{which:?}");
    let wrong = third(&Told { old_origin: Some("test.example/z".to_owned()), ..told() });
    assert!(matches!(wrong, Err(EpochError::WhichOld(_))), "{wrong:?}");
    let second = Some("test.example/b/2".to_owned());
    assert_eq!(third(&Told { old_origin: second, ..told() }).expect("named"), b"");
}

#[test]
fn a_peer_is_not_taken_up_by_one_person_or_without_the_record() {
    let bench = Bench::new();
    let alone = take_up(&bench, "test.example/b/2", &Told { by: vec![], ..told() });
    assert!(matches!(alone, Err(EpochError::TwoPersons)), "{alone:?}");
    let lock = evidence::hold(&Disk, &bench.config.dir).expect("nobody has it");
    let busy = take_up(&bench, "test.example/b/2", &told());
    assert!(matches!(busy, Err(EpochError::Recorder(_))), "{busy:?}");
    drop(lock);
    assert_eq!(bench.state("test.example/b/2"), None);
}

#[test]
fn when_both_boxes_begin_anew_the_old_state_waits_for_re_pair_peer() {
    let bench = Bench::new();
    bench.cosigned(7);
    let (config, new_peer) = (bench.renamed(), name("test.example/b/2"));
    own(&config, std::slice::from_ref(&new_peer), &told(), clocks()).expect("all is known");
    assert_eq!(bench.state(new_peer.as_str()), None);
    let note = peer(&config, &new_peer, std::slice::from_ref(&new_peer), &told(), clocks());
    assert_eq!(note.expect("the old one was carried over"), b"the note of 40");
    let disk = Arc::new(Disk);
    assert!(commission(disk.clone(), &config.dir, &new_peer).is_err(), "it is there");
    assert_eq!(vouched_note(disk, &config.dir, &name(PEER)).expect("kept"), b"the note of 40");
}
