use proptest::prelude::*;

use super::*;
use crate::evidence::testing::{any_hash, log_key, name, toy_signature, toy_verify};

fn checkpoint() -> Checkpoint {
    let root = hash_from_base64("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=").expect("a hash");
    Checkpoint {
        origin: name("example.com/behind-the-sofa"),
        size: TreeSize::new(20_852_163),
        root,
    }
}

/// The example of tlog-checkpoint.
const TEXT: &str = "example.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

#[test]
fn the_example_of_the_standard() {
    assert_eq!(checkpoint().to_string(), TEXT);
    assert_eq!(Checkpoint::parse(TEXT), Ok(checkpoint()));
}

#[test]
fn malformed_checkpoints_are_refused() {
    let bad = [
        "",
        "\n",
        "a\n1\n",
        TEXT.trim_end(),
        &format!("{TEXT}extension\n"),
        &format!("{TEXT}\n"),
        &format!("\n{TEXT}"),
        &TEXT.replace("example.com/", "example com/"),
        &TEXT.replace("example.com/behind-the-sofa", ""),
        &TEXT.replace("20852163", "020852163"),
        &TEXT.replace("20852163", "+20852163"),
        &TEXT.replace("20852163", "-1"),
        &TEXT.replace("20852163", "18446744073709551616"),
        &TEXT.replace("20852163", ""),
        &TEXT.replace("jxq2I=", "jxq2J="),
        &TEXT.replace("jxq2I=", "jxq2I"),
        &TEXT.replace("jxq2I=", ""),
        &TEXT.replace('\n', "\r\n"),
    ];
    for text in bad {
        assert!(Checkpoint::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_checkpoint_is_signed_by_the_key_of_its_origin() {
    let key = log_key(1);
    let own = Checkpoint { origin: key.name().clone(), ..checkpoint() };
    let note = own.sign(&key, |m| toy_signature(key.public(), m)).expect("its own key");
    assert_eq!(Checkpoint::open(&note, &key, toy_verify), Ok(own));

    let origin = CheckpointError::Origin { found: checkpoint().origin, wanted: key.name().clone() };
    let signed = checkpoint().sign(&key, |m| toy_signature(key.public(), m));
    assert_eq!(signed, Err(origin.clone()));
    let note = Note::sign(TEXT, &key, |m| toy_signature(key.public(), m)).expect("a fair text");
    assert_eq!(Checkpoint::open(&note, &key, toy_verify), Err(origin));
    assert!(Checkpoint::open(&note, &log_key(2), toy_verify).is_err());
}

proptest! {
    #[test]
    fn tlog_tiles_agrees(size in any::<u64>(), root in any_hash()) {
        let mine = Checkpoint { size: TreeSize::new(size), root, ..checkpoint() };
        let theirs = tlog_tiles::Checkpoint::new(
            mine.origin.as_str(), size, tlog_tiles::Hash(*root.as_bytes()), "",
        ).expect("a checkpoint");
        prop_assert_eq!(mine.to_string().into_bytes(), theirs.to_bytes());
        prop_assert_eq!(Checkpoint::parse(&mine.to_string()), Ok(mine));
    }

    #[test]
    fn one_checkpoint_one_spelling(text in "[ab+]{1,2}\n[0-9+]{1,3}\n[AQ]{42}[AQIC]={0,2}\n\n?") {
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.to_string(), text);
        }
    }
}
