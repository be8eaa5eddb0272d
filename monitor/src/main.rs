//! `chronolease-monitor`: the monitor of box B.

use std::path::PathBuf;
use std::process::ExitCode;

use chronolease_monitor::config::Config;
use chronolease_monitor::start::Monitor;
use chronolease_monitor::{commission, probe};
use chronolease_net::daemon::{self, DaemonError};
use chronolease_net::exchange::epoch::{self, Told};
use chronolease_net::{build, logging, recorder};
use chronolease_sys::Clocks;
use clap::{Args, Parser, Subcommand};

/// Works out UTC on its own, watches the clocks of the TSUs, and grants them short leases.
///
/// Every key of the configuration can be overridden by an environment variable:
/// CHRONOLEASE_MONITOR_ADMIN__LISTEN stands for admin.listen.
#[derive(Parser)]
#[command(name = "chronolease-monitor", version = build::LONG_VERSION)]
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
    /// Make what a new box or a new TSU needs, once. It is never made at a start: what is gone
    /// must be noticed.
    #[command(subcommand)]
    Commission(CommissionCommand),
    /// A new beginning after a rollback, a fork, a lost disk or a replaced box. The daemon must be
    /// stopped.
    #[command(subcommand)]
    RePair(RePairCommand),
    /// Look at the time sources.
    #[command(subcommand)]
    Sources(SourcesCommand),
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
        /// The TSU whose log it is, as its [[tsu]] table names it.
        name: String,
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
enum CommissionCommand {
    /// Make the empty evidence log.
    Log,
    /// Write the first record of a TSU into the monitor's state folder.
    Tsu {
        /// The TSU, as its [[tsu]] table names it.
        name: String,
    },
}

#[derive(Subcommand)]
enum SourcesCommand {
    /// Ask every source once, by this program and by another implementation of NTP (rsntp), and
    /// compare: 0 when each gives a sample and both agree, 1 when not. Nothing need be running.
    Probe,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print every value with where it comes from.
    Show,
}

fn main() -> ExitCode {
    daemon::exit("chronolease-monitor", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), DaemonError> {
    let (config, document) = Config::load(&arguments.config)?;
    match &arguments.command {
        Some(Command::Config(ConfigCommand::Show)) => {
            print!("{}", document.show());
            return Ok(());
        }
        Some(Command::Commission(CommissionCommand::Log)) => return commission::log(&config),
        Some(Command::Commission(CommissionCommand::Tsu { name })) => {
            return commission::tsu(&config, name);
        }
        Some(Command::Sources(SourcesCommand::Probe)) => return probe::run(&config),
        Some(Command::RePair(command)) => return re_pair(&config, command),
        None => {}
    }
    let config_digest = recorder::config_digest(&document.show());
    if arguments.check_config {
        let accounts = config.accounts();
        let monitor = Monitor::prepare(config, config_digest)?;
        monitor.check()?;
        for warning in monitor.warnings() {
            println!("{}: warning: {warning}", arguments.config.display());
        }
        println!("{}: good", arguments.config.display());
        for account in accounts {
            println!("\n{account}");
        }
        return Ok(());
    }
    logging::init(&config.log_level).map_err(DaemonError::config)?;
    let monitor = Monitor::prepare(config, config_digest)?;
    daemon::runtime()?.block_on(monitor.run())
}

fn re_pair(config: &Config, command: &RePairCommand) -> Result<(), DaemonError> {
    let clocks = Clocks::open().map_err(DaemonError::failed)?;
    let log = &config.evidence;
    let peers: Vec<_> = config.wards.iter().map(|ward| ward.evidence_origin.clone()).collect();
    match command {
        RePairCommand::Own { agreed, sealed, nothing_known } => {
            let (sealed, nothing_known) = (sealed.clone(), *nothing_known);
            let told = Told { sealed, nothing_known, ..agreed.told() };
            let begun = epoch::own(log, &peers, &told, clocks).map_err(DaemonError::failed)?;
            println!("{begun}");
        }
        RePairCommand::Peer { name, agreed } => {
            let origin = &commission::ward(config, name)?.evidence_origin;
            let sealed = epoch::peer(log, origin, &peers, &agreed.told(), clocks);
            let sealed = sealed.map_err(DaemonError::failed)?;
            print!("{}", String::from_utf8_lossy(&sealed));
        }
    }
    Ok(())
}
