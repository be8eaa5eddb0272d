//! What a durable record before release costs: the issuing pipeline with its evidence log on a
//! real disk, against the same writes without fdatasync.
//!
//! Two whole pipelines stand in one process, without HTTP and without a monitor. Rounds alternate
//! between them, so that a machine that grows slower or faster meanwhile touches both alike.
//! Nothing is asserted: the figures are for people, and for `docs/results/issuing.md`.

mod disk;
mod lease;
mod load;
mod pipeline;
mod report;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use chronolease_benches::keys::Keys;
use chronolease_benches::page;
use chronolease_sys::Clocks;
use chronolease_tsu::core::rfc3161::Suite;
use clap::Parser;

use disk::BenchDisk;

use load::{Primitives, Round};
use pipeline::{Pipeline, Shape};
use report::Report;

/// Measures the throughput of the issuing pipeline with and without fdatasync.
#[derive(Parser)]
struct Arguments {
    /// Where a folder for the logs is made, and removed in the end: on the disk to be measured.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    dir: PathBuf,
    /// How many pairs of rounds.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How long a round takes, in milliseconds.
    #[arg(long, default_value_t = 2_000)]
    round_ms: u64,
    /// How many requests are in flight.
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
    /// How many threads sign; the TSU's default is 2.
    #[arg(long, default_value_t = 2)]
    slots: usize,
    /// How many batches may be in flight for each signing thread; the TSU has 2.
    #[arg(long, default_value_t = 2)]
    lanes_per_slot: usize,
    /// Write docs/results/issuing.md as well.
    #[arg(long)]
    write: bool,
}

/// How long each pipeline warms up.
const WARM_UP_MS: u64 = 1_000;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let clocks = Clocks::open()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;

    let keys = Keys::make(Suite::EcdsaP256)?;
    let shape = Shape { slots: arguments.slots, lanes: arguments.slots * arguments.lanes_per_slot };
    let run_dir = arguments.dir.join(format!("run-{}", std::process::id()));
    let start = |name: &str, durable: bool| -> anyhow::Result<Pipeline> {
        let disk = Arc::new(BenchDisk::new(durable, clocks));
        let folder = run_dir.join(name);
        runtime
            .block_on(Pipeline::start(clocks, &keys, shape, disk, &folder))
            .with_context(|| format!("{}", folder.display()))
    };
    let durable = start("durable", true)?;
    let volatile = start("volatile", false)?;

    let mut report = Report::new(clocks, shape, arguments.in_flight, arguments.round_ms);
    let round = |pipeline: &Pipeline, length_ms: u64| -> anyhow::Result<Round> {
        runtime.block_on(load::run(pipeline, clocks, arguments.in_flight, length_ms))
    };
    round(&durable, WARM_UP_MS)?;
    round(&volatile, WARM_UP_MS)?;
    for _ in 0..arguments.rounds {
        let primitives = Primitives::measure(&*keys.signer)?;
        report.add(
            primitives,
            round(&durable, arguments.round_ms)?,
            round(&volatile, arguments.round_ms)?,
        );
    }
    durable.stop();
    volatile.stop();
    std::fs::remove_dir_all(&run_dir)?;

    page::show(&report.to_markdown()?, "issuing", arguments.write)
}
