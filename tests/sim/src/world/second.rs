//! A second TSU under the same monitor: a box of its own, with its own clocks, disk, link and reader.
//! Its dice are its own too, so that with one TSU the same seed is the same world.

use super::scene::host;
use super::{BOX_B, Fault, Happens, Path, Reader, World};
use crate::clock::MS;
use crate::dice::Dice;

/// The place of the second TSU's box.
pub(super) const BOX_A2: usize = 2;

impl World {
    /// Puts the second box there. In every other world nothing is done to it but by the network.
    pub(super) fn add_second(&mut self) {
        let mut dice = Dice::new(self.options.seed, 8);
        let error = dice.range(-90 * MS, 90 * MS);
        let mut box_a2 = host(self.truth, error, &mut dice);
        crate::boxlog::commission(&box_a2.disk, &self.ids[BOX_A2], &self.ids[..1]);
        box_a2.began_with = Dice::new(self.options.seed, 9);
        self.hosts.push(box_a2);
        self.tsus.push(None);
        self.paths.push(Path::default());
        let quiet = dice.permille(500);
        self.oracle.quiet = quiet.then_some(BOX_A2 - 1);
        let starts = dice.range(0, 500 * MS);
        self.later(starts, Happens::Start { host: BOX_A2, life: 0 });
        if self.options.watched {
            self.hosts[BOX_A2].reader = Reader::new(Self::marker(&mut dice));
            self.start_reader(BOX_A2, 0);
        }
        // The first one's disk is put back now and then.
        if dice.permille(300) {
            let kept = dice.range(5_000 * MS, 20_000 * MS);
            let back = kept + dice.range(3_000 * MS, 25_000 * MS);
            self.later(kept, Happens::Fault(Fault::KeepCopy));
            self.later(back, Happens::Fault(Fault::Rollback));
        }
        // Whatever the wards share is worn most by restarts.
        for _ in 0..dice.range(0, 3) {
            let at = dice.range(5_000 * MS, self.ends_at - 5_000 * MS);
            let down = dice.range(50 * MS, 1_500 * MS);
            self.later(at, Happens::Fault(Fault::Kill { host: BOX_B, down }));
        }
        if !quiet {
            self.trouble_second(&mut dice);
        }
    }

    fn trouble_second(&mut self, dice: &mut Dice) {
        let (host, leased, watched) = (BOX_A2, self.leased, self.options.watched);
        for _ in 0..dice.range(1, 6) {
            let at = dice.range(3_000 * MS, self.ends_at - 3_000 * MS);
            let lasts = dice.range(50 * MS, 4_000 * MS);
            let by = dice.range(-4_000 * MS, 4_000 * MS);
            let fault = match dice.range(0, 11) {
                0..=2 => Fault::Step { host, by },
                3 => Fault::Suspend { host, lasts },
                4 => Fault::Stall { host, lasts },
                5 => Fault::Kill { host, down: lasts },
                6 => Fault::PowerCut { host, down: lasts + 300 * MS },
                7 => Fault::SlowDisk { host, lasts },
                8 => Fault::FullDisk { host, lasts },
                9 if watched => Fault::ReaderKilled { host, down: lasts },
                10 if watched => Fault::Step { host, by: by / 1_000 },
                _ if !leased => Fault::Freeze { host, lasts },
                _ => Fault::Stall { host, lasts },
            };
            self.later(at, Happens::Fault(fault));
        }
    }

    /// Which TSU runs on a box: with one TSU it, on whatever copy of its box.
    pub(super) const fn place_of(&self, host: usize) -> usize {
        if self.options.tsus == 1 { 0 } else { host - 1 }
    }
}
