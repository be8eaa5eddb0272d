//! Children that end by themselves, that obey and that do not.

use std::os::unix::process::ExitStatusExt as _;

use tokio::io::AsyncReadExt as _;

use super::*;
use crate::testing::Scratch;

/// Runs a shell script up to the moment when it has printed one byte.
async fn shell(script: &str) -> Child {
    let mut command = Command::new("/bin/sh");
    let mut child = command
        .args(["-c", script])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("every box has a shell");
    let stdout = child.stdout.as_mut().expect("it is piped");
    stdout.read_u8().await.expect("the script prints a byte");
    child
}

/// A lab directory in which `sh` is a daemon: its configuration is its script.
fn lab_with(script: &str) -> (Scratch, Layout, Program) {
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.path());
    fs::create_dir(layout.logs()).expect("the directory is ours");
    fs::write(layout.monitor_toml(), script).expect("the directory is ours");
    // The shell refuses `--config`, so a wrapper takes the file alone. Another process writes it:
    // a child that a test beside this one forks would keep it open for writing, and busy.
    let wrapper = scratch.path().join("wrapper");
    let written = std::process::Command::new("/bin/sh")
        .args(["-c", r#"printf '#!/bin/sh\nexec /bin/sh "$2"\n' > "$0" && chmod 700 "$0""#])
        .arg(&wrapper)
        .status();
    assert!(written.expect("every box has a shell").success());
    (scratch, layout, Program { name: "monitor", path: wrapper })
}

#[tokio::test]
async fn a_child_that_obeys_is_asked_only() {
    let child = shell("trap 'exit 7' TERM; echo; while :; do sleep 0.01; done").await;
    let stop = CancellationToken::new();
    stop.cancel();
    let status = watch(child, &stop, Duration::from_secs(30)).await.expect("it ends");
    assert_eq!(status.code(), Some(7));
}

#[tokio::test]
async fn a_child_that_does_not_obey_is_killed() {
    let child = shell("trap '' TERM; echo; while :; do sleep 0.01; done").await;
    let stop = CancellationToken::new();
    stop.cancel();
    let status = watch(child, &stop, Duration::ZERO).await.expect("it ends");
    assert_eq!(status.signal(), Some(9));
}

#[tokio::test]
async fn an_end_is_told_once_with_the_log_and_the_way_back() {
    let (_scratch, layout, program) = lab_with("seq 1 30 >&2; exit 78");
    let mut daemons = Daemons::default();
    daemons.start(&program, &layout).expect("the wrapper runs");
    let exit = daemons.next_exit().await;
    let told = exit.to_string();
    assert!(told.starts_with("the monitor (pid "), "{told}");
    assert!(told.contains("exit status: 78"), "{told}");
    assert!(told.contains("\n11\n") && told.ends_with("\n30"), "{told}");
    assert!(!told.contains("\n10\n"), "only the end of the log: {told}");
    let config = layout.monitor_toml();
    assert!(exit.command().ends_with(&format!("wrapper --config {}", quoted(&config))));
    daemons.stop().await;
}

#[tokio::test]
async fn stopping_ends_what_still_runs() {
    let (_scratch, layout, program) = lab_with("while :; do sleep 0.01; done");
    let mut daemons = Daemons::default();
    daemons.start(&program, &layout).expect("the wrapper runs");
    let pid = i32::try_from(daemons.started()[0].pid()).expect("Linux has fewer processes");
    daemons.stop().await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn paths_are_quoted_for_a_shell_when_they_must_be() {
    for (path, expected) in [
        ("target/demo/tsu.toml", "target/demo/tsu.toml"),
        ("my lab/tsu.toml", "'my lab/tsu.toml'"),
        ("it's", r"'it'\''s'"),
        ("$HOME", "'$HOME'"),
    ] {
        assert_eq!(quoted(Path::new(path)), expected);
    }
}
