//! The header of an NTP packet, and what an exchange makes of it.

use chronolease_core::time::{Bound, Ppb, RawInstant, Timestamp};
use chronolease_monitor::core::ntp::exchange::{Caps, Exchange};
use chronolease_monitor::core::ntp::packet::{NtpTimestamp, Packet};

const CAPS: Caps = Caps {
    stratum_min: 1,
    stratum_max: 15,
    root_distance_max: Bound::from_millis(1_000),
    delay_max: Bound::from_millis(1_000),
    reference_age_max: Bound::from_millis(4_000_000),
};

/// The first 24 bytes are the pivot, T1 and T4 - T1 in nanoseconds, the rest is a datagram. It is
/// refused or gives a sample within the caps, whether it gives the nonce back or not; what parses
/// goes back to the same bytes.
///
/// # Panics
/// When that is not so.
pub fn ntp_packet(input: &[u8]) {
    let Some((pivot, rest)) = number(input) else { return };
    let Some((sent, rest)) = number(rest) else { return };
    let Some((taken, datagram)) = number(rest) else { return };
    let pivot = Timestamp::from_unix_nanos(pivot);
    let (sent, received) =
        (RawInstant::from_nanos(sent), RawInstant::from_nanos(sent.saturating_add(taken)));
    let Ok(packet) = Packet::parse(datagram) else {
        assert!(datagram.len() < Packet::LEN);
        return;
    };
    assert_eq!(packet.to_bytes(), datagram[..Packet::LEN]);

    let foreign = NtpTimestamp::from_bits(packet.origin.as_bits().wrapping_add(1));
    let refused = Exchange::new(foreign, sent).complete(datagram, received, &CAPS, pivot);
    assert!(refused.is_err(), "an answer to another request");
    match Exchange::new(packet.origin, sent).complete(datagram, received, &CAPS, pivot) {
        Ok(sample) => {
            assert!(sample.delay <= CAPS.delay_max);
            assert!(sample.root_distance <= CAPS.root_distance_max);
            assert!((1..16).contains(&sample.stratum));
            let later = received.plus(Bound::from_millis(1_000));
            assert!(sample.utc_minus_raw.is_inside(sample.at(later, Ppb::from_ppm(100))));
        }
        Err(refused) => assert!(!refused.label().is_empty() && !refused.to_string().is_empty()),
    }
}

fn number(input: &[u8]) -> Option<(i64, &[u8])> {
    let (bytes, rest) = input.split_first_chunk()?;
    Some((i64::from_be_bytes(*bytes), rest))
}
