//! The demo: a fresh lab, a monitor and a TSU, each with its clock reader, and a guide of what to
//! try with them.

mod daemon;
mod guide;
mod ready;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chronolease_net::shutdown;
use chronolease_sys::{Clocks, ClocksError};
use tokio_util::sync::CancellationToken;

use crate::config::LabConfig;
use crate::init::{Accuracy, InitError, init};
use crate::layout::{Layout, Ports};
use crate::sources::{Sources, StartError};
use daemon::{Daemons, Exit, Program};

/// How long the first lease may take. It needs five good probes, a second apart.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Why the demo ended other than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A daemon's program is not where it should be.
    #[error("{} is missing; `make demo` builds it", .0.display())]
    NoProgram(PathBuf),
    /// The lab cannot be written.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The clocks cannot be read.
    #[error(transparent)]
    Clocks(#[from] ClocksError),
    /// The sources cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system refuses something.
    #[error("{what}: {source}")]
    System {
        /// What it refuses.
        what: String,
        /// What it said.
        source: io::Error,
    },
    /// A daemon ended before the first lease.
    #[error("no lease: {0}")]
    Ended(Exit),
    /// No lease within a minute.
    #[error("no lease after {} s; see the logs:{tails}", READY_WITHIN.as_secs())]
    NotReady {
        /// The ends of the logs.
        tails: String,
    },
}

/// Runs the demo below `dir` until SIGINT or SIGTERM, then stops what it started.
///
/// Must be awaited on a thread that lives as long as the demo, such as the main thread within
/// `block_on`: the kernel ends the daemons together with the thread that started them.
///
/// # Errors
/// [`DemoError`]; nothing is left running then either.
pub async fn run(dir: &Path, ports: Ports, accuracy: Accuracy) -> Result<(), DemoError> {
    let programs = [
        Program::find_as("clock", "monitor-clock")?,
        Program::find_as("clock", "tsu-clock")?,
        Program::find("monitor")?,
        Program::find("tsu")?,
    ];
    let stop = shutdown::on_signal()
        .map_err(|source| DemoError::System { what: "signals".to_owned(), source })?;
    // Before the lab is written: a demo that still runs on these ports keeps its files.
    let sources = Sources::start(&LabConfig::of(ports), Clocks::open()?, &stop).await?;
    let layout = init(dir, ports, accuracy)?;
    std::fs::create_dir(layout.logs()).map_err(daemon::refused(&layout.logs()))?;

    let mut daemons = Daemons::default();
    let outcome = supervise(&programs, &layout, ports, &stop, &mut daemons).await;
    daemons.stop().await;
    drop(sources);
    outcome
}

async fn supervise(
    programs: &[Program],
    layout: &Layout,
    ports: Ports,
    stop: &CancellationToken,
    daemons: &mut Daemons,
) -> Result<(), DemoError> {
    for program in programs {
        daemons.start(program, layout)?;
    }
    println!("{}", guide::started(daemons.started()));
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        exit = daemons.next_exit() => return Err(DemoError::Ended(exit)),
        held = tokio::time::timeout(READY_WITHIN, ready::wait(ports.tsu_metrics())) => {
            if held.is_err() {
                return Err(DemoError::NotReady { tails: daemons.tails() });
            }
        }
    }
    println!("{}", guide::ready(ports));
    println!("{}", guide::text(layout, ports, daemons.started()));
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            exit = daemons.next_exit() => println!("{}", guide::ended(&exit)),
        }
    }
}
