use proptest::prelude::*;

use super::*;
use crate::evidence::merkle::Hash;
use crate::evidence::proof::{MemoryNodes, prove_consistency, root};
use crate::evidence::testing::{any_hash, log_key, name, toy_signature, toy_verify, tree_of};

const LEAVES: usize = 40;

/// Two histories of one log: the first `common` leaves are the same, the rest differ.
fn histories(common: usize) -> [MemoryNodes; 2] {
    [0u8, 1].map(|branch| {
        let leaf = |n: usize| vec![n as u8, if n < common { 0 } else { branch }];
        tree_of(&(0..LEAVES).map(leaf).collect::<Vec<_>>())
    })
}

fn size(n: usize) -> TreeSize {
    TreeSize::new(n as u64)
}

fn now() -> CosignedAt {
    CosignedAt::from_unix_s(1_000).expect("in range")
}

fn note_of(nodes: &MemoryNodes, n: usize) -> Note {
    let key = log_key(1);
    let root = root(nodes, size(n)).expect("all nodes are there");
    let checkpoint = Checkpoint { origin: key.name().clone(), size: size(n), root };
    checkpoint.sign(&key, |m| toy_signature(key.public(), m)).expect("its own key")
}

fn request(nodes: &MemoryNodes, old: usize, new: usize) -> AddCheckpoint {
    let proof = prove_consistency(nodes, size(old), size(new)).unwrap_or_default();
    AddCheckpoint { old: size(old), proof, note: note_of(nodes, new) }
}

fn witness(newest: Option<&[u8]>) -> Witness {
    let mut witness = Witness::new();
    witness.watch(log_key(1), newest, toy_verify).expect("sound");
    witness
}

/// A witness that cosigned the checkpoint of size `n`.
fn witness_at(nodes: &MemoryNodes, n: usize) -> Witness {
    witness(Some(note_of(nodes, n).to_string().as_bytes()))
}

fn refusal(witness: &mut Witness, request: &AddCheckpoint) -> Refusal {
    let before = witness.newest(log_key(1).name()).cloned();
    let refusal = witness.add_checkpoint(request, now(), toy_verify).expect_err("refused");
    assert_eq!(witness.newest(log_key(1).name()).cloned(), before);
    refusal
}

#[test]
fn a_checkpoint_is_cosigned_once_it_is_durable() {
    let [nodes, _] = histories(LEAVES);
    let mut witness = witness(None);
    let persist =
        witness.add_checkpoint(&request(&nodes, 0, 5), now(), toy_verify).expect("consistent");
    assert_eq!(witness.newest(log_key(1).name()), None, "not before it is durable");
    assert_eq!(refusal(&mut witness, &request(&nodes, 0, 6)), Refusal::Busy);

    let cosign = witness.persisted(persist).expect("handed out");
    let key = CosignerKey::new(name("tsa.example/witness"), [9; 32]);
    let line = cosign.sign(&key, |m| toy_signature(key.public(), m));
    let note = note_of(&nodes, 5).with(line).expect("it fits");
    let found = Cosignature::open(&note, &key, toy_verify).expect("cosigned");
    assert_eq!(found.at(), now());
    assert_eq!(witness.newest(log_key(1).name()), Some(cosign.signed()));
    // The same again, with nothing new: a fresh cosignature.
    let again = witness.add_checkpoint(&request(&nodes, 5, 5), now(), toy_verify);
    assert!(witness.persisted(again.expect("consistent")).is_some());
}

#[test]
fn a_step_belongs_to_the_witness_that_gave_it() {
    let [nodes, _] = histories(LEAVES);
    let add = |witness: &mut Witness, n| {
        witness.add_checkpoint(&request(&nodes, 0, n), now(), toy_verify).expect("consistent")
    };
    let (mut one, mut other) = (witness(None), witness(None));
    let five = add(&mut one, 5);
    let six = add(&mut other, 6);
    assert!(witness(None).persisted(five).is_none());
    assert!(one.persisted(six).is_none());
    assert_eq!(refusal(&mut one, &request(&nodes, 0, 5)), Refusal::Busy);
}

#[test]
fn only_the_logs_signature_is_kept() {
    let [nodes, _] = histories(LEAVES);
    let mut with_more = request(&nodes, 0, 5);
    let other = CosignerKey::new(name("other"), [3; 32]);
    let line = Cosignature::sign(now(), "x\n", |m| toy_signature(other.public(), m));
    with_more.note = with_more.note.with(line.to_note_signature(&other)).expect("it fits");
    let persist = witness(None).add_checkpoint(&with_more, now(), toy_verify).expect("consistent");
    assert_eq!(persist.signed().note, note_of(&nodes, 5));
}

#[test]
fn requests_that_say_nothing_of_the_log() {
    let [nodes, _] = histories(LEAVES);
    let good = request(&nodes, 0, 5);
    let key = log_key(1);
    let with = |text: &str, key: &LogKey| AddCheckpoint {
        note: Note::sign(text, key, |m| toy_signature(key.public(), m)).expect("a fair text"),
        ..good.clone()
    };
    let no_checkpoint = refusal(&mut witness(None), &with("hello\n", &key));
    assert!(matches!(no_checkpoint, Refusal::Malformed(_)));
    let larger = AddCheckpoint { old: size(6), ..good.clone() };
    assert!(matches!(refusal(&mut witness(None), &larger), Refusal::Malformed(_)));
    let stranger = good.note.text().replace(key.name().as_str(), "other");
    let unknown = refusal(&mut witness(None), &with(&stranger, &key));
    assert_eq!(unknown, Refusal::UnknownOrigin(name("other")));
    let forged = refusal(&mut witness(None), &with(good.note.text(), &log_key(2)));
    let not_signed = NoteError::NotSigned(key.name().clone());
    assert_eq!(forged, Refusal::BadSignature(not_signed));
}

#[test]
fn a_proof_from_elsewhere_is_told_where_to_start() {
    let [nodes, _] = histories(LEAVES);
    let conflict = |n| Refusal::Conflict { size: size(n) };
    assert_eq!(refusal(&mut witness(None), &request(&nodes, 3, 5)), conflict(0));
    let mut witness = witness_at(&nodes, 7);
    for old in [0, 3, 8] {
        assert_eq!(refusal(&mut witness, &request(&nodes, old, 9)), conflict(7));
    }
}

#[test]
fn a_rollback_and_a_fork_come_with_both_notes() {
    let [nodes, forked] = histories(4);
    let mut witness = witness_at(&nodes, 7);
    let notes = |evidence: Box<Evidence>| (evidence.known.note, evidence.offered.note);
    for old in [0, 3] {
        match refusal(&mut witness, &request(&nodes, old, 5)) {
            Refusal::Rollback(evidence) => {
                assert_eq!(notes(evidence), (note_of(&nodes, 7), note_of(&nodes, 5)));
            }
            other => panic!("{other}"),
        }
    }
    for old in [0, 7] {
        match refusal(&mut witness, &request(&forked, old, 7)) {
            Refusal::Fork(evidence) => {
                assert_eq!(notes(evidence), (note_of(&nodes, 7), note_of(&forked, 7)));
            }
            other => panic!("{other}"),
        }
    }
    match refusal(&mut witness, &request(&forked, 7, 9)) {
        Refusal::Inconsistent { evidence, why: ProofError::Root } => {
            assert_eq!(notes(evidence), (note_of(&nodes, 7), note_of(&forked, 9)));
        }
        other => panic!("{other}"),
    }
    // A proof must be empty when it starts from nothing.
    let odd = AddCheckpoint { proof: vec![Hash::of_nothing()], ..request(&nodes, 0, 5) };
    let first = refusal(&mut super::tests::witness(None), &odd);
    assert_eq!(first, Refusal::InconsistentFirst(ProofError::Length(1)));
}

#[test]
fn what_was_stored_is_verified_again() {
    let [nodes, _] = histories(LEAVES);
    let stored = note_of(&nodes, 5).to_string();
    let mut witness = witness(Some(stored.as_bytes()));
    let twice = WatchError::Twice(log_key(1).name().clone());
    assert_eq!(witness.watch(log_key(1), None, toy_verify), Err(twice));
    let damaged = stored.replace("\n5\n", "\n4\n");
    let error = Witness::new().watch(log_key(1), Some(damaged.as_bytes()), toy_verify);
    assert!(matches!(error, Err(WatchError::Stored(_))));
}

/// What happens to a checkpoint that the witness wants written down.
#[derive(Clone, Copy, Debug)]
enum Disk {
    Durable,
    /// It fails, and nothing was written.
    Lost,
    /// It is written, and the witness dies before it hears so.
    Crash,
}

#[derive(Clone, Debug)]
struct Step {
    restart: bool,
    branch: usize,
    new: usize,
    /// `None`: from where the witness stands, as an honest log asks.
    old: Option<usize>,
    spoiled: Option<Hash>,
    disk: Disk,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let disk = prop_oneof![4 => Just(Disk::Durable), 1 => Just(Disk::Lost), 1 => Just(Disk::Crash)];
    let step = (
        prop::bool::weighted(0.2),
        0..2usize,
        0..=LEAVES,
        prop::option::weighted(0.3, 0..=LEAVES),
        prop::option::weighted(0.1, any_hash()),
        disk,
    )
        .prop_map(|(restart, branch, new, old, spoiled, disk)| Step {
            restart,
            branch,
            new,
            old,
            spoiled,
            disk,
        });
    prop::collection::vec(step, 1..40)
}

proptest! {
    /// In whatever order honest, forked and rolled back checkpoints come, and however often the
    /// witness dies: it never cosigns two roots of one size, nor a smaller size, nor two branches,
    /// nor anything that is not on disk.
    #[test]
    fn the_witness_never_contradicts_itself(common in 0..LEAVES, steps in steps()) {
        let branches = histories(common);
        let mut disk: Option<String> = None;
        let mut witness = witness(None);
        let mut cosigned: Vec<TreeHead> = Vec::new();
        let mut stuck = false;
        for step in steps {
            if step.restart {
                witness = super::tests::witness(disk.as_deref().map(str::as_bytes));
                stuck = false;
            }
            let nodes = &branches[step.branch];
            let newest = witness.newest(log_key(1).name()).map(|known| known.checkpoint.head());
            let stands = newest.map_or(0, |head| head.size.as_u64() as usize);
            let old = step.old.unwrap_or(stands);
            let mut request = request(nodes, old, step.new);
            request.proof.extend(step.spoiled);
            let fits = newest.is_none_or(|head| root(nodes, head.size) == Ok(head.root));
            let honest = fits && old == stands && step.new >= old && step.spoiled.is_none();

            let persist = match witness.add_checkpoint(&request, now(), toy_verify) {
                Ok(persist) => persist,
                Err(refusal) => {
                    prop_assert_eq!(stuck, refusal == Refusal::Busy);
                    prop_assert!(stuck || !honest, "{refusal}");
                    continue;
                }
            };
            prop_assert!(honest && !stuck);
            let written = persist.signed().note.to_string();
            match step.disk {
                Disk::Durable => {
                    disk = Some(written);
                    let cosign = witness.persisted(persist).expect("handed out");
                    prop_assert_eq!(Some(cosign.signed().note.to_string()), disk.clone());
                    cosigned.push(cosign.signed().checkpoint.head());
                }
                Disk::Lost => stuck = true,
                Disk::Crash => {
                    disk = Some(written);
                    witness = super::tests::witness(disk.as_deref().map(str::as_bytes));
                }
            }
        }
        for pair in cosigned.windows(2) {
            prop_assert!(pair[0].size < pair[1].size || pair[0] == pair[1]);
        }
        let one_history = branches.iter().any(|nodes| {
            cosigned.iter().all(|head| root(nodes, head.size) == Ok(head.root))
        });
        prop_assert!(one_history);
    }
}
