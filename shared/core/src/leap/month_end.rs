//! The ends of UTC months: leap seconds happen there and nowhere else (ITU-R TF.460-6).

use core::fmt;

use crate::time::{Span, Timestamp, Utc};

const NANOS_PER_DAY: i64 = 86_400_000_000_000;

const NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The end of a month of UTC: the instant L at which the next month begins, after the leap second
/// if there is one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonthEnd {
    /// Months from January 1970 to the month that begins at L.
    months: i32,
}

impl MonthEnd {
    /// The end of a month, with months counted from 1. `None` when there is no such month, or its
    /// end cannot be counted in 64 bits of nanoseconds since 1970 (before 1678 and after 2261).
    #[must_use]
    pub fn of(year: i32, month: u8) -> Option<Self> {
        let fits = (1678..=2261).contains(&year) && (1..=12).contains(&month);
        fits.then(|| Self { months: (year - 1970) * 12 + i32::from(month) })
    }

    /// The end of the month that `now` lies in. At L itself the next month has begun.
    #[must_use]
    pub fn containing(now: Timestamp<Utc>) -> Self {
        let (year, month) = civil_month(now.as_unix_nanos().div_euclid(NANOS_PER_DAY));
        Self { months: (year - 1970) * 12 + month }
    }

    /// The month's end that is exactly at `instant`.
    #[must_use]
    pub fn at(instant: Timestamp<Utc>) -> Option<Self> {
        let end = Self::containing(instant).previous();
        (end.instant() == instant).then_some(end)
    }

    /// L: the first instant of the next month. Saturated in the years 1677 and 2262.
    #[must_use]
    pub fn instant(self) -> Timestamp<Utc> {
        let (year, month) = (self.months.div_euclid(12) + 1970, self.months.rem_euclid(12) + 1);
        Timestamp::from_unix_nanos(days_before(year, month).saturating_mul(NANOS_PER_DAY))
    }

    /// The end of the next month.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { months: self.months + 1 }
    }

    /// The end of the month before.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self { months: self.months - 1 }
    }

    /// Whether it is the end of June or December, where all leap seconds so far have been.
    #[must_use]
    pub const fn is_half_year(self) -> bool {
        self.months.rem_euclid(6) == 0
    }

    /// From `now` to L; negative after it.
    #[must_use]
    pub fn from(self, now: Timestamp<Utc>) -> Span {
        self.instant() - now
    }
}

impl fmt::Display for MonthEnd {
    /// The last day of the month, as in `31 December 2016`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.months - 1;
        let (year, month) = (last.div_euclid(12) + 1970, last.rem_euclid(12) + 1);
        let next = (self.months.div_euclid(12) + 1970, self.months.rem_euclid(12) + 1);
        let days = days_before(next.0, next.1) - days_before(year, month);
        let name = usize::try_from(month - 1).ok().and_then(|index| NAMES.get(index));
        write!(f, "{days} {} {year}", name.unwrap_or(&"?"))
    }
}

impl fmt::Debug for MonthEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The UTC day of an instant in words, as in `28 June 2027`.
#[must_use]
pub fn date(at: Timestamp<Utc>) -> String {
    let end = MonthEnd::containing(at);
    let into_month = (at - end.previous().instant()).as_nanos();
    let last_day = end.to_string();
    let (_, month_and_year) = last_day.split_once(' ').unwrap_or_default();
    format!("{} {month_and_year}", into_month.div_euclid(NANOS_PER_DAY) + 1)
}

/// Days from 1970-01-01 to the first day of a month of the Gregorian calendar. Years begin in
/// March here, so that the leap day comes last.
fn days_before(year: i32, month: i32) -> i64 {
    let (year, month) = (i64::from(year), i64::from(month));
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9).rem_euclid(12);
    let day_of_year = (153 * from_march + 2) / 5;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// The year, and the month from 1 to 12, of a day counted from 1970-01-01.
fn civil_month(day: i64) -> (i32, i32) {
    // 400 years have 146,097 days; an estimate of the month, put right by at most two steps.
    let months = (day * 4_800).div_euclid(146_097);
    let split = |months: i64| {
        let year = i32::try_from(months.div_euclid(12) + 1970).expect("within 300 years of 1970");
        let month = i32::try_from(months.rem_euclid(12) + 1).expect("1 to 12");
        (year, month)
    };
    let begins = |months: i64| {
        let (year, month) = split(months);
        days_before(year, month)
    };
    let mut months = months;
    while begins(months) > day {
        months -= 1;
    }
    while begins(months + 1) <= day {
        months += 1;
    }
    split(months)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unix_s(end: MonthEnd) -> i64 {
        end.instant().as_unix_nanos() / 1_000_000_000
    }

    #[test]
    fn known_ends_are_where_they_belong() {
        for (year, month, seconds, text) in [
            (1971, 12, 63_072_000, "31 December 1971"),
            (1972, 6, 78_796_800, "30 June 1972"),
            (2016, 12, 1_483_228_800, "31 December 2016"),
            (2024, 2, 1_709_251_200, "29 February 2024"),
            (2036, 1, 2_085_436_800, "31 January 2036"),
            (1969, 12, 0, "31 December 1969"),
        ] {
            let end = MonthEnd::of(year, month).expect("a month");
            assert_eq!((unix_s(end), end.to_string().as_str()), (seconds, text));
        }
        assert_eq!(MonthEnd::of(2026, 13), None);
        assert_eq!(MonthEnd::of(2262, 1), None);
    }

    #[test]
    fn days_have_names() {
        for (unix_s, text) in [
            (0, "1 January 1970"),
            (1_483_228_799, "31 December 2016"),
            (1_483_228_800, "1 January 2017"),
            (1_814_140_800, "28 June 2027"),
            (-1, "31 December 1969"),
        ] {
            assert_eq!(date(Timestamp::from_unix_nanos(unix_s * 1_000_000_000)), text);
        }
    }

    #[test]
    fn june_and_december_alone_are_half_years() {
        let half_years: Vec<u8> = (1..=12)
            .filter(|&month| MonthEnd::of(2026, month).expect("a month").is_half_year())
            .collect();
        assert_eq!(half_years, [6, 12]);
    }

    #[test]
    fn the_edges_of_the_scale_do_not_overflow() {
        for ns in [i64::MIN, i64::MAX] {
            let end = MonthEnd::containing(Timestamp::from_unix_nanos(ns));
            assert_eq!(MonthEnd::at(end.previous().instant()), Some(end.previous()));
            let _ = (end.next().instant(), end.to_string());
        }
        let last = MonthEnd::containing(Timestamp::from_unix_nanos(i64::MAX));
        assert_eq!(last.instant(), Timestamp::from_unix_nanos(i64::MAX));
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_one_month(ns in any::<i64>()) {
            let now = Timestamp::from_unix_nanos(ns);
            let end = MonthEnd::containing(now);
            prop_assert!(now < end.instant() || ns == i64::MAX || end.instant().as_unix_nanos() == i64::MAX);
            prop_assert!(end.previous().instant() <= now);
            prop_assert_eq!(MonthEnd::containing(end.previous().instant()), end);
        }

        #[test]
        fn only_the_very_instant_is_an_end(months in -3_000..3_000i32, off in 1..86_400_000_000_000i64) {
            let end = MonthEnd { months };
            prop_assert_eq!(MonthEnd::at(end.instant()), Some(end));
            prop_assert_eq!(MonthEnd::at(end.instant() + Span::from_nanos(off)), None);
            prop_assert_eq!(MonthEnd::at(end.instant() + Span::from_nanos(-off)), None);
        }
    }
}
