//! Identities and counters, each of its own type.

use core::fmt;

/// Exactly these many bytes from lower or upper case hexadecimal digits.
pub(crate) fn bytes_from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0u8; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let hi = char::from(pair[0]).to_digit(16)?;
        let lo = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(hi << 4 | lo).ok()?;
    }
    Some(bytes)
}

macro_rules! opaque_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// How many bytes it has.
            pub const LEN: usize = $len;

            /// Wraps the bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes as they are.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// From lower or upper case hexadecimal digits, or `None` when it is anything else.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                bytes_from_hex(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

opaque_bytes! {
    /// The kernel's random identity of one boot (`/proc/sys/kernel/random/boot_id`).
    BootId, 16
}

opaque_bytes! {
    /// The random identity of one run of a TSU process.
    Incarnation, 16
}

opaque_bytes! {
    /// The random identity of one run of the clock reader.
    ReaderRun, 16
}

opaque_bytes! {
    /// A fresh random challenge of the monitor.
    Nonce, 32
}

opaque_bytes! {
    /// Keying material that both ends of one TLS connection derive and nobody else can
    /// (RFC 9266, with a label of our own). It binds a lease to the connection it came over.
    ChannelBinding, 32
}

opaque_bytes! {
    /// SHA-256 over a SubjectPublicKeyInfo in DER: how a peer or a person is pinned.
    SpkiPin, 32
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// The number `n`.
            #[must_use]
            pub const fn new(n: u64) -> Self {
                Self(n)
            }

            /// The number itself.
            #[must_use]
            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// The number after this one; `None` when there is none left.
            #[must_use]
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(n) => Some(Self(n)),
                    None => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )+};
}

numbers! {
    /// The number of a lease; the monitor never gives the same number twice to one TSU id.
    LeaseSeq,
    /// The number of a batch on one connection, from 1.
    BatchSeq,
}

/// The serial number of a token: 20 octets that read as a positive INTEGER (RFC 3161 2.4.2 asks
/// for at most 160 bits).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 20]);

impl Serial {
    /// Cuts a 32-byte hash to a serial. The top two bits become `01`, so that the number is
    /// positive and always takes 20 octets; 158 bits of the hash remain.
    #[must_use]
    pub fn from_hash(hash: &[u8; 32]) -> Self {
        let mut octets = [0u8; 20];
        octets.copy_from_slice(&hash[..20]);
        octets[0] = octets[0] & 0x3f | 0x40;
        Self(octets)
    }

    /// The number in big-endian octets.
    #[must_use]
    pub const fn as_be_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name of a TSU as both boxes' configurations write it: 1 to 64 characters of
/// `a-z 0-9 - _ .`, so that it can stand in a metric label, a file name and an alarm id alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TsuId(String);

impl TsuId {
    /// Checks the name; `None` when it breaks the rule above.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=64).contains(&name.len())
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
            && !name.starts_with('.');
        fits.then(|| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TsuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TsuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_the_rest() {
        let pin = SpkiPin::from_bytes([0xab; 32]);
        assert_eq!(SpkiPin::from_hex(&pin.to_string()), Some(pin));
        assert_eq!(SpkiPin::from_hex(&"ab".repeat(31)), None);
        assert_eq!(SpkiPin::from_hex(&"xy".repeat(32)), None);
    }

    #[test]
    fn a_serial_is_a_positive_integer_of_twenty_octets() {
        for fill in [0x00, 0xff] {
            let serial = Serial::from_hash(&[fill; 32]);
            assert!((0x40..0x80).contains(&serial.as_be_bytes()[0]));
        }
    }

    #[test]
    fn a_tsu_id_is_safe_in_a_file_name() {
        assert!(TsuId::new("tsu-1").is_some());
        for bad in ["", "../x", "A", "a b", ".hidden", &"a".repeat(65)] {
            assert_eq!(TsuId::new(bad), None, "{bad}");
        }
    }
}
