//! How events meet clock samples: a process takes one event at a time, reads its clocks when the
//! event is in, decides, and does what it decided a little later, or much later when it is paused.

use chronolease_core::clock_reader::{Marker, ReaderView};
use chronolease_core::id::BootId;
use chronolease_core::sample::Sample;
use chronolease_core::stamped::{ReadClocks, Reading, Stamped};
use chronolease_net::evidence::MemoryDisk;

use chronolease_tsu::core::issuing::Event;

use super::{BOX_A, BOX_B, Began, Deed, Ear, Happens, Host, Item, Made, Reader, Slip, World};
use crate::clock::{HostClock, MS};
use crate::dice::Dice;
use crate::figures;
use crate::monitor::{Input, Monitor};
use crate::tsu::{Link, Tsu};

impl Host {
    pub(super) fn new(clock: HostClock, disk: MemoryDisk) -> Self {
        let ear = Ear::deaf(clock.boot_id);
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
            reader: Reader::new(Marker::Absent),
            ear,
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
        if host == BOX_B && self.monitor.as_ref().is_some_and(|monitor| !monitor.has_begun()) {
            return;
        }
        // News of the clock wake the TSU's loop when nothing else waits.
        let news = there.inbox.is_empty() && there.ear.take_news() && host != BOX_B;
        let tick = news.then(|| Item::tsu(Event::Tick));
        let Some(item) = there.inbox.pop_front().or(tick) else { return };
        let life = there.life;
        let (mark, first) = (there.ear.mark(), there.clock.sample(now));
        if self.is_held_up(host, &item) {
            let pause = self.reader_dice.range(103 * MS, 115 * MS);
            self.hosts[host].busy_until = now + pause;
            self.oracle.sampled(host, &first, now);
            let (first, began) = (Box::new(first), Began { at: now, mark });
            return self.after(pause, Happens::Word { host, life, item, first, began });
        }
        if self.dice.permille(3) {
            let pause = self.dice.range(MS / 2, 300 * MS);
            self.hosts[host].busy_until = now + pause;
            self.oracle.sampled(host, &first, now);
            let (first, began) = (Box::new(first), Began { at: now, mark });
            return self.after(pause, Happens::Read { host, life, item, first, began });
        }
        self.oracle.sampled(host, &first, now);
        self.decide(host, item, &first, Began { at: now, mark });
    }

    /// The paused process has read its clocks: the pause came before the clock itself, or after.
    pub(super) fn read(&mut self, host: usize, item: Item, first: &Sample, began: Began) {
        let last = self.hosts[host].clock.sample(self.now);
        let before = self.dice.permille(500);
        let complete = self.options.watched && self.reader_dice.permille(400);
        let sample = if before {
            Sample { raw_before: first.raw_before, ..last }
        } else if complete {
            // It came when all was read, before the clock reader was asked.
            *first
        } else {
            Sample { raw_after: last.raw_after, ..*first }
        };
        if before {
            self.oracle.sampled(host, &sample, self.now);
        } else {
            self.oracle.sampled_as(host, first, &sample);
        }
        let at = if complete && !before { began.at } else { self.now };
        self.decide(host, item, &sample, Began { at, ..began });
    }

    /// The core takes the event; what it wants done is done when the process comes to it. The
    /// reading was complete at `began.at`.
    pub(super) fn decide(&mut self, host: usize, item: Item, sample: &Sample, began: Began) {
        let stale = self.hosts[host].last_sample.replace(*sample);
        let slip = if host == BOX_B { Slip::MonitorStaleNow } else { Slip::TsuStaleNow };
        let made = stale.filter(|_| self.slips(slip)).unwrap_or(*sample);
        let turn = self.oracle.looked(host, &made);
        let word = self.hosts[host].ear.view(&made);
        let late = self.slips(Slip::LateMark);
        let reader = if late { word } else { word.begun_at(began.mark) };
        let clocks = Shown { sample: made, reader };
        let now = self.now;
        let deeds: Vec<Deed> = match item {
            Item::Monitor(input) => {
                self.trace.line(now, || format!("B takes {}", short(&input)));
                let Some(monitor) = &mut self.monitor else { return };
                let mut out = Vec::new();
                monitor.turn(&clocks, *input, &mut out);
                self.oracle.decided(now, &out, self.truth.utc(began.at));
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
        let made = Box::new(Made { sample: made, turn });
        self.after(takes, Happens::Act { host, life, made, deeds });
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
            (monitor.due(raw) - raw).as_nanos().clamp(MS / 10, 250 * MS)
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
        self.hosts[host].busy_until = now;
        self.open_ear(host, sample.boot_id);
        if host == BOX_B {
            let ids = (&self.ids[BOX_B], &self.ids[BOX_A..]);
            let started = Monitor::start(&disk, ids, self.rearm, Some(&self.list), dice, &sample);
            self.trace.line(now, || format!("B starts: {:?}", started.as_ref().err()));
            if let Ok(mut monitor) = started {
                monitor.answers_early = self.slips(Slip::AnswersEarly);
                monitor.one_record = self.slips(Slip::OneRecord);
                monitor.told_to_all = self.slips(Slip::ToldToAll);
                self.monitor = Some(monitor);
                self.wait(host);
                self.will_look(life);
            }
            return self.oracle.started(BOX_B, now);
        }
        let place = self.place_of(host);
        let (ids, name) = ((&self.ids[BOX_A + place], &self.ids[BOX_B]), figures::tsu_id(place));
        let started = Tsu::start(&disk, ids, name, self.leased, dice, &sample);
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

/// The clocks as they were read, and what the clock reader said of them.
pub(crate) struct Shown {
    pub(crate) sample: Sample,
    pub(crate) reader: ReaderView,
}

impl ReadClocks for Shown {
    fn read(&self) -> Reading {
        Reading { sample: self.sample, reader: self.reader }
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
