//! The figures, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chronolease_benches::page::{self, median};
use chronolease_sys::Clocks;

use crate::boxes::{CASES, Case, Goal, Round};
use crate::signature::Raw;

/// What a P-256 signature took, in microseconds, where the goals were set. Processors differ, so the
/// goal is a share of the signature as well.
const REFERENCE_SIGNATURE_US: f64 = 17.8;

/// What was measured: the case and the number of connections.
type Place = (&'static str, usize);

/// All rounds of a run.
pub(crate) struct Report {
    clocks: Clocks,
    rounds: usize,
    round_ms: u64,
    of_case: BTreeMap<Place, Vec<(Raw, Round)>>,
    memory_kib: BTreeMap<Place, u64>,
}

impl Report {
    pub(crate) const fn new(clocks: Clocks, rounds: usize, round_ms: u64) -> Self {
        Self { clocks, rounds, round_ms, of_case: BTreeMap::new(), memory_kib: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, case: &Case, connections: usize, raw: Raw, round: Round) {
        self.of_case.entry((case.name, connections)).or_default().push((raw, round));
    }

    pub(crate) fn memory(&mut self, case: &Case, connections: usize, kib: u64) {
        self.memory_kib.insert((case.name, connections), kib);
    }

    /// The page of results.
    pub(crate) fn to_markdown(&self) -> anyhow::Result<String> {
        let mut text = String::from("# Load: what a token costs\n\n");
        let load = std::fs::read_to_string("/proc/loadavg")?;
        let load = load.split(' ').next().unwrap_or_default();
        writeln!(
            text,
            "{}\
             Clients, sources and both boxes share the cores; load average at the end {load}.\n\n\
             Both boxes as shipped, tokens witnessed and durable, HTTP on loopback with \
             certificates asked for.\nEach connection has one request in flight. {} rounds \
             of {} ms for each row; medians over\nthe rounds. Processor time is that of the \
             processes, in microseconds for each token; the bare\nsignature and verification were \
             measured before each round, with the same key.\n\n\
             The goals in microseconds were set where a P-256 signature took \
             {REFERENCE_SIGNATURE_US} us;\nthe ratio beside them is the same goal for other \
             processors.\n\n\
             Made by `CHRONOLEASE_BIN_DIR=$PWD/target/release cargo run --release -p chronolease-benches \
             --bin load -- --write`.\n",
            page::circumstances(self.clocks)?,
            self.rounds,
            self.round_ms,
        )?;
        writeln!(
            text,
            "| case | connections | TSU CPU us | goal | bare signature | verification | signature / TSU | \
             monitor CPU us | tokens in a batch | tokens/s | p50 ms | p99 ms | TSU MiB | rejected |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        )?;
        for case in &CASES {
            for (&(name, connections), rounds) in &self.of_case {
                if name == case.name {
                    self.row(&mut text, case, connections, rounds)?;
                }
            }
        }
        Ok(text)
    }

    fn row(
        &self,
        text: &mut String,
        case: &Case,
        connections: usize,
        rounds: &[(Raw, Round)],
    ) -> anyhow::Result<()> {
        let of = |figure: fn(&(Raw, Round)) -> f64| median(rounds.iter().map(figure).collect());
        let goal = match case.goal {
            Goal::Microseconds(us) => {
                format!("{us:.0} us, ratio {:.2}", REFERENCE_SIGNATURE_US / us)
            }
            Goal::Efficiency(share) => format!("ratio {share}"),
        };
        let rejected: u64 = rounds.iter().map(|(_, round)| round.got.rejected).sum();
        let mib = self.memory_kib.get(&(case.name, connections)).map_or(0, |kib| kib / 1_024);
        writeln!(
            text,
            "| {} | {connections} | {:.1} | {goal} | {:.1} | {:.1} | {:.2} | {:.1} | {:.1} | {:.0} | {:.2} | {:.2} | {mib} | {rejected} |",
            case.name,
            of(|(_, round)| us(round.tsu_ns, round)),
            of(|(raw, _)| raw.sign_us),
            of(|(raw, _)| raw.verify_us),
            of(|(raw, round)| raw.sign_us / us(round.tsu_ns, round)),
            of(|(_, round)| us(round.monitor_ns, round)),
            of(|(_, round)| tokens(round) / round.batches),
            of(|(_, round)| round.got.tokens_per_s()),
            of(|(_, round)| round.got.percentile_us(50) / 1e3),
            of(|(_, round)| round.got.percentile_us(99) / 1e3),
        )?;
        Ok(())
    }
}

fn tokens(round: &Round) -> f64 {
    round.got.latencies_ns.len() as f64
}

/// For each token.
fn us(ns: u64, round: &Round) -> f64 {
    ns as f64 / 1e3 / tokens(round)
}
