//! Searches all worlds and all negative controls, and prints what came of them.

use std::fmt::Write as _;
use std::process::ExitCode;

use chronolease_model::controls::{self, Broken};
use chronolease_model::run::{self, Outcome};
use chronolease_model::world::World;
use chronolease_model::worlds;
use clap::Parser;

/// Searches the model of the lease and the witness.
#[derive(Parser)]
struct Options {
    /// The search of a world ends after so many generated states.
    #[arg(long, default_value_t = 2_500_000)]
    states: usize,
    /// Threads that search one world.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Write tables in Markdown to this file too.
    #[arg(long)]
    tables: Option<std::path::PathBuf>,
    /// Only these worlds and controls.
    names: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let wanted = |name: &str| options.names.is_empty() || options.names.iter().any(|n| n == name);
    let mut tables = Tables::new();
    for world in worlds::ALL.iter().filter(|world| wanted(world.name)) {
        let outcome = run::search(world, options.states, options.threads);
        println!("{outcome}    explores: {}\n", world.explores);
        tables.world(world, &outcome);
    }
    for broken in controls::all().iter().filter(|broken| wanted(broken.what)) {
        let found = run::hunt(&broken.world, broken.property, controls::STATES_MAX);
        let sound = run::hunt(&broken.sound, broken.property, found.generated);
        print_control(broken, &found, &sound);
        tables.control(broken, &found, &sound);
    }
    let (text, failures) = tables.finish();
    println!("{failures} failed");
    if let Some(path) = options.tables
        && let Err(error) = std::fs::write(&path, text)
    {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_control(broken: &Broken, found: &Outcome, sound: &Outcome) {
    println!("negative control {}: {}", broken.what, broken.property);
    println!(
        "    sound: {} in {} states",
        if sound.trace(broken.property).is_none() { "holds" } else { "BROKEN" },
        sound.generated
    );
    match found.trace(broken.property) {
        None => println!("    broken: NO COUNTEREXAMPLE in {} states", found.generated),
        Some(trace) => {
            println!("    broken: counterexample after {} states", found.generated);
            for (number, step) in trace.iter().enumerate() {
                println!("    {:3}. {step}", number + 1);
            }
        }
    }
    println!();
}

struct Tables {
    worlds: String,
    controls: String,
    unique: usize,
    generated: usize,
    failures: usize,
}

impl Tables {
    fn new() -> Self {
        let (worlds, controls) = (String::new(), String::new());
        Self { worlds, controls, unique: 0, generated: 0, failures: 0 }
    }

    fn world(&mut self, world: &World, outcome: &Outcome) {
        let broken = outcome.broken();
        self.failures += broken.len();
        self.unique += outcome.unique;
        self.generated += outcome.generated;
        let how = if outcome.exhaustive { "exhaustive" } else { "bounded" };
        let held = outcome.findings.len() - broken.len();
        let result = match broken.as_slice() {
            [] => format!("all {held} as they should be"),
            broken => format!("**FAILED**: {}", broken.join("; ")),
        };
        let Outcome { generated, unique, depth, .. } = outcome;
        let _ = writeln!(
            self.worlds,
            "| `{}` | {} | {generated} | {unique} | {depth} | {how} | {result} |",
            world.name, world.explores
        );
    }

    fn control(&mut self, broken: &Broken, found: &Outcome, sound: &Outcome) {
        let trace = found.trace(broken.property).map(<[String]>::len);
        let holds = sound.trace(broken.property).is_none();
        self.failures += usize::from(trace.is_none()) + usize::from(!holds);
        let steps = trace.map_or_else(|| "**none**".to_owned(), |steps| steps.to_string());
        let sound = if holds { "holds" } else { "**broken**" };
        let _ = writeln!(
            self.controls,
            "| `{}` | `{}` | {} | {steps} | {} | {sound} |",
            broken.what, broken.sound.name, broken.property, found.generated
        );
    }

    fn finish(self) -> (String, usize) {
        let text = format!(
            "## Worlds\n\n\
             Together {} unique states, {} generated.\n\n\
             | world | explores | generated | unique | depth | search | properties |\n\
             |---|---|---|---|---|---|---|\n{}\n\
             ## Negative controls\n\n\
             | broken | in | property | steps to the counterexample | states generated for it | \
             the sound world, as far |\n\
             |---|---|---|---|---|---|\n{}",
            self.unique, self.generated, self.worlds, self.controls
        );
        (text, self.failures)
    }
}
