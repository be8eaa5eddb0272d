//! The oracle: it knows the true time, sees every box, and judges what is released. What it asks
//! for is written from the promise, apart from the cores.

mod all;
mod audit;
mod decisions;
mod release;
mod report;
mod watching;

use std::collections::BTreeMap;

use chronolease_core::confirmation::Confirmation;
use chronolease_core::evidence::leaf::{self, Intent};
use chronolease_core::evidence::merkle::{CompactRange, Hash};
use chronolease_core::id::{Incarnation, LeaseSeq, TsuId};
use chronolease_core::lease::{EndingCause, LeaseTerms};
use chronolease_core::sample::Sample;
use chronolease_net::evidence::MemoryDisk;

use crate::boxlog::{self, Identity};
use crate::clock::{Instant, Truth};
pub use all::Oracles;
pub use release::Released;
pub use report::{Counts, Tightness};
pub use watching::{Reported, Touch, Touched};

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What was promised: `P1` to `P5`, or what an auditor asks for.
    pub of: &'static str,
    /// When.
    pub at: Instant,
    /// What happened.
    pub what: String,
}

/// An intent on record.
#[derive(Clone, Debug)]
struct OnRecord {
    place: u64,
    intent: Intent,
    /// The root over the tokens of its batch.
    root: Hash,
}

/// What is durable on one box.
#[derive(Debug, Default)]
struct Box {
    /// By the digest of the TSTInfo.
    intents: BTreeMap<Hash, OnRecord>,
    leases: BTreeMap<LeaseSeq, LeaseTerms>,
    /// By the root of the batch.
    confirmations: BTreeMap<Hash, Vec<Confirmation>>,
    latest: i64,
    size: u64,
    incarnation: Option<Incarnation>,
    up_since: Option<Instant>,
}

/// A token that left.
#[derive(Clone, Debug)]
struct Token {
    host: usize,
    incarnation: Incarnation,
    lease: LeaseSeq,
    /// When its clock was read, and when the monitor decided about it.
    read_at: Instant,
    decided_at: Option<Instant>,
}

/// A lease that was granted.
#[derive(Clone, Debug)]
struct Grant {
    at: Instant,
    /// The turn of the monitor in which it was.
    turn: u64,
    terms: LeaseTerms,
}

/// The end of all leases up to one.
#[derive(Clone, Copy, Debug)]
struct End {
    at: Instant,
    up_to: LeaseSeq,
    cause: EndingCause,
}

/// The oracle.
pub struct Oracle {
    /// What happened, in numbers.
    pub counts: Counts,
    /// How near the limits it came.
    pub tightness: Tightness,
    /// What must not have happened.
    pub violations: Vec<Violation>,
    /// Only persons bring a latched ward back.
    pub persons: bool,
    /// How many of the tokens are of other TSUs than the first.
    pub second_tokens: u64,
    tsu: TsuId,
    leased: bool,
    truth: Truth,
    ids: (Identity, Identity),
    reads: BTreeMap<(usize, i64, i64, i64), Instant>,
    boxes: Vec<Box>,
    tokens: Vec<Token>,
    serials: BTreeMap<Vec<u8>, Hash>,
    grants: Vec<Grant>,
    ends: Vec<End>,
    /// By connection: the last number that was confirmed, and when each batch was decided.
    confirmed: BTreeMap<[u8; 32], u64>,
    decided: BTreeMap<Hash, Instant>,
    /// When a box took the confirmation of a batch.
    heard: BTreeMap<(usize, Hash), Instant>,
    /// The largest tree of the TSU's log that the monitor has confirmed.
    confirmed_log: Option<chronolease_core::evidence::TreeHead>,
    monitor_started: Instant,
    lied: Option<Instant>,
    disturbed: Instant,
    watching: watching::Watching,
}

impl Oracle {
    /// An oracle over one TSU of a world of this truth.
    #[must_use]
    pub fn new(leased: bool, truth: Truth, ids: (Identity, Identity), tsu: TsuId) -> Self {
        Self {
            counts: Counts::default(),
            tightness: Tightness::default(),
            violations: Vec::new(),
            persons: false,
            second_tokens: 0,
            tsu,
            leased,
            truth,
            ids,
            reads: BTreeMap::new(),
            boxes: vec![Box::default(), Box::default()],
            tokens: Vec::new(),
            serials: BTreeMap::new(),
            grants: Vec::new(),
            ends: Vec::new(),
            confirmed: BTreeMap::new(),
            decided: BTreeMap::new(),
            heard: BTreeMap::new(),
            confirmed_log: None,
            monitor_started: 0,
            lied: None,
            disturbed: 0,
            watching: watching::Watching::default(),
        }
    }

    /// Notes what must not happen.
    pub fn violation(&mut self, of: &'static str, at: Instant, what: String) {
        // Of one kind the first few tell it all.
        if self.violations.iter().filter(|v| v.of == of).count() < 3 {
            self.violations.push(Violation { of, at, what });
        }
    }

    fn ask(&mut self, holds: bool, of: &'static str, at: Instant, what: impl FnOnce() -> String) {
        if !holds {
            self.violation(of, at, what());
        }
    }

    /// A box read its clocks: `REAL` at this instant.
    pub fn sampled(&mut self, host: usize, sample: &Sample, at: Instant) {
        self.reads.entry(key(host, sample)).or_insert(at);
    }

    /// A reading came out with a later end than when `REAL` was read: it is of the same instant.
    pub fn sampled_as(&mut self, host: usize, first: &Sample, sample: &Sample) {
        if let Some(at) = self.reads.get(&key(host, first)).copied() {
            self.sampled(host, sample, at);
        }
    }

    /// The TSU on this box takes a confirmation.
    pub fn heard(&mut self, host: usize, confirmation: &Confirmation, at: Instant) {
        self.heard.insert((host, confirmation.batch.root), at);
    }

    /// All clocks of box A were wrong alike, so that nothing on it can tell.
    pub fn clocks_of_a_lie(&mut self, at: Instant) {
        self.lied = Some(at);
    }

    /// Something is wrong with a box or the network until then.
    pub fn disturbed(&mut self, until: Instant) {
        self.disturbed = self.disturbed.max(until);
    }

    /// A process runs.
    pub fn started(&mut self, host: usize, at: Instant) {
        self.boxes[host].up_since = Some(at);
        if host == 0 {
            self.monitor_started = at;
        }
        self.disturbed(at);
    }

    /// A process runs no more.
    pub fn stopped(&mut self, host: usize) {
        self.boxes[host].up_since = None;
    }

    /// The run of the TSU's process on this box.
    pub fn runs(&mut self, host: usize, incarnation: Incarnation) {
        self.boxes[host].incarnation = Some(incarnation);
    }

    /// A new box has this disk.
    pub fn cloned(&mut self, host: usize, disk: &MemoryDisk) {
        self.boxes.push(Box::default());
        self.watches_a_copy();
        self.rolled_back(host, disk);
    }

    /// A box has this disk from now on.
    pub fn rolled_back(&mut self, host: usize, disk: &MemoryDisk) {
        let there = &mut self.boxes[host];
        *there = Box { incarnation: there.incarnation, up_since: there.up_since, ..Box::default() };
        let events: Vec<leaf::Event> = match boxlog::leaves(disk, &self.ids.1) {
            Ok(leaves) => leaves.into_iter().map(|leaf| leaf.event).collect(),
            Err(why) => return self.violation("world", 0, why),
        };
        self.note(host, 0, &events);
    }

    /// These events are durable on a box, from this place on.
    pub fn recorded(&mut self, host: usize, first: u64, events: &[leaf::Event]) {
        let before = self.boxes[host].intents.len();
        let latest = self.boxes[host].latest;
        self.note(host, first, events);
        if self.boxes[host].intents.len() > before {
            for event in events {
                if let leaf::Event::Intent(intent) = event {
                    self.judge_again(host, intent, latest);
                }
            }
        }
    }

    fn note(&mut self, host: usize, first: u64, events: &[leaf::Event]) {
        let there = &mut self.boxes[host];
        there.size = there.size.max(first + events.len() as u64);
        let mut batch: Vec<(u64, &Intent)> = Vec::new();
        // Of other TSUs, on the record of one.
        let mut strange = 0;
        for (place, event) in (first..).zip(events) {
            match event {
                leaf::Event::Intent(intent) => batch.push((place, intent)),
                leaf::Event::LeaseGranted(lease) => {
                    if let Ok(terms) = lease.open(|_, _| true) {
                        strange += u64::from(terms.tsu != self.tsu);
                        there.leases.insert(terms.sequence, terms);
                    }
                }
                leaf::Event::Confirmed(signed) => {
                    let verify = |m: &[u8], s: &[u8]| self.ids.0.as_peer().key.verify(m, s);
                    if let Ok(confirmation) = signed.open(verify) {
                        strange += u64::from(confirmation.tsu != self.tsu);
                        let root = confirmation.batch.root;
                        there.confirmations.entry(root).or_default().push(confirmation);
                    }
                }
                _ => {}
            }
        }
        let mut tree = CompactRange::new();
        for (_, intent) in &batch {
            tree.append(chronolease_core::evidence::merkle::leaf_hash(
                intent.tst_info_digest.as_bytes(),
            ));
        }
        let root = tree.root();
        for (place, intent) in batch {
            there.latest = there.latest.max(intent.gen_time.as_unix_nanos());
            let on_record = OnRecord { place, intent: intent.clone(), root };
            there.intents.insert(intent.tst_info_digest, on_record);
        }
        self.ask(host == 0 || strange == 0, "wards", 0, || {
            format!("{strange} leases or confirmations of another TSU on the record of box {host}")
        });
    }
}

fn key(host: usize, sample: &Sample) -> (usize, i64, i64, i64) {
    let raw = (sample.raw_before.as_nanos(), sample.raw_after.as_nanos());
    (host, raw.0, raw.1, sample.real.as_unix_nanos())
}
