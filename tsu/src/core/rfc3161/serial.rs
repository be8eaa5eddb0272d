//! Serial numbers (RFC 3161 2.4.2, design 5.6).

use chronolease_core::id::{BootId, Incarnation, Nonce, Serial};
use sha2::{Digest, Sha256};

/// What stands before everything else in the hash, so that no other hash of this system can be a
/// serial.
const DOMAIN: &[u8] = b"chronolease/serial/v1\0";

/// Where the serial numbers of one run of a TSU come from.
///
/// A serial is a hash over all that tells one token from another. A copy of this process that was
/// restored from a snapshot, random generator and counter included, still meets another nonce of
/// the monitor; two runs differ in their incarnation, two boots in their boot id.
#[derive(Clone, Debug)]
pub struct SerialSource {
    /// The hash over what stays the same for a run.
    run: Sha256,
    counter: u64,
}

impl SerialSource {
    /// The serial numbers of one run on one boot.
    #[must_use]
    pub fn new(boot_id: BootId, incarnation: Incarnation) -> Self {
        let run = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(boot_id.as_bytes())
            .chain_update(incarnation.as_bytes());
        Self { run, counter: 0 }
    }

    /// The next serial number. `randomness` is drawn afresh for this call, `monitor_nonce` is the
    /// nonce of the monitor's last message, `imprint` the digest that the token will carry.
    pub fn next(&mut self, randomness: &[u8; 32], monitor_nonce: &Nonce, imprint: &[u8]) -> Serial {
        self.counter += 1;
        // All parts but the last have a fixed length, so no two inputs hash the same bytes.
        let hash = self
            .run
            .clone()
            .chain_update(randomness)
            .chain_update(monitor_nonce.as_bytes())
            .chain_update(self.counter.to_be_bytes())
            .chain_update(imprint)
            .finalize();
        Serial::from_hash(&hash.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    struct Inputs {
        boot: [u8; 16],
        incarnation: [u8; 16],
        tokens_before: u8,
        randomness: [u8; 32],
        nonce: [u8; 32],
        imprint: Vec<u8>,
    }

    impl Inputs {
        fn serial(&self) -> Serial {
            let mut source = SerialSource::new(
                BootId::from_bytes(self.boot),
                Incarnation::from_bytes(self.incarnation),
            );
            let mut next =
                || source.next(&self.randomness, &Nonce::from_bytes(self.nonce), &self.imprint);
            (0..self.tokens_before).for_each(|_| {
                next();
            });
            next()
        }
    }

    prop_compose! {
        fn inputs()(
            (boot, incarnation, tokens_before) in any::<([u8; 16], [u8; 16], u8)>(),
            (randomness, nonce) in any::<([u8; 32], [u8; 32])>(),
            imprint in prop::collection::vec(any::<u8>(), 32..=64),
        ) -> Inputs {
            Inputs { boot, incarnation, tokens_before, randomness, nonce, imprint }
        }
    }

    proptest! {
        #[test]
        fn a_serial_differs_when_one_input_alone_does(
            inputs in inputs(),
            which in 0..6,
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let mut other = inputs.clone();
            match which {
                0 => other.boot[at.index(16)] ^= flip,
                1 => other.incarnation[at.index(16)] ^= flip,
                2 => other.tokens_before ^= flip,
                3 => other.randomness[at.index(32)] ^= flip,
                4 => other.nonce[at.index(32)] ^= flip,
                _ => {
                    let octet = at.index(other.imprint.len());
                    other.imprint[octet] ^= flip;
                }
            }
            prop_assert_ne!(inputs.serial(), other.serial());
        }
    }

    #[test]
    fn a_run_repeats_no_serial_even_when_the_random_generator_is_stuck() {
        let mut source =
            SerialSource::new(BootId::from_bytes([1; 16]), Incarnation::from_bytes([2; 16]));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            assert!(seen.insert(source.next(&[0; 32], &Nonce::from_bytes([0; 32]), &[0; 32])));
        }
    }
}
