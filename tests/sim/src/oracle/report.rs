//! What happened in a world, in numbers.

use std::collections::BTreeMap;

use chronolease_core::lease::EndingCause;

/// How often things happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Clients that asked.
    pub requests: u64,
    /// Tokens released.
    pub tokens: u64,
    /// Clients that were told to come again.
    pub rejections: u64,
    /// Leases granted or renewed.
    pub grants: u64,
    /// Batches confirmed.
    pub confirmations: u64,
    /// Faults of each kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Leases that ended, by cause.
    pub endings: BTreeMap<&'static str, u64>,
}

/// How near the limits it came, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tightness {
    /// The furthest that a genTime was from every instant between request and token (P1).
    pub distance: i64,
    /// The furthest that a genTime was from UTC when its clock was read, where the clocks of box A
    /// do not lie together (P2).
    pub reading: i64,
    /// The furthest that the monitor's m was from UTC.
    pub reading_b: i64,
    /// The widest e of a confirmation.
    pub half_width: i64,
    /// The least that was left between the genTimes of a confirmed batch and the accuracy.
    pub slack: Option<i64>,
    /// The longest from a decision to the release of its token.
    pub confirmation_age: i64,
}

impl Counts {
    /// A fault of this kind happened.
    pub fn fault(&mut self, label: &'static str) {
        *self.faults.entry(label).or_default() += 1;
    }

    /// A lease ended.
    pub fn ended(&mut self, cause: EndingCause) {
        *self.endings.entry(cause.label()).or_default() += 1;
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.tokens += other.tokens;
        self.rejections += other.rejections;
        self.grants += other.grants;
        self.confirmations += other.confirmations;
        for (mine, theirs) in
            [(&mut self.faults, &other.faults), (&mut self.endings, &other.endings)]
        {
            for (label, count) in theirs {
                *mine.entry(label).or_default() += count;
            }
        }
    }
}

impl Tightness {
    /// The worse of both.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        Self {
            distance: self.distance.max(other.distance),
            reading: self.reading.max(other.reading),
            reading_b: self.reading_b.max(other.reading_b),
            half_width: self.half_width.max(other.half_width),
            slack: [self.slack, other.slack].into_iter().flatten().min(),
            confirmation_age: self.confirmation_age.max(other.confirmation_age),
        }
    }
}
