//! UTC as the hull of what enough laboratories agree on.
//!
//! Each laboratory (a *group*) states an interval that holds UTC unless it lies. With `m` groups
//! usable and at most `f` of them lying, the truth lies in at least `m - f` of the intervals. So
//! the hull of all points that at least `m - f` intervals cover must hold it. That is a bound;
//! the largest agreeing set of RFC 5905 is only an estimate.

use crate::broken::{Condition, kept};
use crate::interval::Interval;
use crate::time::Span;

/// How many groups may lie, `f`. Fixed by configuration; it never shrinks because groups vanish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults(pub usize);

impl Faults {
    /// The fewest usable groups that a fusion needs: `2f + 1`.
    #[must_use]
    pub const fn quorum(self) -> usize {
        self.0.saturating_mul(2).saturating_add(1)
    }
}

/// What one laboratory says now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote {
    /// UTC lies in this interval, on a scale that all votes share.
    States(Interval),
    /// Its own servers contradict each other: a falseticker, yet a usable group that counts in `m`.
    Contradictory,
}

/// UTC as known from the votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fused {
    /// Holds UTC as long as at most `f` groups lie.
    pub utc: Interval,
    /// The positions, in the votes, of the groups whose interval does not meet `utc`.
    pub falsetickers: Vec<usize>,
}

/// Why UTC is not known. Neither case is ever settled by a vote among whoever is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUtc {
    /// Too few groups have a usable sample.
    #[error("quorum lost: {usable} usable groups, {required} required")]
    QuorumLost {
        /// Groups with a usable sample.
        usable: usize,
        /// `2f + 1`.
        required: usize,
    },
    /// Enough groups, but no point that `m - f` of them cover: more than `f` lie.
    #[error("no consensus: at most {best} of {usable} groups agree, {required} required")]
    NoConsensus {
        /// Groups with a usable sample.
        usable: usize,
        /// The most intervals that cover one point.
        best: usize,
        /// `m - f`.
        required: usize,
    },
}

/// Fuses the votes of all usable groups.
///
/// # Errors
/// [`NoUtc`] when there are fewer than `2f + 1` votes, or when no point lies in `m - f` intervals.
pub fn fuse(votes: &[Vote], faults: Faults) -> Result<Fused, NoUtc> {
    let usable = votes.len();
    if kept(Condition::Consensus) && usable < faults.quorum() {
        return Err(NoUtc::QuorumLost { usable, required: faults.quorum() });
    }
    let stated = stated(votes);
    let required = if kept(Condition::Consensus) {
        usable - faults.0
    } else {
        // The vote among whoever is left that this module never takes.
        stated.iter().map(|i| cover(&stated, i.lo())).max().unwrap_or(0).max(1)
    };
    let Some(utc) = hull(&stated, required) else {
        let best = stated.iter().map(|i| cover(&stated, i.lo())).max().unwrap_or(0);
        return Err(NoUtc::NoConsensus { usable, best, required });
    };
    let meets = |vote: &Vote| vote.interval().and_then(|i| i.intersection(utc)).is_some();
    let falsetickers =
        votes.iter().enumerate().filter(|(_, vote)| !meets(vote)).map(|(i, _)| i).collect();
    Ok(Fused { utc, falsetickers })
}

/// Where most votes agree. Only an estimate: it may miss the truth although at most f lie, so it
/// is there to be looked at, and nothing may rest on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The hull of the points that most intervals cover.
    pub interval: Interval,
    /// How many intervals that is.
    pub votes: usize,
}

/// The largest set of votes that agree, as RFC 5905 11.2.1 and others look for it; `None` when
/// nobody states anything.
#[must_use]
pub fn largest_agreement(votes: &[Vote]) -> Option<Agreement> {
    let stated = stated(votes);
    let most = stated.iter().map(|i| cover(&stated, i.lo())).max()?;
    hull(&stated, most).map(|interval| Agreement { interval, votes: most })
}

fn stated(votes: &[Vote]) -> Vec<Interval> {
    votes.iter().filter_map(Vote::interval).collect()
}

/// How many of the intervals hold `point`.
fn cover(stated: &[Interval], point: Span) -> usize {
    stated.iter().filter(|i| i.lo() <= point && point <= i.hi()).count()
}

/// The hull of the points that at least so many intervals cover, if there are any. The covered set
/// is a union of closed pieces; each begins at some lower end and ends at some upper end, so
/// looking at the ends alone finds its hull.
fn hull(stated: &[Interval], required: usize) -> Option<Interval> {
    let first = stated.iter().map(|i| i.lo()).filter(|&p| cover(stated, p) >= required).min()?;
    let last = stated.iter().map(|i| i.hi()).filter(|&p| cover(stated, p) >= required).max()?;
    Interval::new(first, last)
}

impl Vote {
    fn interval(&self) -> Option<Interval> {
        match self {
            Self::States(interval) => Some(*interval),
            Self::Contradictory => None,
        }
    }
}

#[cfg(test)]
mod rounds;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn states(lo: i64, hi: i64) -> Vote {
        Vote::States(interval(lo, hi))
    }

    fn interval(lo: i64, hi: i64) -> Interval {
        Interval::new(Span::from_nanos(lo), Span::from_nanos(hi)).expect("lo <= hi")
    }

    #[test]
    fn five_that_agree_give_the_hull() {
        let votes = [states(-5, 1), states(-4, 2), states(-3, 3), states(-2, 4), states(-1, 5)];
        let fused = fuse(&votes, Faults(1)).expect("consensus");
        assert_eq!(fused, Fused { utc: interval(-2, 2), falsetickers: vec![] });
    }

    #[test]
    fn one_liar_is_named_and_borne() {
        let votes = [states(500, 501), states(-1, 1), states(-1, 1), states(-1, 1), states(-2, 1)];
        let fused = fuse(&votes, Faults(1)).expect("consensus");
        assert_eq!(fused, Fused { utc: interval(-1, 1), falsetickers: vec![0] });
    }

    #[test]
    fn two_liars_end_consensus_whether_they_agree_or_not() {
        for second in [states(500, 501), states(-900, -899)] {
            let votes = [states(500, 501), second, states(-1, 1), states(-1, 1), states(-1, 1)];
            let best = NoUtc::NoConsensus { usable: 5, best: 3, required: 4 };
            assert_eq!(fuse(&votes, Faults(1)), Err(best));
        }
    }

    #[test]
    fn a_group_at_odds_with_itself_counts_as_a_liar() {
        let votes = [Vote::Contradictory, states(-1, 1), states(-1, 1), states(-1, 1)];
        assert_eq!(fuse(&votes, Faults(1)).expect("consensus").falsetickers, vec![0]);
        let votes = [Vote::Contradictory, Vote::Contradictory, states(-1, 1), states(-1, 1)];
        assert!(matches!(fuse(&votes, Faults(1)), Err(NoUtc::NoConsensus { best: 2, .. })));
    }

    #[test]
    fn too_few_groups_are_no_majority_of_the_rest() {
        let votes = [states(-1, 1), states(-1, 1)];
        assert_eq!(fuse(&votes, Faults(1)), Err(NoUtc::QuorumLost { usable: 2, required: 3 }));
        assert!(matches!(fuse(&[], Faults(0)), Err(NoUtc::QuorumLost { .. })));
    }

    /// Honest votes hold the truth (0); liars say anything.
    fn votes() -> impl Strategy<Value = (Vec<Vote>, usize)> {
        let honest = (0..1_000i64, 0..1_000i64).prop_map(|(a, b)| states(-a, b));
        let liar = prop_oneof![
            (-5_000..5_000i64, 0..2_000i64).prop_map(|(lo, width)| states(lo, lo + width)),
            Just(Vote::Contradictory),
        ];
        (1usize..4).prop_flat_map(move |f| {
            let honest = prop::collection::vec(honest.clone(), f + 1..f + 8);
            let liars = prop::collection::vec(liar.clone(), 0..=f);
            (honest, liars).prop_map(move |(honest, liars)| ([honest, liars].concat(), f))
        })
    }

    proptest! {
        /// The theorem the product stands on: with at most f liars the hull holds the truth, and
        /// reaches no further from it than the widest honest interval.
        #[test]
        fn the_hull_holds_the_truth((votes, f) in votes()) {
            match fuse(&votes, Faults(f)) {
                Ok(fused) => {
                    prop_assert!(fused.utc.lo() <= Span::ZERO && Span::ZERO <= fused.utc.hi());
                    let widest = votes.iter().filter_map(Vote::interval)
                        .filter(|i| i.lo() <= Span::ZERO && Span::ZERO <= i.hi())
                        .map(Interval::width).max().expect("an honest vote");
                    prop_assert!(fused.utc.magnitude() <= widest);
                    prop_assert!(fused.falsetickers.len() <= f);
                }
                Err(NoUtc::QuorumLost { usable, .. }) => prop_assert!(usable < 2 * f + 1),
                Err(no) => prop_assert!(false, "{no}"),
            }
        }
    }
}
