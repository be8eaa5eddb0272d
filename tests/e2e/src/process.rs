//! One child process: started, asked to stop, killed, its log.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::wait;

/// How many of a log's last lines a failure shows.
const TAIL_LINES: usize = 25;

/// A child that can be started again and again. It does not outlive the test: it is killed when
/// this is dropped, and the kernel ends it with the thread that started it.
#[derive(Debug)]
pub struct Process {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// A child that does not run yet. What it prints is appended to `log`.
    #[must_use]
    pub fn new(program: PathBuf, arguments: &[&str], log: PathBuf) -> Self {
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        Self { program, arguments, environment: Vec::new(), log, child: None }
    }

    /// Sets environment variables for the next start.
    pub fn set_env(&mut self, environment: &[(String, String)]) {
        self.environment = environment.to_vec();
    }

    /// Starts it, waits for its end, which must be a refusal (exit code 1), and answers what it
    /// said since. `what` says why it must not run.
    pub fn refusal(&mut self, what: &str) -> String {
        let before = self.log().len();
        self.start();
        let status = self.wait(what);
        let said = self.log().split_off(before);
        assert_eq!(status.code(), Some(1), "{said}");
        said
    }

    /// Starts it. It must not run already.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.program.display());
        let open = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = open.unwrap_or_else(|e| panic!("{}: {e}", self.log.display()));
        let errors = log.try_clone().expect("a file can be opened twice");
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        chronolease_sys::die_with_parent(&mut command);
        let child = command.spawn();
        self.child = Some(child.unwrap_or_else(|e| panic!("{}: {e}", self.program.display())));
    }

    /// Whether it was started and nobody here has seen its end.
    #[must_use]
    pub const fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// Its process id. It must run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it was started").id()
    }

    /// Starts it and waits until `ready` says that it does its work. Panics when it ends instead.
    pub fn start_until(&mut self, mut ready: impl FnMut() -> Result<(), String>) {
        self.start();
        let started = wait::poll(wait::PATIENCE, || {
            if let Some(status) = self.ended() {
                panic!("{} ended at its start: {status}\n{}", self.program.display(), self.tail());
            }
            ready()
        });
        started.unwrap_or_else(|last| {
            panic!("{} does not start: {last}\n{}", self.program.display(), self.tail())
        });
    }

    /// How it ended by itself, if it did.
    fn ended(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut().expect("it was started");
        child.try_wait().expect("a child may be waited for")
    }

    /// SIGKILL, and waits for its end. It must run.
    pub fn sigkill(&mut self) {
        let mut child = self.child.take().expect("it was started");
        child.kill().expect("a child may be killed");
        child.wait().expect("a child may be waited for");
    }

    /// SIGSTOP. It must run.
    pub fn sigstop(&self) {
        chronolease_sys::suspend(self.pid()).expect("a child may be signalled");
    }

    /// SIGCONT, after a stop.
    pub fn sigcont(&self) {
        chronolease_sys::resume(self.pid()).expect("a child may be signalled");
    }

    /// Whether a signal has stopped it.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        // The name in parentheses may hold anything.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// SIGTERM, and waits for its end.
    pub fn sigterm(&mut self) -> ExitStatus {
        chronolease_sys::terminate(self.pid()).expect("a child may be signalled");
        self.wait("its end after SIGTERM")
    }

    /// Waits for its end. `what` says why it should end.
    pub fn wait(&mut self, what: &str) -> ExitStatus {
        let ended = wait::poll(wait::PATIENCE, || self.ended().ok_or("it runs".to_owned()));
        let status = ended.unwrap_or_else(|_| {
            panic!("{} still runs: {what}\n{}", self.program.display(), self.tail())
        });
        self.child = None;
        status
    }

    /// All that it has printed.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines that it has printed.
    #[must_use]
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        format!("--- {}\n{}\n", self.log.display(), last.join("\n"))
    }

    /// Where its log is.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        &self.log
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Nothing more can be done for a child that cannot be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
