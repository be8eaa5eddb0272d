//! `chronolease-tsu`: the time-stamping unit of box A.

use std::path::PathBuf;
use std::process::ExitCode;

use chronolease_net::daemon::{self, DaemonError};
use chronolease_net::exchange::epoch::{self, Told};
use chronolease_net::{build, logging};
use chronolease_sys::Clocks;
use chronolease_tsu::config::Config;
use chronolease_tsu::start::{self, Tsu};
use clap::{Args, Parser, Subcommand};

/// Issues RFC 3161 time-stamp tokens, as long as the monitor's lease says that its clock is right.
///
/// Every key of the configuration can be overridden by an environment variable:
/// CHRONOLEASE_TSU_HTTP__LISTEN stands for http.listen.
#[derive(Parser)]
#[command(name = "chronolease-tsu", version = build::LONG_VERSION)]
struct Arguments {
    /// The configuration file; `NAME.d/*.toml` beside it is laid over it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration and the files it names, then exit: 0 when good, 78 when not.
    #[arg(long)]
    check_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Make the empty evidence log of a new TSU.
    Commission,
    /// A new beginning after a rollback, a fork, a lost disk or a replaced box. The daemon must be
    /// stopped.
    #[command(subcommand)]
    RePair(RePairCommand),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Subcommand)]
enum RePairCommand {
    /// Seal this box's log, and begin the next one in the name that the configuration has for it.
    Own {
        #[command(flatten)]
        agreed: Agreed,
        /// The file with what the other box has vouched for, as its `re-pair peer` printed it.
        #[arg(long, value_name = "FILE")]
        sealed: Option<PathBuf>,
        /// What is missing is lost for good: go on without it.
        #[arg(long)]
        nothing_known: bool,
    },
    /// Go on with the log that the configuration names for the other box, and print what this box
    /// has vouched for of the old one.
    Peer {
        #[command(flatten)]
        agreed: Agreed,
    },
}

/// Who agreed to it, and why. All of it goes on record.
#[derive(Args)]
struct Agreed {
    /// Why there must be a new beginning.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who agreed to it: two persons.
    #[arg(long, value_name = "NAME", required = true)]
    by: Vec<String>,
    /// The name of the old log, when it cannot be told otherwise.
    #[arg(long, value_name = "NAME")]
    old_origin: Option<String>,
}

impl Agreed {
    fn told(&self) -> Told {
        let Self { reason, by, old_origin } = self;
        let (reason, by, old_origin) = (reason.clone(), by.clone(), old_origin.clone());
        Told { reason, by, old_origin, ..Told::default() }
    }
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print every value with where it comes from.
    Show,
}

fn main() -> ExitCode {
    daemon::exit("chronolease-tsu", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), DaemonError> {
    let (config, document) = Config::load(&arguments.config)?;
    match &arguments.command {
        Some(Command::Config(ConfigCommand::Show)) => {
            print!("{}", document.show());
            return Ok(());
        }
        Some(Command::Commission) => return start::commission(&config),
        Some(Command::RePair(command)) => return re_pair(&config, command),
        None => {}
    }
    if arguments.check_config {
        Tsu::prepare(config)?.check()?;
        println!("{}: good", arguments.config.display());
        return Ok(());
    }
    logging::init(&config.log_level).map_err(DaemonError::config)?;
    let tsu = Tsu::prepare(config)?;
    daemon::runtime()?.block_on(tsu.run())
}

fn re_pair(config: &Config, command: &RePairCommand) -> Result<(), DaemonError> {
    let clocks = Clocks::open().map_err(DaemonError::failed)?;
    let (log, monitor) = (&config.evidence, &config.link.monitor_evidence_origin);
    let peers = std::slice::from_ref(monitor);
    match command {
        RePairCommand::Own { agreed, sealed, nothing_known } => {
            let (sealed, nothing_known) = (sealed.clone(), *nothing_known);
            let told = Told { sealed, nothing_known, ..agreed.told() };
            let begun = epoch::own(log, peers, &told, clocks).map_err(DaemonError::failed)?;
            println!("{begun}");
        }
        RePairCommand::Peer { agreed } => {
            let sealed = epoch::peer(log, monitor, peers, &agreed.told(), clocks);
            let sealed = sealed.map_err(DaemonError::failed)?;
            print!("{}", String::from_utf8_lossy(&sealed));
        }
    }
    Ok(())
}
