//! What the judge costs: once when a batch is sampled, and again before each token is released.
//!
//! A round judges the same sound sample over and over. The figure of a run is the median of its
//! rounds; a machine that does something else meanwhile makes single rounds slow, not the median.

use std::hint::black_box;

use anyhow::Context as _;
use chronolease_benches::page::{self, median};
use chronolease_benches::terms::terms;
use chronolease_core::clock_reader::ClockWatch;
use chronolease_core::id::{ChannelBinding, LeaseSeq, Nonce};
use chronolease_core::lease::LeaseTerms;
use chronolease_core::stamped::{ReadClocks as _, Reading};
use chronolease_core::time::Bound;
use chronolease_net::clock_reader::{ClockReader, WatchedClocks};
use chronolease_sys::Clocks;
use chronolease_tsu::core::holder::Holder;
use clap::Parser;
use tokio::sync::watch;

const CHANNEL: ChannelBinding = ChannelBinding::from_bytes([7; 32]);

/// Measures what judging a sample costs, before and after signing.
#[derive(Parser)]
struct Arguments {
    /// How many rounds.
    #[arg(long, default_value_t = 201)]
    rounds: usize,
    /// How many judgements in a round.
    #[arg(long, default_value_t = 100_000)]
    times: u64,
    /// Write docs/results/judge.md as well.
    #[arg(long)]
    write: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let clocks = Clocks::open()?;
    // The reader's word is looked at with every event, as in service; nothing happens here.
    let (_kept, heard) = watch::channel(ClockWatch::undisturbed(clocks.boot_id()));
    let (reader, bracket) = (ClockReader::over(heard), Bound::from_millis(1));
    let watched = WatchedClocks { clocks, bracket, reader };
    let (mut holder, now) = holder(&watched)?;
    let lease = LeaseSeq::new(1);
    let (mut before, mut after, mut reading) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        before.push(each_ns(clocks, arguments.times, || {
            let judged = holder.judge(black_box(&now));
            black_box(&judged).is_ok()
        })?);
        after.push(each_ns(clocks, arguments.times, || {
            // As the pipeline does before release: the clock, and whether the lease still stands.
            let _ = black_box(holder.judge(black_box(&now)));
            black_box(holder.permit(black_box(lease))).is_some()
        })?);
        reading.push(each_ns(clocks, arguments.times / 10, || {
            black_box(watched.read()).sample.bracket().is_some()
        })?);
    }
    let [before, after, reading] = [before, after, reading].map(median);
    let both = before + after;
    let text = format!(
        "# The judge\n\n{}\n\
         One sound sample judged under a lease, {} rounds of {} judgements each; medians over the\n\
         rounds, on the oscillator.\n\n\
         Made by `cargo run --release -p chronolease-benches --bin judge -- --write`.\n\n\
         | | ns |\n|---|---:|\n\
         | before signing: judge | {before:.1} |\n\
         | after signing: judge, and the lease's permit | {after:.1} |\n\
         | together (goal: at most 150) | {both:.1} |\n\
         | for comparison: reading the clocks for one sample | {reading:.1} |\n",
        page::circumstances(clocks)?,
        arguments.rounds,
        arguments.times,
    );
    page::show(&text, "judge", arguments.write)
}

fn each_ns(clocks: Clocks, times: u64, mut judge: impl FnMut() -> bool) -> anyhow::Result<f64> {
    let start = clocks.raw();
    for _ in 0..times {
        anyhow::ensure!(judge(), "the sample is not sound");
    }
    Ok((clocks.raw() - start).magnitude().as_nanos() as f64 / times as f64)
}

/// A holder of a lease, and a reading that it finds sound.
fn holder(clocks: &WatchedClocks) -> anyhow::Result<(Holder, Reading)> {
    let me = terms(clocks.clocks.boot_id())?;
    let mut holder = Holder::new(me.clone());
    holder.connected(CHANNEL);
    let anchor = holder.probed(&clocks.read(), Nonce::from_bytes([1; 32])).sample;
    holder.vouched();
    let lease = LeaseTerms {
        tsu: me.tsu,
        incarnation: me.incarnation,
        sequence: LeaseSeq::new(1),
        channel: CHANNEL,
        sample: anchor,
        ttl: Bound::from_millis(3_000),
        clock_bound: Bound::from_millis(125),
        rho: me.rho,
        policy: me.policy,
        blackout: None,
    };
    holder.granted(&clocks.read(), lease).context("the lease is not taken")?;
    Ok((holder, clocks.read()))
}
