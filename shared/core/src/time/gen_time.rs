//! The genTime of a token.

use super::{Bound, Timestamp, Utc};

const SECOND_NS: i64 = 1_000_000_000;
const MILLI_NS: i64 = 1_000_000;
const MICRO_NS: i64 = 1_000;

/// How many digits of a second a genTime can have (EN 319 422 5.2.2). Zeros at its end are not
/// printed (RFC 3161 2.4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GenTimeDigits {
    /// Whole seconds, to the nearest: cutting off up to a second would leave nothing of the widest
    /// accuracy that a token may state, which is one second.
    Zero,
    /// Milliseconds, cut off.
    #[default]
    Three,
    /// Microseconds, cut off.
    Six,
}

impl GenTimeDigits {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Zero, Self::Three, Self::Six];

    /// The choice with `count` digits, if it is one.
    #[must_use]
    pub const fn from_count(count: u64) -> Option<Self> {
        match count {
            0 => Some(Self::Zero),
            3 => Some(Self::Three),
            6 => Some(Self::Six),
            _ => None,
        }
    }

    /// How many digits.
    #[must_use]
    pub const fn count(self) -> u64 {
        match self {
            Self::Zero => 0,
            Self::Three => 3,
            Self::Six => 6,
        }
    }

    /// The step in which a genTime counts.
    #[must_use]
    pub const fn step(self) -> Bound {
        Bound::from_nanos(self.step_ns().unsigned_abs())
    }

    /// How far printing may move a reading, either way: its share of the accuracy.
    #[must_use]
    pub const fn resolution(self) -> Bound {
        match self {
            Self::Zero => Bound::from_millis(500),
            Self::Three | Self::Six => self.step(),
        }
    }

    /// How much later than its reading a genTime may be.
    #[must_use]
    pub const fn ahead(self) -> Bound {
        match self {
            Self::Zero => Bound::from_millis(500),
            Self::Three | Self::Six => Bound::ZERO,
        }
    }

    const fn step_ns(self) -> i64 {
        match self {
            Self::Zero => SECOND_NS,
            Self::Three => MILLI_NS,
            Self::Six => MICRO_NS,
        }
    }
}

/// A time as a token prints it (RFC 3161 2.4.2 `genTime`), in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenTime {
    /// A multiple of a microsecond.
    unix_ns: i64,
}

impl GenTime {
    /// `reading` as it is printed with `digits`.
    #[must_use]
    pub const fn at(reading: Timestamp<Utc>, digits: GenTimeDigits) -> Self {
        let step = digits.step_ns();
        let half = match digits {
            GenTimeDigits::Zero => step / 2,
            GenTimeDigits::Three | GenTimeDigits::Six => 0,
        };
        let ns = reading.as_unix_nanos().saturating_add(half);
        // Toward the past, also before 1970. The first step of all is not whole, so saturate.
        let cut = ns.saturating_sub(ns.rem_euclid(step));
        Self { unix_ns: if cut % step == 0 { cut } else { cut - cut % step } }
    }

    /// The genTime `unix_ns` nanoseconds after 1970-01-01 00:00:00 UTC; `None` when that is not in
    /// whole microseconds, which no genTime is finer than.
    #[must_use]
    pub const fn from_unix_nanos(unix_ns: i64) -> Option<Self> {
        if unix_ns % MICRO_NS == 0 { Some(Self { unix_ns }) } else { None }
    }

    /// Nanoseconds since 1970-01-01 00:00:00 UTC, in whole microseconds.
    #[must_use]
    pub const fn as_unix_nanos(self) -> i64 {
        self.unix_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use GenTimeDigits::{Six, Three, Zero};
    use proptest::prelude::*;

    #[test]
    fn fractions_are_cut_and_whole_seconds_are_the_nearest() {
        for (digits, ns, printed) in [
            (Three, 0, 0),
            (Three, 999_999, 0),
            (Three, 1_000_000, 1_000_000),
            (Three, -1, -1_000_000),
            (Three, -1_000_000, -1_000_000),
            (Six, 999, 0),
            (Six, 1_000, 1_000),
            (Six, -1, -1_000),
            (Zero, 499_999_999, 0),
            (Zero, 500_000_000, SECOND_NS),
            (Zero, -500_000_000, 0),
            (Zero, -500_000_001, -SECOND_NS),
        ] {
            let gen_time = GenTime::at(Timestamp::from_unix_nanos(ns), digits);
            assert_eq!(gen_time.as_unix_nanos(), printed, "{digits:?} {ns}");
        }
    }

    #[test]
    fn a_gen_time_is_whole_microseconds() {
        assert_eq!(GenTime::from_unix_nanos(-1_000).map(GenTime::as_unix_nanos), Some(-1_000));
        assert_eq!(GenTime::from_unix_nanos(1_001), None);
        for digits in GenTimeDigits::ALL {
            assert_eq!(GenTimeDigits::from_count(digits.count()), Some(digits));
        }
        assert_eq!(GenTimeDigits::from_count(1), None);
    }

    proptest! {
        /// The budget's share for printing is enough, and order is kept.
        #[test]
        fn printing_moves_a_reading_by_the_resolution_at_most(
            ns in -8_000_000_000_000_000_000..8_000_000_000_000_000_000i64,
            later in 0i64..3_000_000_000,
            digits in prop::sample::select(&GenTimeDigits::ALL[..]),
        ) {
            let at = |ns| GenTime::at(Timestamp::from_unix_nanos(ns), digits);
            let printed = i128::from(at(ns).as_unix_nanos());
            let moved = printed - i128::from(ns);
            prop_assert!(moved.unsigned_abs() <= u128::from(digits.resolution().as_nanos()));
            prop_assert!(moved <= i128::from(digits.ahead().as_nanos()));
            prop_assert_eq!(printed % i128::from(digits.step_ns()), 0);
            prop_assert!(at(ns) <= at(ns.saturating_add(later)));
        }
    }
}
