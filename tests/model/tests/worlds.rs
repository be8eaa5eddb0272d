//! Every world keeps its promises, and every broken one is found out.

use chronolease_model::run::{hunt, search};
use chronolease_model::world::{Mode, World};
use chronolease_model::{controls, worlds};

/// How far each world is searched here; `make model` goes further.
const STATES_MAX: usize = 600_000;

fn holds(world: &World) {
    let outcome = search(world, STATES_MAX, 1);
    println!("{outcome}");
    assert_eq!(outcome.broken(), Vec::<&str>::new(), "{outcome}");
}

macro_rules! worlds {
    ($($test:ident: $world:ident,)+) => {
        $(#[test]
        fn $test() {
            holds(&worlds::$world);
        })+

        #[test]
        fn no_world_is_left_out() {
            let here = [$(worlds::$world.name),+];
            assert_eq!(here, worlds::ALL.map(|world| world.name));
        }
    };
}

worlds! {
    leased_core: LEASED_CORE,
    leased_clocks: LEASED_CLOCKS,
    leased_sampling: LEASED_SAMPLING,
    leased_network: LEASED_NETWORK,
    leased_crashes: LEASED_CRASHES,
    leased_copies: LEASED_COPIES,
    witnessed_core: WITNESSED_CORE,
    witness_alone: WITNESS_ALONE,
    witnessed_clocks: WITNESSED_CLOCKS,
    witnessed_budget: WITNESSED_BUDGET,
    witnessed_network: WITNESSED_NETWORK,
    witnessed_crashes: WITNESSED_CRASHES,
    witnessed_clone: WITNESSED_CLONE,
    witnessed_rollback: WITNESSED_ROLLBACK,
    monitor_wrong: MONITOR_WRONG,
}

/// The budgets hold exactly where they are what keeps a property.
#[test]
fn the_budgets_of_the_worlds_hold() {
    for world in worlds::ALL {
        let figures = &world.figures;
        let spent = match world.mode {
            Mode::Leased => figures.leased(),
            Mode::Witnessed if world.checks_window => figures.witnessed(),
            Mode::Witnessed => continue,
        };
        assert_eq!(spent, figures.accuracy, "{}", world.name);
    }
}

/// For each control: the broken world has a counterexample, and the sound one, searched as far,
/// has none.
#[test]
fn every_negative_control_is_found_out() {
    for broken in controls::all() {
        let found = hunt(&broken.world, broken.property, controls::STATES_MAX);
        let trace = found.trace(broken.property);
        println!(
            "{}: {} is broken by\n  {}",
            broken.what,
            broken.property,
            match trace {
                Some(trace) => trace.join("\n  "),
                None => "nothing".to_owned(),
            }
        );
        assert!(trace.is_some(), "{} breaks nothing", broken.what);
        let sound = hunt(&broken.sound, broken.property, found.generated);
        assert!(sound.trace(broken.property).is_none(), "{} is broken anyway", broken.sound.name);
    }
}
