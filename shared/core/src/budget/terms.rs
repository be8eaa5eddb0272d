//! The budget, term by term, for a person.

use core::fmt;

use super::{Budget, WitnessBudget};
use crate::time::Bound;

/// A sum with the names of its terms. It prints as a small table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What it is about.
    pub title: String,
    /// Each term and its length.
    pub terms: Vec<(&'static str, Bound)>,
    /// What the terms together may not exceed, and its name.
    pub limit: (&'static str, Bound),
}

impl Account {
    /// All terms together.
    #[must_use]
    pub fn sum(&self) -> Bound {
        self.terms.iter().fold(Bound::ZERO, |sum, (_, term)| sum + *term)
    }
}

impl Budget {
    /// What a leased token can be off by.
    #[must_use]
    pub fn account(&self) -> Account {
        Account {
            title: "a token under a lease alone".to_owned(),
            terms: vec![
                ("E0: granted when the TSU is provably within", self.grant_within),
                ("G: its clock against its oscillator, under one lease", self.guard),
                ("rho*TTL: its oscillator, under one lease", self.rho.over(self.ttl)),
                ("2*beta: how long its clock takes to read, twice", self.bracket.times(2)),
                ("resolution of genTime", self.digits.resolution()),
            ],
            limit: ("A: accuracy", self.accuracy),
        }
    }
}

impl WitnessBudget {
    /// How far from the monitor's reading of UTC a token of a sound TSU can be.
    #[must_use]
    pub fn account(&self, lease: &Budget) -> Account {
        Account {
            title: "a token of a sound TSU, when the monitor confirms it".to_owned(),
            terms: vec![
                ("2*e_max: the monitor's reading of UTC", self.half_width_max.times(2)),
                ("queue_max: the oldest sample that is asked about", self.queue_max),
                ("E0: granted when the TSU is provably within", lease.grant_within),
                ("G: its clock against its oscillator, under one lease", lease.guard),
                ("rho*TTL: its oscillator, under one lease", lease.rho.over(lease.ttl)),
                ("resolution of genTime", lease.digits.resolution()),
            ],
            limit: ("A: accuracy", lease.accuracy),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:", self.title)?;
        for (name, length) in &self.terms {
            writeln!(f, "  {name:<56} {:>12}", length.to_string())?;
        }
        writeln!(f, "  {:<56} {:>12}", "worst case", self.sum().to_string())?;
        let (name, limit) = self.limit;
        write!(f, "  {name:<56} {:>12}", limit.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{GenTimeDigits, Ppb};

    #[test]
    fn the_accounts_are_those_that_are_checked() {
        let budget = Budget {
            accuracy: Bound::from_millis(500),
            grant_within: Bound::from_millis(125),
            guard: Bound::from_millis(5),
            bracket: Bound::from_millis(1),
            rho: Ppb::from_ppm(100),
            ttl: Bound::from_millis(3_000),
            digits: GenTimeDigits::Three,
        };
        let witness = WitnessBudget {
            half_width_max: Bound::from_millis(60),
            queue_max: Bound::from_millis(150),
        };
        assert_eq!(budget.account().sum(), budget.worst_case());
        assert_eq!(witness.account(&budget).sum(), witness.worst_case(&budget));
        let told = budget.account().to_string();
        for (name, length) in [
            ("E0", "125ms"),
            ("G:", "5ms"),
            ("rho*TTL", "300us"),
            ("2*beta", "2ms"),
            ("worst case", "133.3ms"),
            ("A: accuracy", "500ms"),
        ] {
            let told = told.lines().find(|line| line.contains(name));
            assert!(told.is_some_and(|line| line.ends_with(length)), "{name} {length}");
        }
    }
}
