//! A world: the figures, the faults that may happen, and what is deliberately broken.

/// A number of ticks.
pub type Ticks = i8;

/// How tokens are released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The monitor confirms each batch before it is signed.
    Witnessed,
    /// The lease alone permits the release.
    Leased,
}

/// The figures of design section 1, in whole ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// A: the accuracy printed in tokens.
    pub accuracy: Ticks,
    /// E0: a lease is granted only when the TSU is provably within this.
    pub grant_within: Ticks,
    /// E_bad: a lease is revoked when the TSU is provably outside this.
    pub revoke_beyond: Ticks,
    /// G: how far REAL may move against RAW under one lease.
    pub guard: Ticks,
    /// rho*TTL: how far each box's oscillator may drift, over any span of time.
    pub drift: Ticks,
    /// beta: the widest bracket of a sample. With 0 a sample is one step.
    pub bracket: Ticks,
    /// The most that printing cuts off a genTime, which is a multiple of one more than this.
    pub resolution: Ticks,
    /// e_max: the widest half interval of the monitor that may confirm.
    pub interval_max: Ticks,
    /// `queue_max`: the oldest sample that is sure to be confirmed.
    pub queue_max: Ticks,
    /// TTL: how long a lease lasts on the TSU's RAW.
    pub ttl: Ticks,
}

impl Figures {
    /// `E0 + G + rho*TTL + 2*beta + resolution`: what A must be at least in leased mode.
    #[must_use]
    pub const fn leased(&self) -> Ticks {
        self.grant_within + self.guard + self.drift + 2 * self.bracket + self.resolution
    }

    /// `2*e_max + queue_max + E0 + G + rho*TTL + resolution`: what A must be at least with a
    /// witness, so that a sound batch is never refused.
    #[must_use]
    pub const fn witnessed(&self) -> Ticks {
        2 * self.interval_max
            + self.queue_max
            + self.grant_within
            + self.guard
            + self.drift
            + self.resolution
    }

    /// `TTL(1+rho)/(1-rho)`: how long one box's TTL may last on another box's oscillator.
    #[must_use]
    pub const fn wait(&self) -> Ticks {
        self.ttl + 2 * self.drift
    }

    /// TTL* of P4: the longest that a TTL counted by the TSU can last.
    #[must_use]
    pub const fn outlives(&self) -> Ticks {
        self.ttl + self.drift
    }
}

/// What may go wrong. Nothing here has a number stands for "any number of times".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// REAL of box A may slew and step, but never further than this from RAW.
    pub clock: Ticks,
    /// Box A may freeze for this many ticks in all: RAW and REAL stand.
    pub freeze: Ticks,
    /// Messages may be delivered more than once.
    pub duplicates: bool,
    /// The link may be cut, and made anew.
    pub cuts: bool,
    /// The monitor may end a lease at any time, as when it loses consensus.
    pub revocations: bool,
    /// How often the TSU may be killed and started again.
    pub crashes: u8,
    /// How often the monitor may be killed and started again.
    pub monitor_crashes: u8,
    /// Whether box A may be cloned, once: running, or its state directory.
    pub clone: bool,
    /// Whether box A may be restored from a copy, once: running, or its state directory.
    pub rollback: bool,
    /// The monitor's interval may lie this far from UTC, either way.
    pub monitor_wrong: Ticks,
}

/// One thing deliberately left out or done wrong. Each must lead to a counterexample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The TSU judges first and reads the clock afterwards.
    CheckThenRead,
    /// The judge does not compare REAL with RAW.
    NoGuard,
    /// The judge accepts any bracket.
    AnyBracket,
    /// The TTL counts from the arrival of the grant.
    TtlFromArrival,
    /// The TSU builds tokens from a sample that it took before the request was in.
    StaleSample,
    /// The monitor reads its clock before the batch is in.
    StaleNow,
    /// Box A's clock and the monitor's interval are moved alike.
    BothWrongAlike,
    /// The witness takes m for UTC, as if e were nothing.
    NoInterval,
    /// The witness allows one tick more than A.
    WideWindow,
    /// The witness takes any time.
    NoWindow,
    /// The witness confirms under a lease that it has revoked.
    ConfirmsRevoked,
    /// The witness asks neither for the next sequence number nor for a consistent log.
    NoFence,
    /// The monitor takes the log for consistent without looking.
    AnyLog,
    /// The monitor does not look at the log of a TSU that it admits.
    NoCheckAtCall,
    /// The TSU signs and releases without waiting for the confirmation.
    NoWait,
    /// After the confirmation the TSU does not look again whether the lease was revoked.
    NoSecondLook,
    /// A monitor that restarts admits another incarnation at once.
    NoWaitAfterRestart,
    /// The monitor takes the answer to an older probe for the answer to the newest.
    AnyNonce,
    /// A lease is granted on any answer, whatever the deviation.
    AnyDeviation,
}

/// One configuration to search.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Its name.
    pub name: &'static str,
    /// What it explores, in a few words.
    pub explores: &'static str,
    /// How tokens are released.
    pub mode: Mode,
    /// The figures.
    pub figures: Figures,
    /// What may go wrong.
    pub faults: Faults,
    /// How many batches may be in flight.
    pub lanes: usize,
    /// How many batches there may be in all, when the world tells logs and serials apart.
    pub batches: Option<u8>,
    /// Whether it checks that the witness refuses no sound batch.
    pub checks_window: bool,
    /// Whether it is searched far enough to see a token under a lease after an end.
    pub must_rearm: bool,
    /// What is broken.
    pub broken: &'static [Control],
}

impl Faults {
    /// Nothing goes wrong, save that messages are lost and late.
    pub const NONE: Self = Self {
        clock: 0,
        freeze: 0,
        duplicates: false,
        cuts: false,
        revocations: false,
        crashes: 0,
        monitor_crashes: 0,
        clone: false,
        rollback: false,
        monitor_wrong: 0,
    };
}

impl World {
    /// Whether `control` is what is broken here.
    #[must_use]
    pub fn breaks(&self, control: Control) -> bool {
        self.broken.contains(&control)
    }

    /// Whether serials and logs are told apart; then the number of batches is limited.
    #[must_use]
    pub const fn tells_logs_apart(&self) -> bool {
        self.batches.is_some()
    }
}
