//! The operating system's randomness.
//!
//! Without randomness there is no nonce, no serial number and no key, so nothing may go on.

use std::fmt;

/// Fills `dest` with random bytes. Ends the process when there are none to be had.
pub fn fill(dest: &mut [u8]) {
    if aws_lc_rs::rand::fill(dest).is_err() {
        eprintln!("the operating system yields no randomness; nothing is safe without it");
        std::process::abort();
    }
}

/// `N` random bytes. Ends the process when there are none to be had.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// How much a [`Supply`] draws at a time.
const SUPPLY_BYTES: usize = 1_024;

/// Random bytes drawn in larger pieces, since a few cost as much as many. None is given out twice,
/// save by copies of a process that were made from one snapshot: whoever minds that must mix in what
/// tells the copies apart, or draw by [`fill`].
#[derive(Default)]
pub struct Supply {
    left: Vec<u8>,
}

impl Supply {
    /// `N` random bytes, at most 1,024. Ends the process when there are none to be had.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= SUPPLY_BYTES) };
        if self.left.len() < N {
            self.left.resize(SUPPLY_BYTES, 0);
            fill(&mut self.left);
        }
        let (rest, given) = self.left.split_last_chunk().expect("as many are there");
        let (rest, given) = (rest.len(), *given);
        self.left.truncate(rest);
        given
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supply").field("left_bytes", &self.left.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(bytes::<32>(), bytes::<32>());
        let mut filled = [0; 32];
        fill(&mut filled);
        assert_ne!(filled, [0; 32]);
    }

    #[test]
    fn a_supply_repeats_nothing() {
        let mut supply = Supply::default();
        // Several pieces, and what is left at the end of one is too little.
        let drawn: Vec<u8> = (0..100).flat_map(|_| supply.bytes::<48>()).collect();
        // Wherever one begins: no eight bytes of one are eight bytes of another.
        let eights: std::collections::HashSet<_> = drawn.windows(8).collect();
        assert_eq!(eights.len(), drawn.len() - 7);
    }
}
