//! When the monitor's process looks at its clocks for the first time: as soon as its clock reader is
//! heard, or without it when its patience is over.

use super::reader::News;
use super::{BOX_B, Happens, Shown, Slip, World};
use crate::clock::MS;

/// How long a start waits for the clock reader.
const FIRST_WORD: i64 = 1_000 * MS;

impl World {
    /// The monitor's process has started.
    pub(super) fn will_look(&mut self, life: u64) {
        if self.slips(Slip::LateLook) {
            return self.looks(true);
        }
        if !self.options.watched {
            return self.looks(false);
        }
        self.after(FIRST_WORD, Happens::Reader { host: BOX_B, news: News::FirstLook { life } });
    }

    /// A process has heard its clock reader. The monitor's looks when it comes to it: it may be held
    /// up first, and hear more.
    pub(super) fn look_soon(&mut self, host: usize) {
        let waits = self.monitor.as_ref().is_some_and(|monitor| !monitor.has_begun());
        if host != BOX_B || !waits {
            return;
        }
        let dice = &mut self.look_dice;
        let delay = if dice.permille(50) { dice.range(0, 400 * MS) } else { MS / 50 };
        let life = self.hosts[host].life;
        self.after(delay, Happens::Reader { host, news: News::FirstLook { life } });
    }

    /// It looks, unless it has.
    pub(super) fn first_look(&mut self) {
        if self.monitor.as_ref().is_some_and(|monitor| !monitor.has_begun()) {
            self.looks(false);
            self.pump(BOX_B);
        }
    }

    fn looks(&mut self, late: bool) {
        let there = &self.hosts[BOX_B];
        let sample = there.clock.clone().sample(self.now);
        let reader = there.ear.view(&sample);
        if !late {
            self.oracle.first_look(sample.raw_after.as_nanos());
        }
        if reader.heard().is_err() && !late {
            self.trace.line(self.now, || "B begins without its clock reader".to_owned());
        }
        if let Some(monitor) = &mut self.monitor {
            monitor.begin(&Shown { sample, reader }, late);
        }
    }
}
