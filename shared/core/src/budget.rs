//! The arithmetic that a configuration must satisfy before anything starts.

mod terms;

use core::fmt;

use crate::time::{Bound, GenTimeDigits, Ppb};

pub use terms::Account;

/// The figures of a lease profile; both boxes hold the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// A: the accuracy printed in tokens.
    pub accuracy: Bound,
    /// E0: a lease is granted only when the TSU is provably within this.
    pub grant_within: Bound,
    /// G: how far the clock may move against the oscillator under one lease.
    pub guard: Bound,
    /// beta: the widest bracket of a sample.
    pub bracket: Bound,
    /// rho: the oscillator error borne on both boxes.
    pub rho: Ppb,
    /// How long a lease lasts.
    pub ttl: Bound,
    /// How finely tokens print their time.
    pub digits: GenTimeDigits,
}

/// The figures that a witnessed token needs besides those of its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WitnessBudget {
    /// e_max: the widest reading of UTC, by half its width, that may confirm a batch.
    pub half_width_max: Bound,
    /// queue_max: the oldest sample that must still be confirmed.
    pub queue_max: Bound,
}

/// A budget that does not hold for witnessed tokens, with its arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct WitnessedExceeded(pub Budget, pub WitnessBudget);

/// A budget that does not hold, with its arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BudgetExceeded(pub Budget);

impl Budget {
    /// `E0 + G + rho*TTL + 2*beta + resolution`: the furthest a leased token can be from UTC.
    #[must_use]
    pub fn worst_case(&self) -> Bound {
        self.grant_within
            + self.guard
            + self.rho.over(self.ttl)
            + self.bracket.times(2)
            + self.digits.resolution()
    }

    /// Checks the leased budget.
    ///
    /// # Errors
    /// [`BudgetExceeded`] when the worst case is beyond the accuracy.
    pub fn check(&self) -> Result<(), BudgetExceeded> {
        if self.worst_case() <= self.accuracy { Ok(()) } else { Err(BudgetExceeded(*self)) }
    }
}

impl WitnessBudget {
    /// `2*e_max + queue_max + E0 + G + rho*TTL + resolution`: how far from the monitor's reading a
    /// token of a sound TSU can be.
    #[must_use]
    pub fn worst_case(&self, lease: &Budget) -> Bound {
        self.half_width_max.times(2)
            + self.queue_max
            + lease.grant_within
            + lease.guard
            + lease.rho.over(lease.ttl)
            + lease.digits.resolution()
    }

    /// Checks that the witness confirms what a sound TSU asks for in time.
    ///
    /// # Errors
    /// [`WitnessedExceeded`] when the worst case is beyond the accuracy.
    pub fn check(&self, lease: &Budget) -> Result<(), WitnessedExceeded> {
        if self.worst_case(lease) <= lease.accuracy {
            Ok(())
        } else {
            Err(WitnessedExceeded(*lease, *self))
        }
    }
}

impl fmt::Display for WitnessedExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(b, w) = self;
        write!(
            f,
            "2*e_max + queue_max + E0 + G + rho*TTL + resolution = {} + {} + {} + {} + {} + {} = {}, \
             more than the accuracy of {}",
            w.half_width_max.times(2),
            w.queue_max,
            b.grant_within,
            b.guard,
            b.rho.over(b.ttl),
            b.digits.resolution(),
            w.worst_case(b),
            b.accuracy
        )
    }
}

impl fmt::Display for BudgetExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = &self.0;
        write!(
            f,
            "E0 + G + rho*TTL + 2*beta + resolution = {} + {} + {} + {} + {} = {}, more than the \
             accuracy of {}",
            b.grant_within,
            b.guard,
            b.rho.over(b.ttl),
            b.bracket.times(2),
            b.digits.resolution(),
            b.worst_case(),
            b.accuracy
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default_column() -> Budget {
        Budget {
            accuracy: Bound::from_millis(500),
            grant_within: Bound::from_millis(125),
            guard: Bound::from_millis(5),
            bracket: Bound::from_millis(1),
            rho: Ppb::from_ppm(100),
            ttl: Bound::from_millis(3_000),
            digits: GenTimeDigits::Three,
        }
    }

    #[test]
    fn both_columns_of_the_design_hold() {
        assert_eq!(default_column().worst_case(), Bound::from_nanos(133_300_000));
        assert!(default_column().check().is_ok());
        let tight = Budget {
            accuracy: Bound::from_millis(100),
            grant_within: Bound::from_millis(25),
            ..default_column()
        };
        assert!(tight.check().is_ok());
    }

    #[test]
    fn both_columns_hold_for_witnessed_tokens() {
        let witness = WitnessBudget {
            half_width_max: Bound::from_millis(60),
            queue_max: Bound::from_millis(150),
        };
        assert_eq!(witness.worst_case(&default_column()), Bound::from_nanos(401_300_000));
        assert!(witness.check(&default_column()).is_ok());
        let tight = Budget {
            accuracy: Bound::from_millis(100),
            grant_within: Bound::from_millis(25),
            ..default_column()
        };
        assert_eq!(
            witness.check(&tight).expect_err("the default's figures").to_string(),
            "2*e_max + queue_max + E0 + G + rho*TTL + resolution = 120ms + 150ms + 25ms + 5ms + \
             300us + 1ms = 301.3ms, more than the accuracy of 100ms"
        );
        let witness = WitnessBudget {
            half_width_max: Bound::from_millis(5),
            queue_max: Bound::from_millis(50),
        };
        assert!(witness.check(&tight).is_ok());
    }

    #[test]
    fn a_broken_budget_shows_its_arithmetic() {
        let broken = Budget { grant_within: Bound::from_millis(493), ..default_column() };
        assert_eq!(
            broken.check().expect_err("too much").to_string(),
            "E0 + G + rho*TTL + 2*beta + resolution = 493ms + 5ms + 300us + 2ms + 1ms = 501.3ms, \
             more than the accuracy of 500ms"
        );
        let exact = Budget { accuracy: Bound::from_nanos(501_300_000), ..broken };
        assert!(exact.check().is_ok());
    }

    /// Whole seconds leave room in an accuracy of a second, and in no narrower one that takes all
    /// else as it is.
    #[test]
    fn whole_seconds_fit_an_accuracy_of_a_second() {
        let seconds = Budget {
            accuracy: Bound::from_millis(1_000),
            digits: GenTimeDigits::Zero,
            ..default_column()
        };
        assert_eq!(seconds.worst_case(), Bound::from_nanos(632_300_000));
        assert!(seconds.check().is_ok());
        let witness = WitnessBudget {
            half_width_max: Bound::from_millis(60),
            queue_max: Bound::from_millis(150),
        };
        assert_eq!(witness.worst_case(&seconds), Bound::from_nanos(900_300_000));
        let half = Budget { accuracy: Bound::from_millis(500), ..seconds };
        assert!(half.check().expect_err("half a second").to_string().contains("+ 500ms = 632.3ms"));
        let micros = Budget { digits: GenTimeDigits::Six, ..default_column() };
        assert_eq!(micros.worst_case(), Bound::from_nanos(132_301_000));
    }
}
