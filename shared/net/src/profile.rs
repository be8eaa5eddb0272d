//! The `[lease]` figures that both boxes' configurations hold, with their defaults and the check
//! of the budget.

use chronolease_core::budget::{Budget, WitnessBudget};
use chronolease_core::time::{Bound, GenTimeDigits, Ppb};

use crate::config::Section;

/// The accuracy that EN 319 421 TIS-7.7.2-03 asks for at least.
const ACCURACY_MAX: Bound = Bound::from_millis(1_000);

/// What asks that a genTime, as it is printed, is within the accuracy that its token states.
const TIME_WITHIN_ACCURACY: &str = "EN 319 421 TIS-7.7.1-05 and -06, EN 319 422 5.2.2";

/// Reads what a witnessed token needs besides from the `[lease]` section. When it does not hold
/// with `budget`, if there is one to check, it is an error at `interval_max`, with the arithmetic.
#[must_use]
pub fn witness(lease: &Section<'_>, budget: Option<&Budget>) -> Option<WitnessBudget> {
    let half_width_max = lease.duration_or("interval_max", Bound::from_millis(60));
    let queue_max = lease.duration_or("queue_max", Bound::from_millis(150));
    let witness = WitnessBudget { half_width_max: half_width_max?, queue_max: queue_max? };
    // A budget that does not hold for a lease was told already.
    if let Some(budget) = budget.filter(|budget| budget.check().is_ok())
        && let Err(broken) = witness.check(budget)
    {
        lease.error("interval_max", format!("{broken} ({TIME_WITHIN_ACCURACY})"));
    }
    Some(witness)
}

/// Reads the budget of a leased token from the `[lease]` section. A budget that does not hold is
/// an error at `accuracy`, with the arithmetic.
#[must_use]
pub fn budget(lease: &Section<'_>) -> Option<Budget> {
    let accuracy = lease.duration_or("accuracy", Bound::from_millis(500));
    let grant_within = lease.duration_or("grant_within", Bound::from_millis(125));
    let guard = lease.duration_or("guard", Bound::from_millis(5));
    let bracket = lease.duration_or("bracket", Bound::from_millis(1));
    let rho_ppm = lease.integer_or("rho_ppm", 1..=1_000, 100);
    let ttl = lease.duration_or("ttl", Bound::from_millis(3_000));
    let digits = digits(lease);

    let rho = Ppb::from_ppm(u32::try_from(rho_ppm?).ok()?);
    let budget = Budget {
        accuracy: accuracy?,
        grant_within: grant_within?,
        guard: guard?,
        bracket: bracket?,
        rho,
        ttl: ttl?,
        digits: digits?,
    };
    if budget.ttl == Bound::ZERO {
        lease.error("ttl", "a lease must last for some time");
    }
    if budget.bracket == Bound::ZERO {
        lease.error("bracket", "reading a clock takes some time, so no sample would do");
    }
    if budget.accuracy > ACCURACY_MAX {
        let message = "EN 319 421 TIS-7.7.2-03 asks for an accuracy of 1s or better";
        lease.error("accuracy", message);
    } else if let Err(broken) = budget.check() {
        lease.error("accuracy", format!("{broken} ({TIME_WITHIN_ACCURACY})"));
    }
    Some(budget)
}

fn digits(lease: &Section<'_>) -> Option<GenTimeDigits> {
    const KEY: &str = "gen_time_digits";
    let count = lease.integer_or(KEY, 0..=6, 3)?;
    let digits = GenTimeDigits::from_count(count.unsigned_abs());
    if digits.is_none() {
        lease.error(KEY, "a genTime has 0, 3 or 6 digits of a second (EN 319 422 5.2.2)");
    }
    digits
}
