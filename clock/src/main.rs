//! `chronolease-clock`: the clock reader of both boxes.

use std::path::PathBuf;
use std::process::ExitCode;

use chronolease_clock::config::Config;
use chronolease_clock::start::Reader;
use chronolease_net::daemon::{self, DaemonError};
use chronolease_net::{build, logging};
use clap::{Parser, Subcommand};

/// Watches the kernel's clock and tells whoever is connected to its Unix socket. It sets no clock
/// and has no network.
///
/// Every key of the configuration can be overridden by an environment variable:
/// CHRONOLEASE_CLOCK_SOCKET__PATH stands for socket.path.
#[derive(Parser)]
#[command(name = "chronolease-clock", version = build::LONG_VERSION)]
struct Arguments {
    /// The configuration file; `NAME.d/*.toml` beside it is laid over it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration, then exit: 0 when good, 78 when not.
    #[arg(long)]
    check_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
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
    daemon::exit("chronolease-clock", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), DaemonError> {
    let (config, document) = Config::load(&arguments.config)?;
    if let Some(Command::Config(ConfigCommand::Show)) = arguments.command {
        print!("{}", document.show());
        return Ok(());
    }
    if arguments.check_config {
        println!("{}: good", arguments.config.display());
        return Ok(());
    }
    logging::init(&config.log_level).map_err(DaemonError::config)?;
    let reader = Reader::prepare(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::failed)?;
    runtime.block_on(reader.run())
}
