//! Checkpoints and the state of peers.

use chronolease_core::evidence::{TreeHead, TreeSize};

use super::*;
use crate::evidence::format::sha256;

#[test]
fn the_newest_checkpoint_and_all_before_it_are_kept() {
    let disk = MemoryDisk::new();
    let checkpoints = Checkpoints::new(Arc::new(disk.clone()), folder());
    assert_eq!(checkpoints.newest().expect("readable"), None);
    assert_eq!(checkpoints.history().expect("readable"), Vec::<Vec<u8>>::new());
    let notes = ["a\n1\nroot\n\n- a sig\n", "a\n2\nroot\n\nnote 3 12345678\n", ""];
    for note in notes {
        checkpoints.store(note.as_bytes()).expect("stored");
    }
    assert_eq!(checkpoints.newest().expect("readable"), Some(Vec::new()));
    assert_eq!(checkpoints.history().expect("readable"), notes.map(|n| n.as_bytes().to_vec()));
}

#[test]
fn a_history_torn_anywhere_loses_the_torn_note_alone() {
    let whole = b"\nnote 5 00000000\nlinesmore\n".len();
    for kept in 0..whole {
        let disk = MemoryDisk::new();
        let checkpoints = Checkpoints::new(Arc::new(disk.clone()), folder());
        checkpoints.store(b"first\n").expect("stored");
        // The write of the second is the first operation, its fdatasync would be the next.
        disk.stop_after(1);
        checkpoints.store(b"second\n").expect_err("the machine is off");
        disk.crash(Crash::Tear(kept));
        assert_eq!(checkpoints.newest().expect("readable"), Some(b"first\n".to_vec()));
        checkpoints.store(b"third\n").expect("stored");
        let history = checkpoints.history().expect("readable");
        let whole = [b"first\n".to_vec(), b"second\n".to_vec(), b"third\n".to_vec()];
        let without = [whole[0].clone(), whole[2].clone()];
        assert!(history == without || history == whole, "{kept}: {history:?}");
    }
}

fn state(size: u64, note: &str) -> PeerState {
    let tree = TreeHead { size: TreeSize::new(size), root: sha256(note.as_bytes()) };
    PeerState { tree, note: note.as_bytes().to_vec() }
}

const PEER: &str = "peer.example/log 1";

fn store(disk: &MemoryDisk) -> Result<(PeerStore, Option<PeerState>), PeerError> {
    PeerStore::open(Arc::new(disk.clone()), folder(), PEER)
}

fn copies() -> [PathBuf; 2] {
    [0, 1].map(|copy| folder().join(format!("peer/peer.example%2Flog%201.state.{copy}")))
}

#[test]
fn the_newest_state_of_a_peer_is_found_again() {
    let disk = MemoryDisk::new();
    let (mut kept, none) = store(&disk).expect("empty");
    assert_eq!(none, None);
    for size in 1..4 {
        kept.store(&state(size, "note")).expect("stored");
        assert_eq!(store(&disk).expect("sound").1, Some(state(size, "note")));
    }
    assert_eq!(disk.contents().into_keys().collect::<Vec<_>>(), copies());
}

#[test]
fn a_crash_while_storing_leaves_the_old_or_the_new_state() {
    for operations in 0..3 {
        let disk = MemoryDisk::new();
        let (mut kept, _) = store(&disk).expect("empty");
        kept.store(&state(1, "old")).expect("stored");
        disk.stop_after(operations);
        let stored = kept.store(&state(2, "new"));
        disk.crash(Crash::Drop);
        let (mut again, found) = store(&disk).expect("sound");
        let new = found == Some(state(2, "new"));
        assert!(new || found == Some(state(1, "old")));
        assert!(new || stored.is_err(), "what was acknowledged is there");
        again.store(&state(3, "newer")).expect("stored");
        assert_eq!(store(&disk).expect("sound").1, Some(state(3, "newer")));
    }
}

#[test]
fn damage_to_one_copy_is_borne_and_to_both_refused() {
    let disk = MemoryDisk::new();
    let (mut kept, _) = store(&disk).expect("empty");
    kept.store(&state(7, "note")).expect("stored");
    let whole = disk.contents()[&copies()[0]].clone();
    for copy in 0..2 {
        for at in 0..whole.len() {
            let disk = disk.durable_copy();
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            disk.tamper(&copies()[copy], Some(flipped.clone()));
            assert_eq!(store(&disk).expect("the other").1, Some(state(7, "note")), "{at}");
            disk.tamper(&copies()[1 - copy], Some(flipped[..at].to_vec()));
            assert!(matches!(store(&disk), Err(PeerError::Damaged { .. })), "{at}");
        }
        let disk = disk.durable_copy();
        disk.tamper(&copies()[copy], None);
        assert_eq!(store(&disk).expect("the other").1, Some(state(7, "note")));
    }
}

#[test]
fn copies_of_one_age_that_differ_are_refused() {
    let [one, other] = ["one", "other"].map(|note| {
        let disk = MemoryDisk::new();
        store(&disk).expect("empty").0.store(&state(1, note)).expect("stored");
        disk
    });
    one.tamper(&copies()[1], Some(other.contents()[&copies()[1]].clone()));
    assert!(matches!(store(&one), Err(PeerError::Contradiction { .. })));
}
