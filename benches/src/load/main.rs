//! The load bench: both boxes as shipped, tokens durable and witnessed, asked for over HTTP on
//! loopback. It reports what a token costs the TSU in processor time, beside the bare signature
//! measured in the same run. Nothing is asserted: the figures are for people, and for
//! `docs/results/load.md`.

mod boxes;
mod report;
mod signature;

use chronolease_benches::page;
use chronolease_sys::Clocks;
use clap::Parser;

use boxes::{Boxes, CASES};
use report::Report;
use signature::Signature;

/// Measures what a token costs. CHRONOLEASE_BIN_DIR names the folder of the binaries.
#[derive(Parser)]
struct Arguments {
    /// How many rounds for each case.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How long a round takes, in milliseconds.
    #[arg(long, default_value_t = 3_000)]
    round_ms: u64,
    /// How many connections ask, each for one token after the other; a list, split by commas.
    #[arg(long, value_delimiter = ',', default_value = "16,64")]
    connections: Vec<usize>,
    /// Only cases whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    case: String,
    /// Write docs/results/load.md as well.
    #[arg(long)]
    write: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let rounds = arguments.rounds;
    let clocks = Clocks::open()?;
    let mut report = Report::new(clocks, rounds, arguments.round_ms);
    for case in CASES.iter().filter(|case| case.name.contains(&arguments.case)) {
        let boxes = Boxes::start(case)?;
        let signature = Signature::of(&boxes, case)?;
        for &connections in &arguments.connections {
            boxes.ask(clocks, connections, 1_000)?;
            for _ in 0..rounds {
                let raw = signature.measure()?;
                let round = boxes.ask(clocks, connections, arguments.round_ms)?;
                report.add(case, connections, raw, round);
            }
            report.memory(case, connections, boxes.memory_kib()?);
        }
    }
    page::show(&report.to_markdown()?, "load", arguments.write)
}
