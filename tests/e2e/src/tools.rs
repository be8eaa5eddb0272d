//! openssl and curl: programs that know nothing of Chronolease.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `program` in `folder` and answers how it ended.
#[must_use]
pub fn run(folder: &Path, program: &str, arguments: &[&str]) -> Output {
    run_with(folder, program, arguments, &[])
}

/// As [`run`], with variables added to the environment.
#[must_use]
pub fn run_with(
    folder: &Path,
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).envs(environment.iter().copied());
    chronolease_sys::die_with_parent(&mut command);
    let output = command.stdin(Stdio::null()).output();
    output.unwrap_or_else(|e| panic!("{program} does not run ({e}); `make test` installs it"))
}

/// Runs `program` in `folder`, expects success, and answers what it printed, errors included.
pub fn expect(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = run(folder, program, arguments);
    let said = said(&output);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{said}", output.status);
    said
}

/// What a program printed, errors included.
#[must_use]
pub fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    format!("{out}{err}")
}
