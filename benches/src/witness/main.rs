//! What the witness costs: whole pairs on loopback, as shipped. Throughput of a witnessed TSU
//! against that of a leased one, and the monitor's processor time for each confirmed token.
//!
//! Two rigs run side by side, one in each mode. Rounds alternate between them, so that a machine
//! that grows slower or faster meanwhile touches both alike. Once with the fastest key there is and
//! once with one as slow as those of an HSM.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use chronolease_benches::clients::{self, Got};
use chronolease_benches::page::{self, median};
use chronolease_benches::processor::used_ns;
use chronolease_benches::rigs::{self, Key};
use chronolease_e2e::{Rig, rig::TSU};
use chronolease_sys::Clocks;
use clap::Parser;

/// Measures what witnessed release costs against leased.
#[derive(Parser)]
struct Arguments {
    /// How many pairs of rounds.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// How long a round takes, in milliseconds.
    #[arg(long, default_value_t = 2_000)]
    round_ms: u64,
    /// How many requests are in flight.
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
    /// How many requests are in flight where the monitor's processor time is measured, for large
    /// batches.
    #[arg(long, default_value_t = 128)]
    in_flight_large: usize,
    /// Write docs/results/witness.md as well.
    #[arg(long)]
    write: bool,
}

/// What one round cost the monitor.
struct Cost {
    tokens_per_batch: f64,
    cpu_us_per_token: f64,
}

/// A pair in one mode.
struct Pair {
    rig: Rig,
}

/// A key that TSUs sign with.
struct Suite {
    name: &'static str,
    key: Key,
    overlay: &'static str,
}

const SUITES: [Suite; 2] = [
    Suite { name: "ECDSA P-256", key: Key::P256, overlay: "" },
    Suite {
        name: "RSA-3072, PSS",
        key: Key::Rsa(3_072),
        overlay: "[signer]\nrsa_padding = \"pss\"\n",
    },
];

impl Pair {
    fn start(mode: &str, suite: &Suite) -> std::io::Result<Self> {
        let log = "[log]\nlevel = \"warn\"\n";
        let overlay = format!("[tsu]\nmode = \"{mode}\"\n{log}{}", suite.overlay);
        Ok(Self { rig: rigs::start(&overlay, suite.key)? })
    }

    fn round(&self, clocks: Clocks, in_flight: usize, ms: u64) -> anyhow::Result<Got> {
        let got = clients::ask(self.rig.ports().tsu_http(), clocks, in_flight, ms)?;
        ensure!(got.rejected == 0, "a request was refused: is the machine too busy?");
        Ok(got)
    }

    /// The monitor's processor time of a round, above what it uses when nobody asks.
    fn cost(&self, clocks: Clocks, in_flight: usize, ms: u64) -> anyhow::Result<Cost> {
        let idle_us = {
            let (before, start) = (self.monitor_cpu_us()?, clocks.raw());
            std::thread::sleep(std::time::Duration::from_millis(ms));
            let took = (clocks.raw() - start).magnitude().as_nanos() as f64;
            (self.monitor_cpu_us()? - before) / took
        };
        let (batches, before, start) = (self.confirmed()?, self.monitor_cpu_us()?, clocks.raw());
        let got = self.round(clocks, in_flight, ms)?;
        let took = (clocks.raw() - start).magnitude().as_nanos() as f64;
        let cpu_us = self.monitor_cpu_us()? - before - idle_us * took;
        let tokens = got.latencies_ns.len() as f64;
        Ok(Cost {
            tokens_per_batch: tokens / (self.confirmed()? - batches),
            cpu_us_per_token: cpu_us / tokens,
        })
    }

    fn monitor_cpu_us(&self) -> anyhow::Result<f64> {
        Ok(used_ns(self.rig.monitor.pid())? as f64 / 1e3)
    }

    fn confirmed(&self) -> anyhow::Result<f64> {
        let labels = [("tsu", TSU), ("result", "confirmed")];
        let family = "chronolease_monitor_confirmations_total";
        self.rig.monitor_metrics().get(family, &labels).context("the monitor counts them")
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let clocks = Clocks::open()?;
    let mut page = head(&arguments, clocks)?;
    for suite in SUITES {
        let witnessed = Pair::start("witnessed", &suite)?;
        let leased = Pair::start("leased", &suite)?;
        let pairs = rounds(&arguments, clocks, &witnessed, &leased)?;
        let cost = |_| witnessed.cost(clocks, arguments.in_flight_large, arguments.round_ms);
        let costs = (0..arguments.rounds).map(cost).collect::<anyhow::Result<Vec<_>>>()?;
        report(&mut page, &suite, arguments.in_flight_large, &pairs, &costs)?;
    }
    page::show(&page, "witness", arguments.write)
}

fn rounds(
    arguments: &Arguments,
    clocks: Clocks,
    witnessed: &Pair,
    leased: &Pair,
) -> anyhow::Result<Vec<(Got, Got)>> {
    let (in_flight, ms) = (arguments.in_flight, arguments.round_ms);
    for pair in [witnessed, leased] {
        pair.round(clocks, in_flight, ms)?;
    }
    let mut pairs = Vec::new();
    for number in 0..arguments.rounds {
        // Who is first changes, too.
        let mut rounds = [witnessed, leased];
        if number % 2 == 1 {
            rounds.reverse();
        }
        let [one, two] = rounds.map(|pair| pair.round(clocks, in_flight, ms));
        pairs.push(if number % 2 == 0 { (one?, two?) } else { (two?, one?) });
    }
    Ok(pairs)
}

fn head(arguments: &Arguments, clocks: Clocks) -> anyhow::Result<String> {
    Ok(format!(
        "# Witnessed against leased\n\n{}\n\
         Whole pairs as shipped, on loopback, TSU, monitor, sources and clients on the same cores.\n\
         {} requests in flight, {} pairs of rounds of {} ms. Medians over the rounds.\n\n\
         Made by `cargo run --release -p chronolease-benches --bin witness -- --write`.\n",
        page::circumstances(clocks)?,
        arguments.in_flight,
        arguments.rounds,
        arguments.round_ms,
    ))
}

fn report(
    page: &mut String,
    suite: &Suite,
    in_flight_large: usize,
    pairs: &[(Got, Got)],
    costs: &[Cost],
) -> std::fmt::Result {
    let of = |figure: &dyn Fn(&(Got, Got)) -> f64| median(pairs.iter().map(figure).collect());
    let ratio = of(&|(witnessed, leased)| witnessed.tokens_per_s() / leased.tokens_per_s());
    writeln!(page, "\n## {}\n\n| | witnessed | leased |\n|---|---:|---:|", suite.name)?;
    type Figure = fn(&Got) -> f64;
    let figures: [(&str, Figure); 3] = [
        ("tokens per second", Got::tokens_per_s),
        ("latency p50, us", |got| got.percentile_us(50)),
        ("latency p99, us", |got| got.percentile_us(99)),
    ];
    for (what, figure) in figures {
        let [witnessed, leased] = [of(&|pair| figure(&pair.0)), of(&|pair| figure(&pair.1))];
        writeln!(page, "| {what} | {witnessed:.0} | {leased:.0} |")?;
    }
    let cost = |figure: fn(&Cost) -> f64| median(costs.iter().map(figure).collect());
    writeln!(
        page,
        "\n| | |\n|---|---:|\n\
         | throughput, witnessed / leased (goal: at least 0.90) | {ratio:.3} |\n\
         | tokens in a batch, {in_flight_large} requests in flight | {:.1} |\n\
         | monitor CPU per confirmed token, us (goal: at most 10) | {:.2} |\n\n\
         Each pair of rounds, in tokens per second:\n\n\
         | witnessed | leased | ratio |\n|---:|---:|---:|",
        cost(|c| c.tokens_per_batch),
        cost(|c| c.cpu_us_per_token),
    )?;
    for (witnessed, leased) in pairs {
        let (w, l) = (witnessed.tokens_per_s(), leased.tokens_per_s());
        writeln!(page, "| {w:.0} | {l:.0} | {:.3} |", w / l)?;
    }
    Ok(())
}
