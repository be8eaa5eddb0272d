//! What a TSU of any version says first.

use super::MESSAGE_BYTES_MAX;
use crate::id::TsuId;

/// How every Hello begins, in every version of the protocol: `[0] SEQUENCE { version INTEGER
/// (0..255), tsu UTF8String`, in DER. What follows is for those alone who speak that version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The version that the TSU speaks.
    pub version: u8,
    /// As whom it calls.
    pub tsu: TsuId,
}

const HELLO: u8 = 0xa0;
const INTEGER: u8 = 0x02;
const UTF8_STRING: u8 = 0x0c;

impl Opening {
    /// Reads how a message begins, and nothing of what follows; `None` when that is not how a Hello
    /// begins, or the message is longer than [`MESSAGE_BYTES_MAX`].
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        if der.len() > MESSAGE_BYTES_MAX {
            return None;
        }
        let (hello, behind) = element(der, HELLO)?;
        behind.is_empty().then_some(())?;
        let (version, rest) = element(hello, INTEGER)?;
        let version = match *version {
            [version @ 0..=0x7f] | [0, version @ 0x80..=0xff] => version,
            _ => return None,
        };
        let (tsu, _) = element(rest, UTF8_STRING)?;
        Some(Self { version, tsu: TsuId::new(std::str::from_utf8(tsu).ok()?)? })
    }
}

/// The contents of the element with this tag that comes first, and what follows it. Lengths are as
/// DER has them (X.690 8.1.3, 10.1), and fit a message.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&[length @ 0x80..=0xff], rest) = rest.split_first_chunk()? else { return None };
            (usize::from(length), rest)
        }
        0x82 => {
            let (&[high @ 1..=0xff, low], rest) = rest.split_first_chunk()? else { return None };
            (usize::from(u16::from_be_bytes([high, low])), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    (found == tag).then_some((contents, rest))
}
