//! Every committed input, as it is and damaged, through its target: what the fuzzers found once
//! stays found.

use std::fs;
use std::path::PathBuf;

use chronolease_fuzz::{TARGETS, Target};

fn corpora() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn inputs(name: &str) -> Vec<Vec<u8>> {
    let folder = corpora().join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.map(|path| fs::read(path).expect("a readable input")).collect()
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let mut folders: Vec<String> = fs::read_dir(corpora())
        .expect("the corpora")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(folders, names);
    let fuzzed = include_str!("../libfuzzer/Cargo.toml");
    for name in names {
        assert!(inputs(name).len() >= 4, "{name}");
        assert!(fuzzed.contains(&format!("targets/{name}.rs")), "{name} is not fuzzed");
    }
}

#[test]
fn every_input_keeps_the_promises_of_its_target() {
    for &(name, target) in TARGETS {
        for input in inputs(name) {
            target(&input);
            damaged(&input, target);
        }
    }
}

/// Each byte changed in a few ways, and each length cut; a long input is sampled.
fn damaged(input: &[u8], target: Target) {
    let step = input.len() / 200 + 1;
    for at in (0..input.len()).step_by(step) {
        for change in [1, 0x10, 0x80, 0xff] {
            let mut changed = input.to_vec();
            changed[at] ^= change;
            target(&changed);
        }
        target(&input[..at]);
    }
}
