use chronolease_core::fusion::Faults;
use chronolease_core::leap::LeapSign;
use chronolease_core::time::{Ppb, Timestamp};

use super::*;
use crate::core::ntp::exchange::SourceSample;
use crate::core::ntp::packet::{LeapIndicator, RefId};
use crate::core::sources::{PollResult, Report, Rules, Source, SourceState, Voters};
use crate::core::testing::guard;

const MS: i64 = 1_000_000;
const HOUR_S: i64 = 3_600;
const POLL_S: i64 = 16;

fn end() -> MonthEnd {
    MonthEnd::of(2027, 6).expect("a month")
}

/// Five laboratories, of which the first `smearing` spread a leap second from noon to noon. RAW
/// shows 0 at L.
struct Day {
    sources: Sources,
    smears: Smears,
    smearing: usize,
    found_at_s: Option<i64>,
    first_false_s: Option<i64>,
}

impl Day {
    fn new(smearing: usize) -> Self {
        let source = |n: usize| Source { name: format!("ntp{n}"), group: format!("lab{n}") };
        let rules = Rules {
            faults: Faults(1),
            rho: Ppb::from_ppm(100),
            age_max: Bound::from_millis(64_000),
            voters: Voters::All,
        };
        let sources = Sources::new((0..5).map(source).collect(), rules, &guard());
        Self { sources, smears: Smears::default(), smearing, found_at_s: None, first_false_s: None }
    }

    /// From so many seconds after L to so many, and what was found meanwhile.
    fn go(&mut self, from_s: i64, until_s: i64) -> Vec<Found> {
        let mut found = Vec::new();
        for s in (from_s..until_s).step_by(usize::try_from(POLL_S).expect("small")) {
            let now = RawInstant::from_nanos(s * 1_000 * MS);
            for source in 0..5 {
                self.poll(source, s, now);
            }
            let view = self.sources.view(now);
            let utc = view.utc.expect("at most f lie");
            let truth = Span::from_nanos(end().instant().as_unix_nanos());
            let holds = utc.lo() <= truth && truth <= utc.hi();
            assert!(holds || self.smearing > 1, "{utc} at {s}");
            let at = truth + Span::from_nanos(now.as_nanos());
            let near = near(at, |end| end.is_half_year());
            self.smears.watch(&mut self.sources, utc, near, now);
            let states = self.sources.view(now).states;
            if states[0] == SourceState::Falseticker {
                self.first_false_s.get_or_insert(s);
            }
            let news = self.smears.take_news();
            if !news.is_empty() {
                self.found_at_s.get_or_insert(s);
            }
            found.extend(news);
        }
        found
    }

    fn poll(&mut self, source: usize, s: i64, now: RawInstant) {
        // Linear from noon to noon: behind by half a second at L, then ahead and back to nothing.
        let half = 12 * HOUR_S;
        let off = match s {
            _ if source >= self.smearing || s < -half || s >= half => 0,
            ..0 => -(s + half) * 1_000 * MS / 86_400,
            _ => (half - s) * 1_000 * MS / 86_400,
        };
        let jitter = (s / POLL_S + i64::try_from(source).expect("small")) % 5 * MS / 2;
        let middle = Timestamp::<chronolease_core::time::Utc>::from_unix_nanos(off + jitter - MS);
        let middle = middle + Span::from_nanos(end().instant().as_unix_nanos());
        let result = PollResult::Sample(SourceSample {
            utc_minus_raw: Interval::within(Bound::from_millis(40))
                .shifted(Span::from_nanos(middle.as_unix_nanos())),
            sent: now,
            received: now,
            delay: Bound::from_millis(8),
            root_distance: Bound::from_millis(1),
            stratum: 1,
            leap: LeapIndicator::NoWarning,
            reference_id: RefId(*b"GPS\0"),
            authenticated: false,
        });
        let epoch = self.sources.epoch();
        self.sources.handle(&Report { source, epoch, result });
    }

    fn states(&self, s: i64) -> Vec<SourceState> {
        self.sources.view(RawInstant::from_nanos(s * 1_000 * MS)).states
    }
}

/// The scenario of a whole day: found within the hour after the smear began, long before half a
/// second is reached, and out of the vote until a day after.
#[test]
fn a_smearing_source_is_left_out_over_simulated_24_hours() {
    let mut day = Day::new(1);
    assert_eq!(day.go(-14 * HOUR_S, -12 * HOUR_S), []);
    let found = day.go(-12 * HOUR_S, 12 * HOUR_S);
    let [Found { source: 0, smear }] = found[..] else { panic!("{found:?}") };
    assert_eq!(smear.sign(), LeapSign::Insert);
    let at = day.found_at_s.expect("it was found");
    assert!(at < -12 * HOUR_S + 4_500, "found {at} s after L");
    assert_eq!(day.first_false_s, None, "left out before it was a falseticker");
    use SourceState::{Excluded, Ok};
    assert_eq!(day.states(12 * HOUR_S - POLL_S), [Excluded, Ok, Ok, Ok, Ok]);
    assert_eq!(day.go(12 * HOUR_S, 26 * HOUR_S), []);
    assert_eq!(day.states(26 * HOUR_S - POLL_S), [Ok; 5], "a day later it may vote again");
}

#[test]
fn nobody_smears_on_a_quiet_day() {
    let mut day = Day::new(0);
    assert_eq!(day.go(-26 * HOUR_S, 26 * HOUR_S), []);
    assert!(!day.smears.is_undecided());
}

/// More than may lie: perhaps it is the others. Nobody is left out, and that is told.
#[test]
fn when_too_many_seem_to_smear_nobody_is_left_out() {
    let mut day = Day::new(2);
    // UTC itself drifts between the two camps, so each seems to smear to the other.
    let found = day.go(-14 * HOUR_S, -11 * HOUR_S + 900);
    assert!(found.len() > 1, "{found:?}");
    assert!(day.smears.is_undecided());
    assert_eq!(day.states(-11 * HOUR_S + 900 - POLL_S), [SourceState::Ok; 5]);
}
