//! The oscillators of both boxes against each other. Whichever ran on while the other stood still,
//! one of the boxes lost time that no clock of its own shows.

use chronolease_core::lease::EndingCause;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Ppb, RawInstant, Span};

use super::{Action, Context, Ward};
use crate::core::assessment::Probed;

/// The last answer of the TSU that was compared.
#[derive(Debug, Default)]
pub(super) struct Oscillators {
    last: Option<Exchange>,
}

#[derive(Clone, Copy, Debug)]
struct Exchange {
    sent: RawInstant,
    received: RawInstant,
    sample: Sample,
}

impl Oscillators {
    /// By how much the two disagree from the last answer to this one, beyond what rho and both
    /// round trips explain. `None` when they agree or there is nothing to compare with.
    fn differ(&mut self, probed: &Probed, rho: Ppb) -> Option<Span> {
        let now = Exchange { sent: probed.sent, received: probed.received, sample: probed.sample };
        let last = self.last.replace(now)?;
        if last.sample.boot_id != now.sample.boot_id {
            return None;
        }
        // Each sample was read somewhere within its exchange, and its RAW within its bracket.
        let least = now.sent - last.received;
        let most = now.received - last.sent;
        let slack = (rho.over(most.magnitude()) + rho.over(most.magnitude())).as_span();
        let fewest = now.sample.raw_before - last.sample.raw_after;
        let longest = now.sample.raw_after - last.sample.raw_before;
        if longest < least - slack {
            Some(longest - least)
        } else if fewest > most + slack {
            Some(fewest - most)
        } else {
            None
        }
    }

    /// What the monitor's oscillator showed before means nothing any more.
    pub(super) const fn forget(&mut self) {
        self.last = None;
    }
}

impl Ward {
    /// Ends the lease and has every sample of the monitor discarded when the oscillators disagree:
    /// which of the two boxes stood still cannot be told. Whether they agree.
    pub(super) fn compare_oscillators(
        &mut self,
        context: &Context,
        probed: &Probed,
        out: &mut Vec<Action>,
    ) -> bool {
        let Some(by) = self.oscillators.differ(probed, self.rules.limits.rho) else { return true };
        self.verdict = None;
        self.run.broken();
        self.end_found(context, EndingCause::Oscillators, Some(probed.sample), out);
        out.push(Action::Discard(by));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::id::BootId;
    use chronolease_core::time::{Bound, Timestamp};

    const RHO: Ppb = Ppb::from_ppm(100);
    const MS: i64 = 1_000_000;

    /// An exchange of `trip_ms` that begins at `sent_ms`, in whose middle box A reads `raw_a_ns`.
    fn probed(sent_ms: i64, trip_ms: i64, raw_a_ns: i64) -> Probed {
        let at = |ms: i64| RawInstant::from_nanos(ms * MS);
        Probed {
            sent: at(sent_ms),
            received: at(sent_ms + trip_ms),
            sample: Sample {
                raw_before: RawInstant::from_nanos(raw_a_ns),
                real: Timestamp::from_unix_nanos(0),
                raw_after: RawInstant::from_nanos(raw_a_ns).plus(Bound::from_nanos(300)),
                boot_minus_mono: Span::ZERO,
                boot_id: BootId::from_bytes([1; 16]),
            },
        }
    }

    /// After 1 s on box B, both exchanges 2 ms long, box A has gone on by this.
    fn after(progress_ns: i64) -> Option<Span> {
        let mut oscillators = Oscillators::default();
        assert_eq!(oscillators.differ(&probed(0, 2, 7_000 * MS), RHO), None, "nothing to compare");
        oscillators.differ(&probed(1_000, 2, 7_000 * MS + progress_ns), RHO)
    }

    #[test]
    fn they_may_differ_by_twice_rho_and_both_round_trips_and_no_more() {
        assert_eq!(after(1_000 * MS), None);
        // 2 ms less or more for the trips, 2 * 100 ppm of 1.002 s, 0.3 us for the bracket.
        let allowed = 2 * MS + 200_400;
        for within in [1_000 * MS - allowed - 300, 1_000 * MS + allowed + 300] {
            assert_eq!(after(within), None, "{within}");
        }
        let behind = after(1_000 * MS - allowed - 301).expect("box A stood still");
        assert!(behind < Span::ZERO, "{behind}");
        let ahead = after(1_000 * MS + allowed + 301).expect("box B stood still");
        assert!(ahead > Span::ZERO, "{ahead}");
    }

    #[test]
    fn another_boot_is_not_compared_with() {
        let mut oscillators = Oscillators::default();
        assert_eq!(oscillators.differ(&probed(0, 2, 7_000 * MS), RHO), None);
        let mut rebooted = probed(1_000, 2, 5 * MS);
        rebooted.sample.boot_id = BootId::from_bytes([2; 16]);
        assert_eq!(oscillators.differ(&rebooted, RHO), None);
        oscillators.forget();
        assert_eq!(oscillators.differ(&probed(2_000, 2, 9_999 * MS), RHO), None);
    }
}
