//! `chronolease-lab demo`: ready once, tokens, and nothing left behind.

use std::fs;

use chronolease_e2e::ports::PortClaim;
use chronolease_e2e::process::Process;
use chronolease_e2e::rig::Directory;
use chronolease_e2e::{Program, Programs, eventually, tsp};

struct Demo {
    process: Process,
    claim: PortClaim,
    /// The monitor, the TSU and their clock readers.
    children: Vec<u32>,
    directory: Directory,
}

impl Demo {
    fn new() -> Self {
        Programs::Release.check();
        let directory = Directory::new();
        let claim = PortClaim::next();
        let (dir, base) = (directory.path().join("lab"), claim.base().to_string());
        let dir = dir.to_str().expect("temporary directories have plain names");
        let arguments = ["demo", "--dir", dir, "--port-base", &base];
        let log = directory.path().join("demo.log");
        let process = Process::new(Programs::Release.path(Program::Lab), &arguments, log);
        Self { process, claim, children: Vec::new(), directory }
    }

    fn start(&mut self) {
        fs::write(self.process.log_file(), "").expect("the directory is ours");
        self.process.start();
        self.wait_for("a line that starts with ready", || {
            self.ready_lines().first().cloned().ok_or(self.process.tail())
        });
        self.children = pids(&self.process.log());
        assert_eq!(self.children.len(), 4, "{}", self.process.tail());
        assert!(self.children.iter().copied().all(runs));
    }

    fn wait_for<T>(&self, what: &str, probe: impl FnMut() -> Result<T, String>) -> T {
        eventually(&format!("{what} ({})", self.directory.path().display()), probe)
    }

    fn ready_lines(&self) -> Vec<String> {
        let log = self.process.log();
        // A line is whole when another follows.
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().filter(|line| line.starts_with("ready")).map(str::to_owned).collect()
    }

    fn expect_token(&self) {
        let answer = tsp::Client::new(self.claim.ports().tsu_http()).ask();
        assert!(answer.token().is_some(), "{answer:?}");
    }
}

/// What stands behind `pid` in the line that says what was started.
fn pids(log: &str) -> Vec<u32> {
    let line =
        log.lines().find(|line| line.starts_with("started")).expect("it says what it starts");
    let pids = line.split("(pid ").skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
    pids.map(|pid| pid.parse().expect("a number")).collect()
}

/// Whether a program of ours runs as `pid`. One that has ended has no program, even when nobody
/// has asked for its status yet.
fn runs(pid: u32) -> bool {
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    program.to_string_lossy().contains("chronolease-")
}

#[test]
fn the_demo_is_ready_once_issues_and_leaves_nothing_behind() {
    let mut demo = Demo::new();
    demo.start();
    demo.expect_token();
    let status = demo.process.sigterm();
    assert!(status.success(), "{status}: {}", demo.process.tail());
    assert!(!demo.children.iter().copied().any(runs), "children outlive the demo");
    assert_eq!(demo.ready_lines().len(), 1, "{}", demo.process.log());

    // Over its own directory, and this time without a chance to clean up.
    demo.start();
    demo.expect_token();
    demo.process.sigkill();
    demo.wait_for("the children end with the demo", || {
        let left: Vec<_> = demo.children.iter().copied().filter(|&pid| runs(pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}
