//! A million random rounds of votes, against what is promised of the hull.
//!
//! Four tests of 250,000 rounds each, so that they run beside one another. Everything is drawn from
//! a seed, so a round that fails fails again.

use super::*;
use crate::time::Bound;

const ROUNDS: u32 = 250_000;

/// `SplitMix64`: small, and good enough to be unfair with.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n as u64).expect("below n")
    }

    /// From nothing to about `2^bits` nanoseconds, small ones as often as large ones.
    fn length(&mut self) -> i64 {
        let bits = self.below(40);
        (self.roll() >> (63 - bits)).cast_signed()
    }

    fn signed(&mut self) -> i64 {
        let length = self.length();
        if self.roll() & 1 == 0 { length } else { -length }
    }
}

/// What was voted, and by whom honestly. The truth is `truth`.
struct Ballot {
    votes: Vec<Vote>,
    honest: Vec<Interval>,
    truth: Span,
    faults: Faults,
}

/// `m` votes of which `liars` lie, as they like: far off, near the truth, at an edge of an honest
/// interval, wider than all of them, or in contradiction to themselves.
fn ballot(dice: &mut Dice, faults: usize, m: usize, liars: usize) -> Ballot {
    // As UTC - RAW is: a length of decades.
    let truth = 1_790_000_000_000_000_000 + dice.signed();
    let interval = |lo, hi| Interval::new(Span::from_nanos(lo), Span::from_nanos(hi));
    let honest: Vec<Interval> = (liars..m)
        .map(|_| interval(truth - dice.length(), truth + dice.length()).expect("in order"))
        .collect();
    let mut votes: Vec<Vote> = honest.iter().copied().map(Vote::States).collect();
    for _ in 0..liars {
        let lie = match dice.below(5) {
            0 => Vote::Contradictory,
            1 => {
                let lo = truth + dice.signed();
                Vote::States(interval(lo, lo + dice.length()).expect("in order"))
            }
            2 => Vote::States(interval(i64::MIN, i64::MAX).expect("in order")),
            side => {
                let edge = honest[dice.below(honest.len())];
                let (lo, hi) = (edge.lo().as_nanos(), edge.hi().as_nanos());
                let width = dice.length();
                let at = if side == 3 { (lo - width, lo) } else { (hi, hi + width) };
                Vote::States(interval(at.0, at.1).expect("in order"))
            }
        };
        let place = dice.below(votes.len() + 1);
        votes.insert(place, lie);
    }
    Ballot { votes, honest, truth: Span::from_nanos(truth), faults: Faults(faults) }
}

impl Ballot {
    fn widest_honest(&self) -> Bound {
        self.honest.iter().map(|interval| interval.width()).max().unwrap_or(Bound::ZERO)
    }

    /// How far the further edge of `utc` is from the truth.
    fn furthest(&self, utc: Interval) -> Bound {
        utc.shifted(-self.truth).magnitude()
    }
}

/// With at most f liars the hull is there, holds the truth, and reaches no further from it than the
/// widest honest interval.
fn at_most_f_lie(seed: u64) {
    let mut dice = Dice(seed);
    for round in 0..ROUNDS {
        let faults = dice.below(4);
        let m = 2 * faults + 1 + dice.below(6);
        let liars = dice.below(faults + 1);
        let ballot = ballot(&mut dice, faults, m, liars);
        let fused = fuse(&ballot.votes, ballot.faults).expect("at most f lie");
        let holds = fused.utc.lo() <= ballot.truth && ballot.truth <= fused.utc.hi();
        assert!(holds, "round {round} of {seed}: {:?} of {:?}", fused.utc, ballot.votes);
        let (furthest, widest) = (ballot.furthest(fused.utc), ballot.widest_honest());
        assert!(furthest <= widest, "round {round} of {seed}: {furthest} beyond {widest}");
        assert!(fused.falsetickers.len() <= liars, "round {round} of {seed}");
    }
}

#[test]
fn the_hull_holds_the_truth_in_the_first_quarter_of_a_million_rounds() {
    at_most_f_lie(1);
}

#[test]
fn the_hull_holds_the_truth_in_the_second_quarter_of_a_million_rounds() {
    at_most_f_lie(2);
}

#[test]
fn the_hull_holds_the_truth_in_the_third_quarter_of_a_million_rounds() {
    at_most_f_lie(3);
}

#[test]
fn the_hull_holds_the_truth_in_the_last_quarter_of_a_million_rounds() {
    at_most_f_lie(4);
}

/// Beyond f liars, as long as fewer than m - f lie: no consensus, or an interval whose edges are no
/// further from the truth than the widest honest interval. It may miss the truth by that much.
#[test]
fn beyond_f_liars_there_is_no_consensus_or_no_edge_is_far_off() {
    let mut dice = Dice(5);
    let (mut none, mut missed) = (0, 0);
    for round in 0..ROUNDS {
        let faults = 1 + dice.below(3);
        let m = 2 * faults + 2 + dice.below(5);
        let liars = faults + 1 + dice.below(m - 2 * faults - 1);
        assert!(faults < liars && liars < m - faults);
        let ballot = ballot(&mut dice, faults, m, liars);
        match fuse(&ballot.votes, ballot.faults) {
            Ok(fused) => {
                let (furthest, widest) = (ballot.furthest(fused.utc), ballot.widest_honest());
                // An edge that misses lies in an honest interval, which holds the truth as well.
                assert!(furthest <= widest, "round {round}: {furthest} beyond {widest}");
                let holds = fused.utc.lo() <= ballot.truth && ballot.truth <= fused.utc.hi();
                missed += u32::from(!holds);
            }
            Err(NoUtc::NoConsensus { .. }) => none += 1,
            Err(lost @ NoUtc::QuorumLost { .. }) => panic!("round {round}: {lost}"),
        }
    }
    // Both do happen, or this would show nothing.
    assert!(none > ROUNDS / 100 && missed > ROUNDS / 1_000, "{none} {missed}");
}

/// The control of this file: the largest set that agrees, which is what an estimate rests on, does
/// miss the truth under the very same votes.
#[test]
fn the_largest_agreeing_set_misses_the_truth_under_the_same_votes() {
    let mut dice = Dice(1);
    let mut missed = 0;
    for _ in 0..ROUNDS / 10 {
        let faults = dice.below(4);
        let m = 2 * faults + 1 + dice.below(6);
        let liars = dice.below(faults + 1);
        let ballot = ballot(&mut dice, faults, m, liars);
        let estimate = largest_agreement(&ballot.votes).expect("somebody states something");
        let interval = estimate.interval;
        missed += u32::from(!(interval.lo() <= ballot.truth && ballot.truth <= interval.hi()));
    }
    assert!(missed > ROUNDS / 1_000, "{missed}");
}
