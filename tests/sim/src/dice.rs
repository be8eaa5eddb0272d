//! Chance that repeats: the same seed, the same throws.

/// SplitMix64. Small, fast and good enough to schedule faults; no key is ever made of it.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The dice of this seed. `stream` keeps throws for different purposes apart.
    #[must_use]
    pub const fn new(seed: u64, stream: u64) -> Self {
        let mixed =
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.wrapping_mul(0xd134_2543_de82_ef95);
        Self(mixed)
    }

    /// Any number.
    pub const fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `lo` to `hi`, both included.
    pub const fn range(&mut self, lo: i64, hi: i64) -> i64 {
        let width = hi.abs_diff(lo).saturating_add(1);
        lo.wrapping_add_unsigned(self.throw() % width)
    }

    /// `true` in so many of a thousand throws.
    pub const fn permille(&mut self, chance: u64) -> bool {
        self.throw() % 1_000 < chance
    }

    /// A place in a list of this length, which is not 0.
    pub fn index(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.throw() % length).unwrap_or(0)
    }

    /// Bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            let throw = self.throw().to_le_bytes();
            chunk.copy_from_slice(&throw[..chunk.len()]);
        }
        bytes
    }
}
