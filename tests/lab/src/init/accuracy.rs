//! The accuracy that a lab's tokens claim, and the limits that follow from it.

use std::fmt;
use std::str::FromStr;

use chronolease_core::time::Bound;

/// An accuracy in whole milliseconds, 1 ms to 1 s (the most that EN 319 421 allows).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accuracy {
    ms: u16,
}

/// Why a text is no accuracy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a whole number of milliseconds from 1ms to 1000ms, such as 500ms")]
pub struct AccuracyError(String);

impl Accuracy {
    /// What a lab claims when nothing else is asked for. Two busy cores can keep it.
    pub const DEFAULT: Self = Self { ms: 500 };

    /// The accuracy itself.
    #[must_use]
    pub const fn bound(self) -> Bound {
        Bound::from_millis(self.ms as u64)
    }

    /// E0: a lease is granted only to a TSU that is provably within this much of UTC.
    #[must_use]
    pub const fn grant_within(self) -> Bound {
        Bound::from_nanos(self.bound().as_nanos() / 4)
    }

    /// E_bad: a TSU that is provably further off than this loses its lease.
    #[must_use]
    pub const fn revoke_beyond(self) -> Bound {
        Bound::from_nanos(self.bound().as_nanos() / 2)
    }

    /// e_max: the widest reading of UTC, by half its width, that may confirm a batch. The columns
    /// of the design differ in the share that they give it.
    #[must_use]
    pub const fn interval_max(self) -> Bound {
        let share = if self.is_tight() { 50 } else { 120 };
        Bound::from_nanos(self.bound().as_nanos() / 1_000 * share)
    }

    /// queue_max: the oldest sample that must still be confirmed.
    #[must_use]
    pub const fn queue_max(self) -> Bound {
        let share = if self.is_tight() { 500 } else { 300 };
        Bound::from_nanos(self.bound().as_nanos() / 1_000 * share)
    }

    const fn is_tight(self) -> bool {
        self.ms < 300
    }
}

impl FromStr for Accuracy {
    type Err = AccuracyError;

    fn from_str(text: &str) -> Result<Self, AccuracyError> {
        text.strip_suffix("ms")
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|ms| (1..=1_000).contains(ms))
            .map(|ms| Self { ms })
            .ok_or_else(|| AccuracyError(text.to_owned()))
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_columns_of_the_design() {
        let tight: Accuracy = "100ms".parse().expect("the tight column");
        assert_eq!(tight.grant_within(), Bound::from_millis(25));
        assert_eq!(tight.revoke_beyond(), Bound::from_millis(50));
        assert_eq!(tight.interval_max(), Bound::from_millis(5));
        assert_eq!(tight.queue_max(), Bound::from_millis(50));
        assert_eq!(Accuracy::DEFAULT.interval_max(), Bound::from_millis(60));
        assert_eq!(Accuracy::DEFAULT.queue_max(), Bound::from_millis(150));
        assert_eq!(Accuracy::DEFAULT.grant_within(), Bound::from_millis(125));
        assert_eq!("500ms".parse(), Ok(Accuracy::DEFAULT));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in ["", "ms", "500", "0ms", "1001ms", "+5ms", "-5ms", "0.5ms", "1s", "99999ms"] {
            assert_eq!(text.parse::<Accuracy>(), Err(AccuracyError(text.to_owned())), "{text}");
        }
    }
}
