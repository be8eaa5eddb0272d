//! What a box vouches for, and what it remembers of it.

use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::note::Note;
use chronolease_core::evidence::offers::Broken;
use chronolease_core::lease::EndingCause;

use super::*;
use crate::evidence::{Crash, PeerError};

/// A box and its witness, which vouched for three leaves.
fn pair() -> (Side, Side, Vouching) {
    let (log, witness) = (Side::new("test.example/a"), Side::new("test.example/b"));
    log.grow(3, "leaf");
    let mut vouching = witness.commissioned(&log).vouching(log.as_peer()).expect("just made");
    let offer = log.offer(&witness, &vouching);
    vouching.take(&offer, &at(1)).expect("the first");
    (log, witness, vouching)
}

fn size(vouching: &Vouching) -> u64 {
    vouching.held().size.as_u64()
}

/// The cause, when both notes bear the log's signature and the known one has `known` leaves.
fn broken(log: &Side, result: Result<Vouched, VouchError>, known: u64) -> EndingCause {
    let Err(VouchError::Broken { record, why }) = result else { panic!("{result:?}") };
    assert!(!why.is_empty());
    let peer = log.as_peer();
    let sizes = [&record.known, &record.offered].map(|note| {
        let note = Note::parse(note).expect("a note");
        let verify = |key: &[u8; 32], m: &[u8], s: &[u8; 64]| peer.verify(key, m, s);
        Checkpoint::open(&note, &peer.log_key(), verify).expect("signed").size.as_u64()
    });
    assert_eq!(sizes[0], known);
    record.cause
}

#[test]
fn a_vouched_tree_goes_on_record_with_both_signatures() {
    let (log, witness, mut vouching) = pair();
    let mut offering = log.offering(&witness);
    offering.met(vouching.held()).expect("it continues");
    log.grow(7, "leaf");
    let vouched = vouching.take(&offering.offer().checkpoint, &at(2)).expect("it continues");
    assert_eq!((vouched.tree.size.as_u64(), size(&vouching)), (7, 7));
    let note = offering.cosigned(&vouched.line).expect("an answer");
    assert_eq!(note.to_string().into_bytes(), vouched.note);
    assert_eq!(note.signatures().len(), 2);
    let stranger = Side::new("test.example/b");
    let mut other = log.offering(&stranger);
    other.met(TreeHead::empty()).expect("nothing is held");
    let _ = other.offer().checkpoint;
    assert!(other.cosigned(&vouched.line).is_err(), "another key in the same name");
}

#[test]
fn what_was_cosigned_is_never_forgotten_whichever_write_the_crash_hits() {
    let mut seen = [false; 2];
    for operations in 0..=2 {
        let (log, witness, mut vouching) = pair();
        log.grow(5, "leaf");
        let offer = log.offer(&witness, &vouching);
        witness.disk.stop_after(operations);
        let cosigned = vouching.take(&offer, &at(2)).is_ok();
        seen[usize::from(cosigned)] = true;
        witness.disk.crash(Crash::Drop);
        let mut again = witness.vouching(log.as_peer()).expect("one of two copies is whole");
        assert!(size(&again) == 5 || (size(&again) == 3 && !cosigned), "{operations}");
        // Either way it goes on, and never back.
        let offer = log.offer(&witness, &again);
        again.take(&offer, &at(3)).expect("it continues");
        assert_eq!(size(&again), 5);
    }
    assert_eq!(seen, [true, true], "a crash before and one after");
}

#[test]
fn a_disk_that_fails_before_the_cosignature_recovers_with_what_it_holds() {
    const NEVER: u64 = 1 << 40;
    for (operations, found) in [(0, 3), (1, 5)] {
        let (log, witness, mut vouching) = pair();
        log.grow(5, "leaf");
        let offer = log.offer(&witness, &vouching);
        witness.disk.stop_after(operations);
        for _ in 0..2 {
            let failed = vouching.take(&offer, &at(2));
            // The second time it may have learnt that it holds the tree already.
            let disk = matches!(failed, Err(VouchError::Disk(_)));
            assert!(disk || (found == 5 && matches!(failed, Err(VouchError::Offer(_)))));
        }
        witness.disk.stop_after(NEVER);
        let again = vouching.take(&offer, &at(3));
        assert_eq!(again.is_ok(), found == 3, "from 3 leaves on, as the offer proves");
        let offer = log.offer(&witness, &vouching);
        vouching.take(&offer, &at(4)).expect("as the next connection offers it");
        assert_eq!(size(&vouching), 5);
    }
}

#[test]
fn another_key_is_not_heard() {
    let (log, witness, mut vouching) = pair();
    let stranger = Side::new("test.example/a");
    stranger.grow(9, "leaf");
    let offer = stranger.offer(&witness, &vouching);
    let refused = vouching.take(&offer, &at(2));
    assert!(matches!(refused, Err(VouchError::Offer(_))), "{refused:?}");
    assert_eq!(size(&vouching), 3);
    // Nor is a note in the state that the log did not sign.
    let opened = witness.vouching(stranger.as_peer());
    assert!(matches!(opened, Err(PeerTrouble::Note(_))));
    assert!(witness.vouching(log.as_peer()).is_ok());
}

#[test]
fn a_state_is_made_once_and_missed_when_it_is_gone() {
    let (log, witness) = (Side::new("test.example/a"), Side::new("test.example/b"));
    let open = || witness.vouching(log.as_peer());
    assert!(matches!(open(), Err(PeerTrouble::Absent(_))));
    witness.commissioned(&log);
    let twice = commission(Arc::new(witness.disk.clone()), folder(), &log.origin);
    assert!(matches!(twice, Err(PeerTrouble::Present(_))));
    assert_eq!(open().expect("made").held(), TreeHead::empty());
    let copies = [0, 1].map(|n| folder().join(format!("peer/test.example%2Fa.state.{n}")));
    copies.iter().for_each(|copy| witness.disk.tamper(copy, Some(b"damaged".to_vec())));
    let damaged = open();
    assert!(matches!(damaged, Err(PeerTrouble::State(PeerError::Damaged { .. }))));
    copies.iter().for_each(|copy| witness.disk.tamper(copy, None));
    assert!(matches!(open(), Err(PeerTrouble::Absent(_))), "gone is not new");
}

#[test]
fn a_log_that_lost_leaves_is_found_by_both() {
    let (log, witness, mut vouching) = pair();
    let copy = log.disk.durable_copy();
    log.grow(8, "leaf");
    let offer = log.offer(&witness, &vouching);
    vouching.take(&offer, &at(2)).expect("it continues");
    let back = log.restored(copy);
    let found = back.offering(&witness).met(vouching.held());
    let sizes = [3, 8].map(chronolease_core::evidence::TreeSize::new);
    assert_eq!(found, Err(Broken::RolledBack { own: sizes[0], held: sizes[1] }));
    let offer = back.offer(&witness, &vouching);
    assert_eq!(broken(&log, vouching.take(&offer, &at(3)), 8), EndingCause::Rollback);
    assert_eq!(size(&vouching), 8, "what was vouched for stays");
}

#[test]
fn a_log_with_another_history_is_found_by_both_whatever_its_length() {
    for longer in [8, 9, 20] {
        let (log, witness, mut vouching) = pair();
        let copy = log.disk.durable_copy();
        log.grow(8, "leaf");
        let offer = log.offer(&witness, &vouching);
        vouching.take(&offer, &at(2)).expect("it continues");
        let other = log.restored(copy);
        other.grow(longer, "other leaf");
        let found = other.offering(&witness).met(vouching.held());
        assert!(matches!(found, Err(Broken::Forked { .. })), "{found:?}");
        let offer = other.offer(&witness, &vouching);
        assert_eq!(broken(&log, vouching.take(&offer, &at(3)), 8), EndingCause::Fork, "{longer}");
        assert_eq!(size(&vouching), 8);
    }
}

#[test]
fn an_offer_that_comes_again_earns_nothing() {
    let (log, witness, mut vouching) = pair();
    let first = log.offer(&witness, &vouching);
    log.grow(5, "leaf");
    let second = log.offer(&witness, &vouching);
    vouching.take(&second, &at(2)).expect("it continues");
    let again = vouching.take(&second, &at(3));
    assert!(matches!(again, Err(VouchError::Offer(_))), "{again:?}");
    // An older one looks like a rollback, and the log's own signature is below it.
    assert_eq!(broken(&log, vouching.take(&first, &at(4)), 5), EndingCause::Rollback);
    for cut in [0, 10, second.len() - 1] {
        let torn = vouching.take(&second[..cut], &at(5));
        assert!(matches!(torn, Err(VouchError::Offer(_))), "{torn:?}");
    }
    assert_eq!(size(&vouching), 5);
}

#[test]
fn what_is_refused_for_what_was_shown_besides_is_as_if_never_offered() {
    let (log, witness, mut vouching) = pair();
    log.grow(5, "leaf");
    let offer = log.offer(&witness, &vouching);
    let refused = vouching.take_if(&offer, &at(2), |tree| {
        assert_eq!(tree.size.as_u64(), 5);
        Err(EndingCause::Rollback)
    });
    assert_eq!(broken(&log, refused, 3), EndingCause::Rollback);
    assert_eq!(size(&vouching), 3);
    assert_eq!(size(&witness.vouching(log.as_peer()).expect("whole")), 3, "nor on the disk");
    vouching.take_if(&offer, &at(3), |_| Ok(())).expect("it continues");
    assert_eq!(size(&vouching), 5);
}
