//! The date, as far as certificates are concerned.

use chronolease_core::interval::Interval;
use chronolease_core::time::{Ppb, RawInstant, Timestamp, Utc};

use crate::core::ntp::PIVOT;

/// UTC as it was fused last. The oscillator carries it on: it stays a bound, only a wider one, while
/// this box runs through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownUtc {
    /// Holds UTC less RAW.
    pub utc_minus_raw: Interval,
    /// When it did.
    pub at: RawInstant,
    /// The error of this box's oscillator.
    pub rho: Ppb,
}

impl KnownUtc {
    /// The earliest and the latest that it can be at `now`.
    #[must_use]
    pub fn bounds(&self, now: RawInstant) -> (Timestamp<Utc>, Timestamp<Utc>) {
        let drifted = self.rho.over((now - self.at).magnitude());
        let utc = self.utc_minus_raw.widened(drifted);
        let at = |utc_minus_raw| Timestamp::from_unix_nanos(now.as_nanos()) + utc_minus_raw;
        (at(utc.lo()), at(utc.hi()))
    }
}

/// When certificates have to be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At both of these instants: it is one of them or between.
    Within(Timestamp<Utc>, Timestamp<Utc>),
    /// At one instant from this one on, all of a chain at once. Nobody knows the date yet.
    OnceSince(Timestamp<Utc>),
}

impl When {
    /// What is to be asked at `now`. Before UTC is known nothing tells the date but that this was
    /// built; the system clock is no witness.
    #[must_use]
    pub fn of(known: Option<&KnownUtc>, now: RawInstant) -> Self {
        let since_build = Self::OnceSince(PIVOT);
        known.map_or(since_build, |known| {
            let (earliest, latest) = known.bounds(now);
            Self::Within(earliest, latest)
        })
    }
}

#[cfg(test)]
mod tests {
    use chronolease_core::time::{Bound, Span};

    use super::*;

    #[test]
    fn the_date_is_known_less_and_less_sharply() {
        let utc = Span::from_nanos(PIVOT.as_unix_nanos());
        let known = KnownUtc {
            utc_minus_raw: Interval::within(Bound::from_millis(5)).shifted(utc),
            at: RawInstant::from_nanos(0),
            rho: Ppb::from_ppm(100),
        };
        let now = RawInstant::from_nanos(10_000_000_000);
        let at = |ms| PIVOT + Span::from_millis(ms);
        assert_eq!(known.bounds(now), (at(9_994), at(10_006)));
        assert_eq!(When::of(Some(&known), now), When::Within(at(9_994), at(10_006)));
        assert_eq!(When::of(None, now), When::OnceSince(PIVOT));
    }
}
