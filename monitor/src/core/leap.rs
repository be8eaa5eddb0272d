//! Leap seconds as the monitor's sources show them: what laboratories announce, how they drift, and
//! which samples mean nothing any more.

use chronolease_core::interval::Interval;
use chronolease_core::leap::LeapSign;
use chronolease_core::leap::blackout::straddles;
use chronolease_core::leap::claim::{Announced, GroupVote};
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::leap::smear::Residual;
use chronolease_core::time::{Ppb, RawInstant, Span, Timestamp};

use super::ntp::exchange::SourceSample;
use super::ntp::packet::LeapIndicator;
use super::sources::Sources;

pub mod smears;
pub mod watch;

/// The leap second that a server announces for the end of this month.
#[must_use]
pub const fn announced(indicator: LeapIndicator) -> Option<LeapSign> {
    match indicator {
        LeapIndicator::Insert => Some(LeapSign::Insert),
        LeapIndicator::Delete => Some(LeapSign::Delete),
        LeapIndicator::NoWarning | LeapIndicator::Unsynchronised => None,
    }
}

/// The vote of each laboratory that has a usable sample at `now`.
#[must_use]
pub fn votes(sources: &Sources, now: RawInstant) -> Vec<GroupVote> {
    let heard: Vec<_> = sources
        .sources()
        .enumerate()
        .filter_map(|(index, source)| Some((&source.group, sources.sample(index, now)?)))
        .collect();
    let vote = |group: &String| {
        let mut members = heard.iter().filter(|(of, _)| *of == group).peekable();
        members.peek()?;
        let announced = Announced::by(members.map(|(_, sample)| announced(sample.leap)));
        Some(GroupVote { group: group.clone(), announced })
    };
    sources.groups().iter().filter_map(vote).collect()
}

/// From the earliest UTC at which the sample's exchange began to the latest UTC at which it is used
/// at `now`, by its own account: an interval of spans since 1970.
#[must_use]
pub fn life(sample: &SourceSample, now: RawInstant, rho: Ppb) -> Interval {
    let raw = |at: RawInstant| Span::from_nanos(at.as_nanos());
    let began = sample.utc_minus_raw.lo() + raw(sample.sent);
    let used = sample.at(now, rho).hi() + raw(now);
    // Used before it began: whatever that is, it spans both.
    Interval::new(began.min(used), began.max(used)).expect("in order")
}

/// Whether a sample must not be used at `now`, because it was taken on another side of the end of a
/// month than the one it would be used on, or in the seconds between.
#[must_use]
pub fn is_spoilt(sample: &SourceSample, end: MonthEnd, now: RawInstant, rho: Ppb) -> bool {
    straddles(end, life(sample, now, rho))
}

/// How far a source is ahead of the fused `utc_minus_raw` at `now`, for the smear detector.
#[must_use]
pub fn residual(
    sample: &SourceSample,
    utc_minus_raw: Interval,
    now: RawInstant,
    rho: Ppb,
) -> Residual {
    let fused = utc_minus_raw.midpoint();
    let utc = fused + Span::from_nanos(now.as_nanos());
    Residual {
        at: Timestamp::from_unix_nanos(utc.as_nanos()),
        ahead: sample.at(now, rho).midpoint() - fused,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ntp::packet::RefId;
    use super::super::sources::{Epoch, PollResult, Report, Rules, Source, Voters};
    use super::super::testing::guard;
    use super::*;
    use chronolease_core::fusion::Faults;
    use chronolease_core::time::Bound;

    const RHO: Ppb = Ppb::from_ppm(100);

    fn raw(ms: i64) -> RawInstant {
        RawInstant::from_nanos(ms * 1_000_000)
    }

    fn end() -> MonthEnd {
        MonthEnd::of(2026, 12).expect("a month")
    }

    /// Taken from `ms - 20` to `ms` on an oscillator that shows 0 at L, right to within 10 ms.
    fn sample(ms: i64, leap: LeapIndicator) -> SourceSample {
        let l = Span::from_nanos(end().instant().as_unix_nanos());
        let off = Span::from_millis(10);
        SourceSample {
            utc_minus_raw: Interval::new(l - off, l + off).expect("in order"),
            sent: raw(ms - 20),
            received: raw(ms),
            delay: Bound::from_millis(20),
            root_distance: Bound::ZERO,
            stratum: 1,
            leap,
            reference_id: RefId(*b"PTB\0"),
            authenticated: false,
        }
    }

    #[test]
    fn a_sample_lasts_until_the_second_before_and_counts_again_after_the_second_after() {
        let before = sample(-5_000, LeapIndicator::NoWarning);
        assert!(!is_spoilt(&before, end(), raw(-1_011), RHO));
        assert!(is_spoilt(&before, end(), raw(-1_010), RHO));
        assert!(is_spoilt(&before, end(), raw(60_000), RHO));
        assert!(is_spoilt(&sample(1_029, LeapIndicator::NoWarning), end(), raw(1_040), RHO));
        assert!(!is_spoilt(&sample(1_031, LeapIndicator::NoWarning), end(), raw(60_000), RHO));
    }

    #[test]
    fn the_residual_is_that_of_the_middles() {
        let sample = sample(0, LeapIndicator::NoWarning);
        let ahead = Span::from_millis(-3);
        let moved = |span: Span| span - ahead;
        let utc = sample.utc_minus_raw;
        let fused = Interval::new(moved(utc.lo()), moved(utc.hi())).expect("in order");
        let found = residual(&sample, fused, raw(0), RHO);
        assert_eq!(found, Residual { at: end().instant() + -ahead, ahead });
    }

    #[test]
    fn each_laboratory_that_is_heard_has_one_vote() {
        let source = |name: &str, group: &str| Source { name: name.into(), group: group.into() };
        let all = vec![source("a1", "a"), source("a2", "a"), source("b", "b"), source("c", "c")];
        let age_max = Bound::from_millis(64_000);
        let rules = Rules { faults: Faults(1), rho: RHO, age_max, voters: Voters::All };
        let mut sources = Sources::new(all, rules, &guard());
        for (index, leap) in
            [(0, LeapIndicator::NoWarning), (1, LeapIndicator::Insert), (2, LeapIndicator::Delete)]
        {
            let result = PollResult::Sample(sample(0, leap));
            sources.handle(&Report { source: index, epoch: Epoch::default(), result });
        }
        let vote =
            |group: &str, sign| GroupVote { group: group.into(), announced: Announced::Leap(sign) };
        let expected = [vote("a", LeapSign::Insert), vote("b", LeapSign::Delete)];
        assert_eq!(votes(&sources, raw(0)), expected);
        assert_eq!(votes(&sources, raw(64_001)), []);
    }
}
