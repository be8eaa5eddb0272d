//! A week of seven sources at the pace of a real monitor.

use super::*;

const WEEK_ROUNDS: usize = 7 * 86_400 / 16;

/// Seven laboratories, one at a time off, silent or slow for an hour, their paths never twice the
/// same. UTC is known in every one of 37,800 rounds, and right.
#[test]
fn a_week_of_seven_sources_at_16_s_polls() {
    let mut world = World::of(7);
    let mut dice = 1u64;
    let mut widest = Bound::ZERO;
    for round in 0..WEEK_ROUNDS {
        if round % 225 == 0 {
            let ill = round / 225 % 7;
            world.labs = vec![Lab::HONEST; 7];
            match round / 225 % 4 {
                0 => world.labs[ill].off = Span::from_millis(400),
                1 => world.labs[ill].is_silent = true,
                2 => world.labs[ill].there_ms = 150,
                _ => world.labs[ill].leap = LeapIndicator::Unsynchronised,
            }
        }
        for lab in &mut world.labs {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if lab.there_ms < 100 {
                lab.there_ms = 1 + (dice >> 40).cast_signed() % 20;
                lab.back_ms = 1 + (dice >> 48).cast_signed() % 20;
            }
        }
        world.rounds(1);
        widest = widest.max(world.expect_truth().half_width());
    }
    assert_eq!(world.now_ms, i64::try_from(WEEK_ROUNDS + 4).expect("small") * POLL_MS);
    // Less than what confirms a batch, all week long.
    assert!(widest < Bound::from_millis(60), "{widest}");
}
