//! The 48 bytes of an NTP packet (RFC 5905 7.3), written by hand.

use chronolease_core::time::{Span, Timestamp, Utc};

use super::knobs::{Knobs, Leap};

/// The length of a packet without extension fields.
pub(super) const LEN: usize = 48;

/// Seconds from 1900-01-01, where NTP counts from, to 1970-01-01.
const UNIX_EPOCH_S: i64 = 2_208_988_800;

/// log2 of the server's precision in seconds: about a microsecond.
const PRECISION: i8 = -20;

/// How long ago the server says its clock was last set.
const REFERENCE_AGE: Span = Span::from_millis(3_000);

/// What of a request returns in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    version: u8,
    poll: u8,
    transmit: [u8; 8],
}

impl Request {
    /// Reads a client's request; `None` when it is anything else, which a server does not answer.
    pub(super) fn read(datagram: &[u8]) -> Option<Self> {
        let header: &[u8; LEN] = datagram.first_chunk()?;
        let (version, mode) = (header[0] >> 3 & 7, header[0] & 7);
        let transmit = *header.last_chunk()?;
        let from_client = mode == 3 && matches!(version, 3 | 4);
        from_client.then_some(Self { version, poll: header[2], transmit })
    }

    /// The answer, received at `t2` and sent at `t3` by the server's clock.
    pub(super) fn answer(
        &self,
        knobs: &Knobs,
        t2: Timestamp<Utc>,
        t3: Timestamp<Utc>,
    ) -> [u8; LEN] {
        let leap: u8 = match knobs.leap {
            Leap::None => 0,
            Leap::Insert => 1,
            Leap::Delete => 2,
            Leap::Unsynchronised => 3,
        };
        let mut origin = self.transmit;
        if knobs.wrong_origin {
            origin[7] ^= 1;
        }
        let mut packet = [0; LEN];
        packet[0] = leap << 6 | self.version << 3 | u8::from(knobs.mode);
        packet[1] = knobs.stratum;
        packet[2] = self.poll;
        packet[3] = PRECISION.cast_unsigned();
        packet[4..8].copy_from_slice(&short(knobs.root_delay_ms.get()));
        packet[8..12].copy_from_slice(&short(knobs.root_dispersion_ms.get()));
        packet[12..16].copy_from_slice(&knobs.refid.octets());
        packet[16..24].copy_from_slice(&long(t3 + -REFERENCE_AGE));
        packet[24..32].copy_from_slice(&origin);
        packet[32..40].copy_from_slice(&long(t2));
        packet[40..48].copy_from_slice(&long(t3));
        packet
    }
}

/// The short format: 16 bits of seconds and 16 bits of fraction.
fn short(ms: f64) -> [u8; 4] {
    ((ms / 1_000.0 * 65_536.0).round() as u32).to_be_bytes()
}

/// The timestamp format: 32 bits of seconds since 1900, whose era is left out, and 32 bits of
/// fraction, cut.
fn long(time: Timestamp<Utc>) -> [u8; 8] {
    let unix_ns = time.as_unix_nanos();
    let seconds = unix_ns.div_euclid(1_000_000_000).wrapping_add(UNIX_EPOCH_S) as u32;
    let fraction = ((unix_ns.rem_euclid(1_000_000_000) as u64) << 32) / 1_000_000_000;
    (u64::from(seconds) << 32 | fraction).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_known_instants() {
        // RFC 5905 figure 4: first day of UNIX, and of NTP era 1 (2036-02-07 06:28:16).
        for (unix_ns, expected) in [
            (0, 2_208_988_800u64 << 32),
            (500_000_000, 2_208_988_800 << 32 | 1 << 31),
            (-1_000_000_000, 2_208_988_799 << 32),
            (2_085_978_496_000_000_000, 0),
        ] {
            assert_eq!(long(Timestamp::from_unix_nanos(unix_ns)), expected.to_be_bytes());
        }
    }

    #[test]
    fn short_format() {
        for (ms, expected) in [(0.0, 0), (1_000.0, 1 << 16), (0.1, 7), (65_535_000.0, 0xffff_0000)]
        {
            assert_eq!(short(ms), u32::to_be_bytes(expected), "{ms}");
        }
    }

    #[test]
    fn only_a_client_is_answered() {
        let mut datagram = [0u8; LEN];
        for (first, read) in [(0x23, true), (0x1b, true), (0x24, false), (0x13, false), (0, false)]
        {
            datagram[0] = first;
            assert_eq!(Request::read(&datagram).is_some(), read, "{first:#x}");
        }
        datagram[0] = 0x23;
        assert_eq!(Request::read(&datagram[..47]), None);
    }
}
