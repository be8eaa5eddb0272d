//! How events meet clock samples: a process takes one event at a time, reads its clocks when the
//! event is in, decides, and does what it decided a little later, or much later when it is paused.

use chronolease_core::clock_reader::ClockWatch;
use chronolease_core::id::BootId;
use chronolease_core::sample::Sample;
use chronolease_core::stamped::{ReadClocks, Reading, Stamped};
use chronolease_net::evidence::MemoryDisk;

use chronolease_tsu::core::issuing::Event;

use super::{BOX_B, Deed, Happens, Host, Item, Slip, World};
use crate::clock::{HostClock, MS};
use crate::dice::Dice;
use crate::monitor::{Input, Monitor};
use crate::tsu::{Link, Tsu};

impl Host {
    pub(super) fn new(clock: HostClock, disk: MemoryDisk) -> Self {
        Self {
            clock,
            disk,
            copy: None,
            inbox: std::collections::VecDeque::new(),
            stopped_until: 0,
            busy_until: 0,
            life: 0,
            tick: 0,
            disk_due: false,
            disk_delay: (MS / 3, 4 * MS),
            began_with: Dice::new(0, 0),
            last_sample: None,
        }
    }
}

impl World {
    /// A reading of a box's clocks, which the oracle sees too.
    pub(super) fn sample(&mut self, host: usize) -> Sample {
        let sample = self.hosts[host].clock.sample(self.now);
        self.oracle.sampled(host, &sample, self.now);
        sample
    }

    /// Something comes to a process.
    pub(super) fn push(&mut self, host: usize, item: Item) {
        self.hosts[host].inbox.push_back(item);
        self.pump(host);
    }

    /// A process that is free takes what waits, and reads its clocks: perhaps with a pause in between.
    pub(super) fn pump(&mut self, host: usize) {
        let now = self.now;
        let there = &mut self.hosts[host];
        if now < there.busy_until || now < there.stopped_until {
            return;
        }
        let Some(item) = there.inbox.pop_front() else { return };
        let life = there.life;
        let first = there.clock.sample(now);
        if self.dice.permille(3) {
            let pause = self.dice.range(MS / 2, 300 * MS);
            self.hosts[host].busy_until = now + pause;
            self.oracle.sampled(host, &first, now);
            return self.after(pause, Happens::Read { host, life, item, first: Box::new(first) });
        }
        self.oracle.sampled(host, &first, now);
        self.decide(host, item, &first);
    }

    /// The paused process has read its clocks: the pause came before the clock itself, or after.
    pub(super) fn read(&mut self, host: usize, item: Item, first: &Sample) {
        let last = self.hosts[host].clock.sample(self.now);
        let before = self.dice.permille(500);
        let sample = if before {
            Sample { raw_before: first.raw_before, ..last }
        } else {
            Sample { raw_after: last.raw_after, ..*first }
        };
        if before {
            self.oracle.sampled(host, &sample, self.now);
        } else {
            self.oracle.sampled_as(host, first, &sample);
        }
        self.decide(host, item, &sample);
    }

    /// The core takes the event; what it wants done is done when the process comes to it.
    fn decide(&mut self, host: usize, item: Item, sample: &Sample) {
        let stale = self.hosts[host].last_sample.replace(*sample);
        let slip = if host == BOX_B { Slip::MonitorStaleNow } else { Slip::TsuStaleNow };
        let made = stale.filter(|_| self.slips(slip)).unwrap_or(*sample);
        let now = self.now;
        let deeds: Vec<Deed> = match item {
            Item::Monitor(input) => {
                self.trace.line(now, || format!("B takes {}", short(&input)));
                let Some(monitor) = &mut self.monitor else { return };
                let mut out = Vec::new();
                monitor.turn(&made, *input, &mut out);
                self.oracle.decided(now, &out, self.truth.utc(now));
                out.into_iter().map(Deed::Monitor).collect()
            }
            Item::Tsu(event) => {
                self.trace.line(now, || format!("host {host} takes {}", short(&event)));
                let Some(Some(tsu)) = self.tsus.get_mut(host) else { return };
                if let Event::Confirmed(_, confirmation) = &*event {
                    self.oracle.heard(host, confirmation, now);
                }
                tsu.heard(&event);
                let mut out = Vec::new();
                let clocks = Shown { sample: made, watch: ClockWatch::undisturbed(tsu.boot_id) };
                tsu.issuer.handle(Stamped::receive(*event, &clocks), &mut out);
                out.into_iter().map(Deed::Tsu).collect()
            }
        };
        self.disk_soon(host);
        let long = self.dice.permille(2);
        let takes =
            if long { self.dice.range(MS, 1_500 * MS) } else { self.dice.range(MS / 50, MS / 4) };
        self.hosts[host].busy_until = now + takes;
        let life = self.hosts[host].life;
        self.after(takes, Happens::Act { host, life, made: Box::new(made), deeds });
    }

    /// The disk writes what waits for it, after its delay.
    pub(super) fn disk_soon(&mut self, host: usize) {
        let writing = if host == BOX_B {
            self.monitor.as_ref().is_some_and(Monitor::is_writing)
        } else {
            matches!(self.tsus.get(host), Some(Some(tsu)) if tsu.is_writing())
        };
        let there = &mut self.hosts[host];
        if writing && !std::mem::replace(&mut there.disk_due, true) {
            let ((lo, hi), life) = (there.disk_delay, there.life);
            let takes = self.dice.range(lo, hi);
            self.after(takes, Happens::Disk { host, life });
        }
    }

    pub(super) fn written(&mut self, host: usize) {
        self.hosts[host].disk_due = false;
        if host == BOX_B {
            let Some(monitor) = &mut self.monitor else { return };
            monitor.log.write_batch();
            let mut out = Vec::new();
            monitor.settle(&mut out);
            let now = self.now;
            self.oracle.decided(now, &out, self.truth.utc(now));
            for out in out {
                self.monitor_does(out);
            }
        } else {
            let Some(Some(tsu)) = self.tsus.get_mut(host) else { return };
            tsu.log.write_batch();
            for recorded in tsu.recorded() {
                if let Some(first) = recorded.first {
                    self.oracle.recorded(host, first, &recorded.events);
                }
                if let Some(event) = recorded.event {
                    self.push(host, Item::tsu(event));
                }
            }
        }
        self.disk_soon(host);
    }

    /// Nothing came for a while.
    pub(super) fn tick(&mut self, host: usize, tick: u64) {
        if tick != self.hosts[host].tick {
            return;
        }
        if host == BOX_B {
            return self.push(host, Item::monitor(Input::Tick));
        }
        let (now, sample) = (self.now, self.hosts[host].clock.sample(self.now));
        let Some(Some(tsu)) = self.tsus.get_mut(host) else { return };
        tsu.flush_if_due(&sample);
        let silent = matches!(tsu.link, Link::Up(_, heard) if now - heard > 3_000 * MS);
        self.disk_soon(host);
        if silent {
            self.link_down(host);
        }
        self.push(host, Item::tsu(Event::Tick));
    }

    /// Its process waits; a tick comes when nothing else does.
    pub(super) fn wait(&mut self, host: usize) {
        let now = self.now;
        let patience = if host == BOX_B {
            let raw =
                chronolease_core::time::RawInstant::from_nanos(self.hosts[host].clock.raw(now));
            let Some(monitor) = &self.monitor else { return };
            (monitor.ward.due(raw) - raw).as_nanos().clamp(MS / 10, 250 * MS)
        } else {
            let Some(Some(tsu)) = self.tsus.get(host) else { return };
            if tsu.issuer.wants_another_sample() { MS } else { 100 * MS }
        };
        self.hosts[host].tick += 1;
        let (tick, life) = (self.hosts[host].tick, self.hosts[host].life);
        self.after(patience, Happens::Tick { host, life, tick });
    }

    /// A process starts on its box.
    pub(super) fn start(&mut self, host: usize, life: u64) {
        if life != self.hosts[host].life {
            return;
        }
        let until = self.hosts[host].stopped_until;
        if until > self.now {
            return self.later(until, Happens::Start { host, life });
        }
        let now = self.now;
        let sample = self.sample(host);
        let disk = self.hosts[host].disk.clone();
        let dice = self.hosts[host].began_with.clone();
        let ids = (&self.ids.0, &self.ids.1);
        self.hosts[host].busy_until = now;
        if host == BOX_B {
            let started = Monitor::start(&disk, ids, self.rearm, Some(&self.list), dice, &sample);
            self.trace.line(now, || format!("B starts: {:?}", started.as_ref().err()));
            if let Ok(mut monitor) = started {
                monitor.answers_early = self.slips(Slip::AnswersEarly);
                self.monitor = Some(monitor);
                self.wait(host);
            }
            return self.oracle.started(BOX_B, now);
        }
        let started = Tsu::start(&disk, (ids.1, ids.0), self.leased, dice, &sample);
        self.trace.line(now, || format!("host {host} starts: {:?}", started.as_ref().err()));
        if let Ok(tsu) = started {
            self.oracle.started(host, now);
            self.oracle.runs(host, tsu.incarnation);
            self.tsus[host] = Some(tsu);
            self.after(0, Happens::Dial { host, life });
            self.wait(host);
        }
    }

    /// The identity of a boot.
    pub(super) fn boot_id(&mut self) -> BootId {
        BootId::from_bytes(self.dice.bytes())
    }
}

/// The clocks as they were read, and a clock reader that has seen nothing: the guard is on its own.
pub(crate) struct Shown {
    pub(crate) sample: Sample,
    pub(crate) watch: ClockWatch,
}

impl ReadClocks for Shown {
    fn read(&self) -> Reading {
        Reading { sample: self.sample, reader: self.watch.view(self.sample.raw_after) }
    }
}

/// An event in few words: the beginning of how it is written, which is all that is written of it.
pub(super) fn short(event: &impl std::fmt::Debug) -> String {
    use std::fmt::Write as _;
    let mut text = Beginning(String::new());
    // Ends with an error when there is enough.
    let _ = write!(text, "{event:?}");
    text.0
}

struct Beginning(String);

impl std::fmt::Write for Beginning {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        self.0.push_str(part);
        if self.0.len() > 120 { Err(std::fmt::Error) } else { Ok(()) }
    }
}
