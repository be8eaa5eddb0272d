//! `chronolease-tsu`: the time-stamping unit of box A.

use std::path::PathBuf;
use std::process::ExitCode;

use chronolease_net::daemon::{self, DaemonError};
use chronolease_net::{build, logging};
use chronolease_tsu::config::Config;
use chronolease_tsu::start::{self, Tsu};
use clap::{Parser, Subcommand};

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
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
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
    match arguments.command {
        Some(Command::Config(ConfigCommand::Show)) => {
            print!("{}", document.show());
            return Ok(());
        }
        Some(Command::Commission) => return start::commission(&config),
        None => {}
    }
    if arguments.check_config {
        Tsu::prepare(config)?;
        println!("{}: good", arguments.config.display());
        return Ok(());
    }
    logging::init(&config.log_level).map_err(DaemonError::config)?;
    let tsu = Tsu::prepare(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::failed)?;
    runtime.block_on(tsu.run())
}
