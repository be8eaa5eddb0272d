//! What 16 live sources cost the monitor: the daemon as shipped, on loopback, with the lab's sources
//! in eight laboratories. Its share of one core over a minute and more, and the memory it holds.
//!
//! The cases run side by side: none of them needs more than a small share of a core.

mod boxes;

use std::fmt::Write as _;

use chronolease_benches::page;
use chronolease_core::time::RawInstant;
use chronolease_sys::Clocks;
use clap::Parser;

use boxes::{BoxB, CASES, Case};

/// Measures what 16 live sources cost the monitor. CHRONOLEASE_BIN_DIR names the folder of the
/// binaries.
#[derive(Parser)]
struct Arguments {
    /// For how many seconds each of the cases is watched.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Write docs/results/sources.md as well.
    #[arg(long)]
    write: bool,
}

/// What one case gave.
struct Figures {
    case: &'static Case,
    core_percent: f64,
    polls_per_s: f64,
    memory_mib: f64,
    memory_peak_mib: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let clocks = Clocks::open()?;
    let boxes = CASES.iter().map(BoxB::start).collect::<Vec<_>>();
    boxes.iter().for_each(BoxB::wait_for_the_regular_pace);
    let before = boxes.iter().map(|it| reading(it, clocks)).collect::<anyhow::Result<Vec<_>>>()?;
    std::thread::sleep(std::time::Duration::from_secs(arguments.seconds));
    let mut all = Vec::new();
    for ((it, case), before) in boxes.iter().zip(&CASES).zip(before) {
        let after = reading(it, clocks)?;
        let took_ns = (after.at - before.at).magnitude().as_nanos() as f64;
        let memory = it.memory()?;
        all.push(Figures {
            case,
            core_percent: after.used_since(&before) as f64 / took_ns * 100.0,
            polls_per_s: (after.polls - before.polls) * 1e9 / took_ns,
            memory_mib: memory.now_mib,
            memory_peak_mib: memory.peak_mib,
        });
    }
    page::show(&report(&arguments, clocks, &all)?, "sources", arguments.write)
}

/// The counters of one monitor at one instant.
struct Reading {
    at: RawInstant,
    running_ns: u64,
    process_ns: u64,
    polls: f64,
}

impl Reading {
    /// A thread that ended took its share of the finer figure along, so the larger one counts.
    fn used_since(&self, before: &Self) -> u64 {
        let running = self.running_ns.saturating_sub(before.running_ns);
        running.max(self.process_ns.saturating_sub(before.process_ns))
    }
}

/// The polls come last: to ask for them costs the monitor something, which the second reading would
/// not count.
fn reading(of: &BoxB, clocks: Clocks) -> anyhow::Result<Reading> {
    let (at, running_ns, process_ns) = (clocks.raw(), of.running_ns()?, of.process_ns()?);
    Ok(Reading { at, running_ns, process_ns, polls: of.samples() })
}

fn report(arguments: &Arguments, clocks: Clocks, all: &[Figures]) -> anyhow::Result<String> {
    let mut page = format!(
        "# 16 live sources\n\n{}\n\
         The monitor as shipped, on loopback, with 16 plain sources in eight laboratories (f = 2),\n\
         after the start's burst. Each case was watched for {} s, all of them side by side. Processor\n\
         time is that of all the monitor's threads, by the scheduler (`/proc/PID/task/*/schedstat`), or\n\
         that of the process (`/proc/PID/stat`) where this is more.\n\n\
         Made by `cargo run --release -p chronolease-benches --bin sources -- --write`.\n\n\
         Goals: less than 1 % of a core, less than 32 MB.\n\n\
         | poll | TSUs | samples per second | share of a core, % | memory, MiB | its peak, MiB |\n\
         |---|---|---:|---:|---:|---:|\n",
        page::circumstances(clocks)?,
        arguments.seconds,
    );
    for it in all {
        writeln!(
            page,
            "| {} | {} | {:.2} | {:.2} | {:.1} | {:.1} |",
            it.case.poll,
            if it.case.has_tsu { "one, with a lease" } else { "none connected" },
            it.polls_per_s,
            it.core_percent,
            it.memory_mib,
            it.memory_peak_mib,
        )?;
    }
    Ok(page)
}
