//! Runs simulated worlds: seed by seed, all of their histories or their sums, and the broken cores.

mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use chronolease_sim::controls::{self, Control};
use chronolease_sim::world::{Options, Scene, simulate};
use clap::Parser;
use tables::Sum;

/// Runs simulated worlds.
#[derive(Parser)]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Print the history.
    #[arg(long)]
    trace: bool,
    /// Another kind of world than the seed's own.
    #[arg(long, value_parser = |name: &str| Scene::named(name).ok_or("no such kind of world"))]
    scene: Option<Scene>,
    /// With clock readers or without, whatever the seed says.
    #[arg(long)]
    watched: Option<bool>,
    /// How many TSUs the monitor has: one or two.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    tsus: Option<u8>,
    /// The broken core of this name instead of the sound one.
    #[arg(long)]
    broken: Option<String>,
    /// How many seeds are simulated beside one another; each world has one thread.
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// Run every broken core at its seed, too.
    #[arg(long)]
    controls: bool,
    /// Look for the seeds of the broken cores among the first so many.
    #[arg(long)]
    hunt: Option<u64>,
    /// Of the broken cores only those whose name holds this.
    #[arg(long, default_value = "")]
    only: String,
    /// Write the tables to this file too.
    #[arg(long)]
    tables: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen: Vec<&Control> =
        controls::ALL.iter().filter(|control| control.name.contains(&arguments.only)).collect();
    if let Some(seeds) = arguments.hunt {
        chosen.iter().for_each(|control| hunt(control, seeds));
        return ExitCode::SUCCESS;
    }
    let mut sum = all(&arguments);
    if arguments.controls {
        for control in chosen {
            sum.control(control);
        }
    }
    let text = sum.tables(&arguments);
    if arguments.seeds > 1 || arguments.controls {
        println!("{text}");
    }
    if let Some(path) = &arguments.tables
        && let Err(error) = std::fs::write(path, &text)
    {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if sum.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every seed; each thread takes every so-many-th of them.
fn all(arguments: &Arguments) -> Sum {
    let share = |thread: u64| {
        let mut sum = Sum::default();
        for seed in (arguments.seed..arguments.seed + arguments.seeds)
            .filter(|seed| seed % arguments.threads.max(1) == thread)
        {
            one(arguments, seed, &mut sum);
        }
        sum
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads.max(1))
            .map(|thread| scope.spawn(move || share(thread)))
            .collect();
        let sums = threads.into_iter().map(|thread| thread.join().expect("no seed panics"));
        sums.fold(Sum::default(), Sum::and)
    })
}

fn one(arguments: &Arguments, seed: u64, sum: &mut Sum) {
    let mut options = Options::of(seed);
    options.print = arguments.trace;
    if let Some(name) = &arguments.broken {
        let broken = controls::ALL.iter().find(|control| control.name == name);
        let Some(broken) = broken else { return eprintln!("there is no broken core {name:?}") };
        options = Options { print: arguments.trace, ..broken.options(seed) };
    }
    options.scene = arguments.scene.unwrap_or(options.scene);
    options.watched = arguments.watched.unwrap_or(options.watched);
    options.tsus = arguments.tsus.map_or(options.tsus, usize::from);
    let scene = options.scene;
    let outcome = simulate(options);
    let counts = &outcome.oracle.counts;
    if arguments.seeds == 1 {
        println!(
            "seed {seed} ({}): {} tokens ({} of a second TSU) of {} requests, {} leases, {} confirmations, history {}",
            scene.name(),
            counts.tokens,
            outcome.oracle.second_tokens,
            counts.requests,
            counts.grants,
            counts.confirmations,
            outcome.trace_hash
        );
    }
    for violation in &outcome.oracle.violations {
        println!("seed {seed} ({}): {violation:?}", scene.name());
    }
    sum.world(seed, scene, &outcome);
}

/// Also says of the first seeds that will not do why not.
fn hunt(control: &Control, seeds: u64) {
    let mut others = std::collections::BTreeSet::new();
    let mut told = 0;
    let found = (0..seeds).find(|seed| {
        let broken = control.broken(*seed).oracle.violations;
        others.extend(broken.iter().map(|violation| violation.of));
        if !broken.iter().any(|violation| violation.of == control.found_by) {
            return false;
        }
        let sound = control.sound(*seed).oracle.violations;
        let idle = if control.left_out.len() > 1 { control.idle(*seed) } else { Vec::new() };
        let fits = sound.is_empty() && idle.is_empty();
        if !fits && told < 3 {
            told += 1;
            println!("{}: seed {seed}: without need {idle:?}; sound {sound:?}", control.name);
        }
        fits
    });
    println!("{}: by {} at {found:?}; seen {others:?}", control.name, control.found_by);
}
