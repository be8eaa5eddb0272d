//! The seconds without tokens, and the samples that mean nothing.

use super::month_end::MonthEnd;
use crate::interval::Interval;
use crate::time::{Bound, Span, Timestamp, Utc};

/// The closed window around an L in which nothing is issued.
///
/// It is a window of readings, not of elapsed time: in a positive leap second the readings stand
/// still or repeat within it, in a negative one they skip a second of it. In either case the change
/// itself happens between the readings L - 1 s and L, well inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blackout {
    end: MonthEnd,
}

impl Blackout {
    /// How far it reaches on either side of L: one second for a clock that has not stepped yet, and
    /// one second for everything else.
    pub const MARGIN: Bound = Bound::from_millis(2_000);

    /// The blackout around the end of a month.
    #[must_use]
    pub const fn around(end: MonthEnd) -> Self {
        Self { end }
    }

    /// The blackout from one reading to the other, if that is one.
    #[must_use]
    pub fn between(from: Timestamp<Utc>, until: Timestamp<Utc>) -> Option<Self> {
        let blackout = Self::around(MonthEnd::at(from + Self::MARGIN.as_span())?);
        (blackout.from() == from && blackout.until() == until).then_some(blackout)
    }

    /// The month's end that it surrounds.
    #[must_use]
    pub const fn end(self) -> MonthEnd {
        self.end
    }

    /// Its first reading.
    #[must_use]
    pub fn from(self) -> Timestamp<Utc> {
        self.end.instant() + -Self::MARGIN.as_span()
    }

    /// Its last reading.
    #[must_use]
    pub fn until(self) -> Timestamp<Utc> {
        self.end.instant() + Self::MARGIN.as_span()
    }

    /// Whether any instant of `utc`, an interval of spans since 1970, lies in it. A reading that is
    /// known to within e is covered when [reading - e, reading + e] is.
    #[must_use]
    pub fn covers(self, utc: Interval) -> bool {
        meets(utc, self.from(), self.until())
    }

    /// Whether a genTime or another exact reading lies in it.
    #[must_use]
    pub fn covers_reading(self, reading: Timestamp<Utc>) -> bool {
        (self.from()..=self.until()).contains(&reading)
    }
}

/// How far from L readings are ambiguous: a clock may show the leap second as L - 1 s once more, as
/// L twice, or step a second late.
pub const AMBIGUOUS: Bound = Bound::from_millis(1_000);

/// Whether something measured over `life` is worthless because of the end of a month. `life` is an
/// interval of spans since 1970, by the measurement's own account: from the earliest UTC at which
/// its exchange began to the latest UTC at which it is used. One that lies wholly before L - 1 s or
/// wholly after L + 1 s survives; its difference of UTC and RAW is then that of one side alone.
#[must_use]
pub fn straddles(end: MonthEnd, life: Interval) -> bool {
    let (l, margin) = (end.instant(), AMBIGUOUS.as_span());
    meets(life, l + -margin, l + margin)
}

fn meets(utc: Interval, from: Timestamp<Utc>, until: Timestamp<Utc>) -> bool {
    let span = |at: Timestamp<Utc>| Span::from_nanos(at.as_unix_nanos());
    utc.lo() <= span(until) && span(from) <= utc.hi()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leap::LeapSign;
    use crate::time::{GenTime, GenTimeDigits};
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    fn ends() -> [MonthEnd; 4] {
        // An ordinary one, the first after NTP era 0, and the two at the edges of 64 bits.
        let edge = |ns| MonthEnd::containing(Timestamp::from_unix_nanos(ns));
        let of = |year, month| MonthEnd::of(year, month).expect("a month");
        [of(2026, 12), of(2036, 2), edge(i64::MIN), edge(i64::MAX).previous()]
    }

    fn interval(lo: i64, hi: i64) -> Interval {
        Interval::new(Span::from_nanos(lo), Span::from_nanos(hi)).expect("lo <= hi")
    }

    /// How a clock that shows UTC labels `elapsed` nanoseconds since the reading L - 5 s, when a
    /// leap second of this sign happens, by each way that clocks have to show an inserted second.
    fn readings(end: MonthEnd, sign: LeapSign, elapsed: i64) -> Vec<i64> {
        let l = end.instant().as_unix_nanos();
        let plain = l - 5_000 * MS + elapsed;
        match sign {
            LeapSign::Delete => {
                vec![if plain < l - 1_000 * MS { plain } else { plain + 1_000 * MS }]
            }
            LeapSign::Insert if plain < l => vec![plain],
            // 23:59:60 itself: 23:59:59 once more, 00:00:00 already, or standing still.
            LeapSign::Insert if plain < l + 1_000 * MS => vec![plain - 1_000 * MS, plain, l],
            LeapSign::Insert => vec![plain - 1_000 * MS],
        }
    }

    /// Every millisecond from 5 s before to 7 s after, for each way of showing it, exact and known
    /// to within 1 ms only: covered from the first reading of the window to the last.
    #[test]
    fn every_millisecond_of_a_leap_second_is_covered() {
        let end = ends()[0];
        let (blackout, l) = (Blackout::around(end), end.instant().as_unix_nanos());
        for sign in [LeapSign::Insert, LeapSign::Delete] {
            let mut covered = 0;
            for elapsed_ms in 0..12_000 {
                for reading in readings(end, sign, elapsed_ms * MS) {
                    let inside = (reading - l).abs() <= 2_000 * MS;
                    let at = Timestamp::from_unix_nanos(reading);
                    assert_eq!(blackout.covers_reading(at), inside, "{sign}, {elapsed_ms} ms");
                    assert_eq!(blackout.covers(interval(reading, reading)), inside);
                    let near = (reading - l).abs() <= 2_001 * MS;
                    assert_eq!(blackout.covers(interval(reading - MS, reading + MS)), near);
                    covered += u32::from(inside);
                }
            }
            // 4 s of readings and their last instant; one second more or less in elapsed time, and
            // two readings more for each millisecond of an inserted second.
            let expected = if sign == LeapSign::Insert { 4_001 + 3_000 } else { 3_001 };
            assert_eq!(covered, expected, "{sign}");
        }
    }

    /// While a clock that has not stepped is wrong by a second, what it shows is either covered or
    /// so far away that the verdict has had its time: the second itself never gets out.
    #[test]
    fn the_change_itself_lies_well_inside_for_a_clock_that_is_a_second_off() {
        for end in ends() {
            let blackout = Blackout::around(end);
            for off_ms in -1_000..=1_000 {
                let at = end.instant() + Span::from_millis(off_ms);
                assert!(blackout.covers_reading(at), "{end} {off_ms}");
            }
        }
    }

    /// Cutting a reading to a millisecond cannot carry it out of the window's far end.
    #[test]
    fn a_gen_time_of_a_covered_reading_is_covered() {
        let blackout = Blackout::around(ends()[0]);
        for ns in [0, 1, 999_999] {
            let until = blackout.until() + Span::from_nanos(-ns);
            let cut = GenTime::at(until, GenTimeDigits::Three).as_unix_nanos();
            assert!(blackout.covers_reading(Timestamp::from_unix_nanos(cut)));
        }
    }

    #[test]
    fn what_touches_the_ambiguous_seconds_straddles() {
        for end in ends() {
            let l = end.instant().as_unix_nanos();
            let at = |ms: i64| l.saturating_add(ms * MS);
            for (from_ms, to_ms, worthless) in [
                (-9_000, -1_001, false),
                (-9_000, -1_000, true),
                (-9_000, 9_000, true),
                (-1, 1, true),
                (1_000, 9_000, true),
                (1_001, 9_000, false),
            ] {
                let life = interval(at(from_ms), at(to_ms));
                assert_eq!(straddles(end, life), worthless, "{end}: {from_ms} to {to_ms}");
            }
        }
        assert!(straddles(ends()[1], interval(i64::MIN, i64::MAX)));
    }

    /// The negative control of the property below: across L the offset of before is wrong, by one
    /// second for either sign, and the rule is what keeps such a sample out.
    #[test]
    fn without_the_rule_a_sample_is_off_by_a_second() {
        let end = ends()[0];
        for (sign, off_ms) in [(LeapSign::Insert, -1_000), (LeapSign::Delete, 1_000)] {
            let first = readings(end, sign, 3_000 * MS)[0];
            let believed = first + 6_000 * MS;
            assert_eq!(readings(end, sign, 9_000 * MS), vec![believed + off_ms * MS]);
            assert!(straddles(end, interval(first, believed)), "{sign}");
        }
    }

    proptest! {
        /// An honest sample that is used on the other side of L would be off by a second. It is
        /// taken at one reading and used at a later one, both by the offset of the first.
        #[test]
        fn a_sample_in_use_is_right_on_its_side(
            which in 0usize..4, insert in any::<bool>(), taken in 0..12_000i64, age in 0..12_000i64,
            radius in 0..500i64,
        ) {
            let end = ends()[which];
            let sign = if insert { LeapSign::Insert } else { LeapSign::Delete };
            prop_assume!(end.instant().as_unix_nanos().checked_sub(6_000 * MS).is_some());
            prop_assume!(end.instant().as_unix_nanos().checked_add(30_000 * MS).is_some());
            let used = taken + age;
            for first in readings(end, sign, taken * MS) {
                let believed = first + age * MS;
                let life = interval(first - radius * MS, believed + radius * MS);
                if !straddles(end, life) {
                    prop_assert_eq!(readings(end, sign, used * MS), vec![believed]);
                }
            }
        }

        #[test]
        fn covers_agrees_with_plain_comparison(a in any::<i64>(), b in any::<i64>(), which in 0usize..4) {
            let (lo, hi) = (a.min(b), a.max(b));
            let blackout = Blackout::around(ends()[which]);
            let (from, until) = (blackout.from().as_unix_nanos(), blackout.until().as_unix_nanos());
            let apart = hi < from || until < lo;
            prop_assert_eq!(blackout.covers(interval(lo, hi)), !apart);
        }
    }
}
