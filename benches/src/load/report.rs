//! The figures, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::Context as _;
use chronolease_sys::Clocks;
use time::OffsetDateTime;

use crate::boxes::{CASES, Case, Goal};
use crate::clients::Round;
use crate::signature::Raw;

/// All rounds of a run.
pub(crate) struct Report {
    clocks: Clocks,
    rounds: usize,
    round_ms: u64,
    connections: usize,
    of_case: BTreeMap<&'static str, Vec<(Raw, Round)>>,
    memory_kib: BTreeMap<&'static str, u64>,
}

impl Report {
    pub(crate) const fn new(
        clocks: Clocks,
        rounds: usize,
        round_ms: u64,
        connections: usize,
    ) -> Self {
        Self {
            clocks,
            rounds,
            round_ms,
            connections,
            of_case: BTreeMap::new(),
            memory_kib: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, case: &Case, raw: Raw, round: Round) {
        self.of_case.entry(case.name).or_default().push((raw, round));
    }

    pub(crate) fn memory(&mut self, case: &Case, kib: u64) {
        self.memory_kib.insert(case.name, kib);
    }

    /// The page of results.
    pub(crate) fn to_markdown(&self) -> anyhow::Result<String> {
        let mut page = String::from("# Load: what a token costs\n\n");
        let unix_s = self.clocks.real().as_unix_nanos().div_euclid(1_000_000_000);
        let date = OffsetDateTime::from_unix_timestamp(unix_s)?.date();
        let cores = std::thread::available_parallelism()?;
        let load = std::fs::read_to_string("/proc/loadavg")?;
        let load = load.split(' ').next().unwrap_or_default();
        writeln!(
            page,
            "{date} (UTC), commit {}, {cores} cores, which clients, sources and both boxes share; load\n\
             average at the end {load}.\n\n\
             Both boxes as shipped, tokens witnessed and durable, HTTP on loopback with \
             certificates asked for.\n{} connections with one request in flight each, {} rounds \
             of {} ms for each case; medians over\nthe rounds. Processor time is that of the \
             processes, in microseconds for each token; the bare\nsignature and verification were \
             measured before each round, with the same key.\n\n\
             Made by `CHRONOLEASE_BIN_DIR=$PWD/target/release cargo run --release -p chronolease-benches \
             --bin load -- --write`.\n",
            commit().as_deref().unwrap_or("unknown"),
            self.connections,
            self.rounds,
            self.round_ms,
        )?;
        writeln!(
            page,
            "| case | TSU CPU us | goal | bare signature | verification | signature / TSU | \
             monitor CPU us | tokens/s | p50 ms | p99 ms | TSU MiB | rejected |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        )?;
        for case in &CASES {
            if let Some(rounds) = self.of_case.get(case.name) {
                self.row(&mut page, case, rounds)?;
            }
        }
        Ok(page)
    }

    fn row(&self, page: &mut String, case: &Case, rounds: &[(Raw, Round)]) -> anyhow::Result<()> {
        let of = |figure: fn(&(Raw, Round)) -> f64| median(rounds.iter().map(figure).collect());
        let goal = match case.goal {
            Goal::Microseconds(us) => format!("{us:.0} us"),
            Goal::Efficiency(share) => format!("ratio {share}"),
        };
        let rejected: u64 = rounds.iter().map(|(_, round)| round.rejected).sum();
        let mib = self.memory_kib.get(case.name).map_or(0, |kib| kib / 1_024);
        writeln!(
            page,
            "| {} | {:.1} | {goal} | {:.1} | {:.1} | {:.2} | {:.1} | {:.0} | {:.2} | {:.2} | {mib} | {rejected} |",
            case.name,
            of(|(_, round)| tsu_us(round))?,
            of(|(raw, _)| raw.sign_us)?,
            of(|(raw, _)| raw.verify_us)?,
            of(|(raw, round)| raw.sign_us / tsu_us(round))?,
            of(|(_, round)| per_token_us(round.monitor_ns, round))?,
            of(|(_, round)| round.latencies_ns.len() as f64 * 1e9 / round.took_ns as f64)?,
            of(|(_, round)| percentile_ms(round, 50))?,
            of(|(_, round)| percentile_ms(round, 99))?,
        )?;
        Ok(())
    }
}

fn tsu_us(round: &Round) -> f64 {
    per_token_us(round.tsu_ns, round)
}

fn per_token_us(ns: u64, round: &Round) -> f64 {
    ns as f64 / 1e3 / round.latencies_ns.len() as f64
}

fn percentile_ms(round: &Round, percent: usize) -> f64 {
    let mut sorted = round.latencies_ns.clone();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).map_or(f64::NAN, |&ns| ns as f64 / 1e6)
}

fn median(mut figures: Vec<f64>) -> anyhow::Result<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().context("no rounds")
}

/// The commit, and whether there is more than it; `None` where there is no git.
fn commit() -> Option<String> {
    let arguments = ["describe", "--always", "--dirty", "--abbrev=12"];
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
