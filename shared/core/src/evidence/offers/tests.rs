use super::*;
use crate::evidence::cosignature::CosignedAt;
use crate::evidence::proof::MemoryNodes;
use crate::evidence::testing::{log_key, name, toy_signature, toy_verify, tree_of};
use crate::evidence::witness::{Refusal, Witness};

fn cosigner() -> CosignerKey {
    CosignerKey::new(name("box.example/witness"), [9; 32])
}

fn offers() -> Offers {
    Offers::new(log_key(1), cosigner())
}

fn nodes(leaves: u8, branch: u8) -> MemoryNodes {
    tree_of(&(0..leaves).map(|n| vec![n, branch]).collect::<Vec<_>>())
}

fn head(nodes: &MemoryNodes) -> TreeHead {
    let size = nodes.size();
    TreeHead { size, root: proof::root(nodes, size).expect("all nodes are there") }
}

fn offer(offers: &mut Offers, nodes: &MemoryNodes) -> AddCheckpoint {
    let sign = |m: &[u8]| toy_signature(log_key(1).public(), m);
    offers.offer(head(nodes), nodes, sign).expect("all nodes are there").add
}

fn witness() -> Witness {
    let mut witness = Witness::new();
    witness.watch(log_key(1), None, toy_verify).expect("new");
    witness
}

/// The witness takes the offer and answers with a line.
fn answer(witness: &mut Witness, offer: &AddCheckpoint) -> Result<String, Refusal> {
    let now = CosignedAt::from_unix_s(1_000).expect("in range");
    // As it travels.
    let offer = AddCheckpoint::parse(offer.to_string().as_bytes()).expect("it round-trips");
    let persist = witness.add_checkpoint(&offer, now, toy_verify)?;
    let cosign = witness.persisted(persist).expect("handed out");
    let key = cosigner();
    Ok(cosign.sign(&key, |m| toy_signature(key.public(), m)).to_string())
}

#[test]
fn each_offer_continues_the_one_before_without_waiting_for_answers() {
    let (mut offers, mut witness) = (offers(), witness());
    let first = nodes(3, 0);
    offers.met(TreeHead::empty(), first.size(), &first).expect("nothing is held");
    let sent: Vec<_> = [3, 3, 9, 20].map(|n| offer(&mut offers, &nodes(n, 0))).into();
    let answers: Vec<_> =
        sent.iter().map(|offer| answer(&mut witness, offer).expect("it continues")).collect();
    // The answer to an older offer may come first, or never.
    let note = offers.cosigned(&answers[2], toy_verify).expect("it fits");
    assert!(note.text().starts_with("box.example/log\n9\n") || note.text().contains("\n9\n"));
    assert!(offers.cosigned(&answers[0], toy_verify).is_err(), "closed with the later one");
    let note = offers.cosigned(&answers[3], toy_verify).expect("it fits");
    assert_eq!(note.signatures().len(), 2);
    assert_eq!(offers.cosigned(&answers[3], toy_verify), Err(AnswerError::NothingOpen));
}

#[test]
fn a_new_connection_starts_from_what_the_witness_holds() {
    let (mut offers, mut witness) = (offers(), witness());
    let long = nodes(12, 0);
    answer(&mut witness, &offer(&mut offers, &nodes(5, 0))).expect("the first");
    // An offer that never arrived.
    let _ = offer(&mut offers, &nodes(9, 0));
    let held = witness.newest(log_key(1).name()).expect("cosigned").checkpoint.head();
    offers.met(held, long.size(), &long).expect("it continues");
    answer(&mut witness, &offer(&mut offers, &long)).expect("it continues");
}

#[test]
fn lost_leaves_are_seen_by_both_sides() {
    let (mut offers, mut witness) = (offers(), witness());
    answer(&mut witness, &offer(&mut offers, &nodes(12, 0))).expect("the first");
    let held = witness.newest(log_key(1).name()).expect("cosigned").checkpoint.head();
    let short = nodes(7, 0);
    let broken = offers.met(held, short.size(), &short);
    assert_eq!(broken, Err(Broken::RolledBack { own: short.size(), held: held.size }));
    let refused = answer(&mut witness, &offer(&mut offers, &short)).expect_err("rolled back");
    assert!(matches!(refused, Refusal::Rollback(_)), "{refused}");
}

#[test]
fn another_history_is_seen_by_both_sides() {
    for leaves in [12, 20] {
        let (mut offers, mut witness) = (offers(), witness());
        answer(&mut witness, &offer(&mut offers, &nodes(12, 0))).expect("the first");
        let held = witness.newest(log_key(1).name()).expect("cosigned").checkpoint.head();
        let other = nodes(leaves, 1);
        let broken = offers.met(held, other.size(), &other);
        assert_eq!(broken, Err(Broken::Forked { held: held.size }));
        let refused = answer(&mut witness, &offer(&mut offers, &other)).expect_err("forked");
        let forked = matches!(refused, Refusal::Fork(_) | Refusal::Inconsistent { .. });
        assert!(forked, "{refused}");
    }
}

#[test]
fn what_is_no_cosignature_of_an_offer_is_refused() {
    let mut offers = offers();
    let mut other = witness();
    let foreign =
        answer(&mut other, &offer(&mut Offers::new(log_key(1), cosigner()), &nodes(4, 1)));
    let foreign = foreign.expect("it continues");
    assert_eq!(offers.cosigned(&foreign, toy_verify), Err(AnswerError::NothingOpen));
    let _ = offer(&mut offers, &nodes(4, 0));
    for line in [foreign.as_str(), "", "not a signature", &foreign.replace('w', "v")] {
        let refused = offers.cosigned(line, toy_verify).expect_err(line);
        assert!(matches!(refused, AnswerError::Note(_)), "{refused}");
    }
}

#[test]
fn whatever_is_shown_continues_what_was_shown_before() {
    let mut offers = offers();
    let mut seen = TreeHead::empty();
    for (leaves, with_offer) in [(3, true), (5, false), (5, false), (9, true), (20, false)] {
        let nodes = nodes(leaves, 0);
        let proof = if with_offer {
            let sign = |m: &[u8]| toy_signature(log_key(1).public(), m);
            offers.offer(head(&nodes), &nodes, sign).expect("all nodes are there").since_shown
        } else {
            offers.show(head(&nodes), &nodes).expect("all nodes are there")
        };
        proof::verify_consistency(&seen, &head(&nodes), &proof).expect("it continues");
        seen = head(&nodes);
    }
}

#[test]
fn a_broken_log_shows_it_with_every_offer() {
    let (mut offers, mut witness) = (offers(), witness());
    let first = nodes(8, 0);
    offers.met(TreeHead::empty(), first.size(), &first).expect("nothing is held");
    answer(&mut witness, &offer(&mut offers, &first)).expect("it continues");
    // It was put back, goes on with other leaves, and passes what the witness holds.
    for (size, rolled_back) in [(3, true), (5, true), (8, false), (9, false), (20, false)] {
        let other = nodes(size, 1);
        if size == 3 {
            let held = head(&first);
            assert!(offers.met(held, other.size(), &other).is_err());
        }
        let refused = answer(&mut witness, &offer(&mut offers, &other)).expect_err("broken");
        let shown = match refused {
            Refusal::Rollback(_) => rolled_back,
            Refusal::Fork(_) | Refusal::Inconsistent { .. } => !rolled_back,
            _ => false,
        };
        assert!(shown, "{size}: {refused:?}");
    }
}

#[test]
fn a_log_that_lost_what_was_only_shown_is_broken_and_nothing_of_it_is_taken() {
    let long = nodes(12, 0);
    for (other, rolled_back) in
        [(nodes(5, 0), true), (nodes(7, 0), true), (nodes(12, 1), false), (nodes(20, 1), false)]
    {
        let mut offers = offers();
        let held = TreeHead::empty();
        offers.met(held, other.size(), &other).expect("nothing is vouched for");
        let broken = offers.met_shown(head(&long), other.size(), &other);
        let broken = broken.expect_err("it does not continue");
        assert_eq!(matches!(broken, Broken::RolledBack { .. }), rolled_back, "{broken}");
        // The witness refuses, so the next offer starts where this one did.
        for _ in 0..2 {
            assert_eq!(offer(&mut offers, &other).old, held.size);
        }
    }
    let mut offers = offers();
    let longer = nodes(20, 0);
    offers.met(TreeHead::empty(), longer.size(), &longer).expect("nothing is vouched for");
    offers.met_shown(head(&long), longer.size(), &longer).expect("it continues");
    let sign = |m: &[u8]| toy_signature(log_key(1).public(), m);
    let offer = offers.offer(head(&longer), &longer, sign).expect("all nodes are there");
    assert_eq!(offer.add.old, TreeSize::EMPTY, "the checkpoint is proven from what is held");
    proof::verify_consistency(&head(&long), &head(&longer), &offer.since_shown)
        .expect("and from what was shown");
}
