//! `chronolease-lab`: a lab for Chronolease on one machine. For tests and demonstrations only.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use chronolease_lab::config::LabConfig;
use chronolease_lab::layout::PORT_BASE;
use chronolease_lab::sources::Sources;
use chronolease_lab::{Accuracy, Ports, demo, init};
use chronolease_net::config::EXIT_CONFIG;
use chronolease_net::{build, logging, shutdown};
use chronolease_sys::Clocks;
use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

/// A lab for Chronolease: time sources that can be told to lie, throw-away keys, and a demo.
#[derive(Parser)]
#[command(version = build::LONG_VERSION)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a lab directory: configuration, keys and certificates. Starts nothing.
    Init(LabArguments),
    /// Run the time sources of a lab and the listener that turns their knobs.
    Sources {
        /// The lab.toml that `init` wrote.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Write a lab, run all of it, and say what to try.
    Demo(LabArguments),
}

#[derive(clap::Args)]
struct LabArguments {
    /// The lab's directory: absent, empty, or a lab to start afresh.
    #[arg(long)]
    dir: PathBuf,
    /// The port from which all ports of the lab are counted.
    #[arg(long, value_name = "N", default_value_t = PORT_BASE)]
    port_base: u16,
    /// What the tokens claim, 1ms to 1000ms.
    #[arg(long, default_value_t = Accuracy::DEFAULT)]
    accuracy: Accuracy,
}

impl LabArguments {
    fn ports(&self) -> anyhow::Result<Ports> {
        let base = self.port_base;
        Ports::from_base(base).with_context(|| format!("--port-base {base} leaves no room above"))
    }
}

fn main() -> ExitCode {
    run(Arguments::parse().command).unwrap_or_else(|error| {
        eprintln!("chronolease-lab: {error}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(arguments) => {
            init(&arguments.dir, arguments.ports()?, arguments.accuracy)?;
            println!("wrote {}", arguments.dir.display());
        }
        Command::Sources { config } => match LabConfig::load(&config) {
            Ok(config) => runtime()?.block_on(run_sources(config))?,
            Err(errors) => {
                eprintln!("{errors}");
                return Ok(ExitCode::from(EXIT_CONFIG));
            }
        },
        // On the main thread, as the demo demands.
        Command::Demo(arguments) => {
            let LabArguments { dir, accuracy, .. } = &arguments;
            runtime()?.block_on(demo::run(dir, arguments.ports()?, *accuracy))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<Runtime> {
    logging::init("info")?;
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

async fn run_sources(config: LabConfig) -> anyhow::Result<()> {
    let stop = shutdown::on_signal()?;
    let sources = Sources::start(&config, Clocks::open()?, &stop).await?;
    println!(
        "ready: {} sources, knobs at http://{}/sources",
        config.sources.len(),
        sources.control()
    );
    sources.stopped().await;
    Ok(())
}
