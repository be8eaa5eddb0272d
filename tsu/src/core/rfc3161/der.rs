//! DER in and out. What comes in must be the one encoding of what it says.

use rasn::prelude::*;

/// Why bytes are not the DER of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerError {
    /// The bytes do not follow the grammar.
    #[error("not DER of this grammar: {0}")]
    Grammar(String),
    /// They parse, but DER would write them otherwise.
    #[error("not in canonical DER")]
    NotCanonical,
}

/// A value in DER. The types used here have no constraint that a value can break.
pub(super) fn encode<T: Encode>(value: &T) -> Vec<u8> {
    rasn::der::encode(value).expect("a value of the grammar encodes")
}

/// A value as an element of a larger one.
pub(super) fn any<T: Encode>(value: &T) -> Any {
    Any::new(encode(value))
}

/// An element with this tag (X.690 8.1.2, tag numbers below 31) whose content is `parts` in their
/// order. What is the same in every token need not be encoded for each.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content: usize = parts.iter().map(|part| part.len()).sum();
    let (head, octets) = head(tag, content);
    let mut der = Vec::with_capacity(octets + content);
    der.extend_from_slice(&head[..octets]);
    parts.iter().for_each(|part| der.extend_from_slice(part));
    der
}

/// Tag and length of an element with this many octets of content, and how many octets they are.
fn head(tag: u8, content: usize) -> ([u8; 10], usize) {
    let mut head = [tag, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    match u8::try_from(content) {
        Ok(short @ 0..0x80) => {
            head[1] = short;
            (head, 2)
        }
        _ => {
            let length = content.to_be_bytes();
            let zeros = length.iter().take_while(|octet| **octet == 0).count();
            let octets = length.len() - zeros;
            // At most eight octets.
            head[1] = 0x80 | octets as u8;
            head[2..2 + octets].copy_from_slice(&length[zeros..]);
            (head, 2 + octets)
        }
    }
}

/// A value written from its last octet to its first: when the length of an element is due, its
/// content stands, and nothing is copied twice.
#[derive(Debug)]
pub(super) struct Backwards {
    /// What is written stands at its end.
    der: Vec<u8>,
    at: usize,
}

/// A place in what is written [`Backwards`]: all that was written since stands before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(usize);

impl Backwards {
    /// With room for this many octets; it grows when they are more.
    pub(super) fn with_room(octets: usize) -> Self {
        Self { der: vec![0; octets], at: octets }
    }

    /// What is written from here on can be wrapped.
    pub(super) const fn mark(&self) -> Mark {
        Mark(self.der.len() - self.at)
    }

    /// Puts octets before all that is there.
    pub(super) fn put(&mut self, octets: &[u8]) {
        if self.at < octets.len() {
            let (more, written) = (octets.len() + self.der.len(), self.der.split_off(self.at));
            self.der = vec![0; more];
            self.at = more;
            self.put(&written);
        }
        let end = self.at;
        self.at -= octets.len();
        self.der[self.at..end].copy_from_slice(octets);
    }

    /// Makes what was written since `since` the content of an element with this tag.
    pub(super) fn wrap(&mut self, tag: u8, since: Mark) {
        let (head, octets) = head(tag, self.mark().0 - since.0);
        self.put(&head[..octets]);
    }

    /// All that was written.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let octets = self.der.len() - self.at;
        self.der.copy_within(self.at.., 0);
        self.der.truncate(octets);
        self.der
    }
}

/// Elements one after the other. Each must have a tag number below 31 and the shortest length there
/// is; what its content means is not looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

/// An element: the whole of it, and its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) whole: &'a [u8],
    pub(super) content: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(der: &'a [u8]) -> Self {
        Self(der)
    }

    /// What is still to be read.
    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Whether all was read.
    pub(super) const fn is_at_end(self) -> bool {
        self.0.is_empty()
    }

    /// What the one element of a value contains, and nothing behind it.
    pub(super) fn sole(der: &'a [u8], tag: u8) -> Result<Self, DerError> {
        let mut reader = Self(der);
        let element = reader.next(tag)?;
        reader.end()?;
        Ok(Self(element.content))
    }

    pub(super) fn end(self) -> Result<(), DerError> {
        if self.is_at_end() { Ok(()) } else { Err(grammar("more than there should be")) }
    }

    /// The next element, if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        if self.0.first() == Some(&tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// The next element, which must have this tag.
    pub(super) fn next(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        self.optional(tag)?.ok_or_else(|| grammar("another element than there should be"))
    }

    /// The next element, whatever its tag.
    pub(super) fn any(&mut self) -> Result<Element<'a>, DerError> {
        let der = self.0;
        let &[tag, length, ref rest @ ..] = der else { return Err(grammar("no element")) };
        if tag & 0x1f == 0x1f {
            return Err(grammar("a long tag"));
        }
        let (octets, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            // Elements here are far below 16 MiB.
            0x81..=0x83 => {
                let count = usize::from(length - 0x80);
                let (long, rest) = rest.split_at_checked(count).ok_or_else(cut_short)?;
                let octets = long.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
                let least = if count == 1 { 0x80 } else { 1 << (8 * (count - 1)) };
                if octets < least {
                    return Err(DerError::NotCanonical);
                }
                (octets, rest)
            }
            _ => return Err(grammar("an indefinite or absurd length")),
        };
        let (content, after) = rest.split_at_checked(octets).ok_or_else(cut_short)?;
        self.0 = after;
        Ok(Element { whole: &der[..der.len() - after.len()], content })
    }
}

fn grammar(what: &str) -> DerError {
    DerError::Grammar(what.to_owned())
}

fn cut_short() -> DerError {
    grammar("cut short")
}

/// Reads one value and nothing behind it. rasn's DER decoder lets some BER through (non-minimal
/// lengths and integers, encoded defaults); encoding again finds it, save inside an [`Any`].
pub(super) fn decode<T: Decode + Encode>(der: &[u8]) -> Result<T, DerError> {
    let value: T = rasn::der::decode(der).map_err(|e| DerError::Grammar(e.to_string()))?;
    match rasn::der::encode(&value) {
        Ok(again) if again == der => Ok(value),
        _ => Err(DerError::NotCanonical),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_what_rasn_encodes() {
        for octets in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![0x5a; octets];
            let (half, rest) = content.split_at(octets / 2);
            assert_eq!(element(0x04, &[half, rest]), encode(&OctetString::from(content.clone())));
        }
    }

    #[test]
    fn what_is_written_backwards_is_what_is_written_forwards() {
        // With room enough, without any, and when it ends in between.
        for room in [0, 3, 140, 70_000] {
            for octets in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
                let content = vec![0x5a; octets];
                let mut written = Backwards::with_room(room);
                let end = written.mark();
                written.put(&[5, 0]);
                let inner = written.mark();
                written.put(&content);
                written.wrap(0x04, inner);
                written.wrap(0x30, end);
                let sequence = [element(0x04, &[&content]), vec![5, 0]].concat();
                assert_eq!(written.finish(), element(0x30, &[&sequence]), "{room} {octets}");
            }
        }
    }

    #[test]
    fn elements_are_read_as_they_were_written() {
        for octets in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![0x5a; octets];
            let der = element(0x04, &[&content]);
            let mut reader = Reader::new(&der);
            let read = reader.next(0x04).expect("an element");
            assert_eq!((read.whole, read.content), (&der[..], &content[..]));
            assert!(reader.is_at_end());
            assert!(Reader::new(&der[..der.len() - 1]).any().is_err());
            assert!(Reader::sole(&[&der[..], &[0]].concat(), 0x04).is_err());
        }
    }

    #[test]
    fn what_is_not_der_is_no_element() {
        for bad in [
            &[][..],
            &[0x04],
            &[0x04, 1],
            &[0x04, 0x80, 0, 0],
            &[0x04, 0x81, 1, 0],
            &[0x04, 0x82, 0, 1, 0],
            &[0x04, 0x84, 0, 0, 0, 0],
            &[0x1f, 0x20, 0],
        ] {
            assert!(Reader::new(bad).any().is_err(), "{bad:02x?}");
        }
    }
}
