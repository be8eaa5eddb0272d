//! Clippy refuses every reading of a clock outside `chronolease-sys`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const FIXTURE: &str = "src/forbidden.rs";

#[test]
fn every_forbidden_reading_is_refused_and_nothing_else() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(here.join(FIXTURE)).expect("the fixture is there");
    let marked: BTreeSet<usize> = source
        .lines()
        .enumerate()
        .filter(|(_, line)| line.ends_with("// banned"))
        .map(|(index, _)| index + 1)
        .collect();
    assert!(marked.len() > 5, "the fixture has lost its marks");

    let output = Command::new(env!("CARGO"))
        .args(["clippy", "--offline", "--locked", "--message-format=short"])
        .args(["--package", env!("CARGO_PKG_NAME"), "--lib", "--features", "bite"])
        .args(["--", "-A", "dead_code"])
        .current_dir(here)
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "clippy let the fixture pass:\n{said}");
    let refused: BTreeSet<usize> = said
        .lines()
        .filter(|line| line.contains("use of a disallowed method"))
        .filter_map(|line| line.split_once(FIXTURE)?.1.split(':').nth(1)?.parse().ok())
        .collect();
    assert_eq!(refused, marked, "clippy said:\n{said}");
}
