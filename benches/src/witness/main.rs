//! What the witness costs: whole pairs on loopback, as shipped. Throughput of a witnessed TSU
//! against that of a leased one, and the monitor's processor time for each confirmed token.
//!
//! Two rigs run side by side, one in each mode. Rounds alternate between them, so that a machine
//! that grows slower or faster meanwhile touches both alike. Once with the fastest key there is and
//! with two as slow as those of an HSM.

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
    /// How many requests are in flight where the monitor's processor time is measured, one after the
    /// other: the more there are, the larger the batches.
    #[arg(long, value_delimiter = ',', default_values_t = [16, 32, 64, 128])]
    crowds: Vec<usize>,
    /// Write docs/results/witness.md as well.
    #[arg(long)]
    write: bool,
}

/// What the rounds of one crowd cost the monitor, medians.
struct Cost {
    in_flight: usize,
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

const SUITES: [Suite; 3] = [
    Suite { name: "ECDSA P-256", key: Key::P256, overlay: "" },
    Suite { name: "RSA-3072, PSS", key: Key::Rsa(3_072), overlay: PSS },
    Suite { name: "RSA-4096, PSS", key: Key::Rsa(4_096), overlay: PSS },
];

const PSS: &str = "[signer]\nrsa_padding = \"pss\"\n";

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

    /// The monitor's processor time for each token, above what it uses when nobody asks.
    fn cost(
        &self,
        clocks: Clocks,
        arguments: &Arguments,
        in_flight: usize,
    ) -> anyhow::Result<Cost> {
        let ms = arguments.round_ms;
        let pause = std::time::Duration::from_millis(ms);
        let (idle_us, idle_ns, ()) = self.used(clocks, || {
            std::thread::sleep(pause);
            Ok(())
        })?;
        let mut costs = Vec::new();
        for _ in 0..arguments.rounds {
            let batches = self.confirmed()?;
            let (cpu_us, took_ns, got) = self.used(clocks, || self.round(clocks, in_flight, ms))?;
            let tokens = got.latencies_ns.len() as f64;
            let batches = self.confirmed()? - batches;
            costs.push((tokens / batches, (cpu_us - idle_us / idle_ns * took_ns) / tokens));
        }
        let of = |figure: fn(&(f64, f64)) -> f64| median(costs.iter().map(figure).collect());
        Ok(Cost {
            in_flight,
            tokens_per_batch: of(|cost| cost.0),
            cpu_us_per_token: of(|cost| cost.1),
        })
    }

    /// The monitor's processor time in microseconds while something is done, and how long that took
    /// in nanoseconds.
    fn used<T>(
        &self,
        clocks: Clocks,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<(f64, f64, T)> {
        let (before, start) = (self.monitor_cpu_us()?, clocks.raw());
        let done = work()?;
        let took = (clocks.raw() - start).magnitude().as_nanos() as f64;
        Ok((self.monitor_cpu_us()? - before, took, done))
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
        let cost = |&in_flight: &usize| witnessed.cost(clocks, &arguments, in_flight);
        let costs = arguments.crowds.iter().map(cost).collect::<anyhow::Result<Vec<_>>>()?;
        report(&mut page, &suite, &pairs, &costs)?;
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
    writeln!(
        page,
        "\nThroughput, witnessed / leased: {ratio:.3} (goal: at least 0.90).\n\n\
         | requests in flight | tokens in a batch | monitor CPU per confirmed token, us (goal: at most 10) |\n\
         |---:|---:|---:|"
    )?;
    for Cost { in_flight, tokens_per_batch, cpu_us_per_token } in costs {
        writeln!(page, "| {in_flight} | {tokens_per_batch:.1} | {cpu_us_per_token:.1} |")?;
    }
    writeln!(
        page,
        "\nEach pair of rounds, in tokens per second:\n\n\
         | witnessed | leased | ratio |\n|---:|---:|---:|"
    )?;
    for (witnessed, leased) in pairs {
        let (w, l) = (witnessed.tokens_per_s(), leased.tokens_per_s());
        writeln!(page, "| {w:.0} | {l:.0} | {:.3} |", w / l)?;
    }
    Ok(())
}
