//! Random numbers that can be had again.

use chronolease_net::random;

/// Set it to what a failed run printed, to have the same instants again.
const SEED: &str = "CHRONOLEASE_CLOCK_FAULTS_SEED";

/// A generator (SplitMix64): good enough to pick instants.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    /// Fresh dice, or those that the environment asks for. Prints the seed.
    pub(crate) fn new() -> Self {
        let seed = match std::env::var(SEED) {
            Ok(text) => text.parse().unwrap_or_else(|e| panic!("{SEED}={text}: {e}")),
            Err(_) => u64::from_be_bytes(random::bytes()),
        };
        println!("{SEED}={seed}");
        Self { state: seed }
    }

    /// Dice of their own for another thread.
    pub(crate) fn fork(&mut self) -> Self {
        Self { state: self.next() }
    }

    /// A number from 0 up to, not including, `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
