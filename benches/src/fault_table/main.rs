//! From a fault to the last token: whole pairs as shipped, each under load when its fault comes.
//!
//! For every fault it tells how many tokens were sampled after it, when the last one was sampled,
//! and when the last one left. The time is this machine's own, which no fault touches.

mod faults;
mod pair;

use anyhow::ensure;
use chronolease_benches::page;
use chronolease_sys::Clocks;
use clap::Parser;

use faults::{FAULTS, Fault};
use pair::Outcome;

/// Measures the time from each fault to the last token.
#[derive(Parser)]
struct Arguments {
    /// How often each fault comes, to a pair of its own each time.
    #[arg(long, default_value_t = 5)]
    times: usize,
    /// Write docs/results/faults.md as well.
    #[arg(long)]
    write: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.times > 0, "no times, no figures");
    let clocks = Clocks::open()?;
    let mut text = format!(
        "# From a fault to the last token\n\n{}\n\
         Whole pairs as shipped, in the lab's figures (TTL 3 s, probe 1 s), four clients that ask all\n\
         the time, each fault {} times. The worst of all times is shown. Times are milliseconds after\n\
         the fault; a token that was sampled before it may leave after it.\n\n\
         Made by `cargo run --release -p chronolease-benches --bin fault_table -- --write`, as root.\n\n\
         | fault | tokens sampled after it | last sample | last release | bound | kept |\n\
         |---|---:|---:|---:|---|---|\n",
        page::circumstances(clocks)?,
        arguments.times,
    );
    for fault in FAULTS {
        let outcomes: Vec<Outcome> = (0..arguments.times).map(|_| (fault.act)()).collect();
        let row = row(fault, &outcomes);
        // It takes minutes.
        eprint!("{row}");
        text.push_str(&row);
    }
    page::show(&text, "faults", arguments.write)
}

fn row(fault: &Fault, outcomes: &[Outcome]) -> String {
    let after: usize = outcomes.iter().map(|outcome| outcome.sampled_after).sum();
    let latest = |of: fn(&Outcome) -> Option<i64>| match outcomes.iter().filter_map(of).max() {
        Some(ns) => format!("{:.1}", ns as f64 / 1e6),
        None => "-".to_owned(),
    };
    let kept = outcomes.iter().all(|outcome| fault.bound.holds(outcome));
    format!(
        "| {} | {after} | {} | {} | {} | {} |\n",
        fault.name,
        latest(|outcome| outcome.last_sample_ns),
        latest(|outcome| outcome.last_release_ns),
        fault.bound,
        if kept { "yes" } else { "NO" },
    )
}
