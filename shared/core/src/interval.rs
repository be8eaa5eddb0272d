//! Closed intervals of spans. Every statement about UTC is one.

use core::fmt;

use crate::time::{Bound, Span};

/// All spans from `lo` to `hi`, both included; never empty.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    lo: Span,
    hi: Span,
}

impl Interval {
    /// The interval from `lo` to `hi`, or `None` when that is empty.
    #[must_use]
    pub fn new(lo: Span, hi: Span) -> Option<Self> {
        (lo <= hi).then_some(Self { lo, hi })
    }

    /// Everything within `radius` of zero.
    #[must_use]
    pub fn within(radius: Bound) -> Self {
        Self { lo: -radius.as_span(), hi: radius.as_span() }
    }

    /// The lower end.
    #[must_use]
    pub const fn lo(self) -> Span {
        self.lo
    }

    /// The upper end.
    #[must_use]
    pub const fn hi(self) -> Span {
        self.hi
    }

    /// From end to end.
    #[must_use]
    pub fn width(self) -> Bound {
        Bound::from_nanos(self.hi.as_nanos().abs_diff(self.lo.as_nanos()))
    }

    /// Half the width, rounded up: the `e` of a statement `midpoint +- e`.
    #[must_use]
    pub fn half_width(self) -> Bound {
        Bound::from_nanos(self.width().as_nanos().div_ceil(2))
    }

    /// The middle, rounded towards `lo`.
    #[must_use]
    pub fn midpoint(self) -> Span {
        let half = self.width().as_nanos() / 2;
        Span::from_nanos(self.lo.as_nanos().saturating_add_unsigned(half))
    }

    /// The interval with both ends moved outwards by `by`.
    #[must_use]
    pub fn widened(self, by: Bound) -> Self {
        Self { lo: self.lo - by.as_span(), hi: self.hi + by.as_span() }
    }

    /// The interval moved as a whole.
    #[must_use]
    pub fn shifted(self, by: Span) -> Self {
        Self { lo: self.lo + by, hi: self.hi + by }
    }

    /// Every sum of a span of this interval and one of the other.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { lo: self.lo + other.lo, hi: self.hi + other.hi }
    }

    /// What both intervals hold, or `None` when they do not meet.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.lo.max(other.lo), self.hi.min(other.hi))
    }

    /// The smallest interval that holds both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// Whether every span of this interval lies in `other`.
    #[must_use]
    pub fn is_inside(self, other: Self) -> bool {
        other.lo <= self.lo && self.hi <= other.hi
    }

    /// The largest distance from zero of any span in the interval.
    #[must_use]
    pub fn magnitude(self) -> Bound {
        self.lo.magnitude().max(self.hi.magnitude())
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.lo, self.hi)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod edges;

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(lo: i64, hi: i64) -> Interval {
        Interval::new(Span::from_nanos(lo), Span::from_nanos(hi)).expect("lo <= hi")
    }

    #[test]
    fn an_empty_interval_cannot_be_made() {
        assert_eq!(Interval::new(Span::from_nanos(1), Span::ZERO), None);
    }

    #[test]
    fn the_half_width_never_understates() {
        assert_eq!(interval(-1, 2).half_width(), Bound::from_nanos(2));
        assert_eq!(interval(-1, 2).midpoint(), Span::ZERO);
        assert_eq!(interval(-5, -1).magnitude(), Bound::from_nanos(5));
    }

    #[test]
    fn intersections_touch_at_a_point() {
        assert_eq!(interval(0, 5).intersection(interval(5, 9)), Some(interval(5, 5)));
        assert_eq!(interval(0, 4).intersection(interval(5, 9)), None);
        assert!(interval(1, 2).is_inside(interval(1, 2)));
        assert!(!interval(1, 3).is_inside(interval(1, 2)));
    }
}
