//! The self-check of some signatures instead of all.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Signer, SignerError};

/// A signer that looks at the first signature after the start and then at one in so many, and
/// takes the others for good unseen. What a token says is checked all the same, for each.
pub struct Sampled {
    signer: Arc<dyn Signer>,
    one_in: NonZeroU64,
    seen: AtomicU64,
}

impl Sampled {
    /// Looks at one signature in `one_in` of this signer.
    #[must_use]
    pub const fn new(signer: Arc<dyn Signer>, one_in: NonZeroU64) -> Self {
        Self { signer, one_in, seen: AtomicU64::new(0) }
    }
}

impl Signer for Sampled {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.signer.sign(message)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        !number.is_multiple_of(self.one_in.get()) || self.signer.verify(message, signature)
    }

    fn describe(&self) -> &str {
        self.signer.describe()
    }

    fn log_out(&self) {
        self.signer.log_out();
    }
}

impl fmt::Debug for Sampled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampled").field("one_in", &self.one_in).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rfc3161::testing::Pki;

    #[test]
    fn the_first_and_then_one_in_three_are_looked_at() {
        let three = NonZeroU64::new(3).expect("not zero");
        let signer = Sampled::new(Arc::new(Pki::new().signer()), three);
        let noticed: Vec<bool> = (0..7).map(|_| !signer.verify(b"message", b"none")).collect();
        assert_eq!(noticed, [true, false, false, true, false, false, true]);
        let signature = signer.sign(b"message").expect("it signs");
        assert!((0..3).all(|_| signer.verify(b"message", &signature)));
    }
}
