use proptest::prelude::*;

use super::*;
use crate::evidence::testing::{any_hash, flipped, log_key, toy_signature};

fn note() -> Note {
    let key = log_key(1);
    let text = "tsa.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    Note::sign(text, &key, |m| toy_signature(key.public(), m)).expect("a fair text")
}

fn proofs() -> impl Strategy<Value = Vec<Hash>> {
    prop::collection::vec(any_hash(), 0..=PROOF_HASHES_MAX)
}

/// Laid out as in the standards.
#[test]
fn both_texts_look_as_in_the_standards() {
    let (proof, note) = (vec![Hash::of_nothing()], note());
    let request = AddCheckpoint { old: TreeSize::new(7), proof: proof.clone(), note: note.clone() };
    let line = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(request.to_string(), format!("old 7\n{line}\n\n{note}"));
    let leaf = LeafProof { index: LeafIndex::new(9), proof, note: note.clone() };
    let expected = format!("c2sp.org/tlog-proof@v1\nindex 9\n{line}\n\n{note}");
    assert_eq!(leaf.to_string(), expected);
}

#[test]
fn malformed_texts_are_refused() {
    let note = note();
    let hash = hash_to_base64(&Hash::of_nothing());
    let many = format!("old 7\n{}\n{note}", format!("{hash}\n").repeat(65));
    let bad = [
        String::new(),
        note.to_string(),
        format!("old 07\n\n{note}"),
        format!("old\n\n{note}"),
        format!("old 7\n{hash}=\n\n{note}"),
        format!("old 7\n\n\n{note}\n"),
        format!("old 7\n{hash}\n{note}"),
        format!("old 7 \n\n{note}"),
        many,
    ];
    for text in bad {
        assert!(AddCheckpoint::parse(text.as_bytes()).is_err(), "{text}");
    }
    let head = "c2sp.org/tlog-proof@v1\n";
    for text in [
        format!("index 7\n\n{note}"),
        format!("{head}extra AAAA\nindex 7\n\n{note}"),
        format!("{head}index -7\n\n{note}"),
        format!("{head}\n{note}"),
    ] {
        assert!(LeafProof::parse(text.as_bytes()).is_err(), "{text}");
    }
    let long = vec![b'a'; EXCHANGE_BYTES_MAX + 1];
    assert_eq!(LeafProof::parse(&long), Err(ExchangeError::TooLong(long.len())));
}

proptest! {
    #[test]
    fn both_texts_round_trip(n in any::<u64>(), proof in proofs()) {
        let request = AddCheckpoint { old: TreeSize::new(n), proof: proof.clone(), note: note() };
        prop_assert_eq!(AddCheckpoint::parse(request.to_string().as_bytes()), Ok(request));
        let leaf = LeafProof { index: LeafIndex::new(n), proof, note: note() };
        prop_assert_eq!(LeafProof::parse(leaf.to_string().as_bytes()), Ok(leaf));
    }

    /// Whatever parses formats to the very same bytes.
    #[test]
    fn a_changed_text_is_refused_or_means_something_else(
        n in any::<u64>(), proof in proofs(), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let request = AddCheckpoint { old: TreeSize::new(n), proof, note: note() };
        let changed = flipped(request.to_string().as_bytes(), at, bit);
        if let Ok(other) = AddCheckpoint::parse(&changed) {
            prop_assert_eq!(other.to_string().into_bytes(), changed);
            prop_assert_ne!(other, request);
        }
    }
}
