//! Searches one world and says what came of it.

use core::fmt;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use crate::world::World;

/// What one search found.
#[derive(Debug)]
pub struct Outcome {
    /// The world's name.
    pub world: &'static str,
    /// How many states were generated, those included that were known already.
    pub generated: usize,
    /// How many different states there were.
    pub unique: usize,
    /// The longest path that was followed.
    pub depth: usize,
    /// Whether there are no others.
    pub exhaustive: bool,
    /// The properties.
    pub findings: Vec<Finding>,
}

/// What became of one property.
#[derive(Debug)]
pub struct Finding {
    /// The property.
    pub property: &'static str,
    /// Whether it says what must hold in every state, not what must happen in some.
    pub always: bool,
    /// The steps to the state that breaks it, or that shows it.
    pub trace: Option<Vec<String>>,
}

impl Finding {
    /// Whether it is as it should be.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.always != self.trace.is_some()
    }
}

impl Outcome {
    /// The properties that are not as they should be.
    #[must_use]
    pub fn broken(&self) -> Vec<&'static str> {
        self.findings.iter().filter(|f| !f.holds()).map(|f| f.property).collect()
    }

    /// The steps that led to the state that breaks or shows `property`.
    #[must_use]
    pub fn trace(&self, property: &str) -> Option<&[String]> {
        self.findings.iter().find(|f| f.property == property)?.trace.as_deref()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { world, generated, unique, depth, .. } = self;
        let how = if self.exhaustive { "exhaustive" } else { "bounded" };
        writeln!(
            f,
            "{world}: {generated} states generated, {unique} unique, depth {depth}, {how}"
        )?;
        for finding in &self.findings {
            let result = match (finding.always, finding.holds()) {
                (true, true) => "holds",
                (true, false) => "BROKEN",
                (false, true) => "happens",
                (false, false) => "NEVER HAPPENS",
            };
            writeln!(f, "    {result:8} {}", finding.property)?;
        }
        Ok(())
    }
}

/// Searches breadth first through all states, or until `states_max` were generated.
#[must_use]
pub fn search(world: &World, states_max: usize, threads: usize) -> Outcome {
    let checker = world.checker().threads(threads).target_state_count(states_max);
    outcome(world, states_max, &checker.spawn_bfs().join())
}

/// Searches for a short way to break `property`, through no more than `states_max` states.
#[must_use]
pub fn hunt(world: &World, property: &'static str, states_max: usize) -> Outcome {
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = world.checker().finish_when(found).target_state_count(states_max);
    outcome(world, states_max, &checker.spawn_bfs().join())
}

fn outcome(world: &World, states_max: usize, checker: &impl Checker<World>) -> Outcome {
    let finding = |property: stateright::Property<World>| Finding {
        property: property.name,
        always: property.expectation == Expectation::Always,
        trace: checker
            .discovery(property.name)
            .map(|path| path.into_actions().iter().map(ToString::to_string).collect()),
    };
    Outcome {
        world: world.name,
        generated: checker.state_count(),
        unique: checker.unique_state_count(),
        depth: checker.max_depth(),
        exhaustive: checker.state_count() < states_max,
        findings: world.properties().into_iter().map(finding).collect(),
    }
}
