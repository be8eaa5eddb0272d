//! Lengths of time and rates.

use core::fmt;
use core::ops::{Add, Neg, Sub};

/// A signed length of time, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span into the past; what saturated arithmetic yields.
    pub const MIN: Self = Self(i64::MIN);
    /// The longest span into the future; what saturated arithmetic yields.
    pub const MAX: Self = Self(i64::MAX);

    /// A span of `ns` nanoseconds.
    #[must_use]
    pub const fn from_nanos(ns: i64) -> Self {
        Self(ns)
    }

    /// A span of `ms` milliseconds.
    #[must_use]
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// The length in nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// How far from zero, whatever the sign.
    #[must_use]
    pub const fn magnitude(self) -> Bound {
        Bound(self.0.unsigned_abs())
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Span {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", self.magnitude())
    }
}

/// An unsigned length of time, in nanoseconds: a limit, an uncertainty or an age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bound(u64);

impl Bound {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The widest bound; what saturated arithmetic yields.
    pub const MAX: Self = Self(u64::MAX);

    /// A bound of `ns` nanoseconds.
    #[must_use]
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// A bound of `ms` milliseconds.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// The length in nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The same length as a signed span.
    #[must_use]
    pub const fn as_span(self) -> Span {
        if self.0 > i64::MAX as u64 { Span::MAX } else { Span(self.0 as i64) }
    }

    /// This bound `times` over.
    #[must_use]
    pub const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Add for Bound {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Bound {
    /// In the largest unit that loses nothing up to six digits after the point: `125ms`, `0.3ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
        for (size, unit) in UNITS {
            if self.0 >= size {
                let (whole, rest) = (self.0 / size, self.0 % size);
                if rest == 0 {
                    return write!(f, "{whole}{unit}");
                }
                let digits = size.ilog10() as usize;
                let fraction = format!("{rest:0digits$}");
                return write!(f, "{whole}.{}{unit}", fraction.trim_end_matches('0'));
            }
        }
        write!(f, "{}ns", self.0)
    }
}

/// A rate error in parts per billion (1 ppm = 1000 ppb), without a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ppb(u32);

impl Ppb {
    /// A rate of `ppm` parts per million.
    #[must_use]
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(ppm.saturating_mul(1_000))
    }

    /// A rate of `ppb` parts per billion.
    #[must_use]
    pub const fn from_ppb(ppb: u32) -> Self {
        Self(ppb)
    }

    /// The rate in parts per billion.
    #[must_use]
    pub const fn as_ppb(self) -> u32 {
        self.0
    }

    /// The most that a clock of this rate error can drift over `length`, rounded up.
    #[must_use]
    pub fn over(self, length: Bound) -> Bound {
        let drift = (u128::from(length.0) * u128::from(self.0)).div_ceil(1_000_000_000);
        Bound(u64::try_from(drift).unwrap_or(u64::MAX))
    }

    /// An upper bound of `length * (1 + rho) / (1 - rho)`: how long a span that one box counts may
    /// last on another box's oscillator when both stay within this rate. `MAX` for a rate of 1 or
    /// more, where no bound exists.
    #[must_use]
    pub fn stretch(self, length: Bound) -> Bound {
        let (rate, one) = (u128::from(self.0), 1_000_000_000u128);
        if rate >= one {
            return Bound::MAX;
        }
        let stretched = (u128::from(length.0) * (one + rate)).div_ceil(one - rate);
        Bound(u64::try_from(stretched).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_rounded_up() {
        assert_eq!(Ppb::from_ppm(100).over(Bound::from_millis(3_000)), Bound::from_nanos(300_000));
        assert_eq!(Ppb::from_ppm(1).over(Bound::from_nanos(1)), Bound::from_nanos(1));
        assert_eq!(Ppb::from_ppm(1).over(Bound::ZERO), Bound::ZERO);
    }

    #[test]
    fn stretch_covers_two_opposite_oscillators() {
        let rho = Ppb::from_ppm(100);
        let ttl = Bound::from_millis(3_000);
        assert_eq!(rho.stretch(ttl), Bound::from_nanos(3_000_600_061));
        assert_eq!(Ppb::from_ppm(1_000_000).stretch(ttl), Bound::MAX);
    }

    #[test]
    fn arithmetic_saturates_outwards() {
        assert_eq!(Span::MAX + Span::from_nanos(1), Span::MAX);
        assert_eq!(-Span::MIN, Span::MAX);
        assert_eq!(Span::MIN.magnitude(), Bound::from_nanos(1 << 63));
        assert_eq!(Bound::MAX.as_span(), Span::MAX);
    }

    #[test]
    fn lengths_print_with_a_unit() {
        for (ns, text) in
            [(0, "0ns"), (300_000, "300us"), (125_000_000, "125ms"), (1_500_000_000, "1.5s")]
        {
            assert_eq!(Bound::from_nanos(ns).to_string(), text);
        }
        assert_eq!(Span::from_nanos(-2_050_000).to_string(), "-2.05ms");
    }
}
