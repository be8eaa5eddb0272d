//! `chronolease-monitor`: the monitor of box B.

use std::path::PathBuf;
use std::process::ExitCode;

use chronolease_monitor::commission;
use chronolease_monitor::config::Config;
use chronolease_monitor::start::Monitor;
use chronolease_net::daemon::{self, DaemonError};
use chronolease_net::{build, logging, recorder};
use clap::{Parser, Subcommand};

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
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
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
        None => {}
    }
    let config_digest = recorder::config_digest(&document.show());
    if arguments.check_config {
        Monitor::prepare(config, config_digest)?.check()?;
        println!("{}: good", arguments.config.display());
        return Ok(());
    }
    logging::init(&config.log_level).map_err(DaemonError::config)?;
    let monitor = Monitor::prepare(config, config_digest)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::failed)?;
    runtime.block_on(monitor.run())
}
