//! The ends of months in simulated time, with the real watch, sources, ward and judge: at every
//! millisecond the TSU tries to issue.

mod sim;

use chronolease_core::leap::LeapSign::{self, Delete, Insert};
use chronolease_core::leap::list::{LeapList, write_list};
use chronolease_core::leap::passage::Observed;
use chronolease_core::leap::plan::{Finding, Outlook};
use chronolease_core::lease::EndingCause;
use sim::{Run, Scenario, end, list};

use super::*;
use crate::core::authority::WardState;

const DAY_S: i64 = 86_400;

/// Nothing of the blackout, but everything around it: the lease ended once, for this very reason,
/// and nothing is latched.
fn suspended(run: &Run, expected: Outlook, observed: Observed) {
    assert_eq!(run.in_blackout, 0, "tokens in the blackout");
    assert!(run.before > 0 && run.after > 0, "{} before, {} after", run.before, run.after);
    assert_eq!(run.endings, [EndingCause::LeapSecond]);
    assert_eq!((run.ward.state(), run.ward.record().latch), (WardState::Granted, None));
    assert!(run.was_crossing_while_unknown);
    let [change] = &run.changes[..] else { panic!("{:?}", run.changes) };
    assert_eq!((change.end, change.expected, change.observed), (end(), expected, observed));
    assert!(change.is_consistent());
    let (first, last) = change.when();
    let truth = RawInstant::from_nanos(run.changed_at_ns);
    assert!(first <= truth && truth <= last, "{first:?} <= {truth:?} <= {last:?}");
}

fn happened(leap: Option<LeapSign>) -> Observed {
    leap.map_or(Observed::Nothing, Observed::Leap)
}

#[test]
fn what_everybody_announces_is_crossed_without_a_token_in_the_blackout() {
    for sign in [Insert, Delete] {
        let scenario = Scenario {
            list: Some(list(Some(sign), 178 * DAY_S)),
            announcing: 5,
            announces: sign,
            happens: Some(sign),
            ..Scenario::default()
        };
        suspended(&scenario.run(), Outlook::Leap(sign), Observed::Leap(sign));
    }
}

/// In the last hour the silence of the laboratories contradicts the list, and releases nothing.
#[test]
fn what_the_list_alone_announces_is_crossed_alike() {
    for sign in [Insert, Delete] {
        let list = list(Some(sign), 178 * DAY_S);
        let scenario = Scenario { list: Some(list), happens: Some(sign), ..Scenario::default() };
        let run = scenario.run();
        suspended(&run, Outlook::Disputed, Observed::Leap(sign));
        assert!(run.findings.contains("leap-disputed"), "{:?}", run.findings);
    }
}

#[test]
fn what_more_groups_than_may_lie_announce_is_crossed_alike() {
    for sign in [Insert, Delete] {
        let scenario = Scenario {
            list: Some(list(None, 178 * DAY_S)),
            announcing: 2,
            announces: sign,
            happens: Some(sign),
            ..Scenario::default()
        };
        let run = scenario.run();
        suspended(&run, Outlook::Disputed, Observed::Leap(sign));
        assert!(run.findings.contains("leap-disputed"), "{:?}", run.findings);
    }
}

/// The negative control of the whole file: the same tries, and nothing is suspended.
#[test]
fn what_one_group_announces_alone_suspends_nothing() {
    let scenario =
        Scenario { list: Some(list(None, 178 * DAY_S)), announcing: 1, ..Scenario::default() };
    let run = scenario.run();
    assert!(run.in_blackout > 3_900, "{}", run.in_blackout);
    assert_eq!((run.endings.len(), run.changes.len()), (0, 0));
    assert!(run.findings.contains("leap-false"), "{:?}", run.findings);
}

#[test]
fn without_a_list_the_end_of_june_is_suspended_whatever_happens() {
    for leap in [None, Some(Insert), Some(Delete)] {
        let scenario = Scenario { list: None, happens: leap, ..Scenario::default() };
        let run = scenario.run();
        suspended(&run, Outlook::Unknown, happened(leap));
        assert!(run.findings.contains("leap-list-missing"), "{:?}", run.findings);
    }
}

#[test]
fn after_the_expiry_of_the_list_it_is_suspended_too() {
    let scenario = Scenario { list: Some(list(None, -DAY_S)), ..Scenario::default() };
    let run = scenario.run();
    suspended(&run, Outlook::Unknown, Observed::Nothing);
    assert!(run.findings.contains("leap-list-expired"), "{:?}", run.findings);
}

#[test]
fn an_altered_list_counts_as_missing() {
    let good = list(None, 178 * DAY_S);
    let text = write_list(good.updated(), good.expires(), good.entries());
    let altered = text.replace("\t37\t", "\t38\t");
    let list = LeapList::parse(altered.as_bytes(), None).ok();
    let run = Scenario { list, ..Scenario::default() }.run();
    suspended(&run, Outlook::Unknown, Observed::Nothing);
}

#[test]
fn bulletin_c_stands_in_for_a_list() {
    let bulletin = BulletinC { number: 73, about: end(), says: None };
    let run = Scenario { bulletins: vec![bulletin], ..Scenario::default() }.run();
    assert!(run.in_blackout > 3_900, "{}", run.in_blackout);
    assert_eq!(run.endings, []);
}

/// UTC is lost before the boundary and comes back after it: nobody saw the blackout, and it takes
/// two full GOOD rounds all the same.
#[test]
fn an_outage_over_the_boundary_is_crossed_like_any_other() {
    let list = list(Some(Insert), 178 * DAY_S);
    let outage = Some((-8_000, 8_000));
    let scenario =
        Scenario { list: Some(list), happens: Some(Insert), outage, ..Scenario::default() };
    let run = scenario.run();
    assert_eq!(run.in_blackout, 0);
    assert_eq!(run.endings, [EndingCause::QuorumLost], "lost long before");
    assert!(run.after > 0);
    assert!(matches!(run.changes[..], [change] if change.observed == Observed::Leap(Insert)));
}

/// A TSU whose clock did not leap is a second off afterwards: found, and latched.
#[test]
fn a_tsu_that_does_not_leap_is_latched_after_the_boundary() {
    let list = list(Some(Insert), 178 * DAY_S);
    let scenario = Scenario {
        list: Some(list),
        happens: Some(Insert),
        tsu_leaps: false,
        ..Scenario::default()
    };
    let run = scenario.run();
    assert_eq!((run.in_blackout, run.after), (0, 0));
    assert_eq!(run.ward.record().latch, Some(EndingCause::Deviation));
}

/// The link is cut before the blackout, so that no revocation arrives, and the lease is a long
/// one: the TSU's own judge stops it.
#[test]
fn without_the_link_the_judge_alone_ends_the_lease() {
    for sign in [Insert, Delete] {
        let scenario = Scenario {
            list: Some(list(Some(sign), 178 * DAY_S)),
            happens: Some(sign),
            cut_at_ms: Some(-3_000),
            ttl: Bound::from_millis(60_000),
            ..Scenario::default()
        };
        let run = scenario.run();
        assert!(run.judged_before > 0);
        assert_eq!(run.judged_from_blackout, 0, "{sign}");
    }
}

#[test]
fn the_plan_is_news_once_and_again_when_the_list_changes() {
    let mut sim = Scenario::default().start();
    sim.go(-19_000);
    let labels = |plan: &LeapPlan| plan.findings().iter().map(Finding::label).collect::<Vec<_>>();
    assert_eq!(sim.watch.take_news().map(labels), Some(vec!["leap-list-missing"]));
    sim.go(-17_000);
    assert!(sim.watch.take_news().is_none());
    sim.watch.set_list(Some(list(None, 178 * DAY_S)));
    sim.go(-16_000);
    assert_eq!(sim.watch.take_news().map(labels), Some(vec![]));
    assert!(sim.watch.words().contains("no leap second (the list says none)"));
}
