//! The oracles of a world: one for each TSU, which sees its box and box B, and judges as if there
//! were no other; and what is asked of all of them together.

use chronolease_core::confirmation::Confirmation;
use chronolease_core::evidence::leaf;
use chronolease_core::id::Incarnation;
use chronolease_core::lease::EndingCause;
use chronolease_core::sample::Sample;
use chronolease_monitor::core::sources::Report;
use chronolease_net::evidence::MemoryDisk;

use super::{Counts, Oracle, Released, Reported, Touch};
use crate::boxlog::Identity;
use crate::clock::{Instant, Truth};
use crate::figures;
use crate::monitor::Out;

/// One oracle for each TSU. With one TSU every host but box B is its box or a copy of it; with
/// several, each has the host of its place.
pub struct Oracles {
    all: Vec<Oracle>,
    /// The TSU of this place is left alone: whatever ends its leases is none of its doing.
    pub quiet: Option<usize>,
}

impl Oracles {
    /// The oracles of a world of this truth: for the monitor's identity and each TSU's.
    #[must_use]
    pub fn new(leased: bool, truth: Truth, monitor: &Identity, tsus: &[Identity]) -> Self {
        let of = |(place, tsu): (usize, &Identity)| {
            let ids = (monitor.clone(), tsu.clone());
            Oracle::new(leased, truth, ids, figures::tsu_id(place))
        };
        Self { all: tsus.iter().enumerate().map(of).collect(), quiet: None }
    }

    /// Who sees this host, and which host it is to them.
    fn of(&mut self, host: usize) -> (&mut [Oracle], usize) {
        match (self.all.len(), host) {
            (1, _) | (_, 0) => (&mut self.all, host),
            _ => (&mut self.all[host - 1..host], 1),
        }
    }

    fn each(&mut self, host: usize, mut tell: impl FnMut(&mut Oracle, usize)) {
        let (all, host) = self.of(host);
        all.iter_mut().for_each(|oracle| tell(oracle, host));
    }

    /// What all of them say to this; they agree where it is of box B.
    fn ask<T>(&mut self, host: usize, mut ask: impl FnMut(&mut Oracle, usize) -> T) -> T {
        let (all, host) = self.of(host);
        let mut said = all.iter_mut().map(|oracle| ask(oracle, host));
        let first = said.next().expect("a TSU");
        said.for_each(drop);
        first
    }

    /// What happened in the whole world, in numbers.
    pub fn counts(&mut self) -> &mut Counts {
        &mut self.all[0].counts
    }

    /// Only persons bring a latched ward back.
    pub fn persons(&mut self, persons: bool) {
        self.all.iter_mut().for_each(|oracle| oracle.persons = persons);
    }

    /// See [`Oracle::sampled`].
    pub fn sampled(&mut self, host: usize, sample: &Sample, at: Instant) {
        self.each(host, |oracle, host| oracle.sampled(host, sample, at));
    }

    /// See [`Oracle::sampled_as`].
    pub fn sampled_as(&mut self, host: usize, first: &Sample, sample: &Sample) {
        self.each(host, |oracle, host| oracle.sampled_as(host, first, sample));
    }

    /// See [`Oracle::looked`].
    pub fn looked(&mut self, host: usize, sample: &Sample) -> u64 {
        self.ask(host, |oracle, host| oracle.looked(host, sample))
    }

    /// See [`Oracle::decided`].
    pub fn decided(&mut self, now: Instant, out: &[Out], utc: i64) {
        self.each(0, |oracle, _| oracle.decided(now, out, utc));
    }

    /// See [`Oracle::heard`].
    pub fn heard(&mut self, host: usize, confirmation: &Confirmation, at: Instant) {
        self.each(host, |oracle, host| oracle.heard(host, confirmation, at));
    }

    /// See [`Oracle::recorded`].
    pub fn recorded(&mut self, host: usize, first: u64, events: &[leaf::Event]) {
        self.each(host, |oracle, host| oracle.recorded(host, first, events));
    }

    /// See [`Oracle::released`].
    pub fn released(&mut self, now: Instant, truth: &Truth, released: &Released) {
        let token = |oracle: &mut Oracle, host: usize| {
            oracle.released(now, truth, &Released { host, ..released.clone() });
        };
        self.each(released.host, token);
    }

    /// See [`Oracle::started`].
    pub fn started(&mut self, host: usize, at: Instant) {
        self.each(host, |oracle, host| oracle.started(host, at));
    }

    /// See [`Oracle::stopped`].
    pub fn stopped(&mut self, host: usize) {
        self.each(host, Oracle::stopped);
    }

    /// See [`Oracle::runs`].
    pub fn runs(&mut self, host: usize, incarnation: Incarnation) {
        self.each(host, |oracle, host| oracle.runs(host, incarnation));
    }

    /// See [`Oracle::cloned`]; in a world of one TSU.
    pub fn cloned(&mut self, host: usize, disk: &MemoryDisk) {
        self.each(host, |oracle, host| oracle.cloned(host, disk));
    }

    /// See [`Oracle::rolled_back`].
    pub fn rolled_back(&mut self, host: usize, disk: &MemoryDisk) {
        self.each(host, |oracle, host| oracle.rolled_back(host, disk));
    }

    /// All clocks of this box were wrong alike, so that nothing on it can tell.
    pub fn clocks_of_a_lie(&mut self, host: usize, at: Instant) {
        self.each(host, |oracle, _| oracle.clocks_of_a_lie(at));
    }

    /// See [`Oracle::disturbed`].
    pub fn disturbed(&mut self, until: Instant) {
        self.each(0, |oracle, _| oracle.disturbed(until));
    }

    /// The boxes, of which there are so many, have clock readers.
    pub fn watches(&mut self, hosts: usize) {
        let hosts = if self.all.len() == 1 { hosts } else { 2 };
        self.each(0, |oracle, _| oracle.watches(hosts));
    }

    /// See [`Oracle::touched`].
    pub fn touched(&mut self, host: usize, touch: Touch) -> usize {
        self.ask(host, |oracle, host| oracle.touched(host, touch))
    }

    /// See [`Oracle::listens`].
    pub fn listens(&mut self, host: usize) {
        self.each(host, Oracle::listens);
    }

    /// See [`Oracle::first_look`].
    pub fn first_look(&mut self, raw: i64) {
        self.each(0, |oracle, _| oracle.first_look(raw));
    }

    /// See [`Oracle::polled`].
    pub fn polled(&mut self, now: Instant, report: &Report) {
        self.each(0, |oracle, _| oracle.polled(now, report));
    }

    /// See [`Oracle::reported`].
    pub fn reported(&mut self, host: usize, at: Instant, report: &Reported) -> bool {
        self.ask(host, |oracle, host| oracle.reported(host, at, report))
    }

    /// See [`Oracle::unheard`].
    pub fn unheard(&mut self, host: usize, at: Instant) {
        self.each(host, |oracle, host| oracle.unheard(host, at));
    }

    /// See [`Oracle::audit`].
    pub fn audit(&mut self, host: usize, disk: &MemoryDisk) {
        self.each(host, |oracle, host| oracle.audit(host, disk));
    }

    /// What came of all of them. The wards have nothing to do with one another: no serial of one TSU is
    /// another's, and nothing latches the ward of a TSU that was left alone.
    #[must_use]
    pub fn conclude(mut self) -> Oracle {
        self.all.iter_mut().for_each(Oracle::conclude);
        if let Some(oracle) = self.quiet.and_then(|place| self.all.get_mut(place)) {
            oracle.judge_quiet();
        }
        let mut rest = self.all.into_iter();
        let mut first = rest.next().expect("a TSU");
        for other in rest {
            let twice = other.serials.keys().any(|serial| first.serials.contains_key(serial));
            first.ask(!twice, "P3", 0, || "two TSUs gave one serial number".to_owned());
            first.second_tokens += other.counts.tokens;
            first.counts.add(&other.counts);
            first.tightness = first.tightness.worse(other.tightness);
            first.violations.extend(other.violations);
        }
        first
    }
}

impl Oracle {
    /// Nothing was done to this TSU's box: its ward never latches, save by what is box B's own.
    fn judge_quiet(&mut self) {
        let latched =
            |cause: EndingCause| cause.latches() && cause != EndingCause::EvidencePoisoned;
        let found = self.ends.iter().find(|end| latched(end.cause)).copied();
        let at = found.map_or(0, |end| end.at);
        self.ask(found.is_none(), "wards", at, || {
            format!("the ward of a TSU that was left alone latched: {found:?}")
        });
    }
}
