//! Extension fields of an NTP packet (RFC 7822, RFC 8915 5): type, length, body.

/// Type and length.
pub const HEAD_LEN: usize = 4;

/// The least length of a field, its head included (RFC 7822 3.1).
pub const LEN_MIN: usize = 16;

/// What kind of field it is (RFC 8915 7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What ties an answer to its request.
    UniqueIdentifier,
    /// A cookie.
    Cookie,
    /// Room for one more cookie in the answer.
    CookiePlaceholder,
    /// The proof, over all that stands before it, with the sealed fields in it.
    Authenticator,
    /// Any other.
    Other(u16),
}

impl Kind {
    const fn from_code(code: u16) -> Self {
        match code {
            0x0104 => Self::UniqueIdentifier,
            0x0204 => Self::Cookie,
            0x0304 => Self::CookiePlaceholder,
            0x0404 => Self::Authenticator,
            other => Self::Other(other),
        }
    }

    const fn code(self) -> u16 {
        match self {
            Self::UniqueIdentifier => 0x0104,
            Self::Cookie => 0x0204,
            Self::CookiePlaceholder => 0x0304,
            Self::Authenticator => 0x0404,
            Self::Other(code) => code,
        }
    }
}

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// What it is.
    pub kind: Kind,
    /// What is in it, padding included.
    pub body: &'a [u8],
    /// Where it begins in the bytes that were read.
    pub at: usize,
}

/// Bytes that are no sequence of extension fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed extension fields")]
pub struct Malformed;

/// Reads all fields: each at least 16 bytes and a multiple of four long, none reaching beyond the
/// end, nothing left over.
///
/// # Errors
/// [`Malformed`], in the place of the first field that is none.
pub fn read(bytes: &[u8]) -> impl Iterator<Item = Result<Field<'_>, Malformed>> {
    let mut at = 0;
    let mut broken = false;
    core::iter::from_fn(move || {
        if broken || at == bytes.len() {
            return None;
        }
        let field = one(bytes, at);
        match &field {
            Some(field) => at += HEAD_LEN + field.body.len(),
            None => broken = true,
        }
        Some(field.ok_or(Malformed))
    })
}

fn one(bytes: &[u8], at: usize) -> Option<Field<'_>> {
    let (code, rest) = bytes.get(at..)?.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let fits = length >= LEN_MIN && length.is_multiple_of(4);
    let body = rest.get(..length.checked_sub(HEAD_LEN)?).filter(|_| fits)?;
    Some(Field { kind: Kind::from_code(u16::from_be_bytes(*code)), body, at })
}

/// Puts a field behind `bytes`, filled up with zeros to the least length and a multiple of four.
///
/// # Panics
/// When the body is longer than a field can be.
pub fn write(bytes: &mut Vec<u8>, kind: Kind, body: &[u8]) {
    let length = (HEAD_LEN + body.len()).next_multiple_of(4).max(LEN_MIN);
    bytes.extend_from_slice(&kind.code().to_be_bytes());
    let told = u16::try_from(length).expect("a field is at most 65,532 bytes long");
    bytes.extend_from_slice(&told.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes.extend(core::iter::repeat_n(0, length - HEAD_LEN - body.len()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_judged() {
        let field = |length: u16, have: usize| {
            let mut bytes = vec![0x01, 0x04];
            bytes.extend(length.to_be_bytes());
            bytes.resize(have, 7);
            read(&bytes).collect::<Result<Vec<_>, _>>().map(|fields| fields.len())
        };
        assert_eq!(field(16, 16), Ok(1));
        assert_eq!(field(16, 32), Err(Malformed), "the second is of type 0x0707, 0x0707 long");
        for (length, have) in [(16, 15), (12, 12), (0, 16), (4, 4), (18, 18), (20, 16), (16, 17)] {
            assert_eq!(field(length, have), Err(Malformed), "{length} {have}");
        }
        assert_eq!(read(&[]).count(), 0);
        assert_eq!(read(&[1; 3]).collect::<Vec<_>>(), [Err(Malformed)]);
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        any::<u16>().prop_map(Kind::from_code)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            fields in prop::collection::vec((kinds(), prop::collection::vec(any::<u8>(), 0..60)), 0..6)
        ) {
            let mut bytes = Vec::new();
            fields.iter().for_each(|(kind, body)| write(&mut bytes, *kind, body));
            let found: Vec<Field> = read(&bytes).collect::<Result<_, _>>().expect("well formed");
            prop_assert_eq!(found.len(), fields.len());
            for (found, (kind, body)) in found.iter().zip(&fields) {
                prop_assert_eq!(found.kind, *kind);
                prop_assert!(found.body.starts_with(body));
                prop_assert!(found.body[body.len()..].iter().all(|&byte| byte == 0));
            }
        }

        #[test]
        fn any_bytes_are_fields_that_fill_them_or_malformed(
            bytes in prop::collection::vec(any::<u8>(), 0..200)
        ) {
            let mut end = 0;
            for field in read(&bytes) {
                let Ok(field) = field else { return Ok(()) };
                prop_assert_eq!(field.at, end);
                end += HEAD_LEN + field.body.len();
            }
            prop_assert_eq!(end, bytes.len());
        }
    }
}
