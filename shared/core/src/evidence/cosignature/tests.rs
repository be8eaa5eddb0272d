use super::*;
use crate::evidence::note::{KeyId, LogKey};
use crate::evidence::testing::{VKEY, ed25519_sign, ed25519_verify, log_key, name, toy_signature};

const TEXT: &str = "example.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

fn at(unix_s: u64) -> CosignedAt {
    CosignedAt::from_unix_s(unix_s).expect("in range")
}

fn key() -> CosignerKey {
    let public = *LogKey::parse(VKEY).expect("a sound key").public();
    CosignerKey::new(name("witness.example.com/w1"), public)
}

fn note() -> Note {
    let log = log_key(1);
    Note::sign(TEXT, &log, |m| toy_signature(log.public(), m)).expect("a fair text")
}

fn cosigned(unix_s: u64) -> NoteSignature {
    Cosignature::sign(at(unix_s), TEXT, ed25519_sign).to_note_signature(&key())
}

/// The example of tlog-cosignature, "Ed25519 signed message".
#[test]
fn the_message_of_the_standard() {
    let expected = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    assert_eq!(message(at(1_679_315_147), TEXT), expected.as_bytes());
}

/// The signature line of that example: its key id is hidden from us, its layout is not.
#[test]
fn the_line_of_the_standard_parses() {
    let line = "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWX\
                EhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
    let line = NoteSignature::parse(line).expect("a line");
    let cosignature = Cosignature::from_note_signature(&line).expect("a cosignature");
    assert_eq!(cosignature.at(), at(1_679_315_147));
}

#[test]
fn a_cosignature_round_trips_through_a_note() {
    let note = note().with(cosigned(1_679_315_147)).expect("it fits");
    let line = &note.signatures()[1];
    assert_eq!(line.bytes().len(), 72);
    let typed = [&[4], &key().public()[..]].concat();
    let id = signed_note::key_id("witness.example.com/w1", &typed);
    assert_eq!(line.id(), KeyId::from_bytes(id.to_be_bytes()));
    let read = Note::parse(note.to_string().as_bytes()).expect("a note");
    let found = Cosignature::open(&read, &key(), ed25519_verify).expect("cosigned");
    assert_eq!(found.at(), at(1_679_315_147));
    assert_eq!(CosignerKey::parse(&key().to_string()), Ok(key()));
}

#[test]
fn the_newest_of_several_counts() {
    let mut note = note();
    for unix_s in [5, 9, 7] {
        note = note.with(cosigned(unix_s)).expect("it fits");
    }
    let found = Cosignature::open(&note, &key(), ed25519_verify).expect("cosigned");
    assert_eq!(found.at(), at(9));
}

#[test]
fn other_types_are_ignored_and_wrong_ones_condemn() {
    let witness = key();
    let post_quantum = KeyId::of(witness.name(), 0x06, &[1; 1312]);
    let unknown = NoteSignature::new(witness.name().clone(), post_quantum, vec![0; 2428]);
    // A plain signature of the very same key is no cosignature.
    let plain = LogKey::new(witness.name().clone(), *witness.public());
    let plain = NoteSignature::new(plain.name().clone(), plain.id(), ed25519_sign(b"x").to_vec());
    let note = note().with(unknown).and_then(|note| note.with(plain)).expect("it fits");
    let not_signed = NoteError::NotSigned(witness.name().clone());
    assert_eq!(Cosignature::open(&note, &witness, ed25519_verify), Err(not_signed));
    let note = note.with(cosigned(5)).expect("it fits");
    assert!(Cosignature::open(&note, &witness, ed25519_verify).is_ok());

    let sound = cosigned(5).bytes().to_vec();
    let mut later = sound.clone();
    later[7] = 6;
    let mut beyond = sound.clone();
    beyond[0] = 0x80;
    for bytes in [later, beyond, sound[..71].to_vec(), [sound, vec![0]].concat(), vec![1]] {
        let wrong = NoteSignature::new(witness.name().clone(), witness.id(), bytes);
        let note = note.clone().with(wrong).expect("it fits");
        let bad = NoteError::BadSignature(witness.name().clone());
        assert_eq!(Cosignature::open(&note, &witness, ed25519_verify), Err(bad));
    }
}

#[test]
fn times_are_in_range() {
    assert_eq!(CosignedAt::from_unix_s(1 << 63), None);
    assert_eq!(CosignedAt::at(Timestamp::from_unix_nanos(-1)), None);
    assert_eq!(CosignedAt::at(Timestamp::from_unix_nanos(1_999_999_999)), Some(at(1)));
}
