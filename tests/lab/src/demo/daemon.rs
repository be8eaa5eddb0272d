//! The daemons as child processes.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::DemoError;
use crate::layout::Layout;

/// How long a daemon may take to end after SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How many of a log's last lines an error shows.
const TAIL_LINES: usize = 20;

/// The program of a daemon.
pub(super) struct Program {
    name: &'static str,
    path: PathBuf,
}

impl Program {
    /// `chronolease-{name}` beside the program that runs. Its configuration and its log bear the
    /// same name.
    pub(super) fn find(name: &'static str) -> Result<Self, DemoError> {
        Self::find_as(name, name)
    }

    /// `chronolease-{binary}`, as the daemon `name`.
    pub(super) fn find_as(binary: &str, name: &'static str) -> Result<Self, DemoError> {
        let own = std::env::current_exe()
            .map_err(|source| DemoError::System { what: "own program".to_owned(), source })?;
        let path = own.with_file_name(format!("chronolease-{binary}"));
        if path.is_file() { Ok(Self { name, path }) } else { Err(DemoError::NoProgram(path)) }
    }
}

/// A daemon that was started, running or not.
#[derive(Clone)]
pub(super) struct Daemon {
    name: &'static str,
    pid: u32,
    command: String,
    log: PathBuf,
}

/// How a daemon ended.
#[derive(Debug)]
pub struct Exit {
    name: &'static str,
    pid: u32,
    status: String,
    command: String,
    log: PathBuf,
    tail: String,
}

impl Exit {
    /// The command that starts it again.
    pub(super) fn command(&self) -> &str {
        &self.command
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, pid, status, log, tail, .. } = self;
        write!(f, "the {name} (pid {pid}) ended: {status}\n{}:\n{tail}", log.display())
    }
}

impl Daemon {
    /// The daemon's name.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Its process id.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    fn ended(self, status: &io::Result<ExitStatus>) -> Exit {
        let status = status.as_ref().map_or_else(ToString::to_string, ToString::to_string);
        let Self { name, pid, command, log } = self;
        Exit { name, pid, status, command, tail: tail(&log), log }
    }
}

/// The daemons of the demo.
#[derive(Default)]
pub(super) struct Daemons {
    started: Vec<Daemon>,
    running: JoinSet<Exit>,
    stop: CancellationToken,
}

impl Daemons {
    /// Starts one in a process group of its own, so that Ctrl-C reaches only the demo, which then
    /// stops it in good order. It does not outlive the thread that calls.
    pub(super) fn start(&mut self, program: &Program, layout: &Layout) -> Result<(), DemoError> {
        let name = program.name;
        let config = layout.file(&format!("{name}.toml"));
        let log = layout.logs().join(format!("{name}.log"));
        let file = File::create(&log).map_err(refused(&log))?;
        let clone = file.try_clone().map_err(refused(&log))?;
        let mut command = Command::new(&program.path);
        command.arg("--config").arg(&config).process_group(0);
        command.stdin(Stdio::null()).stdout(clone).stderr(file);
        chronolease_sys::die_with_parent(command.as_std_mut());
        let child = command.spawn().map_err(refused(&program.path))?;
        let pid = child.id().expect("a child that nobody waited for has its id");
        let command = format!("{} --config {}", quoted(&program.path), quoted(&config));
        let daemon = Daemon { name, pid, command, log };
        self.started.push(daemon.clone());
        let stop = self.stop.clone();
        self.running.spawn(async move { daemon.ended(&watch(child, &stop, STOP_WITHIN).await) });
        Ok(())
    }

    /// All that were started.
    pub(super) fn started(&self) -> &[Daemon] {
        &self.started
    }

    /// The next one that ends. Never returns when none runs.
    pub(super) async fn next_exit(&mut self) -> Exit {
        loop {
            match self.running.join_next().await {
                Some(Ok(exit)) => return exit,
                Some(Err(error)) => tracing::error!(%error, "lost sight of a daemon"),
                None => std::future::pending().await,
            }
        }
    }

    /// Stops all of them at the same time and waits for it.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.running.join_next().await.is_some() {}
    }

    /// The ends of all logs.
    pub(super) fn tails(&self) -> String {
        let each = self
            .started
            .iter()
            .map(|daemon| format!("\n{}:\n{}", daemon.log.display(), tail(&daemon.log)));
        each.collect()
    }
}

/// Waits for the child's end. `stop` asks the child for it, and after `patience` demands it.
async fn watch(
    mut child: Child,
    stop: &CancellationToken,
    patience: Duration,
) -> io::Result<ExitStatus> {
    if let Some(status) = stop.run_until_cancelled(child.wait()).await {
        return status;
    }
    // No id: it has ended, and its id may already be another process's.
    if let Some(id) = child.id() {
        chronolease_sys::terminate(id)?;
    }
    if let Ok(status) = tokio::time::timeout(patience, child.wait()).await {
        return status;
    }
    child.start_kill()?;
    child.wait().await
}

/// A path that the system refuses.
pub(super) fn refused(path: &Path) -> impl FnOnce(io::Error) -> DemoError {
    let what = path.display().to_string();
    move |source| DemoError::System { what, source }
}

fn tail(log: &Path) -> String {
    let text = match fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return error.to_string(),
    };
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
