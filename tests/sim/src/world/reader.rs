//! The clock reader of each box, and how its news reach the process that listens: the reporter that
//! ships, the watch that ships, and as little of reader, socket and listener as they need.

use chronolease_clock::core::{PpsLook, Reading, Reporter};
use chronolease_core::clock_reader::{
    ClockReport, ClockWatch, Lost, Machine, Mark, Marker, OddReading, ReaderView,
};
use chronolease_core::id::{BootId, ReaderRun};
use chronolease_core::sample::Sample;
use chronolease_core::time::RawInstant;

use chronolease_tsu::core::issuing::Event;

use super::{BOX_A, BOX_B, Fault, Happens, Item, Scene, World};
use crate::clock::{Instant, MS};
use crate::dice::Dice;
use crate::figures;
use crate::oracle::{Reported, Touch, Touched};

/// From one report to the next.
const INTERVAL: i64 = 100 * MS;
/// From one attempt of a listener to connect to the next.
const RETRY: i64 = 100 * MS;

/// The reader's process on a box, and what the kernel and the hypervisor hold for it.
pub(super) struct Reader {
    /// Makes the reports, while the process runs.
    reporter: Option<Reporter>,
    /// Counts its runs: what was meant for an earlier one is void.
    run: u64,
    /// It does nothing before that.
    stopped_until: Instant,
    /// It is held up until then, by as much as this each time.
    late: (Instant, i64),
    /// The kernel has announced a step that it has not asked for.
    noticed: bool,
    marker: Marker,
    /// What was done to the clocks up to here is in its reports from now on.
    known: usize,
}

impl Reader {
    /// A box with a hypervisor's marker, or without.
    pub(super) const fn new(marker: Marker) -> Self {
        let (reporter, late) = (None, (0, 0));
        Self { reporter, run: 0, stopped_until: 0, late, noticed: false, marker, known: 0 }
    }

    /// Whether a hypervisor's marker can tell of disruptions.
    pub(super) const fn is_marked(&self) -> bool {
        matches!(self.marker, Marker::Shown { .. })
    }

    /// The reader of a copy of this box: it starts anew.
    pub(super) const fn copied(&self) -> Self {
        Self::new(self.marker)
    }
}

/// The listener in the process of the TSU or of the monitor.
pub(super) struct Ear {
    watch: ClockWatch,
    conn: Option<u64>,
    /// When the last report came.
    heard: Instant,
    /// When the last one that is under way comes.
    arrives: Instant,
    /// The process is to be woken.
    news: bool,
}

impl Ear {
    fn new(watch: ClockWatch) -> Self {
        Self { watch, conn: None, heard: 0, arrives: 0, news: false }
    }

    /// Of a box where nobody listens yet.
    pub(super) fn deaf(boot_id: BootId) -> Self {
        Self::new(ClockWatch::new(boot_id, figures::SILENCE_MAX))
    }

    /// What the watch says of this sample.
    pub(super) fn view(&self, sample: &Sample) -> ReaderView {
        self.watch.view(sample.raw_after)
    }

    /// Where the watch stands.
    pub(super) const fn mark(&self) -> Mark {
        self.watch.mark()
    }

    /// Whether the process is to be woken; asked once.
    pub(super) const fn take_news(&mut self) -> bool {
        std::mem::replace(&mut self.news, false)
    }

    /// As the shell's listener: whoever waits is woken when it makes a difference.
    fn update(&mut self, raw: i64, change: impl FnOnce(&mut ClockWatch, RawInstant)) {
        let now = RawInstant::from_nanos(raw);
        let before = self.watch.state(now);
        change(&mut self.watch, now);
        self.news |= before != self.watch.state(now);
    }
}

/// What happens to a reader, or to who listens.
#[derive(Debug)]
pub(super) enum News {
    /// The reader's process starts.
    Starts { run: u64 },
    /// It reports; and again after its interval, or once because it was woken.
    Report { run: u64, again: bool },
    /// The kernel announces that the clock was set.
    Announced { known: usize },
    /// The listener connects.
    Listen { life: u64 },
    /// A report reaches it.
    Heard { life: u64, conn: u64, report: Box<ClockReport>, known: usize },
    /// It reads the end of the stream.
    Closed { life: u64, conn: u64 },
    /// Its patience with a silent reader may be over.
    Patience { life: u64, conn: u64 },
    /// The monitor's process looks at its clocks for the first time, if it has not.
    FirstLook { life: u64 },
}

impl News {
    /// The life of the listening process that it is meant for.
    pub(super) const fn life(&self) -> Option<u64> {
        match self {
            Self::Listen { life }
            | Self::Heard { life, .. }
            | Self::Closed { life, .. }
            | Self::FirstLook { life }
            | Self::Patience { life, .. } => Some(*life),
            _ => None,
        }
    }
}

impl World {
    fn news(&mut self, delay: i64, host: usize, news: News) {
        self.after(delay, Happens::Reader { host, news });
    }

    pub(super) fn of_reader(&mut self, host: usize, news: News) {
        match news {
            News::Starts { run } => self.reader_starts(host, run),
            News::Report { run, again } => self.reports(host, run, again),
            News::Announced { known } => self.announced(host, known),
            News::Listen { life } => self.listen(host, life),
            News::Heard { conn, report, known, .. } => self.heard(host, conn, *report, known),
            News::Closed { conn, .. } => self.unheard(host, conn, Lost::Closed),
            News::Patience { life, conn } => self.patience(host, life, conn),
            News::FirstLook { .. } => self.first_look(),
        }
    }

    /// A box with its reader begins: the marker of its hypervisor, if it has one.
    pub(super) fn marker(dice: &mut Dice) -> Marker {
        if dice.permille(500) {
            Marker::Shown { disruption: dice.throw() >> 8, generation: None }
        } else {
            Marker::Absent
        }
    }

    /// The reader of a box is started, after this time.
    pub(super) fn start_reader(&mut self, host: usize, delay: i64) {
        if self.options.watched {
            let run = self.hosts[host].reader.run;
            self.news(delay, host, News::Starts { run });
        }
    }

    fn reader_starts(&mut self, host: usize, run: u64) {
        let (now, until) = (self.now, self.hosts[host].reader.stopped_until);
        if until > now {
            return self.news(until - now, host, News::Starts { run });
        }
        let id = ReaderRun::from_bytes(self.reader_dice.bytes());
        let there = &mut self.hosts[host];
        if run != there.reader.run {
            return;
        }
        let first = there.clock.sample(now);
        there.reader.reporter = Some(Reporter::new(id, Machine::Unknown, first));
        there.reader.noticed = false;
        self.trace.line(now, || format!("the clock reader of host {host} starts"));
        self.news(MS / 50, host, News::Report { run, again: true });
    }

    /// Its kernel ends the stream for whoever listens.
    fn reader_dies(&mut self, host: usize, down: i64) {
        let eof = self.reader_dice.range(MS / 20, 3 * MS);
        let (now, there) = (self.now, &mut self.hosts[host]);
        there.reader.run += 1;
        there.reader.reporter = None;
        let (life, arrives) = (there.life, there.ear.arrives);
        if let Some(conn) = there.ear.conn {
            let at = (now + eof).max(arrives + 1);
            self.news(at - now, host, News::Closed { life, conn });
        }
        self.start_reader(host, down);
    }

    /// The box goes down, and nobody is told.
    pub(super) fn reader_gone(&mut self, host: usize, down: i64) {
        let reader = &mut self.hosts[host].reader;
        reader.run += 1;
        reader.reporter = None;
        reader.stopped_until = self.now;
        self.start_reader(host, down);
    }

    /// The reader does nothing for a while: it alone, or with its box.
    pub(super) fn reader_stops(&mut self, host: usize, lasts: i64) {
        let until = self.now + lasts;
        let reader = &mut self.hosts[host].reader;
        reader.stopped_until = reader.stopped_until.max(until);
    }

    fn reports(&mut self, host: usize, run: u64, again: bool) {
        let now = self.now;
        let until = self.hosts[host].reader.stopped_until;
        if until > now {
            return self.news(until - now, host, News::Report { run, again });
        }
        let (dice, there) = (&mut self.reader_dice, &mut self.hosts[host]);
        let late = there.reader.late;
        let held_up = if now < late.0 { dice.range(0, late.1) } else { 0 };
        let Some(reporter) = there.reader.reporter.as_mut().filter(|_| run == there.reader.run)
        else {
            return;
        };
        let reading = Reading {
            sample: there.clock.sample(now),
            notices: u64::from(std::mem::take(&mut there.reader.noticed)),
            kernel: Err(OddReading::Refused),
            marker: there.reader.marker,
            pps: PpsLook::Absent,
        };
        let report = Box::new(reporter.report(reading));
        if let Some(conn) = there.ear.conn {
            let takes = dice.range(MS / 50, MS / 4) + held_up / 3;
            let at = (now + takes).max(there.ear.arrives + 1);
            there.ear.arrives = at;
            let (life, known) = (there.life, there.reader.known);
            self.news(at - now, host, News::Heard { life, conn, report, known });
        }
        if again {
            self.news(INTERVAL + held_up, host, News::Report { run, again });
        }
    }

    /// Something was done to the clocks of a box that a reader tells of: the kernel announces a set
    /// clock just after it is done, a hypervisor's marker shows at once.
    pub(super) fn touched(&mut self, host: usize, what: Touched) {
        let (now, there) = (self.now, &mut self.hosts[host]);
        if !self.options.watched {
            return;
        }
        let (raw, boot) = (there.clock.raw(now), there.clock.boot_id);
        let known = self.oracle.touched(host, Touch { at: now, raw, boot, what });
        match (what, &mut there.reader.marker) {
            (Touched::Set, _) => {
                let soon = self.reader_dice.range(MS / 1_000, MS / 10);
                self.news(soon, host, News::Announced { known });
            }
            (Touched::Disrupted, Marker::Shown { disruption, .. }) => {
                *disruption += 1;
                there.reader.known = known;
            }
            (Touched::Disrupted, Marker::Absent | Marker::Unreadable) => {}
        }
    }

    /// `false` when it cannot be now.
    pub(super) fn reader_fault(&mut self, fault: Fault) -> bool {
        let now = self.now;
        match fault {
            Fault::ReaderKilled { host, down } => self.reader_dies(host, down),
            Fault::ReaderStopped { host, lasts } => self.reader_stops(host, lasts),
            Fault::ReaderLate { host, by, lasts } => {
                self.hosts[host].reader.late = (now + lasts, by);
            }
            Fault::Disrupted { host, by } => {
                if self.hosts[host].clock.is_stopped() || !self.hosts[host].reader.is_marked() {
                    return false;
                }
                if by != 0 && !self.leased {
                    self.oracle.clocks_of_a_lie(host, now);
                }
                self.hosts[host].clock.jump(now, by);
                self.touched(host, Touched::Disrupted);
            }
            _ => return false,
        }
        true
    }

    /// Somebody, or the kernel at a leap second, sets the clock of a box.
    pub(super) fn set(&mut self, host: usize, by: i64) {
        self.hosts[host].clock.step(self.now, by);
        self.touched(host, Touched::Set);
    }

    /// The hypervisor's marker may tell that all clocks were moved or stood still; it need not.
    pub(super) fn perhaps_marked(&mut self, host: usize) {
        if self.options.watched
            && self.hosts[host].reader.is_marked()
            && self.reader_dice.permille(500)
        {
            self.touched(host, Touched::Disrupted);
        }
    }

    /// A TSU without a lease is probed and held up when it has read its clocks. Meanwhile its reader is
    /// started anew, and its clock is set within the guard while nobody watches.
    pub(super) fn is_held_up(&mut self, host: usize, item: &Item) -> bool {
        if self.options.scene != Scene::HeldUp || host != BOX_A {
            return false;
        }
        let (Item::Tsu(event), Some(Some(tsu))) = (item, self.tsus.get(host)) else { return false };
        let probed = matches!(**event, Event::Probed(_)) && !tsu.issuer.holds_lease();
        if !probed || !self.reader_dice.permille(400) {
            return false;
        }
        let by = self.reader_dice.range(-4 * MS, 4 * MS);
        self.after(MS, Happens::Fault(Fault::ReaderKilled { host, down: 30 * MS }));
        self.after(10 * MS, Happens::Fault(Fault::Step { host, by }));
        true
    }

    fn announced(&mut self, host: usize, known: usize) {
        let (dice, there) = (&mut self.reader_dice, &mut self.hosts[host]);
        if there.reader.reporter.is_none() {
            return;
        }
        there.reader.noticed = true;
        there.reader.known = there.reader.known.max(known);
        let held_up = if self.now < there.reader.late.0 { there.reader.late.1 } else { 0 };
        let woken = dice.range(MS / 50, MS / 2) + dice.range(0, held_up);
        let run = there.reader.run;
        self.news(woken, host, News::Report { run, again: false });
    }

    /// The process on this box has started, and listens.
    pub(super) fn open_ear(&mut self, host: usize, boot_id: BootId) {
        if !self.options.watched {
            self.hosts[host].ear = Ear::new(ClockWatch::undisturbed(boot_id));
            return;
        }
        self.hosts[host].ear = Ear::deaf(boot_id);
        self.oracle.listens(host);
        let life = self.hosts[host].life;
        let soon = self.reader_dice.range(MS / 50, 2 * MS);
        self.news(soon, host, News::Listen { life });
    }

    fn listen(&mut self, host: usize, life: u64) {
        let now = self.now;
        let there = &mut self.hosts[host];
        if there.reader.reporter.is_none() {
            let raw = there.clock.raw(now);
            there.ear.update(raw, |watch, _| watch.on_loss(Lost::Unreachable));
            self.news(RETRY, host, News::Listen { life });
            return self.wake(host);
        }
        self.next_conn += 1;
        let conn = self.next_conn;
        (there.ear.conn, there.ear.heard) = (Some(conn), now);
        let run = there.reader.run;
        let admitted = self.reader_dice.range(MS / 20, MS);
        self.news(admitted, host, News::Report { run, again: false });
        self.news(figures::nanos(figures::SILENCE_MAX), host, News::Patience { life, conn });
    }

    fn heard(&mut self, host: usize, conn: u64, report: ClockReport, known: usize) {
        let now = self.now;
        let there = &mut self.hosts[host];
        if there.ear.conn != Some(conn) {
            return;
        }
        there.ear.heard = now;
        let raw = there.clock.raw(now);
        let (sample, run, sequence) = (report.sample, report.run, report.sequence);
        let reported = Reported { raw, sample, run, sequence, known };
        there.ear.update(raw, |watch, now| watch.on_report(now, report));
        let fresh = self.oracle.reported(host, now, &reported);
        self.look_soon(host);
        if fresh {
            self.trace.line(now, || format!("host {host} hears of its clock, up to {known}"));
        }
        self.wake(host);
    }

    fn unheard(&mut self, host: usize, conn: u64, why: Lost) {
        let now = self.now;
        let there = &mut self.hosts[host];
        if there.ear.conn != Some(conn) {
            return;
        }
        there.ear.conn = None;
        let raw = there.clock.raw(now);
        there.ear.update(raw, |watch, _| watch.on_loss(why));
        let life = there.life;
        self.oracle.unheard(host, now);
        self.trace.line(now, || format!("host {host} lost its clock reader: {why}"));
        self.news(RETRY, host, News::Listen { life });
        self.wake(host);
    }

    fn patience(&mut self, host: usize, life: u64, conn: u64) {
        let (now, limit) = (self.now, figures::nanos(figures::SILENCE_MAX));
        let there = &self.hosts[host];
        if there.ear.conn != Some(conn) {
            return;
        }
        let due = there.ear.heard + limit;
        if now < due {
            return self.news(due - now, host, News::Patience { life, conn });
        }
        if there.stopped_until == now {
            // The process goes on just now: what waits in its socket is read first.
            return self.news(MS, host, News::Patience { life, conn });
        }
        self.unheard(host, conn, Lost::Silent { age: figures::SILENCE_MAX });
    }

    /// The TSU's loop wakes at such news; the monitor's looks with its next turn.
    fn wake(&mut self, host: usize) {
        if host != BOX_B {
            self.pump(host);
        }
    }
}
