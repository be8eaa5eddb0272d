//! How faults begin and end.

use chronolease_net::evidence::Crash;

use super::{BOX_A, BOX_B, Fault, Happens, Host, Item, World};
use crate::clock::{Instant, MS};
use crate::dice::Dice;
use crate::monitor::Input;
use crate::oracle::Touched;

impl World {
    pub(super) fn fault(&mut self, fault: Fault) {
        let now = self.now;
        self.trace.line(now, || format!("FAULT {fault:?}"));
        if !self.begins(fault) {
            return;
        }
        self.oracle.disturbed(now + fault.lasts());
        self.oracle.counts().fault(fault.label());
    }

    /// `false` when it cannot be now.
    fn begins(&mut self, fault: Fault) -> bool {
        let now = self.now;
        match fault {
            Fault::Usurp { restarts, same_random } => {
                self.clone_box_a(same_random);
                let lasts = self.dice.range(2_500 * MS, 5_000 * MS);
                let after = self.dice.range(300 * MS, 1_500 * MS);
                self.paths[BOX_A].blocked_until = now + after + lasts;
                if restarts {
                    let down = self.dice.range(20 * MS, 400 * MS);
                    self.after(after, Happens::Fault(Fault::Kill { host: BOX_B, down }));
                }
            }
            Fault::Stall { host, lasts } => {
                let until = now + lasts;
                self.hosts[host].stopped_until = self.hosts[host].stopped_until.max(until);
            }
            Fault::Kill { host, down } => self.down(host, down, None),
            Fault::PowerCut { host, down } => {
                let torn = self.dice.range(0, 4_000);
                let torn = usize::try_from(torn).unwrap_or(0);
                let how = if self.dice.permille(500) { Crash::Drop } else { Crash::Tear(torn) };
                self.down(host, down, Some(how));
            }
            Fault::Restart { down } => {
                if self.monitor.is_none() {
                    return false;
                }
                self.push(BOX_B, Item::monitor(Input::Stop));
                // Its last words are on their way before it ends.
                self.after(20 * MS, Happens::Fault(Fault::Kill { host: BOX_B, down }));
            }
            Fault::Clone { same_random } => return self.clone_box_a(same_random),
            Fault::CloneGone => {
                if self.options.tsus > 1 || self.hosts.len() < 3 || self.tsus[2].is_none() {
                    return false;
                }
                self.hosts[2].life += 1;
                self.tsus[2] = None;
                self.process_gone(2, true);
                self.oracle.stopped(2);
            }
            Fault::KeepCopy => {
                self.hosts[BOX_A].copy = Some(self.hosts[BOX_A].disk.durable_copy());
            }
            Fault::Rollback => {
                let Some(copy) = self.hosts[BOX_A].copy.take() else { return false };
                self.down(BOX_A, 500 * MS, None);
                self.oracle.audit(BOX_A, &self.hosts[BOX_A].disk);
                self.hosts[BOX_A].disk = copy;
                self.oracle.rolled_back(BOX_A, &self.hosts[BOX_A].disk);
            }
            Fault::Carry { by } => {
                if self.tsus[BOX_A].is_none() {
                    return false;
                }
                let boot = self.boot_id();
                self.hosts[BOX_A].clock.boot_id = boot;
                self.hosts[BOX_A].clock.jump(now, by);
                self.after(4_000 * MS, Happens::Correct { host: BOX_A });
                self.after(5_000 * MS, Happens::Fault(Fault::Kill { host: BOX_A, down: 100 * MS }));
            }
            other => return self.moves(other),
        }
        true
    }

    /// Clocks that are set, run wrong or stand still.
    fn moves(&mut self, fault: Fault) -> bool {
        let now = self.now;
        match fault {
            Fault::Step { host, .. } if self.hosts[host].clock.is_stopped() => return false,
            Fault::Step { host, by } => {
                self.set(host, by);
                let after = self.dice.range(500 * MS, 6_000 * MS);
                self.after(after, Happens::Correct { host });
            }
            Fault::Waver { by } => {
                for _ in 0..12 {
                    let soon = self.dice.range(0, 8 * MS);
                    self.after(soon, Happens::Ask { host: BOX_A, alone: true });
                }
                self.after(4 * MS, Happens::Fault(Fault::Step { host: BOX_A, by }));
            }
            Fault::KernelLeap { host, by } => self.set(host, by),
            Fault::Slew { ppb, lasts } => {
                self.hosts[BOX_A].clock.advance(now);
                self.hosts[BOX_A].clock.slew_ppb = ppb;
                self.after(lasts, Happens::Calm(fault));
            }
            Fault::Rate { ppb, lasts } => {
                self.oracle.clocks_of_a_lie(BOX_A, now);
                self.hosts[BOX_A].clock.advance(now);
                self.hosts[BOX_A].clock.raw_ppb = ppb;
                self.after(lasts, Happens::Calm(fault));
            }
            Fault::Freeze { host, lasts } => {
                self.oracle.clocks_of_a_lie(host, now);
                return self.stand_still(host, lasts, false);
            }
            Fault::Suspend { host, lasts } => return self.stand_still(host, lasts, true),
            Fault::Jump { by } => {
                self.oracle.clocks_of_a_lie(BOX_A, now);
                self.hosts[BOX_A].clock.jump(now, by);
                self.perhaps_marked(BOX_A);
                let after = self.dice.range(500 * MS, 6_000 * MS);
                self.after(after, Happens::Correct { host: BOX_A });
            }
            other => return self.weather(other),
        }
        true
    }

    /// Network, disks, signer and laboratories.
    fn weather(&mut self, fault: Fault) -> bool {
        let now = self.now;
        match fault {
            Fault::Cut => {
                let host = self.any_tsu();
                self.cut(host);
            }
            Fault::Partition { lasts } => {
                let host = self.any_tsu();
                self.paths[host].blocked_until = now + lasts;
            }
            Fault::Slow { by, lasts } => {
                let host = self.any_tsu();
                self.paths[host].slow_until = now + lasts;
                self.paths[host].slow_by = by;
            }
            Fault::SlowDisk { host, lasts } => {
                self.hosts[host].disk_delay = (20 * MS, 600 * MS);
                self.after(lasts, Happens::Calm(fault));
            }
            Fault::FullDisk { host, lasts } => {
                self.hosts[host].disk.set_available_bytes(Some(0));
                self.after(lasts, Happens::Calm(fault));
            }
            Fault::FailingDisk { host } => self.hosts[host].disk.fail_sync(),
            Fault::SlowSigner { lasts } => self.signer_slow_until = now + lasts,
            Fault::FailingSigner { lasts } => self.signer_fails_until = now + lasts,
            Fault::Lie { source, by, lasts } => {
                // An old lie is used until it is too old: f liars at a time, no more.
                if now < self.liar_until {
                    return false;
                }
                self.sources[source].lie = (now + lasts, by);
                self.liar_until = now + lasts + 6_000 * MS;
            }
            Fault::Alone { source, by } => {
                if now < self.liar_until {
                    return false;
                }
                for (place, other) in self.sources.iter_mut().enumerate() {
                    if place != source {
                        other.silent_until = now + 8_000 * MS;
                    }
                }
                self.sources[source].lie = (now + 8_000 * MS, by);
                self.liar_until = now + 14_000 * MS;
            }
            Fault::Outage { count, lasts } => {
                for _ in 0..count {
                    let source = self.dice.index(self.sources.len());
                    self.sources[source].silent_until = now + lasts;
                }
            }
            Fault::SlowPaths { by, lasts } => {
                for source in &mut self.sources {
                    source.slow = (now + lasts, by);
                }
            }
            other => return self.reader_fault(other),
        }
        true
    }

    fn any_tsu(&mut self) -> usize {
        let others = self.hosts.len() - 1;
        BOX_A + self.dice.index(others)
    }

    /// What lasted is over.
    pub(super) fn calm(&mut self, fault: Fault) {
        let now = self.now;
        self.oracle.disturbed(now);
        match fault {
            Fault::Slew { .. } => {
                self.hosts[BOX_A].clock.advance(now);
                self.hosts[BOX_A].clock.slew_ppb = 0;
                self.after(MS, Happens::Correct { host: BOX_A });
            }
            Fault::Rate { .. } => {
                self.oracle.clocks_of_a_lie(BOX_A, now);
                self.hosts[BOX_A].clock.advance(now);
                self.hosts[BOX_A].clock.raw_ppb = 20_000;
                self.after(MS, Happens::Correct { host: BOX_A });
            }
            Fault::SlowDisk { host, .. } => self.hosts[host].disk_delay = (MS / 3, 4 * MS),
            Fault::FullDisk { host, .. } => self.hosts[host].disk.set_available_bytes(None),
            _ => {}
        }
    }

    /// A box stands still with its clocks.
    fn stand_still(&mut self, host: usize, lasts: i64, suspended: bool) -> bool {
        if self.hosts[host].stopped_until > self.now {
            return false;
        }
        self.hosts[host].clock.stop(self.now);
        self.hosts[host].stopped_until = self.now + lasts;
        self.reader_stops(host, lasts);
        let (since, board_clock) = (self.now, self.dice.permille(600));
        // First of all that happens then: the clocks go on before anybody reads them.
        let at = (self.now + lasts, u64::try_from(host).unwrap_or(0));
        self.queue.insert(at, Happens::GoOn { host, suspended, since, board_clock });
        true
    }

    pub(super) fn go_on(&mut self, host: usize, suspended: bool, since: Instant, board: bool) {
        if !self.hosts[host].clock.is_stopped() {
            // It lost its power meanwhile.
            return;
        }
        let slept = if suspended { self.now - since } else { 0 };
        self.oracle.disturbed(self.now);
        self.hosts[host].clock.go_on(self.now, slept, board);
        if suspended {
            self.touched(host, Touched::Set);
        } else {
            self.perhaps_marked(host);
        }
        let after = self.dice.range(500 * MS, 6_000 * MS);
        self.after(after, Happens::Correct { host });
        if !suspended && host != BOX_B {
            self.oracle.clocks_of_a_lie(host, self.now);
        }
    }

    /// A process, or with `crash` a whole box, goes down and comes back.
    fn down(&mut self, host: usize, down: i64, crash: Option<Crash>) {
        let now = self.now;
        if let (Some(Crash::Tear(_)), true) = (crash, self.hosts[host].disk_due) {
            // In the middle of the write: it is written, and not made durable.
            self.hosts[host].disk.stop_after(1);
            match (host, &mut self.monitor) {
                (BOX_B, Some(monitor)) => drop(monitor.log.write_batch()),
                (BOX_B, None) => {}
                _ => {
                    if let Some(tsu) = &mut self.tsus[host] {
                        tsu.log.write_batch();
                    }
                }
            }
        }
        let there = &mut self.hosts[host];
        there.life += 1;
        there.inbox.clear();
        there.disk_due = false;
        there.busy_until = now;
        there.last_sample = None;
        there.began_with = Dice::new(self.dice.throw(), 4);
        let life = there.life;
        if host == BOX_B {
            self.monitor = None;
        } else {
            self.tsus[host] = None;
        }
        self.oracle.stopped(host);
        self.process_gone(host, crash.is_some());
        self.hosts[host].disk.crash(crash.unwrap_or(Crash::Kill));
        if crash.is_some() {
            let boot = self.boot_id();
            self.hosts[host].clock.reboot(now, boot);
            self.hosts[host].stopped_until = now;
            self.reader_gone(host, down / 2);
        }
        self.after(down, Happens::Start { host, life });
    }

    /// A copy of box A is started beside it, perhaps with the same randomness.
    fn clone_box_a(&mut self, same_random: bool) -> bool {
        if self.hosts.len() > 2 {
            return false;
        }
        let disk = self.hosts[BOX_A].disk.durable_copy();
        let mut host = Host::new(self.hosts[BOX_A].clock.clone(), disk);
        host.stopped_until = self.hosts[BOX_A].stopped_until;
        host.reader = self.hosts[BOX_A].reader.copied();
        host.began_with = if same_random {
            self.hosts[BOX_A].began_with.clone()
        } else {
            Dice::new(self.dice.throw(), 5)
        };
        self.oracle.cloned(2, &host.disk);
        let stopped = host.clock.is_stopped();
        self.hosts.push(host);
        self.tsus.push(None);
        self.paths.push(super::Path::default());
        if stopped {
            self.hosts[2].clock.go_on(self.now, 0, false);
        }
        self.start_reader(2, 20 * MS);
        self.after(50 * MS, Happens::Start { host: 2, life: 0 });
        true
    }

    /// Whoever keeps the clock of a box sets it right.
    pub(super) fn correct(&mut self, host: usize) {
        if self.hosts[host].clock.is_stopped() {
            return self.after(1_000 * MS, Happens::Correct { host });
        }
        let off = self.dice.range(-40 * MS, 40 * MS);
        let right = self.truth.utc(self.now) + off;
        let by = right - self.hosts[host].clock.real(self.now);
        self.set(host, by);
        self.oracle.disturbed(self.now);
    }
}
