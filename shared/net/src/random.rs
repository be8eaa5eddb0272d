//! The operating system's randomness.
//!
//! Without randomness there is no nonce, no serial number and no key, so nothing may go on.

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
}
