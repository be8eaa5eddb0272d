//! What is asked of clocks that are watched: nothing rests on a clock that was set, disrupted, or
//! not watched since.
//!
//! The oracle sees what was done to the clocks, and which reports reached a process. It asks no watch
//! and no mark.

use std::collections::BTreeMap;

use chronolease_core::id::{BootId, LeaseSeq, ReaderRun};
use chronolease_core::lease::LeaseTerms;
use chronolease_core::sample::Sample;
use chronolease_monitor::core::sources::{PollResult, Report};

use super::{Grant, OnRecord, Oracle, Released, key};
use crate::clock::{Instant, MS};
use crate::figures;

/// How long the kernel may take to announce that the clock was set.
const ANNOUNCED_WITHIN: i64 = MS;
/// A leap second is announced as a set clock: news of one so shortly before it may be about it.
const BEFORE_A_LEAP: i64 = 3_200 * MS;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// The clock was set, or the box resumed after a suspension.
    Set,
    /// A hypervisor moved the box.
    Disrupted,
}

/// Something that was done to the clocks of a box, and that a reader tells of.
#[derive(Clone, Copy, Debug)]
pub struct Touch {
    /// When.
    pub at: Instant,
    /// `CLOCK_MONOTONIC_RAW` afterwards.
    pub raw: i64,
    /// On which boot.
    pub boot: BootId,
    /// What.
    pub what: Touched,
}

/// A report that reached a process.
#[derive(Clone, Copy, Debug)]
pub struct Reported {
    /// `CLOCK_MONOTONIC_RAW` when it came.
    pub raw: i64,
    /// Its sample.
    pub sample: Sample,
    /// The run of the reader.
    pub run: ReaderRun,
    /// Its number.
    pub sequence: u64,
    /// It tells of the first so many touches.
    pub known: usize,
}

/// What came to a process: when, and in which place among all turns and reports.
#[derive(Clone, Copy, Debug)]
struct Came {
    at: Instant,
    turn: u64,
}

/// What one box, and the process that runs on it, could know.
#[derive(Debug, Default)]
struct Seen {
    touches: Vec<Touch>,
    /// The touches that this process was told of.
    told: Vec<(Touch, Came)>,
    /// When it could hear the reader no more, or heard that something was missing.
    losses: Vec<Came>,
    /// When it heard the reader again.
    returns: Vec<Came>,
    /// The newest report, while the reader is heard.
    newest: Option<Reported>,
    /// The last one in any case.
    last: Option<Reported>,
    /// The newest touch that was told, or that came before this process.
    known: usize,
    /// The oscillator when the process took its first look at its clocks; of the monitor's alone.
    looked: Option<i64>,
}

impl Seen {
    /// Whether the reader is heard at this reading of the oscillator.
    fn hears(&self, raw: i64) -> bool {
        self.newest.is_some_and(|newest| raw - newest.sample.raw_before.as_nanos() <= silence())
    }

    /// What ended all that rested on the clock at an instant before `since`.
    fn broke(&self, since: impl Fn(&Came) -> bool, turn: u64) -> Option<&'static str> {
        let within = |came: &Came| since(came) && came.turn <= turn;
        self.losses.iter().any(within).then_some("the clock reader was lost")
    }
}

fn silence() -> i64 {
    figures::nanos(figures::SILENCE_MAX)
}

/// A turn of a process.
#[derive(Clone, Copy, Debug)]
struct Look {
    turn: u64,
    /// It heard its clock reader then.
    heard: bool,
}

/// All of it. Of a world without clock readers nothing is kept, and nothing is asked.
#[derive(Debug, Default)]
pub(super) struct Watching {
    boxes: Vec<Seen>,
    turn: u64,
    /// The oscillator of box B at the monitor's last turn.
    raw_of_b: i64,
    looks: BTreeMap<(usize, i64, i64, i64), Look>,
}

impl Oracle {
    /// In this world the boxes have clock readers.
    pub fn watches(&mut self, hosts: usize) {
        self.watching.boxes.resize_with(hosts, Seen::default);
    }

    /// A box is copied, with its reader if there are any.
    pub(super) fn watches_a_copy(&mut self) {
        if self.is_watched() {
            self.watching.boxes.push(Seen::default());
        }
    }

    fn is_watched(&self) -> bool {
        !self.watching.boxes.is_empty()
    }

    /// The clocks of a box were touched. How many touches there are by now.
    pub fn touched(&mut self, host: usize, touch: Touch) -> usize {
        let touches = &mut self.watching.boxes[host].touches;
        touches.push(touch);
        touches.len()
    }

    /// A process starts on this box and has heard nothing.
    pub fn listens(&mut self, host: usize) {
        let seen = &mut self.watching.boxes[host];
        *seen = Seen { touches: std::mem::take(&mut seen.touches), ..Seen::default() };
    }

    /// The monitor's process takes its first look at its clocks, at this reading of the oscillator.
    /// What it was told before is about nothing that it measures.
    pub fn first_look(&mut self, raw: i64) {
        if let Some(seen) = self.watching.boxes.first_mut() {
            seen.looked = Some(raw);
            seen.told.clear();
            seen.losses.clear();
            seen.returns.clear();
        }
    }

    /// The monitor takes what a laboratory said: nothing that it asked before its first look.
    pub fn polled(&mut self, now: Instant, report: &Report) {
        let looked = self.watching.boxes.first().and_then(|seen| seen.looked);
        let (Some(looked), PollResult::Sample(sample)) = (looked, &report.result) else { return };
        let before = sample.sent.as_nanos() < looked;
        self.ask(!before, "watch", now, || {
            "the monitor polled before it looked at its clock reader".to_owned()
        });
    }

    /// A report reaches the process. Whether it tells of something new.
    pub fn reported(&mut self, host: usize, at: Instant, report: &Reported) -> bool {
        self.watching.turn += 1;
        let came = Came { at, turn: self.watching.turn };
        let seen = &mut self.watching.boxes[host];
        let next = |last: Reported| (last.run, last.sequence + 1) == (report.run, report.sequence);
        match (seen.last, seen.newest) {
            (None, _) => {
                seen.known = report.known;
                // What was measured meanwhile was not watched.
                seen.returns.extend(seen.looked.map(|_| came));
            }
            (Some(_), None) => seen.returns.push(came),
            (Some(_), Some(newest)) => {
                if !seen.hears(report.raw) || !next(newest) {
                    seen.losses.push(came);
                }
            }
        }
        let news = seen.touches.get(seen.known..report.known).unwrap_or_default();
        let fresh = !news.is_empty();
        seen.told.extend(news.iter().map(|touch| (*touch, came)));
        seen.known = seen.known.max(report.known);
        (seen.newest, seen.last) = (Some(*report), Some(*report));
        fresh
    }

    /// The process cannot hear its reader any more.
    pub fn unheard(&mut self, host: usize, at: Instant) {
        self.watching.turn += 1;
        let came = Came { at, turn: self.watching.turn };
        let seen = &mut self.watching.boxes[host];
        if seen.newest.take().is_some() {
            seen.losses.push(came);
        }
    }

    /// The process has read its clocks, and decides. Its turn.
    pub fn looked(&mut self, host: usize, sample: &Sample) -> u64 {
        self.watching.turn += 1;
        let turn = self.watching.turn;
        if let Some(seen) = self.watching.boxes.get(host) {
            let raw = sample.raw_after.as_nanos();
            let look = Look { turn, heard: seen.hears(raw) };
            if host == 0 {
                self.watching.raw_of_b = raw;
            }
            self.watching.looks.insert(key(host, sample), look);
        }
        turn
    }

    /// The last turn.
    pub(super) const fn turn(&self) -> u64 {
        self.watching.turn
    }

    fn look(&self, host: usize, sample: &Sample) -> Option<Look> {
        self.watching.looks.get(&key(host, sample)).copied()
    }

    /// Nothing leaves under a lease on a clock that its TSU knows to have been touched or unwatched
    /// since the lease's sample; nor when it ought to know.
    pub(super) fn judge_watched(&mut self, now: Instant, released: &Released, record: &OnRecord) {
        let host = released.host;
        let Some(lease) = self.boxes[host].leases.get(&record.intent.lease).cloned() else {
            return;
        };
        let since = self.reads.get(&key(host, &lease.sample)).copied();
        let (Some(since), true) = (since, self.is_watched()) else { return };
        // What was sampled in time may leave when its lease has run out; nobody watches for it then.
        let made = released.made.raw_after;
        if (made - lease.sample.raw_before).as_nanos() > figures::nanos(lease.ttl) {
            return;
        }
        let look = self.look(host, &released.made);
        let seen = &self.watching.boxes[host];
        let mut why = seen.broke(|came| came.at > since, released.turn);
        if look.is_some_and(|look| look.turn == released.turn && !look.heard) {
            why = Some("the clock reader is silent");
        }
        let told = |(touch, came): &&(Touch, Came)| touch.at > since && came.turn <= released.turn;
        if let Some((touch, _)) = seen.told.iter().find(told) {
            why = Some(match touch.what {
                Touched::Set => "it was told that its clock was set",
                Touched::Disrupted => "it was told of a disruption",
            });
        }
        // Whatever the reader did: it is told of within its silence, or the reader counts as lost.
        // Clocks that lie all alike have no such limit.
        let late = |touch: &&Touch| {
            touch.at > since
                && touch.boot == lease.sample.boot_id
                && made.as_nanos() - touch.raw > silence() + ANNOUNCED_WITHIN
        };
        if self.lied.is_none() && seen.touches.iter().any(|touch| late(&touch)) {
            why = Some("it should have been told long ago that its clock was touched");
        }
        self.ask(why.is_none(), "watch", now, || {
            format!("released under lease {}, though {}", lease.sequence, why.unwrap_or_default())
        });
    }

    /// Nothing is confirmed under a lease from before box B's clocks were touched or unwatched.
    pub(super) fn judge_confirmed(&mut self, now: Instant, lease: LeaseSeq) {
        let grant = self.grants.iter().rfind(|grant| grant.terms.sequence == lease);
        let (Some(grant), true) = (grant, self.is_watched()) else { return };
        let (turn, seen) = (self.watching.turn, &self.watching.boxes[0]);
        let after = |came: &Came| came.turn > grant.turn;
        let mut why = seen.broke(after, turn);
        if seen.told.iter().any(|(_, came)| after(came)) {
            why = Some("it was told that its clocks were touched");
        }
        self.ask(why.is_none(), "watch", now, || {
            format!("the monitor confirms under lease {lease}, though {}", why.unwrap_or_default())
        });
    }

    /// No lease while a box is not watched, and none too soon after its clocks were touched.
    pub(super) fn judge_grant(&mut self, now: Instant, terms: &LeaseTerms, sampled_on: usize) {
        if !self.is_watched() {
            return;
        }
        let raw = self.watching.raw_of_b;
        let seen = &self.watching.boxes[0];
        let hold = figures::nanos(figures::HOLD) * 99 / 100;
        let news = seen.told.iter().map(|(_, came)| came);
        let mut all = news.chain(&seen.losses).chain(&seen.returns);
        let soon = all.any(|came| now - came.at < hold);
        let deaf = !seen.hears(raw);
        self.ask(!deaf, "watch", now, || "a lease while the monitor is not watched".to_owned());
        self.ask(!soon, "watch", now, || {
            "a lease too soon after the monitor's clocks were touched or not watched".to_owned()
        });
        let Some(look) = self.look(sampled_on, &terms.sample) else { return };
        self.ask(look.heard, "watch", now, || {
            "a lease on an answer whose clock reader was lost".to_owned()
        });
        self.judge_grant_after_news(now, terms, sampled_on, look);
    }

    /// The monitor heard this run of the TSU before and hears it now: what the run was told of in
    /// between has latched. Not so the step of a leap second, which nobody set, when the lease before
    /// ended with it.
    fn judge_grant_after_news(
        &mut self,
        now: Instant,
        terms: &LeaseTerms,
        host: usize,
        look: Look,
    ) {
        let before = self.grants.last().filter(|grant| {
            grant.at > self.monitor_started
                && grant.terms.incarnation == terms.incarnation
                // Of a copy of the box the monitor may have heard in between.
                && self.boxes.len() == 2
        });
        let before = before.and_then(|Grant { at, terms, .. }| {
            self.look(host, &terms.sample).map(|look| (*at, look.turn))
        });
        let Some((granted, heard)) = before else { return };
        let leapt = |touch: &Touch, came: &Came| {
            let Some((leap, _)) = self.truth.leap else { return false };
            touch.what == Touched::Set && came.at > leap - BEFORE_A_LEAP && granted < leap
        };
        let hold = figures::nanos(figures::HOLD_LATCHED) * 99 / 100;
        let found = self.watching.boxes[host].told.iter().find(|(touch, came)| {
            (heard + 1..=look.turn).contains(&came.turn)
                && !leapt(touch, came)
                && (self.persons || now - came.at < hold)
        });
        let found = found.map(|(touch, came)| (touch.what, now - came.at));
        self.ask(found.is_none(), "watch", now, || {
            format!("a lease, though its TSU was told of {found:?} ns before")
        });
    }
}
