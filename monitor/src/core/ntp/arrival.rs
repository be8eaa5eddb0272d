//! When an answer arrived, on the oscillator.
//!
//! T4 may be read late, never early: an interval whose T4 lies before the answer's arrival may miss
//! the truth. Read after the answer is in hand, the oscillator is always late enough, and as late as
//! this process was paused. The kernel notes the arrival itself, but by the system clock, which
//! others step and slew; so its note only counts as far as the system clock can be shown to have
//! run on.

use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, Ppb, RawInstant, Span, Timestamp, Utc};

/// How fast the system clock may be slewed against the oscillator for the kernel's note to count:
/// 500 ppm of the kernel's discipline and 100 ppm of the oscillator.
const SLEW: Ppb = Ppb::from_ppm(600);

/// What two readings of the clocks may differ by for no reason.
const NOISE: Bound = Bound::from_nanos(20_000);

/// T4 of an answer that was in hand when the clocks showed `read`, after its request was sent at
/// `sent`; `noted` is the kernel's note of the arrival.
///
/// Let `o` be the system clock less the oscillator, read at both ends of the exchange. When it moved
/// by more than `a` = 600 ppm of the exchange and the noise, the note is of no use. Otherwise one
/// step of the system clock within the exchange was at most `2a`, as slewing undid at most `a` of
/// it; so at the arrival `o` was at least its last reading less `3a`, and the note moved by that
/// much is not early. Two steps within one exchange that undo each other are not seen here: the
/// clock reader reports them, and then every exchange in flight is abandoned.
#[must_use]
pub fn arrived(sent: &Sample, read: &Sample, noted: Option<Timestamp<Utc>>) -> RawInstant {
    let late = read.raw_before;
    let Some(noted) = noted else { return late };
    let length = (read.raw_after - sent.raw_before).magnitude();
    let brackets = [sent, read].map(|sample| sample.bracket().unwrap_or(Bound::MAX));
    let allowed = SLEW.over(length) + NOISE + brackets[0] + brackets[1];
    let moved = (read.real_minus_raw() - sent.real_minus_raw()).magnitude();
    if moved > allowed {
        return late;
    }
    // `real_minus_raw` overstates by up to the bracket, which is among what is allowed.
    let noted = Span::from_nanos(noted.as_unix_nanos()) - read.real_minus_raw();
    let noted = RawInstant::from_nanos(noted.as_nanos()).plus(allowed.times(3));
    if (sent.raw_after..=late).contains(&noted) { noted } else { late }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::id::BootId;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;
    const US: i64 = 1_000;
    const OFFSET: i64 = 1_790_000_000_000 * MS;

    /// The clocks at `raw`, when the system clock is `off` from where it stood at the request.
    fn clocks(raw: i64, off: i64, bracket: i64) -> Sample {
        Sample {
            raw_before: RawInstant::from_nanos(raw),
            real: system_clock(raw, off),
            raw_after: RawInstant::from_nanos(raw + bracket),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([0; 16]),
        }
    }

    fn system_clock(raw: i64, off: i64) -> Timestamp<Utc> {
        Timestamp::from_unix_nanos(OFFSET + raw + off)
    }

    #[test]
    fn a_pause_before_the_reading_costs_little() {
        let (sent, read) = (clocks(0, 0, 0), clocks(300 * MS, 0, 0));
        let t4 = arrived(&sent, &read, Some(system_clock(20 * MS, 0)));
        // 600 ppm of 300 ms and 20 us, three times over.
        assert_eq!(t4, RawInstant::from_nanos(20 * MS + 3 * 200 * US));
        assert_eq!(arrived(&sent, &read, None), read.raw_before);
    }

    #[test]
    fn a_note_outside_the_exchange_does_not_count() {
        let (sent, read) = (clocks(0, 0, 0), clocks(10 * MS, 0, 0));
        for noted in [-5 * MS, -MS, 10 * MS, 3_600_000 * MS] {
            assert_eq!(arrived(&sent, &read, Some(system_clock(noted, 0))), read.raw_before);
        }
    }

    #[test]
    fn a_step_within_the_exchange_leaves_the_oscillator_alone_to_tell() {
        for step in [-1_000 * MS, -5 * MS, -MS, MS, 5 * MS, 1_000 * MS] {
            let (sent, read) = (clocks(0, 0, 0), clocks(10 * MS, step, 0));
            for at in [0, step] {
                let noted = system_clock(5 * MS, at);
                assert_eq!(arrived(&sent, &read, Some(noted)), read.raw_before, "{step}");
            }
        }
    }

    proptest! {
        /// The answer never arrives after T4, whatever one step and a slew within the limit do, and
        /// T4 is never later than the oscillator's own reading.
        #[test]
        fn t4_is_never_early(
            length in 0..1_000 * MS, arrival in 0.0..=1.0f64, stepped in 0.0..=1.0f64,
            step in prop_oneof![-2 * MS..2 * MS, -5_000 * MS..5_000 * MS], ppm in -600..=600i64,
            brackets in (0..50 * US, 0..50 * US),
        ) {
            let at = |part: f64| (length as f64 * part) as i64;
            let (arrival, stepped) = (at(arrival), at(stepped));
            let off = |raw: i64| raw / 1_000_000 * ppm + if raw >= stepped { step } else { 0 };
            let sent = clocks(-brackets.0, 0, brackets.0);
            let read = clocks(length, off(length), brackets.1);
            let noted = system_clock(arrival, off(arrival));
            let t4 = arrived(&sent, &read, Some(noted));
            prop_assert!(t4 >= RawInstant::from_nanos(arrival), "{t4:?} {arrival}");
            prop_assert!(t4 <= read.raw_before);
        }
    }
}
