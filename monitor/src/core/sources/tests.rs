use super::SourceState::{Excluded, Falseticker, Ok, Stale, Unreachable};
use super::*;
use crate::core::ntp::PIVOT;
use crate::core::ntp::exchange::Kiss;
use crate::core::ntp::packet::{LeapIndicator, RefId};
use crate::core::testing::guard;

const AGE_MAX: Bound = Bound::from_millis(64_000);

pub(super) fn raw(ms: i64) -> RawInstant {
    RawInstant::from_nanos(ms * 1_000_000)
}

/// The sample of a source whose UTC less RAW is the pivot plus `error`, give or take 5 ms.
pub(super) fn sample(error_ms: i64, received: RawInstant) -> SourceSample {
    let middle = Span::from_nanos(PIVOT.as_unix_nanos()) + Span::from_millis(error_ms);
    let radius = Span::from_millis(5);
    SourceSample {
        utc_minus_raw: Interval::new(middle - radius, middle + radius).expect("lo <= hi"),
        sent: received,
        received,
        delay: Bound::from_millis(8),
        root_distance: Bound::from_millis(1),
        stratum: 1,
        leap: LeapIndicator::NoWarning,
        reference_id: RefId(*b"PPS\0"),
        authenticated: false,
    }
}

/// One source per name of a group, with f = 1.
fn sources(groups: &[&str]) -> Sources {
    let source =
        |(i, group): (usize, &&str)| Source { name: format!("ntp{i}"), group: (*group).to_owned() };
    let rho = Ppb::from_ppm(100);
    let rules = Rules { faults: Faults(1), rho, age_max: AGE_MAX, voters: Voters::All };
    Sources::new(groups.iter().enumerate().map(source).collect(), rules, &guard())
}

pub(super) const FIVE: [&str; 5] = ["ptb", "metas", "npl", "inrim", "op"];

fn report(sources: &mut Sources, source: usize, result: PollResult) {
    let epoch = sources.epoch();
    sources.handle(&Report { source, epoch, result });
}

/// One sample at RAW zero from each source, each with its own error.
pub(super) fn heard(groups: &[&str], errors_ms: &[i64]) -> Sources {
    let mut sources = sources(groups);
    for (source, &error) in errors_ms.iter().enumerate() {
        report(&mut sources, source, PollResult::Sample(sample(error, raw(0))));
    }
    sources
}

fn around_the_pivot(lo_ms: i64, hi_ms: i64) -> Interval {
    let pivot = Span::from_nanos(PIVOT.as_unix_nanos());
    Interval::new(pivot + Span::from_millis(lo_ms), pivot + Span::from_millis(hi_ms))
        .expect("lo <= hi")
}

#[test]
fn five_laboratories_that_agree_know_utc() {
    let view = heard(&FIVE, &[0, 1, 2, 3, 4]).view(raw(0));
    // Four of five cover from the second lower end to the second upper end.
    assert_eq!(view.utc, Result::Ok(around_the_pivot(-2, 6)));
    assert_eq!((view.states, view.false_groups), (vec![Ok; 5], vec![]));
}

#[test]
fn the_intervals_grow_with_age() {
    let view = heard(&FIVE, &[0; 5]).view(raw(20_000));
    assert_eq!(view.utc, Result::Ok(around_the_pivot(-7, 7)));
}

#[test]
fn one_liar_is_named_whatever_the_size_of_the_lie() {
    for lie in [-11, 11, 1_000, -3_600_000] {
        let view = heard(&FIVE, &[0, 0, lie, 0, 0]).view(raw(0));
        assert_eq!(view.utc, Result::Ok(around_the_pivot(-5, 5)), "{lie}");
        assert_eq!(view.states, [Ok, Ok, Falseticker, Ok, Ok], "{lie}");
        assert_eq!(view.false_groups, [2], "{lie}");
    }
}

#[test]
fn a_liar_is_named_rightly_beside_a_laboratory_that_has_no_vote() {
    let mut sources = sources(&FIVE);
    for (source, error) in [(1, 0), (2, 0), (3, 0), (4, 700)] {
        report(&mut sources, source, PollResult::Sample(sample(error, raw(0))));
    }
    let view = sources.view(raw(0));
    assert_eq!(view.states, [Unreachable, Ok, Ok, Ok, Falseticker]);
    assert_eq!(view.false_groups, [4]);
}

#[test]
fn two_liars_end_consensus_and_nobody_is_named() {
    for lies in [[500, 500], [500, -500]] {
        let view = heard(&FIVE, &[0, 0, 0, lies[0], lies[1]]).view(raw(0));
        assert_eq!(view.utc, Err(NoUtc::NoConsensus { usable: 5, best: 3, required: 4 }));
        assert_eq!((view.states, view.false_groups), (vec![Ok; 5], vec![]));
    }
}

#[test]
fn silence_makes_unreachable_once_the_last_sample_is_too_old_and_quorum_goes() {
    let mut sources = heard(&FIVE, &[0; 5]);
    for source in 0..3 {
        report(&mut sources, source, PollResult::NoAnswer);
    }
    assert_eq!(sources.view(raw(64_000)).states, [Ok; 5]);
    for source in 3..5 {
        report(&mut sources, source, PollResult::Sample(sample(0, raw(60_000))));
    }
    let view = sources.view(raw(64_001));
    assert_eq!(view.states, [Unreachable, Unreachable, Unreachable, Ok, Ok]);
    assert_eq!(view.utc, Err(NoUtc::QuorumLost { usable: 2, required: 3 }));
}

#[test]
fn a_source_that_cannot_be_asked_is_unreachable() {
    let mut sources = sources(&FIVE);
    assert_eq!(sources.view(raw(0)).states, [Unreachable; 5]);
    report(&mut sources, 0, PollResult::Sample(sample(0, raw(0))));
    report(&mut sources, 0, PollResult::Failed("no route to host".to_owned()));
    assert_eq!(sources.view(raw(64_000)).states[0], Ok);
    assert_eq!(sources.view(raw(64_001)).states[0], Unreachable);
}

#[test]
fn age_alone_makes_stale() {
    let sources = heard(&FIVE, &[0; 5]);
    assert_eq!(sources.view(raw(64_000)).states, [Ok; 5]);
    assert!(sources.sample(0, raw(64_000)).is_some());
    let view = sources.view(raw(64_001));
    assert_eq!(view.states, [Stale; 5]);
    assert_eq!(view.utc, Err(NoUtc::QuorumLost { usable: 0, required: 3 }));
    assert_eq!(sources.sample(0, raw(64_001)), None);
}

#[test]
fn a_source_that_disqualifies_itself_loses_its_earlier_sample_at_once() {
    let mut sources = heard(&FIVE, &[0; 5]);
    report(&mut sources, 1, PollResult::Refused(Refused::Unsynchronised));
    let view = sources.view(raw(0));
    assert_eq!(view.states, [Ok, Excluded, Ok, Ok, Ok]);
    assert_eq!(sources.votes(raw(0)).len(), 4);
    report(&mut sources, 1, PollResult::Sample(sample(0, raw(1_000))));
    assert_eq!(sources.view(raw(1_000)).states, [Ok; 5]);
}

#[test]
fn an_answer_that_says_nothing_of_the_clock_leaves_the_earlier_sample() {
    let delay = Bound::from_millis(200);
    for refused in [Refused::Kiss(Kiss::Deny), Refused::Delay { delay, max: Bound::ZERO }] {
        let mut sources = heard(&FIVE, &[0; 5]);
        report(&mut sources, 1, PollResult::Refused(refused));
        assert_eq!(sources.view(raw(0)).states, [Ok; 5]);
        assert_eq!(sources.view(raw(64_001)).states, [Stale, Excluded, Stale, Stale, Stale]);
    }
}

#[test]
fn a_packet_that_is_no_answer_changes_nothing() {
    let mut sources = heard(&FIVE, &[0; 5]);
    report(&mut sources, 0, PollResult::Refused(Refused::WrongOrigin));
    assert_eq!(sources.view(raw(0)).states, [Ok; 5]);
    assert_eq!(sources.view(raw(64_001)).states, [Stale; 5]);
}

/// The burst of a start-up: what a source says within it counts together, so UTC never gets narrower
/// while it lasts. Afterwards the newest sample counts alone.
#[test]
fn a_start_up_widens_and_never_narrows() {
    let mut sources = heard(&FIVE, &[0; 5]);
    let mut widest = Bound::ZERO;
    for (error, expected) in [(8, (-5, 13)), (-3, (-8, 13)), (1, (-8, 13)), (2, (-3, 7))] {
        for source in 0..5 {
            report(&mut sources, source, PollResult::Sample(sample(error, raw(0))));
        }
        let utc = sources.view(raw(0)).utc.expect("all agree");
        assert_eq!(utc, around_the_pivot(expected.0, expected.1), "{error}");
        assert!(error == 2 || utc.width() >= widest);
        widest = widest.max(utc.width());
    }
    // A break is a new beginning.
    sources.discard_all();
    for error in [4, -4] {
        for source in 0..5 {
            report(&mut sources, source, PollResult::Sample(sample(error, raw(0))));
        }
    }
    assert_eq!(sources.view(raw(0)).utc, Result::Ok(around_the_pivot(-9, 9)));
}

#[test]
fn the_newest_sample_replaces_the_older_once_started_up() {
    let mut sources = heard(&FIVE, &[0; 5]);
    for error in [0, 0, 0, 900] {
        report(&mut sources, 4, PollResult::Sample(sample(error, raw(10))));
    }
    assert_eq!(sources.view(raw(10)).states, [Ok, Ok, Ok, Ok, Falseticker]);
}

#[test]
fn servers_of_one_laboratory_share_a_vote() {
    let groups = ["ptb", "ptb", "metas", "npl"];
    let sources = heard(&groups, &[-3, 3, 0, 0]);
    assert_eq!(sources.groups(), ["ptb", "metas", "npl"]);
    assert_eq!(sources.votes(raw(0))[0], (0, Vote::States(around_the_pivot(-2, 2))));
    assert_eq!(sources.view(raw(0)).utc, Result::Ok(around_the_pivot(-5, 5)));
    let one_lab = heard(&["ptb"; 5], &[0; 5]).view(raw(0));
    assert_eq!(one_lab.utc, Err(NoUtc::QuorumLost { usable: 1, required: 3 }));
}

#[test]
fn a_laboratory_at_odds_with_itself_is_false_and_its_liar_named() {
    let groups = ["ptb", "ptb", "metas", "npl", "op"];
    let view = heard(&groups, &[0, 700, 0, 0, 0]).view(raw(0));
    assert_eq!(view.utc, Result::Ok(around_the_pivot(-5, 5)));
    assert_eq!(view.states, [Ok, Falseticker, Ok, Ok, Ok]);
    assert_eq!(view.false_groups, [0]);
}

#[test]
fn where_each_server_meets_utc_a_contradiction_is_held_against_both() {
    let groups = ["ptb", "ptb", "metas", "npl", "op"];
    let view = heard(&groups, &[-6, 6, 0, 0, 0]).view(raw(0));
    assert_eq!(view.utc, Result::Ok(around_the_pivot(-5, 5)));
    assert_eq!(view.states, [Falseticker, Falseticker, Ok, Ok, Ok]);
    assert_eq!(view.false_groups, [0]);
}

#[test]
fn two_laboratories_at_odds_with_themselves_end_consensus() {
    let view = heard(&["ptb", "ptb", "op", "op", "npl"], &[0, 700, 0, 700, 0]).view(raw(0));
    assert_eq!(view.utc, Err(NoUtc::NoConsensus { usable: 3, best: 1, required: 2 }));
}

#[test]
fn a_continuity_break_discards_all_samples_and_those_in_flight() {
    let mut sources = heard(&FIVE, &[0; 5]);
    let before = sources.epoch();
    let after = sources.discard_all();
    assert_ne!(before, after);
    assert_eq!(after, sources.epoch());
    let view = sources.view(raw(0));
    assert_eq!(view.utc, Err(NoUtc::QuorumLost { usable: 0, required: 3 }));
    assert_eq!(view.states, [Stale; 5]);

    let result = PollResult::Sample(sample(0, raw(0)));
    sources.handle(&Report { source: 0, epoch: before, result: result.clone() });
    assert_eq!(sources.sample(0, raw(0)), None);
    sources.handle(&Report { source: 0, epoch: after, result });
    assert!(sources.sample(0, raw(0)).is_some());
}

#[test]
fn a_source_that_does_not_exist_changes_nothing() {
    let mut sources = heard(&FIVE, &[0; 5]);
    report(&mut sources, 5, PollResult::Refused(Refused::Unsynchronised));
    assert_eq!(sources.view(raw(0)).states, [Ok; 5]);
}

#[test]
fn the_offset_is_source_less_system_clock() {
    let sources = heard(&FIVE, &[30, 0, 0, 0, 0]);
    // The system clock is 20 ms ahead of UTC at RAW 10 s; the first source 30 ms.
    let real = PIVOT + Span::from_millis(10_020);
    assert_eq!(
        sources.shown(0, raw(10_000), real).map(|(offset, _)| offset),
        Some(Span::from_millis(10))
    );
    assert_eq!(
        sources.shown(1, raw(10_000), real).map(|(offset, _)| offset),
        Some(Span::from_millis(-20))
    );
    assert_eq!(sources.shown(0, raw(64_001), real), None);
}

#[test]
fn every_state_has_its_own_label() {
    let labels = SourceState::ALL.map(SourceState::label);
    assert_eq!(labels, ["ok", "falseticker", "stale", "unreachable", "excluded"]);
}

/// What an attacker on the path of every plain source says is heard and shown, and moves nothing.
#[test]
fn where_authenticated_sources_alone_vote_plain_ones_change_nothing() {
    let groups = ["ptb", "metas", "npl", "ptb", "inrim", "op"];
    let mut sources = sources(&groups);
    sources.rules.voters = Voters::Authenticated;
    for (source, (error, authenticated)) in
        [(0, true), (1, true), (-1, true), (700, false), (700, false), (700, false)]
            .into_iter()
            .enumerate()
    {
        let sample = SourceSample { authenticated, ..sample(error, raw(0)) };
        report(&mut sources, source, PollResult::Sample(sample));
    }
    let view = sources.view(raw(0));
    assert_eq!(view.utc, Result::Ok(around_the_pivot(-5, 5)));
    assert_eq!(view.states, [Ok, Ok, Ok, Falseticker, Falseticker, Falseticker]);
    assert_eq!(view.false_groups, [0usize; 0]);
    let round = sources.round(raw(0));
    assert!(round.authenticated_only);
    assert_eq!(round.sources.iter().filter(|source| source.authenticated).count(), 3);

    // Without enough of those that vote there is no UTC, however many plain ones agree.
    let refused = PollResult::Refused(Refused::Unsynchronised);
    report(&mut sources, 0, refused);
    let lost = NoUtc::QuorumLost { usable: 2, required: 3 };
    assert_eq!(sources.view(raw(0)).utc, Err(lost));
    sources.rules.voters = Voters::All;
    let outvoted = NoUtc::NoConsensus { usable: 5, best: 3, required: 4 };
    assert_eq!(sources.view(raw(0)).utc, Err(outvoted));
}
