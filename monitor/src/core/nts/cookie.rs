//! Cookies: what a server wants to see again, opaque to the client (RFC 8915 6).

use core::fmt;
use std::collections::VecDeque;

use super::field;

/// One cookie. It goes into an extension field as it is, so its length is a multiple of four.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie(Vec<u8>);

impl Cookie {
    /// The shortest that makes an extension field of the least length.
    pub const LEN_MIN: usize = field::LEN_MIN - field::HEAD_LEN;

    /// The longest taken. Servers in the field give about 100 bytes.
    pub const LEN_MAX: usize = 512;

    /// The cookie with these bytes; `None` when no extension field can hold them as they are.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let fits = (Self::LEN_MIN..=Self::LEN_MAX).contains(&bytes.len());
        (fits && bytes.len().is_multiple_of(4)).then(|| Self(bytes.to_vec()))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Cookie {
    /// Its length alone: whoever holds a cookie can link the client to it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookie({} bytes)", self.0.len())
    }
}

/// Unused cookies, at most eight. Each leaves it once: a cookie seen twice on the wire would tell
/// that both requests are of one client (RFC 8915 5.7).
#[derive(Clone, Debug, Default)]
pub struct Jar(VecDeque<Cookie>);

impl Jar {
    /// How many cookies a client keeps (RFC 8915 4.1.6).
    pub const ROOM: usize = 8;

    /// Puts cookies in. What is over the room pushes the oldest out.
    pub fn fill(&mut self, cookies: impl IntoIterator<Item = Cookie>) {
        for cookie in cookies {
            if self.0.len() == Self::ROOM {
                self.0.pop_front();
            }
            self.0.push_back(cookie);
        }
    }

    /// Takes the oldest out, for good.
    pub fn take(&mut self) -> Option<Cookie> {
        self.0.pop_front()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many fit in beside the one that every answer brings.
    #[must_use]
    pub fn room_for_more(&self) -> usize {
        (Self::ROOM - 1).saturating_sub(self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(tag: u8) -> Cookie {
        Cookie::new(&[tag; 100]).expect("a fair length")
    }

    #[test]
    fn a_cookie_fills_an_extension_field_exactly() {
        for (length, fits) in [(0, false), (8, false), (12, true), (14, false), (16, true)] {
            assert_eq!(Cookie::new(&vec![1; length]).is_some(), fits, "{length}");
        }
        assert!(Cookie::new(&[1; Cookie::LEN_MAX]).is_some());
        assert!(Cookie::new(&[1; Cookie::LEN_MAX + 4]).is_none());
        assert_eq!(format!("{:?}", cookie(7)), "Cookie(100 bytes)");
    }

    #[test]
    fn cookies_leave_in_their_order_and_the_newest_eight_stay() {
        let mut jar = Jar::default();
        assert_eq!((jar.take(), jar.room_for_more()), (None, 7));
        jar.fill((0..10).map(cookie));
        assert_eq!((jar.len(), jar.room_for_more()), (8, 0));
        let left: Vec<Cookie> = std::iter::from_fn(|| jar.take()).collect();
        assert_eq!(left, (2..10).map(cookie).collect::<Vec<_>>());
        assert!(jar.is_empty());
    }
}
