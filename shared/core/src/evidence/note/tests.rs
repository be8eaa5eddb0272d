use proptest::prelude::*;
use signed_note::{Signer, StandardSigner, StandardVerifier, VerifierList};

use super::*;
use crate::evidence::testing::{SKEY, VKEY, ed25519_sign, ed25519_verify, flipped, log_key, name};

const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";

fn key() -> LogKey {
    LogKey::parse(VKEY).expect("a sound key")
}

fn signed(text: &str) -> Note {
    Note::sign(text, &key(), ed25519_sign).expect("a fair text")
}

/// As C2SP and Go's note package print it.
#[test]
fn a_note_looks_as_everywhere() {
    let expected = format!(
        "{TEXT}\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNX\
         gKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    );
    assert_eq!(signed(TEXT).to_string(), expected);
    assert_eq!(Note::parse(expected.as_bytes()), Ok(signed(TEXT)));
}

#[test]
fn a_verifier_key_has_one_spelling() {
    assert_eq!(key().to_string(), VKEY);
    assert_eq!(signed_note::key_id("PeterNeumann", &[&[1], &key().public()[..]].concat()), {
        u32::from_be_bytes(*key().id().as_bytes())
    });
    let wanted = VkeyError::Type { found: 1, wanted: 4 };
    assert_eq!(CosignerKey::parse(VKEY), Err(wanted));
    let bad = [
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann++c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3",
        "",
    ];
    for text in bad {
        assert_eq!(LogKey::parse(text), Err(VkeyError::Malformed), "{text}");
    }
    let other = VKEY.replace("c74f20a3", "c74f20a4");
    assert!(matches!(LogKey::parse(&other), Err(VkeyError::Id { .. })));
}

#[test]
fn what_is_not_a_note_is_refused() {
    let line = signed(TEXT).signatures()[0].to_string();
    let malformed = [
        String::new(),
        "\n\n".to_owned(),
        TEXT.to_owned(),
        format!("{TEXT}\n"),
        format!("{TEXT}\n{line}"),
        format!("{TEXT}{line}\n"),
        format!("{TEXT}\n{line}\n\n"),
        format!("\n\n{line}\n"),
        format!("a\tb\n\n{line}\n"),
        format!("a\r\n\r\n{line}\r\n"),
        format!("{TEXT}\n{}\n", line.replace('\u{2014}', "-")),
        format!("{TEXT}\n{}\n", line.replace("PeterNeumann", "Peter+Neumann")),
        format!("{TEXT}\n{}\n", line.replace("PeterNeumann", "")),
        format!("{TEXT}\n{}\n", line.replace("nAM=", "nAM")),
        format!("{TEXT}\n{}\n", line.replace("nAM=", "nAN=")),
        format!("{TEXT}\n\u{2014} PeterNeumann x08gow==\n"),
        format!("{TEXT}\n\u{2014} PeterNeumann x08g\n"),
    ];
    for text in malformed {
        let error = Note::parse(text.as_bytes()).expect_err(&text);
        assert!(matches!(error, NoteError::Malformed(_)), "{text}: {error}");
    }
    let error = Note::parse(b"a\xff\n\n").expect_err("not UTF-8");
    assert_eq!(error, NoteError::Malformed("not UTF-8"));
    for text in ["", "\n", "no newline", "a\u{0}b\n"] {
        assert!(Note::sign(text, &key(), ed25519_sign).is_err(), "{text:?}");
    }
}

#[test]
fn sixteen_signatures_fit_and_no_more() {
    let mut note = signed(TEXT);
    let other = NoteSignature::new(name("w"), KeyId::from_bytes([1; 4]), vec![0; 2420]);
    for _ in 1..SIGNATURES_MAX {
        note = note.with(other.clone()).expect("it fits");
    }
    assert_eq!(Note::parse(note.to_string().as_bytes()), Ok(note.clone()));
    assert_eq!(note.clone().with(other.clone()), Err(NoteError::TooManySignatures(17)));
    let many = format!("{note}{other}\n");
    assert_eq!(Note::parse(many.as_bytes()), Err(NoteError::TooManySignatures(17)));
    let long = vec![b'a'; NOTE_BYTES_MAX + 1];
    assert_eq!(Note::parse(&long), Err(NoteError::TooLong(long.len())));
    let text = format!("{}\n", "a".repeat(NOTE_BYTES_MAX));
    assert!(matches!(Note::sign(&text, &key(), ed25519_sign), Err(NoteError::TooLong(_))));
}

#[test]
fn unknown_signatures_are_ignored_and_wrong_ones_condemn() {
    let stranger = log_key(7);
    let unknown = NoteSignature::new(stranger.name().clone(), stranger.id(), vec![1]);
    // The right name with another id, and the right id with another name: neither is the key.
    let other_id = NoteSignature::new(key().name().clone(), stranger.id(), vec![1]);
    let other_name = NoteSignature::new(stranger.name().clone(), key().id(), vec![1]);
    let mut note = signed(TEXT);
    for signature in [unknown, other_id, other_name] {
        note = note.with(signature).expect("it fits");
    }
    assert_eq!(note.verify(&key(), ed25519_verify), Ok(&note.signatures()[0]));
    let not_signed = NoteError::NotSigned(stranger.name().clone());
    assert_eq!(signed(TEXT).verify(&stranger, ed25519_verify), Err(not_signed));

    for bytes in [vec![0; 64], vec![0; 63], vec![0]] {
        let wrong = NoteSignature::new(key().name().clone(), key().id(), bytes);
        let note = signed(TEXT).with(wrong).expect("it fits");
        let bad = NoteError::BadSignature(key().name().clone());
        assert_eq!(note.verify(&key(), ed25519_verify), Err(bad));
    }
}

#[test]
fn names_hold_no_spaces_or_plus_signs() {
    for bad in ["", "a b", "a\u{a0}b", "a\u{2003}b", "a+b", "a\nb", "a\u{7f}", &"a".repeat(256)] {
        assert_eq!(KeyName::new(bad), None, "{bad:?}");
    }
    assert!(KeyName::new(&"a".repeat(255)).is_some());
}

fn verifiers() -> VerifierList {
    VerifierList::new(vec![Box::new(StandardVerifier::new(VKEY).expect("a sound key"))])
}

proptest! {
    // Ed25519 without optimisation takes its time.
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What we sign signed_note verifies, and back, byte for byte.
    #[test]
    fn signed_note_agrees(text in "([^\\x00-\\x1f]{0,20}\n){0,5}[^\\x00-\\x1f]{1,9}\n") {
        let mine = signed(&text);
        let note = signed_note::Note::from_bytes(mine.to_string().as_bytes()).expect("a note");
        let (verified, unverified) = note.verify(&verifiers()).expect("signed");
        prop_assert_eq!((verified.len(), unverified.len()), (1, 0));

        let signer = StandardSigner::new(SKEY).expect("a sound key");
        let mut theirs = signed_note::Note::new(text.as_bytes(), &[]).expect("a fair text");
        theirs.add_sigs(&[&signer as &dyn Signer]).expect("it signs");
        prop_assert_eq!(theirs.to_bytes(), mine.to_string().into_bytes());
        let note = Note::parse(&theirs.to_bytes()).expect("a note");
        prop_assert!(note.verify(&key(), ed25519_verify).is_ok());
    }

    /// A changed note is refused, or no longer signed.
    #[test]
    fn a_changed_note_does_not_verify(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let changed = flipped(signed(TEXT).to_string().as_bytes(), at, bit);
        if let Ok(note) = Note::parse(&changed) {
            prop_assert_eq!(note.to_string().into_bytes(), changed);
            prop_assert!(note.verify(&key(), ed25519_verify).is_err());
        }
    }

    /// Whatever parses formats to the very same bytes; nothing panics.
    #[test]
    fn one_note_one_spelling(
        text in "[a \n]{1,4}\n\n(\u{2014} a (AAAAAAA=|AAAAAAAA|AAAAAAB=|AAAAAA==)\n){1,3}\n?",
        key in "[a+]{1,2}\\+[0+]?0000000\\+A[A+]{3}",
    ) {
        if let Ok(note) = Note::parse(text.as_bytes()) {
            prop_assert_eq!(note.to_string(), text);
        }
        prop_assert!(LogKey::parse(&key).is_err());
    }
}
