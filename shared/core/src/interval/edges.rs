//! Intervals where numbers end: all of i64, and the ends of NTP eras.

use super::*;
use proptest::prelude::*;

fn of(a: i64, b: i64) -> Interval {
    Interval::new(Span::from_nanos(a.min(b)), Span::from_nanos(a.max(b))).expect("in order")
}

fn holds(interval: Interval, ns: i64) -> bool {
    interval.lo().as_nanos() <= ns && ns <= interval.hi().as_nanos()
}

/// Any number, those where arithmetic ends more often than by chance.
fn number() -> impl Strategy<Value = i64> {
    /// 2036-02-07 06:28:16 UTC, where NTP era 1 begins, in nanoseconds since 1970.
    const ERA_1: i64 = 2_085_978_496_000_000_000;
    let near = |edge: i64| (-3..=3i64).prop_map(move |by| edge.saturating_add(by));
    prop_oneof![any::<i64>(), near(i64::MIN), near(i64::MAX), near(0), near(ERA_1)]
}

fn part_of(interval: Interval, part: u64) -> i64 {
    let width = interval.width().as_nanos();
    let by = if width == u64::MAX { part } else { part % (width + 1) };
    interval.lo().as_nanos().saturating_add_unsigned(by)
}

proptest! {
    /// Nothing that an interval holds gets lost when it is widened, moved or cut, as long as there
    /// is a number for it.
    #[test]
    fn nothing_gets_lost(
        a in number(), b in number(), c in number(), d in number(), part in any::<u64>(),
        by in number(), bound in any::<u64>(),
    ) {
        let (one, other) = (of(a, b), of(c, d));
        let inside = part_of(one, part);
        prop_assert!(holds(one, inside));
        prop_assert!(one.is_inside(one.widened(Bound::from_nanos(bound))));
        if let Some(moved) = inside.checked_add(by) {
            prop_assert!(holds(one.shifted(Span::from_nanos(by)), moved));
        }
        prop_assert!(one.is_inside(one.hull(other)) && other.is_inside(one.hull(other)));
        let both = holds(one, inside) && holds(other, inside);
        let common = one.intersection(other);
        prop_assert_eq!(common.is_some_and(|common| holds(common, inside)), both);
        if let Some(common) = common {
            prop_assert!(common.is_inside(one) && common.is_inside(other));
        }
    }

    /// Middle and half-width say no less than the ends.
    #[test]
    fn the_middle_and_the_half_width_cover_the_whole(
        a in number(), b in number(), part in any::<u64>(),
    ) {
        let interval = of(a, b);
        let (middle, inside) = (interval.midpoint().as_nanos(), part_of(interval, part));
        prop_assert!(holds(interval, middle));
        prop_assert!(inside.abs_diff(middle) <= interval.half_width().as_nanos());
        prop_assert!(inside.unsigned_abs() <= interval.magnitude().as_nanos());
    }
}
