//! The figures, for people.

use std::fmt::Write as _;

use anyhow::Context as _;
use chronolease_benches::page;
use chronolease_sys::Clocks;

use crate::load::{Primitives, Round};
use crate::pipeline::Shape;

/// All rounds of a run.
pub(crate) struct Report {
    clocks: Clocks,
    shape: Shape,
    in_flight: usize,
    round_ms: u64,
    pairs: Vec<Pair>,
}

/// Two rounds, one after the other, with the cost of cryptography just before.
struct Pair {
    primitives: Primitives,
    durable: Round,
    volatile: Round,
}

impl Report {
    pub(crate) const fn new(clocks: Clocks, shape: Shape, in_flight: usize, round_ms: u64) -> Self {
        Self { clocks, shape, in_flight, round_ms, pairs: Vec::new() }
    }

    pub(crate) fn add(&mut self, primitives: Primitives, durable: Round, volatile: Round) {
        self.pairs.push(Pair { primitives, durable, volatile });
    }

    /// The page of results.
    pub(crate) fn to_markdown(&self) -> anyhow::Result<String> {
        let mut page = String::from("# Issuing with and without durability\n\n");
        self.circumstances(&mut page)?;
        self.table(&mut page)?;
        self.ratios(&mut page)?;
        self.rounds(&mut page)?;
        Ok(page)
    }

    fn circumstances(&self, page: &mut String) -> anyhow::Result<()> {
        let (rounds, round_ms) = (self.pairs.len(), self.round_ms);
        let (in_flight, slots, lanes) = (self.in_flight, self.shape.slots, self.shape.lanes);
        writeln!(
            page,
            "{}\n\
             The issuing pipeline in one process, without HTTP and monitor: ECDSA P-256, every\n\
             token verified before release, its intent in the evidence log before it is signed.\n\
             {in_flight} requests in flight, {slots} signing threads, {lanes} lanes, {rounds} \
             pairs of rounds of {round_ms} ms.\n\
             Medians over the rounds. Processor time includes the requesters'.\n\n\
             Made by `cargo run --release -p chronolease-benches --bin issuing -- --write`.\n",
            page::circumstances(self.clocks)?,
        )?;
        Ok(())
    }

    fn table(&self, page: &mut String) -> anyhow::Result<()> {
        type Figure = fn(&Round) -> f64;
        let figures: [(&str, Figure); 8] = [
            ("tokens per second", Round::tokens_per_s),
            ("CPU us per token", Round::cpu_us_per_token),
            ("cores in use", Round::cores_in_use),
            ("latency p50, us", |round| percentile(&round.latencies_ns, 50) / 1e3),
            ("latency p99, us", |round| percentile(&round.latencies_ns, 99) / 1e3),
            ("writes per second", |round| per_s(round.syncs_ns.len(), round)),
            ("fdatasync p50, us", |round| percentile(&round.syncs_ns, 50) / 1e3),
            ("fdatasync p99, us", |round| percentile(&round.syncs_ns, 99) / 1e3),
        ];
        writeln!(page, "| | durable | without fdatasync |\n|---|---:|---:|")?;
        for (what, figure) in figures {
            let durable = self.median(|pair| figure(&pair.durable))?;
            let volatile = self.median(|pair| figure(&pair.volatile))?;
            writeln!(page, "| {what} | {durable:.1} | {volatile:.1} |")?;
        }
        let rejected = |of: fn(&Pair) -> &Round| -> usize {
            self.pairs.iter().map(|pair| of(pair).rejected).sum()
        };
        let (durable, volatile) = (rejected(|pair| &pair.durable), rejected(|pair| &pair.volatile));
        writeln!(page, "| requests rejected | {durable} | {volatile} |\n")?;
        Ok(())
    }

    fn ratios(&self, page: &mut String) -> anyhow::Result<()> {
        let sign_us = self.median(|pair| pair.primitives.sign_ns as f64 / 1e3)?;
        let verify_us = self.median(|pair| pair.primitives.verify_ns as f64 / 1e3)?;
        let throughput = self.median(Pair::throughput)?;
        let overhead = self.median(Pair::overhead)?;
        writeln!(
            page,
            "| | |\n|---|---:|\n\
             | throughput, durable / without (goal: at least 0.90) | {throughput:.3} |\n\
             | ECDSA P-256 sign, CPU us | {sign_us:.1} |\n\
             | ECDSA P-256 verify, CPU us | {verify_us:.1} |\n\
             | CPU per durable token / (sign + verify) | {overhead:.2} |\n"
        )?;
        Ok(())
    }

    fn rounds(&self, page: &mut String) -> anyhow::Result<()> {
        writeln!(
            page,
            "Each pair of rounds, in tokens per second:\n\n\
             | durable | without fdatasync | ratio |\n|---:|---:|---:|"
        )?;
        for pair in &self.pairs {
            let (durable, volatile) = (pair.durable.tokens_per_s(), pair.volatile.tokens_per_s());
            writeln!(page, "| {durable:.0} | {volatile:.0} | {:.3} |", pair.throughput())?;
        }
        Ok(())
    }

    fn median(&self, figure: impl Fn(&Pair) -> f64) -> anyhow::Result<f64> {
        let mut figures: Vec<f64> = self.pairs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().context("no rounds")
    }
}

impl Pair {
    fn throughput(&self) -> f64 {
        self.durable.tokens_per_s() / self.volatile.tokens_per_s()
    }

    fn overhead(&self) -> f64 {
        let crypto_ns = self.primitives.sign_ns + self.primitives.verify_ns;
        self.durable.cpu_us_per_token() * 1e3 / crypto_ns as f64
    }
}

impl Round {
    fn tokens_per_s(&self) -> f64 {
        per_s(self.latencies_ns.len(), self)
    }

    fn cpu_us_per_token(&self) -> f64 {
        self.cpu_ns as f64 / 1e3 / self.latencies_ns.len() as f64
    }

    fn cores_in_use(&self) -> f64 {
        self.cpu_ns as f64 / self.took_ns as f64
    }
}

fn per_s(count: usize, round: &Round) -> f64 {
    count as f64 * 1e9 / round.took_ns as f64
}

/// Not a number when there are no values.
fn percentile(values: &[u64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).map_or(f64::NAN, |&value| value as f64)
}
