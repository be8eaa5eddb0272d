use proptest::prelude::*;

use super::*;
use crate::leap::list::{Entry, write_list};
use LeapSign::{Delete, Insert};

const DAY_S: i64 = 86_400;

fn end(year: i32, month: u8) -> MonthEnd {
    MonthEnd::of(year, month).expect("a month")
}

/// So many seconds from the end of December 2026.
fn at(seconds: i64) -> Timestamp<Utc> {
    end(2026, 12).instant() + Span::from_millis(seconds * 1_000)
}

/// The real history and these leap seconds, good until `expires`.
fn list(leaps: &[(MonthEnd, LeapSign)], expires: Timestamp<Utc>) -> LeapList {
    let file = include_bytes!("../list/fixtures/current.list");
    let mut entries = LeapList::parse(file, None).expect("the published list").entries().to_vec();
    for &(from, sign) in leaps {
        let value = entries.last().expect("entries").tai_minus_utc_s;
        let tai_minus_utc_s = value + sign.tai_minus_utc_change_s();
        entries.push(Entry { from, tai_minus_utc_s });
    }
    let text = write_list(at(-200 * DAY_S), expires, &entries);
    LeapList::parse(text.as_bytes(), None).expect("sound")
}

fn quiet() -> LeapList {
    list(&[], at(178 * DAY_S))
}

fn votes(announced: &[Announced]) -> Vec<GroupVote> {
    let vote = |(n, &announced)| GroupVote { group: format!("lab{n}"), announced };
    announced.iter().enumerate().map(vote).collect()
}

fn kernel(armed: Option<LeapSign>, tai_minus_utc_s: i32) -> Vec<KernelLeap> {
    vec![KernelLeap { owner: "tsu-1".to_owned(), armed, tai_minus_utc_s }]
}

const NONE: Inputs<'static> = Inputs {
    list: None,
    bulletins: &[],
    votes: &[],
    kernels: &[],
    faults: Faults(1),
    season: Season::HalfYears,
};

fn suspension(plan: &LeapPlan, at: MonthEnd) -> Option<Reason> {
    plan.expected().iter().find(|it| it.end == at).and_then(|it| it.suspension)
}

fn labels(plan: &LeapPlan) -> Vec<&'static str> {
    plan.findings().iter().map(Finding::label).collect()
}

const SILENT: Announced = Announced::Nothing;
const PLUS: Announced = Announced::Leap(Insert);

#[test]
fn a_good_list_without_a_leap_second_suspends_nothing_before_its_expiry() {
    let list = quiet();
    let plan = LeapPlan::make(&Inputs { list: Some(&list), ..NONE }, at(-DAY_S), None);
    assert_eq!(suspension(&plan, end(2026, 12)), None);
    assert_eq!(suspension(&plan, end(2027, 6)), Some(Reason::Unknown));
    assert_eq!(labels(&plan), Vec::<&str>::new());
    let every = Inputs { list: Some(&list), season: Season::EveryMonth, ..NONE };
    let plan = LeapPlan::make(&every, at(-DAY_S), None);
    assert_eq!(suspension(&plan, end(2027, 5)), None);
    assert!((6..=11).all(|m| suspension(&plan, end(2027, m)) == Some(Reason::Unknown)));
}

#[test]
fn what_the_list_has_is_suspended_however_far_ahead_and_of_either_sign() {
    for sign in [Insert, Delete] {
        let list = list(&[(end(2026, 12), sign), (end(2029, 3), sign)], at(178 * DAY_S));
        let plan = LeapPlan::make(&Inputs { list: Some(&list), ..NONE }, at(-90 * DAY_S), None);
        assert_eq!(suspension(&plan, end(2026, 12)), Some(Reason::Listed));
        assert_eq!(suspension(&plan, end(2029, 3)), Some(Reason::Listed));
        assert_eq!(plan.next_blackout(at(0)), Some(Blackout::around(end(2026, 12))));
        assert_eq!(plan.next_blackout(at(3)), Some(Blackout::around(end(2027, 6))));
        assert_eq!(labels(&plan), ["leap-out-of-season"]);
    }
}

#[test]
fn the_expiry_is_warned_of_for_sixty_days_and_then_critical() {
    let list = list(&[], at(0));
    for (seconds, expected) in [
        (-60 * DAY_S - 1, vec![]),
        (-60 * DAY_S, vec!["leap-list-expires-soon"]),
        (-1, vec!["leap-list-expires-soon"]),
        (0, vec!["leap-list-expired"]),
    ] {
        let plan = LeapPlan::make(&Inputs { list: Some(&list), ..NONE }, at(seconds), None);
        assert_eq!(labels(&plan), expected, "{seconds}");
        let worst = plan.findings().first().map(Finding::severity);
        let due = if seconds >= 0 { Severity::Critical } else { Severity::Warning };
        assert_eq!(worst, (!expected.is_empty()).then_some(due));
    }
    let missing = LeapPlan::make(&NONE, at(0), None);
    assert_eq!(labels(&missing), ["leap-list-missing"]);
}

#[test]
fn without_a_list_every_possible_boundary_is_suspended() {
    let plan = LeapPlan::make(&NONE, at(-100 * DAY_S), None);
    let suspended: Vec<MonthEnd> = plan.blackouts().map(Blackout::end).collect();
    assert_eq!(suspended, [end(2026, 12), end(2027, 6)]);
    let every = Inputs { season: Season::EveryMonth, ..NONE };
    assert_eq!(LeapPlan::make(&every, at(-100 * DAY_S), None).blackouts().count(), MONTHS_AHEAD);
}

#[test]
fn bulletin_c_stands_in_for_a_list_but_does_not_overrule_it() {
    let bulletin = |says| [BulletinC { number: 72, about: end(2026, 12), says }];
    let none = bulletin(None);
    let plan = LeapPlan::make(&Inputs { bulletins: &none, ..NONE }, at(-DAY_S), None);
    assert_eq!(suspension(&plan, end(2026, 12)), None);
    assert_eq!(suspension(&plan, end(2027, 6)), Some(Reason::Unknown));
    let plus = bulletin(Some(Insert));
    let plan = LeapPlan::make(&Inputs { bulletins: &plus, ..NONE }, at(-DAY_S), None);
    assert_eq!(suspension(&plan, end(2026, 12)), Some(Reason::Claimed));

    let listed = list(&[(end(2026, 12), Insert)], at(178 * DAY_S));
    let both = Inputs { list: Some(&listed), bulletins: &none, ..NONE };
    let plan = LeapPlan::make(&both, at(-DAY_S), None);
    assert_eq!(suspension(&plan, end(2026, 12)), Some(Reason::Listed));
    assert_eq!(labels(&plan), ["leap-disputed"]);
}

/// The alarm is at once, the suspension an hour before L, to the second; and it is not taken back.
#[test]
fn a_contradiction_suspends_an_hour_before() {
    let (list, plus) =
        (quiet(), [BulletinC { number: 72, about: end(2026, 12), says: Some(Insert) }]);
    let inputs = Inputs { list: Some(&list), bulletins: &plus, ..NONE };
    for (seconds, expected) in
        [(-30 * DAY_S, None), (-3_601, None), (-3_600, Some(Reason::Disputed))]
    {
        let plan = LeapPlan::make(&inputs, at(seconds), None);
        assert_eq!(suspension(&plan, end(2026, 12)), expected, "{seconds}");
        assert_eq!(labels(&plan), ["leap-disputed"]);
    }
    let decided = LeapPlan::make(&inputs, at(-3_600), None);
    let settled = Inputs { list: Some(&list), ..NONE };
    let plan = LeapPlan::make(&settled, at(-3_000), Some(&decided));
    assert_eq!(suspension(&plan, end(2026, 12)), Some(Reason::Disputed));
    // Settled in time, it is off.
    let early = LeapPlan::make(&inputs, at(-4_000), None);
    let plan = LeapPlan::make(&settled, at(-3_900), Some(&early));
    assert_eq!(suspension(&plan, end(2026, 12)), None);
}

#[test]
fn more_than_f_laboratories_suspend_and_f_of_them_are_false() {
    let list = quiet();
    for (announced, reason, label) in [
        (vec![SILENT; 5], None, vec![]),
        (vec![PLUS, SILENT, SILENT, SILENT, SILENT], None, vec!["leap-false"]),
        (vec![PLUS, PLUS, SILENT, SILENT, SILENT], Some(Reason::Announced), vec!["leap-disputed"]),
        (
            vec![Announced::Both, Announced::Leap(Delete), SILENT, SILENT, SILENT],
            Some(Reason::Announced),
            vec!["leap-disputed"],
        ),
    ] {
        let votes = votes(&announced);
        let inputs = Inputs { list: Some(&list), votes: &votes, ..NONE };
        let plan = LeapPlan::make(&inputs, at(-DAY_S / 2), None);
        assert_eq!(suspension(&plan, end(2026, 12)), reason, "{announced:?}");
        assert_eq!(labels(&plan), label, "{announced:?}");
    }
}

/// Silence is no authority: without a list it releases nothing, with one it disputes a leap second
/// in the last hour and takes nothing back.
#[test]
fn silent_laboratories_release_nothing() {
    let silent = votes(&[SILENT; 5]);
    let plan = LeapPlan::make(&Inputs { votes: &silent, ..NONE }, at(-60), None);
    assert_eq!(suspension(&plan, end(2026, 12)), Some(Reason::Unknown));
    let list = list(&[(end(2026, 12), Insert)], at(178 * DAY_S));
    for (seconds, expected) in [(-3_601, vec![]), (-60, vec!["leap-disputed"])] {
        let inputs = Inputs { list: Some(&list), votes: &silent, ..NONE };
        let plan = LeapPlan::make(&inputs, at(seconds), None);
        assert_eq!(suspension(&plan, end(2026, 12)), Some(Reason::Listed));
        assert_eq!(labels(&plan), expected);
    }
}

/// Laboratories stop announcing at L, when the blackout is half over.
#[test]
fn a_suspension_outlives_those_who_claimed_it() {
    let list = quiet();
    let (loud, silent) = (votes(&[PLUS; 5]), votes(&[SILENT; 5]));
    let before = Inputs { list: Some(&list), votes: &loud, ..NONE };
    let after = Inputs { list: Some(&list), votes: &silent, ..NONE };
    let mut plan = LeapPlan::make(&before, at(-10), None);
    for seconds in [-1, 0, 1, 2, 60, 3_600] {
        plan = LeapPlan::make(&after, at(seconds), Some(&plan));
        let over = Blackout::around(end(2026, 12));
        assert!(plan.blackouts().any(|blackout| blackout == over), "{seconds}");
        let now = Span::from_nanos(at(seconds).as_unix_nanos());
        let covered = plan.covers(Interval::new(now, now).expect("a point"));
        assert_eq!(covered, (seconds.abs() <= 2).then_some(over), "{seconds}");
    }
    let plan = LeapPlan::make(&after, at(3_601), Some(&plan));
    assert_eq!(plan.next_blackout(at(0)), Some(Blackout::around(end(2027, 6))));
}

#[test]
fn announcements_that_linger_after_the_month_are_not_for_the_next() {
    let list = quiet();
    let loud = votes(&[PLUS; 5]);
    let inputs = Inputs { list: Some(&list), votes: &loud, ..NONE };
    let plan = LeapPlan::make(&inputs, at(60), None);
    assert_eq!((suspension(&plan, end(2027, 1)), labels(&plan)), (None, vec![]));
    let plan = LeapPlan::make(&inputs, at(DAY_S), None);
    assert_eq!(suspension(&plan, end(2027, 1)), Some(Reason::Announced));
    assert_eq!(labels(&plan), ["leap-disputed", "leap-out-of-season"]);
}

#[test]
fn kernels_are_watched() {
    let list = list(&[(end(2026, 12), Insert)], at(178 * DAY_S));
    let found = |seconds, kernels: &[KernelLeap]| {
        let inputs = Inputs { list: Some(&list), kernels, ..NONE };
        labels(&LeapPlan::make(&inputs, at(seconds), None))
    };
    assert_eq!(found(-DAY_S / 2, &kernel(Some(Insert), 37)), Vec::<&str>::new());
    assert_eq!(found(-DAY_S / 2, &kernel(None, 37)), Vec::<&str>::new());
    assert_eq!(found(-1_800, &kernel(None, 37)), ["leap-kernel-not-armed"]);
    assert_eq!(found(-DAY_S / 2, &kernel(Some(Delete), 37)), ["leap-disputed"]);
    assert_eq!(found(-2 * DAY_S, &kernel(Some(Insert), 37)), ["leap-kernel-out-of-season"]);
    assert_eq!(found(-2 * DAY_S, &kernel(None, 0)), ["leap-kernel-tai"]);
    assert_eq!(found(-2 * DAY_S, &kernel(None, 36)), ["leap-kernel-tai"]);
    // It changes while the blackout lasts, and keeps its flag for a while.
    assert_eq!(found(1, &kernel(Some(Insert), 37)), Vec::<&str>::new());
    assert_eq!(found(60, &kernel(Some(Insert), 38)), Vec::<&str>::new());
    assert_eq!(found(60, &kernel(None, 37)), ["leap-kernel-tai"]);
    assert_eq!(found(3_601, &kernel(Some(Insert), 38)), ["leap-kernel-out-of-season"]);
    // Alone it is a claim; against the list a contradiction.
    let (quiet, armed) = (quiet(), kernel(Some(Insert), 37));
    let alone = LeapPlan::make(&Inputs { kernels: &armed, ..NONE }, at(-7_200), None);
    assert_eq!(suspension(&alone, end(2026, 12)), Some(Reason::Claimed));
    let against = Inputs { list: Some(&quiet), kernels: &armed, ..NONE };
    assert_eq!(suspension(&LeapPlan::make(&against, at(-7_200), None), end(2026, 12)), None);
    let late = LeapPlan::make(&against, at(-3_600), None);
    assert_eq!(suspension(&late, end(2026, 12)), Some(Reason::Disputed));
}

#[test]
fn the_plan_explains_itself() {
    let list = quiet();
    let votes = votes(&[PLUS, SILENT, SILENT]);
    let inputs = Inputs { list: Some(&list), votes: &votes, ..NONE };
    let plan = LeapPlan::make(&inputs, at(-DAY_S), None);
    let expected = "\
The list of leap seconds is good until 28 June 2027. TAI - UTC is 37 s.
31 December 2026: no leap second (the list says none). Issuing goes on.
30 June 2027: unknown (nobody says). Issuing is suspended from 23:59:58 to 00:00:02 UTC and until \
two full good rounds after: the list is missing or expires before, and no Bulletin C speaks of it.
Warning: false leap second at 31 December 2026, announced by lab0 alone.";
    assert_eq!(plan.to_string(), expected);
}

fn announcements() -> impl Strategy<Value = Vec<Announced>> {
    let one = prop::sample::select(vec![SILENT, PLUS, Announced::Leap(Delete), Announced::Both]);
    prop::collection::vec(one, 0..7)
}

proptest! {
    #[test]
    fn no_time_is_beyond_the_plan(ns in any::<i64>(), announced in announcements(), listed in any::<bool>()) {
        let (list, votes) = (quiet(), votes(&announced));
        let inputs = Inputs { list: listed.then_some(&list), votes: &votes, ..NONE };
        let now = Timestamp::from_unix_nanos(ns);
        let plan = LeapPlan::make(&inputs, now, None);
        let _ = LeapPlan::make(&inputs, now, Some(&plan)).to_string();
    }

    /// Claims may only suspend: no vote and no kernel ever takes a suspension away.
    #[test]
    fn no_claim_releases(
        seconds in -3 * DAY_S..3 * DAY_S, announced in announcements(), faults in 0usize..4,
        leap in prop::option::of(any::<bool>()), listed in any::<bool>(), armed in any::<Option<bool>>(),
    ) {
        let sign = |positive: bool| if positive { Insert } else { Delete };
        let leaps: Vec<_> = leap.map(|p| (end(2026, 12), sign(p))).into_iter().collect();
        let list = list(&leaps, at(178 * DAY_S));
        let (votes, kernels) = (votes(&announced), kernel(armed.map(sign), 37));
        let bare = Inputs { list: listed.then_some(&list), faults: Faults(faults), ..NONE };
        let full = Inputs { votes: &votes, kernels: &kernels, ..bare };
        let claimed = LeapPlan::make(&full, at(seconds), None);
        for blackout in LeapPlan::make(&bare, at(seconds), None).blackouts() {
            prop_assert!(claimed.blackouts().any(|other| other == blackout));
        }
        // And f laboratories suspend nothing by themselves.
        let loud = announced.iter().filter(|vote| **vote != SILENT).count();
        if loud <= faults && armed.is_none() {
            let without = LeapPlan::make(&bare, at(seconds), None);
            prop_assert_eq!(claimed.blackouts().count(), without.blackouts().count());
        }
    }
}
