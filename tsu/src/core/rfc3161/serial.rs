//! Serial numbers (RFC 3161 2.4.2, design 5.6).

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::{BootId, Incarnation, Nonce, Serial};
use chronolease_core::time::GenTime;

use super::request::Request;

/// What stands before everything else in the hash, so that no other hash of this system can be a
/// serial.
const DOMAIN: &[u8] = b"chronolease/serial/v1\0";

/// Where the serial numbers of one run of a TSU come from.
///
/// A serial is a hash over all that tells one token from another: two runs differ in their
/// incarnation, two boots in their boot id, and copies of this process that were restored from one
/// snapshot, random generator and counter included, meet other nonces of the monitor. Whatever of
/// this repeats, the hash goes over the request and the time too, so that two tokens that say
/// different things never share a serial.
#[derive(Clone, Debug)]
pub struct SerialSource {
    boot_id: BootId,
    incarnation: Incarnation,
    counter: u64,
}

impl SerialSource {
    /// The serial numbers of one run on one boot.
    #[must_use]
    pub fn new(boot_id: BootId, incarnation: Incarnation) -> Self {
        Self { boot_id, incarnation, counter: 0 }
    }

    /// The next serial number. `randomness` was never used before in this run, `monitor_nonce` is the
    /// nonce of the monitor's last message; the token will answer `request` and state `gen_time`.
    pub fn next(
        &mut self,
        randomness: &[u8; 32],
        monitor_nonce: &Nonce,
        gen_time: GenTime,
        request: &Request,
    ) -> Serial {
        self.counter += 1;
        // All parts have a fixed length, so no two inputs hash the same bytes.
        let hash = Hash::of_parts(&[
            DOMAIN,
            self.boot_id.as_bytes(),
            self.incarnation.as_bytes(),
            randomness,
            monitor_nonce.as_bytes(),
            &self.counter.to_be_bytes(),
            &gen_time.as_unix_nanos().to_be_bytes(),
            request.fingerprint(),
        ]);
        Serial::from_hash(hash.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use chronolease_core::time::{GenTimeDigits, Timestamp};
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Clone, Debug)]
    struct Inputs {
        boot: [u8; 16],
        incarnation: [u8; 16],
        tokens_before: u8,
        randomness: [u8; 32],
        nonce: [u8; 32],
        gen_time_ms: i32,
        request: u8,
    }

    fn gen_time(unix_ms: i64) -> GenTime {
        GenTime::at(Timestamp::from_unix_nanos(unix_ms * 1_000_000), GenTimeDigits::Three)
    }

    /// A request with this number as its nonce.
    fn request(number: u8) -> Request {
        testing::request_with_nonce(&[2, 1, number & 0x7f])
    }

    impl Inputs {
        fn serial(&self) -> Serial {
            let mut source = SerialSource::new(
                BootId::from_bytes(self.boot),
                Incarnation::from_bytes(self.incarnation),
            );
            let mut next = || {
                let (nonce, time) =
                    (Nonce::from_bytes(self.nonce), gen_time(self.gen_time_ms.into()));
                source.next(&self.randomness, &nonce, time, &request(self.request))
            };
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
            gen_time_ms in any::<i32>(),
            request in 0u8..128,
        ) -> Inputs {
            Inputs { boot, incarnation, tokens_before, randomness, nonce, gen_time_ms, request }
        }
    }

    proptest! {
        #[test]
        fn a_serial_differs_when_one_input_alone_does(
            inputs in inputs(),
            which in 0..7,
            at in any::<prop::sample::Index>(),
            flip in 1u8..128,
        ) {
            let mut other = inputs.clone();
            match which {
                0 => other.boot[at.index(16)] ^= flip,
                1 => other.incarnation[at.index(16)] ^= flip,
                2 => other.tokens_before ^= flip,
                3 => other.randomness[at.index(32)] ^= flip,
                4 => other.nonce[at.index(32)] ^= flip,
                5 => other.gen_time_ms ^= i32::from(flip),
                _ => other.request ^= flip,
            }
            prop_assert_ne!(inputs.serial(), other.serial());
        }

        /// One snapshot, restored twice. Random generator, monitor and clock repeat: only the
        /// requests, drawn from a few, differ here and there.
        #[test]
        fn copies_of_one_snapshot_never_give_two_requests_one_serial(
            before in 0u8..4,
            asked in prop::collection::vec((0u8..4, 0i64..3), 2..40),
        ) {
            let stuck = Nonce::from_bytes([7; 32]);
            let mut snapshot =
                SerialSource::new(BootId::from_bytes([1; 16]), Incarnation::from_bytes([2; 16]));
            for _ in 0..before {
                snapshot.next(&[0; 32], &stuck, gen_time(0), &request(0));
            }
            let half = asked.len() / 2;
            let mut given = HashMap::new();
            for part in [&asked[..half], &asked[half..]] {
                let mut restored = snapshot.clone();
                for &(number, ms) in part {
                    let serial = restored.next(&[0; 32], &stuck, gen_time(ms), &request(number));
                    // The same request at the same time is the same token, not another one.
                    let first = *given.entry(serial).or_insert((number, ms));
                    prop_assert_eq!(first, (number, ms));
                }
            }
        }
    }

    #[test]
    fn a_run_repeats_no_serial_even_when_the_random_generator_is_stuck() {
        let mut source =
            SerialSource::new(BootId::from_bytes([1; 16]), Incarnation::from_bytes([2; 16]));
        let (nonce, request) = (Nonce::from_bytes([0; 32]), request(0));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            assert!(seen.insert(source.next(&[0; 32], &nonce, gen_time(0), &request)));
        }
    }
}
