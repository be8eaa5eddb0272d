//! The header of an NTP packet, version 3 and 4 (RFC 5905 7.3): 48 bytes, big-endian.

use core::fmt;

use chronolease_core::leap::smear::is_smear_reference_id;
use chronolease_core::time::{Bound, Span, Timestamp, Utc};

/// Seconds from 1900-01-01, where NTP era 0 begins, to 1970-01-01 (RFC 5905 figure 4).
const UNIX_EPOCH_NTP_S: i64 = 2_208_988_800;
const NANOS_PER_S: i64 = 1_000_000_000;

/// A point on the NTP timescale: 32 bits of seconds since the era began, 32 bits of fraction
/// (RFC 5905 6). All zero means "not known".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct NtpTimestamp(u64);

impl NtpTimestamp {
    /// The timestamp with these bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits as they stand in the packet.
    #[must_use]
    pub const fn as_bits(self) -> u64 {
        self.0
    }

    /// Whether it says "not known".
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self - earlier`, rounded down. Right across the end of an era as long as the two lie
    /// within 68 years of each other.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        let fixed_point = i128::from(self.0.wrapping_sub(earlier.0).cast_signed());
        let ns = (fixed_point * i128::from(NANOS_PER_S)) >> 32;
        Span::from_nanos(i64::try_from(ns).expect("32 bits of seconds fit in nanoseconds"))
    }

    /// The same point as UTC, in the era that puts it within 68 years of `pivot`; rounded down.
    #[must_use]
    pub fn to_utc(self, pivot: Timestamp<Utc>) -> Timestamp<Utc> {
        let pivot_s = pivot.as_unix_nanos().div_euclid(NANOS_PER_S);
        let pivot_ntp = Self(((pivot_s + UNIX_EPOCH_NTP_S).cast_unsigned()) << 32);
        Timestamp::from_unix_nanos(pivot_s.saturating_mul(NANOS_PER_S)) + self.since(pivot_ntp)
    }

    /// The timestamp of a server's clock that shows `utc`.
    #[cfg(test)]
    pub(crate) fn from_utc(utc: Timestamp<Utc>) -> Self {
        let since_1900 = i128::from(utc.as_unix_nanos())
            + i128::from(UNIX_EPOCH_NTP_S) * i128::from(NANOS_PER_S);
        let one = i128::from(NANOS_PER_S);
        let bits = ((since_1900 << 32) + one - 1).div_euclid(one);
        Self(u64::try_from(bits & i128::from(u64::MAX)).expect("masked"))
    }
}

/// A length of time in seconds with 16 bits before and 16 after the point (RFC 5905 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct NtpShort(u32);

impl NtpShort {
    /// The length with these bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits as they stand in the packet.
    #[must_use]
    pub const fn as_bits(self) -> u32 {
        self.0
    }

    /// The length in nanoseconds, rounded up. Some old servers send a negative root delay; read
    /// unsigned it is hours long and beyond every cap.
    #[must_use]
    pub fn as_bound(self) -> Bound {
        Bound::from_nanos((u64::from(self.0) * NANOS_PER_S.cast_unsigned()).div_ceil(1 << 16))
    }
}

/// The precision of a clock as log2 of seconds; -20 is about a microsecond (RFC 5905 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Precision(pub i8);

impl Precision {
    /// The precision in nanoseconds, rounded up: at least 1 ns, and saturated where the exponent
    /// is absurd.
    #[must_use]
    pub fn as_bound(self) -> Bound {
        let second = u128::from(NANOS_PER_S.cast_unsigned());
        let shift = u32::from(self.0.unsigned_abs()).min(64);
        let ns = if self.0 < 0 { second.div_ceil(1 << shift) } else { second << shift };
        Bound::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

/// What the server says about the last minute of the current month (RFC 5905 figure 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeapIndicator {
    /// 0: no warning.
    NoWarning,
    /// 1: the last minute has 61 seconds.
    Insert,
    /// 2: the last minute has 59 seconds.
    Delete,
    /// 3: the clock is not synchronised.
    Unsynchronised,
}

impl LeapIndicator {
    const ALL: [Self; 4] = [Self::NoWarning, Self::Insert, Self::Delete, Self::Unsynchronised];
}

/// What role the sender of a packet plays (RFC 5905 figure 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// 0.
    Reserved,
    /// 1.
    SymmetricActive,
    /// 2.
    SymmetricPassive,
    /// 3: a request.
    Client,
    /// 4: the answer to a request.
    Server,
    /// 5.
    Broadcast,
    /// 6: the control protocol.
    Control,
    /// 7: private use.
    Private,
}

impl Mode {
    const ALL: [Self; 8] = [
        Self::Reserved,
        Self::SymmetricActive,
        Self::SymmetricPassive,
        Self::Client,
        Self::Server,
        Self::Broadcast,
        Self::Control,
        Self::Private,
    ];
}

/// What the server is synchronised to: four ASCII characters at stratum 0 (a kiss code) and 1 (the
/// kind of reference clock), otherwise an IPv4 address or part of a hash (RFC 5905 7.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RefId(pub [u8; 4]);

impl RefId {
    /// Whether it says that the server smears leap seconds.
    #[must_use]
    pub const fn is_smear_marker(self) -> bool {
        is_smear_reference_id(self.0)
    }
}

impl fmt::Display for RefId {
    /// The characters where they are letters and digits (padded with zero bytes), or else dotted
    /// numbers. Safe to log whatever the server sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let text = &self.0[..end];
        if !text.is_empty() && text.iter().all(u8::is_ascii_alphanumeric) {
            return text.iter().try_for_each(|&byte| write!(f, "{}", char::from(byte)));
        }
        let [a, b, c, d] = self.0;
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

impl fmt::Debug for RefId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The header of a packet, each field as RFC 5905 7.3 names it. Every 48 bytes are some header;
/// whether it can be believed is for [`super::exchange`] to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Warning of a leap second, or that the clock is not synchronised.
    pub leap: LeapIndicator,
    /// Protocol version; three bits.
    pub version: u8,
    /// The sender's role.
    pub mode: Mode,
    /// Steps from a reference clock; 1 is next to it, 0 and 16 are "not synchronised".
    pub stratum: u8,
    /// log2 of the seconds between polls.
    pub poll: i8,
    /// How finely the clock reads.
    pub precision: Precision,
    /// Round trip from the server to its reference clock.
    pub root_delay: NtpShort,
    /// The error that has built up from the reference clock to the server.
    pub root_dispersion: NtpShort,
    /// What the server is synchronised to.
    pub reference_id: RefId,
    /// When the server's clock was last set.
    pub reference: NtpTimestamp,
    /// The request's transmit timestamp, given back.
    pub origin: NtpTimestamp,
    /// T2: when the request came in.
    pub receive: NtpTimestamp,
    /// T3: when the answer went out.
    pub transmit: NtpTimestamp,
}

/// A datagram too short to hold a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes are no NTP packet, which has at least {}", Packet::LEN)]
pub struct TooShort {
    /// How many bytes there were.
    pub length: usize,
}

impl Packet {
    /// The length of the header.
    pub const LEN: usize = 48;

    /// Reads the header. What follows it, extension fields or a MAC, is not looked at: plain NTP
    /// holds no key that could prove it.
    ///
    /// # Errors
    /// [`TooShort`] for fewer than 48 bytes.
    pub fn parse(datagram: &[u8]) -> Result<Self, TooShort> {
        let header: &[u8; Self::LEN] =
            datagram.first_chunk().ok_or(TooShort { length: datagram.len() })?;
        let timestamp = |offset| NtpTimestamp(u64::from_be_bytes(array(header, offset)));
        let short = |offset| NtpShort(u32::from_be_bytes(array(header, offset)));
        Ok(Self {
            leap: LeapIndicator::ALL[usize::from(header[0] >> 6)],
            version: header[0] >> 3 & 0b111,
            mode: Mode::ALL[usize::from(header[0] & 0b111)],
            stratum: header[1],
            poll: header[2].cast_signed(),
            precision: Precision(header[3].cast_signed()),
            root_delay: short(4),
            root_dispersion: short(8),
            reference_id: RefId(array(header, 12)),
            reference: timestamp(16),
            origin: timestamp(24),
            receive: timestamp(32),
            transmit: timestamp(40),
        })
    }

    /// The header as it goes over the wire.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        // Both enums list their variants in the order of their codes.
        bytes[0] = (self.leap as u8) << 6 | (self.version & 0b111) << 3 | self.mode as u8;
        bytes[1] = self.stratum;
        bytes[2] = self.poll.cast_unsigned();
        bytes[3] = self.precision.0.cast_unsigned();
        bytes[4..8].copy_from_slice(&self.root_delay.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.root_dispersion.0.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.reference_id.0);
        bytes[16..24].copy_from_slice(&self.reference.0.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.origin.0.to_be_bytes());
        bytes[32..40].copy_from_slice(&self.receive.0.to_be_bytes());
        bytes[40..48].copy_from_slice(&self.transmit.0.to_be_bytes());
        bytes
    }

    /// A client's request: version 4, mode 3, a random transmit timestamp, all else zero. It tells
    /// nobody what time this box believes it is, and only who saw it can give `nonce` back.
    #[must_use]
    pub fn request(nonce: NtpTimestamp) -> Self {
        Self {
            leap: LeapIndicator::NoWarning,
            version: 4,
            mode: Mode::Client,
            stratum: 0,
            poll: 0,
            precision: Precision::default(),
            root_delay: NtpShort::default(),
            root_dispersion: NtpShort::default(),
            reference_id: RefId::default(),
            reference: NtpTimestamp::default(),
            origin: NtpTimestamp::default(),
            receive: NtpTimestamp::default(),
            transmit: nonce,
        }
    }
}

fn array<const N: usize>(header: &[u8; Packet::LEN], offset: usize) -> [u8; N] {
    core::array::from_fn(|i| header[offset + i])
}

#[cfg(test)]
mod tests;
