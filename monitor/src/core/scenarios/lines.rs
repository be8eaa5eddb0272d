//! One line of what may happen, one test.

use super::SourceState::{Excluded, Falseticker, Ok, Stale, Unreachable};
use super::*;
use crate::core::ntp::exchange::{Kiss, Refused};
use crate::core::sources::Reason;
use crate::core::sources::pace::Pace;

const HOUR_MS: i64 = 3_600_000;

fn is_quorum_lost(no: &NoUtc) -> bool {
    matches!(no, NoUtc::QuorumLost { .. })
}

fn is_no_consensus(no: &NoUtc) -> bool {
    matches!(no, NoUtc::NoConsensus { .. })
}

#[test]
fn f_sources_that_are_off_by_1_ms_to_1_h_move_nothing() {
    for off_ms in [1, 5, 30, 100, 500, 1_000, 10_000, 60_000, HOUR_MS] {
        for sign in [-1, 1] {
            let mut world = World::of(5);
            let before = world.expect_truth();
            world.labs[2].off = Span::from_millis(sign * off_ms);
            world.rounds(4);
            let utc = world.expect_truth();
            let slack = Bound::from_millis(2);
            assert!(utc.is_inside(before.widened(slack)), "{off_ms}: {utc} after {before}");
            // An interval is about 12 ms wide: a lie within that is no lie that can be told.
            world.expect_state(2, if off_ms >= 30 { Falseticker } else { Ok });
        }
    }
}

#[test]
fn f_plus_1_sources_that_are_off_end_consensus() {
    for off_ms in [30, 100, 1_000, HOUR_MS] {
        for second in [off_ms, -off_ms] {
            let mut world = World::of(5);
            world.labs[0].off = Span::from_millis(off_ms);
            world.labs[1].off = Span::from_millis(second);
            world.rounds(1);
            world.expect_no_utc(is_no_consensus);
            assert_eq!(world.view().states, [Ok; 5], "nobody can tell who lies");
        }
    }
}

#[test]
fn all_dead_is_a_lost_quorum_once_the_samples_are_too_old() {
    let mut world = World::of(5);
    world.labs.iter_mut().for_each(|lab| lab.is_silent = true);
    world.rounds(4);
    let wide = world.expect_truth();
    assert!(wide.half_width() > Bound::from_millis(11), "it grew with age: {wide}");
    world.rounds(1);
    world.expect_no_utc(is_quorum_lost);
    assert_eq!(world.view().states, [Unreachable; 5]);
}

#[test]
fn one_dead_for_long_and_back_is_ok_again_and_utc_was_known_throughout() {
    let mut world = World::of(5);
    world.labs[3].is_silent = true;
    for _ in 0..2_000 {
        world.rounds(1);
        world.expect_truth();
    }
    world.expect_state(3, Unreachable);
    world.labs[3].is_silent = false;
    world.rounds(1);
    world.expect_state(3, Ok);
    world.expect_truth();
}

/// Whatever a server says of itself that disqualifies it, it is out at once, and nothing else is.
#[track_caller]
fn excluded_at_once(change: impl Fn(&mut Lab), refused: &str) {
    let mut world = World::of(5);
    change(&mut world.labs[1]);
    world.rounds(1);
    world.expect_state(1, Excluded);
    world.expect_truth();
    let PollResult::Refused(why) = &world.last[1] else { panic!("{:?}", world.last[1]) };
    assert_eq!(why.label(), refused);
    let reason = world.sources.reason(1, &world.view(), world.now());
    assert_eq!(reason, Some(Reason::Refused(*why)));
    world.labs[1] = Lab::HONEST;
    world.rounds(1);
    world.expect_state(1, Ok);
}

#[test]
fn stratum_0_and_16_are_excluded() {
    for stratum in [0, 16, 5, 255] {
        excluded_at_once(|lab| lab.stratum = stratum, "stratum");
    }
}

#[test]
fn leap_indicator_3_is_excluded() {
    excluded_at_once(|lab| lab.leap = LeapIndicator::Unsynchronised, "unsynchronised");
}

#[test]
fn root_dispersion_over_the_cap_is_excluded() {
    excluded_at_once(|lab| lab.root_dispersion_ms = 51, "root-distance");
}

#[test]
fn a_smear_marker_is_excluded() {
    for id in [[254, 1, 2, 3], *b"GOOG", [127, 127, 1, 255]] {
        excluded_at_once(|lab| lab.reference_id = id, "smear");
    }
}

#[test]
fn a_real_kiss_keeps_the_older_sample_until_its_age_and_rate_slows_the_client() {
    for (code, kiss) in [(*b"RATE", Kiss::Rate), (*b"DENY", Kiss::Deny)] {
        let mut world = World::of(5);
        world.labs[4].stratum = 0;
        world.labs[4].reference_id = code;
        world.rounds(1);
        assert_eq!(world.last[4], PollResult::Refused(Refused::Kiss(kiss)));
        world.expect_state(4, Ok);
        world.rounds(4);
        world.expect_state(4, Excluded);
        world.expect_truth();
        let mut pace = Pace::new(core::time::Duration::from_secs(16));
        let wait = pace.next(&world.last[4], 128).as_secs();
        assert_eq!(wait, if kiss == Kiss::Rate { 32 } else { 2 });
    }
}

#[test]
fn a_spoofed_kiss_changes_nothing_at_all() {
    for code in [*b"RATE", *b"DENY", *b"RSTR"] {
        let mut world = World::of(5);
        world.labs[4].forged = 3;
        world.labs[4].forged_kiss = Some(code);
        world.rounds(10);
        assert!(matches!(world.last[4], PollResult::Sample(_)), "{:?}", world.last[4]);
        world.expect_state(4, Ok);
        world.expect_truth();
    }
}

#[test]
fn a_flood_of_wrong_origins_changes_nothing_at_all() {
    let mut world = World::of(5);
    world.labs[0].forged = 20_000;
    world.rounds(2);
    world.expect_state(0, Ok);
    world.expect_truth();
}

/// Both ways of an asymmetric path: the interval is wide, and right.
#[test]
fn a_one_way_delay_of_200_ms_widens_and_never_misleads() {
    for (there_ms, back_ms) in [(200, 5), (5, 200)] {
        let mut world = World::of(5);
        world.caps.delay_max = Bound::from_millis(500);
        for lab in &mut world.labs {
            (lab.there_ms, lab.back_ms) = (there_ms, back_ms);
        }
        world.rounds(1);
        let utc = world.expect_truth();
        assert!(utc.half_width() > Bound::from_millis(100), "{utc}");
        assert_eq!(world.view().states, [Ok; 5]);
    }
}

/// With the cap as it is by default, such a source says nothing new: its older sample lasts until
/// its age.
#[test]
fn a_one_way_delay_of_200_ms_is_over_the_default_cap() {
    for (there_ms, back_ms) in [(200, 5), (5, 200)] {
        let mut world = World::of(5);
        (world.labs[0].there_ms, world.labs[0].back_ms) = (there_ms, back_ms);
        world.rounds(4);
        world.expect_state(0, Ok);
        world.rounds(1);
        world.expect_state(0, Excluded);
        world.expect_truth();
    }
}

#[test]
fn quorum_is_lost_with_the_third_of_five_and_never_settled_by_the_rest() {
    let mut world = World::of(5);
    for (dead, known) in [(0, true), (1, true), (2, false)] {
        world.labs[dead].is_silent = true;
        world.rounds(5);
        assert_eq!(world.view().utc.is_ok(), known, "{dead}");
    }
    world.expect_no_utc(is_quorum_lost);
}

/// A step or a suspension of box B: everything is forgotten at once, and known again after the next
/// burst.
#[test]
fn a_break_of_box_b_forgets_everything_and_a_round_brings_it_back() {
    let mut world = World::of(5);
    world.sources.discard_all();
    world.expect_no_utc(is_quorum_lost);
    assert_eq!(world.view().states, [Stale; 5]);
    world.rounds(1);
    world.expect_truth();
}
