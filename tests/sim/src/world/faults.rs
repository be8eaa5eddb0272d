//! What goes wrong, when, and how long.

use super::{BOX_A, BOX_B, Happens, Scene, World};
use crate::clock::{Instant, MS};
use crate::dice::Dice;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident $({ $($field:ident: $kind:ty),+ })? = $label:literal;)+) => {
        /// A fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault { $($(#[$doc])* $name $({ $(#[allow(missing_docs, reason = "the fault says it")] $field: $kind),+ })?,)+ }

        impl Fault {
            /// Its kind.
            #[must_use]
            pub const fn label(&self) -> &'static str {
                match self { $(Self::$name { .. } => $label,)+ }
            }
        }
    };
}

faults! {
    /// Somebody sets the clock.
    Step { host: usize, by: i64 } = "clock of a box set";
    /// The clock of box A is slewed.
    Slew { ppb: i64, lasts: i64 } = "clock of box A slewed";
    /// The oscillator of box A leaves its bounds.
    Rate { ppb: i64, lasts: i64 } = "oscillator of box A beyond rho";
    /// A virtual machine stands still: all clocks with it.
    Freeze { host: usize, lasts: i64 } = "box frozen with all its clocks";
    /// All clocks of box A move alike.
    Jump { by: i64 } = "all clocks of box A moved alike";
    /// A box is suspended.
    Suspend { host: usize, lasts: i64 } = "box suspended";
    /// A process is stopped; the clocks go on.
    Stall { host: usize, lasts: i64 } = "process stopped";
    /// Connections break.
    Cut = "link cut";
    /// Nothing gets through for a while.
    Partition { lasts: i64 } = "link blocked";
    /// Everything is slow.
    Slow { by: i64, lasts: i64 } = "link slow";
    /// A process dies.
    Kill { host: usize, down: i64 } = "process killed";
    /// A box loses power: writes that were not made durable are lost or torn.
    PowerCut { host: usize, down: i64 } = "power lost";
    /// The monitor is stopped in good order and started again.
    Restart { down: i64 } = "monitor restarted";
    /// A copy of box A is started beside it.
    Clone { same_random: bool } = "box A cloned";
    /// The copy is switched off.
    CloneGone = "clone switched off";
    /// Somebody keeps a copy of box A's disk.
    KeepCopy = "disk of box A copied";
    /// Box A goes back to that copy.
    Rollback = "box A rolled back to the copy";
    /// Writing takes long.
    SlowDisk { host: usize, lasts: i64 } = "disk slow";
    /// The disk is full.
    FullDisk { host: usize, lasts: i64 } = "disk full";
    /// fdatasync fails.
    FailingDisk { host: usize } = "fdatasync fails";
    /// Signing takes long.
    SlowSigner { lasts: i64 } = "signer slow";
    /// Signing fails now and then.
    FailingSigner { lasts: i64 } = "signer fails";
    /// A laboratory lies.
    Lie { source: usize, by: i64, lasts: i64 } = "laboratory lies";
    /// Laboratories are silent.
    Outage { count: usize, lasts: i64 } = "laboratories silent";
    /// The paths to laboratories are slow one way.
    SlowPaths { by: i64, lasts: i64 } = "paths to laboratories slow one way";
    /// A kernel leaps with UTC.
    KernelLeap { host: usize, by: i64 } = "kernel leaps with UTC";
    /// Many ask at once while the clock of box A is set back a little.
    Waver { by: i64 } = "clock of box A set back a little in a crowd";
    /// One laboratory lies while all the others are silent.
    Alone { source: usize, by: i64 } = "a lying laboratory alone";
    /// Box A is cut off, and a copy of it calls; the monitor may restart.
    Usurp { restarts: bool, same_random: bool } = "box A cut off while a copy of it calls";
    /// The clock reader's process dies.
    ReaderKilled { host: usize, down: i64 } = "clock reader killed";
    /// It is stopped.
    ReaderStopped { host: usize, lasts: i64 } = "clock reader stopped";
    /// It is held up, again and again.
    ReaderLate { host: usize, by: i64, lasts: i64 } = "clock reader late";
    /// A hypervisor moves a box, and its marker tells of it.
    Disrupted { host: usize, by: i64 } = "box disrupted";
    /// The process of the TSU is carried to another boot.
    Carry { by: i64 } = "process carried over a reboot";
}

impl Fault {
    /// How long it lasts.
    pub(super) const fn lasts(&self) -> i64 {
        match self {
            Self::Slew { lasts, .. }
            | Self::Rate { lasts, .. }
            | Self::Freeze { lasts, .. }
            | Self::Suspend { lasts, .. }
            | Self::Stall { lasts, .. }
            | Self::Partition { lasts }
            | Self::Slow { lasts, .. }
            | Self::SlowDisk { lasts, .. }
            | Self::FullDisk { lasts, .. }
            | Self::SlowSigner { lasts }
            | Self::Kill { down: lasts, .. }
            | Self::PowerCut { down: lasts, .. }
            | Self::ReaderKilled { down: lasts, .. }
            | Self::ReaderStopped { lasts, .. }
            | Self::ReaderLate { lasts, .. }
            | Self::Restart { down: lasts }
            | Self::SlowPaths { lasts, .. }
            | Self::Outage { lasts, .. }
            | Self::Lie { lasts, .. } => *lasts,
            Self::Usurp { .. } => 6_500 * MS,
            Self::Alone { .. } => 14_000 * MS,
            _ => 0,
        }
    }
}

/// A time that is short more often than long.
fn short(dice: &mut Dice, lo: i64, hi: i64) -> i64 {
    dice.range(lo, hi).min(dice.range(lo, hi))
}

fn signed(dice: &mut Dice, size: i64) -> i64 {
    if dice.permille(500) { size } else { -size }
}

/// One to seven milliseconds, or up to ten seconds, forward or back.
fn step(dice: &mut Dice) -> i64 {
    let size =
        if dice.permille(300) { dice.range(MS, 7 * MS) } else { short(dice, 7 * MS, 10_000 * MS) };
    signed(dice, size)
}

impl World {
    /// Throws what will go wrong in this world.
    pub(super) fn schedule_faults(&mut self) {
        let calm = self.dice.permille(60);
        // Some worlds are wilder than others.
        let longest = self.dice.range(4_000 * MS, 16_000 * MS);
        let mut at = self.dice.range(3_000 * MS, 9_000 * MS);
        while !calm && at < self.ends_at - 3_000 * MS {
            let fault = self.any_fault(at);
            self.later(at, Happens::Fault(fault));
            at += if self.dice.permille(200) {
                self.dice.range(0, 400 * MS)
            } else {
                self.dice.range(400 * MS, longest)
            };
        }
        match self.options.scene {
            Scene::LeasedFrozen => self.often(|dice| Fault::Freeze {
                host: BOX_A,
                lasts: dice.range(600 * MS, 2_500 * MS),
            }),
            Scene::MonitorFrozen => self.often(|dice| Fault::Freeze {
                host: BOX_B,
                lasts: dice.range(600 * MS, 2_500 * MS),
            }),
            Scene::Carried => self.often(|dice| {
                let by = dice.range(700 * MS, 2_000 * MS);
                Fault::Carry { by: signed(dice, by) }
            }),
            Scene::UnprotectedLeased | Scene::HeldUp => {
                self.often(|dice| Fault::Kill { host: BOX_A, down: dice.range(50 * MS, 300 * MS) })
            }
            Scene::Copied | Scene::LeasedCopied => self.copies(),
            Scene::Witnessed | Scene::Leased | Scene::Leap | Scene::LeasedLeap => {}
            Scene::Unprotected => {}
        }
    }

    /// What goes wrong with the clock readers besides, and what only they see.
    pub(super) fn schedule_reader_faults(&mut self) {
        let leased = self.leased;
        for _ in 0..self.reader_dice.range(0, 5) {
            let at = self.reader_dice.range(3_000 * MS, self.ends_at - 3_000 * MS);
            let dice = &mut self.reader_dice;
            let host = if dice.permille(600) { BOX_A } else { BOX_B };
            let lasts = short(dice, 100 * MS, 6_000 * MS);
            let fault = match dice.range(0, 9) {
                0..=2 => Fault::ReaderKilled { host, down: short(dice, 20 * MS, 8_000 * MS) },
                3 => Fault::ReaderStopped { host, lasts },
                4 => Fault::ReaderLate { host, by: dice.range(100 * MS, 1_800 * MS), lasts },
                5..=7 => {
                    // Within the guard.
                    let by = dice.range(MS / 100, 5 * MS);
                    Fault::Step { host, by: signed(dice, by) }
                }
                _ => {
                    // Box B runs through, and leased box A moves no further than the guard sees.
                    let most = if leased { 5 * MS } else { 2_000 * MS };
                    let by = dice.range(MS, most);
                    let by = if host == BOX_B { 0 } else { signed(dice, by) };
                    Fault::Disrupted { host, by }
                }
            };
            self.later(at, Happens::Fault(fault));
        }
    }

    /// A copy of box A is put back, or started beside it, perhaps while the monitor restarts.
    fn copies(&mut self) {
        let kept = self.dice.range(8_000 * MS, 20_000 * MS);
        self.later(kept, Happens::Fault(Fault::KeepCopy));
        let back = kept + self.dice.range(3_000 * MS, 25_000 * MS);
        self.later(back, Happens::Fault(Fault::Rollback));
        self.often(|dice| match dice.range(0, 2) {
            0 => Fault::Clone { same_random: dice.permille(500) },
            _ => Fault::Usurp { restarts: dice.permille(700), same_random: dice.permille(300) },
        });
    }

    fn often(&mut self, fault: impl Fn(&mut Dice) -> Fault) {
        for _ in 0..6 {
            let at = self.dice.range(8_000 * MS, self.ends_at - 4_000 * MS);
            let fault = fault(&mut self.dice);
            self.later(at, Happens::Fault(fault));
        }
    }

    fn any_fault(&mut self, at: Instant) -> Fault {
        let witnessed = !self.leased;
        let dice = &mut self.dice;
        let host = if dice.permille(600) { BOX_A } else { BOX_B };
        let lasts = short(dice, 50 * MS, 6_000 * MS);
        match dice.range(0, 99) {
            0..=9 => Fault::Step { host, by: step(dice) },
            10..=12 => Fault::Slew { ppb: dice.range(-3_000_000, 3_000_000), lasts },
            13..=15 if witnessed => {
                let ppb = dice.range(1_000_000, 300_000_000);
                Fault::Rate { ppb: signed(dice, ppb), lasts }
            }
            16..=23 if witnessed => Fault::Freeze { host: BOX_A, lasts },
            24..=26 if witnessed => {
                let by = short(dice, 100 * MS, 5_000 * MS);
                Fault::Jump { by: signed(dice, by) }
            }
            27..=29 => Fault::Suspend { host, lasts },
            30..=36 => Fault::Stall { host, lasts: short(dice, 50 * MS, 4_000 * MS) },
            37..=42 => Fault::Cut,
            43..=49 => Fault::Partition { lasts },
            50..=54 => Fault::Slow { by: dice.range(50 * MS, 800 * MS), lasts },
            55..=57 => Fault::Kill { host, down: short(dice, 50 * MS, 4_000 * MS) },
            58..=60 => Fault::PowerCut { host, down: short(dice, 300 * MS, 5_000 * MS) },
            61..=62 => Fault::Restart { down: dice.range(50 * MS, 2_000 * MS) },
            63..=65 => Fault::Clone { same_random: dice.permille(500) },
            66 => Fault::CloneGone,
            67..=68 if at < 30_000 * MS => Fault::KeepCopy,
            67..=69 if at > 20_000 * MS => Fault::Rollback,
            70..=71 => Fault::SlowDisk { host, lasts },
            72..=73 => Fault::FullDisk { host, lasts },
            74 if at > 40_000 * MS => Fault::FailingDisk { host },
            75..=77 => Fault::SlowSigner { lasts },
            78..=79 => Fault::FailingSigner { lasts },
            80..=81 => Fault::Waver { by: dice.range(-4_900_000, -2 * MS) },
            82..=83 => {
                // What the edges of the witness let through.
                let by = dice.range(60 * MS, 400 * MS);
                let source = dice.index(crate::figures::SOURCES);
                Fault::Alone { source, by: signed(dice, by) }
            }
            84..=86 => {
                Fault::Usurp { restarts: dice.permille(500), same_random: dice.permille(300) }
            }
            87..=90 => {
                let by = short(dice, 20 * MS, 8_000 * MS);
                let source = dice.index(crate::figures::SOURCES);
                Fault::Lie { source, by: signed(dice, by), lasts: lasts + 1_000 * MS }
            }
            91..=94 => Fault::Outage { count: dice.index(5) + 1, lasts: lasts + 2_000 * MS },
            _ => Fault::SlowPaths { by: dice.range(20 * MS, 400 * MS), lasts: lasts + 1_000 * MS },
        }
    }
}
