//! How fast one scale runs against another.

use super::Ppb;

/// A rate in parts per billion: what is proven of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// No less than this.
    pub lo_ppb: i64,
    /// No more than this.
    pub hi_ppb: i64,
}

impl Rate {
    /// The middle, for display.
    #[must_use]
    pub const fn middle_ppb(self) -> i64 {
        self.lo_ppb.midpoint(self.hi_ppb)
    }

    /// Whether it is proven to be beyond `rho`.
    #[must_use]
    pub fn is_beyond(self, rho: Ppb) -> bool {
        let rho = i64::from(rho.as_ppb());
        self.lo_ppb > rho || self.hi_ppb < -rho
    }
}
