//! One run of the TSU's process: the cores that ship, and as little of a shell as they need.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chronolease_core::broken::{Condition, kept};
use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::leaf::{self, Leaf};
use chronolease_core::evidence::offers::Broken;
use chronolease_core::id::{BatchSeq, BootId, ChannelBinding, Incarnation, LeaseSeq, TsuId};
use chronolease_core::lease::EndingCause;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, RawInstant};
use chronolease_core::token::{Signed, Witnessed};
use chronolease_core::wire::{Confirm, Hello, PROTOCOL_VERSION, ProbeAnswer, ToMonitor, ToTsu};
use chronolease_net::evidence::{MemoryDisk, Pending};
use chronolease_net::exchange::{VouchError, Vouched};
use chronolease_net::keys::EvidenceVerifier;
use chronolease_net::recorder::{Aside, Kept, RecordError, place};
use chronolease_tsu::core::holder::Answer;
use chronolease_tsu::core::issuing::{
    Content, Event, Issuer, LaneId, NotRecorded, RequestId, ToLink,
};
use chronolease_tsu::core::rfc3161::{TokenBuilder, TokenError};

use crate::boxlog::{BoxLog, Exchange, Identity, answered};
use crate::clock::Instant;
use crate::dice::Dice;
use crate::figures;

/// How many batches are in flight at most.
const LANES: usize = 4;

/// How long a record that nobody waits for may stay in memory.
const FLUSH: Bound = Bound::from_millis(100);

/// Who waits for a record.
#[derive(Clone, Copy, Debug)]
pub enum Waits {
    /// The lease.
    Lease(LeaseSeq),
    /// The intents of a batch.
    Batch(LaneId),
    /// The confirmation of a batch.
    Confirmation(LaneId),
    /// Nobody.
    Nobody,
}

/// Events on their way to the disk.
struct UnderWay {
    waits: Waits,
    /// What was laid aside before; it comes first in all that follows.
    aside: Kept,
    events: Vec<leaf::Event>,
    pending: Result<Pending, RecordError>,
}

/// Events whose fate is known.
pub struct Recorded {
    /// The place of the first leaf, if they are durable.
    pub first: Option<u64>,
    /// All of them.
    pub events: Vec<leaf::Event>,
    /// What the pipeline hears.
    pub event: Option<Event>,
}

/// The link to the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// There is none.
    Down,
    /// It is being made.
    Dialling,
    /// It stands, and the monitor was last heard then.
    Up(u64, Instant),
}

/// The process.
pub struct Tsu {
    /// The pipeline.
    pub issuer: Issuer,
    /// The log.
    pub log: BoxLog,
    peer: Exchange,
    /// The link.
    pub link: Link,
    /// The run.
    pub incarnation: Incarnation,
    /// The boot that it began on.
    pub boot_id: BootId,
    /// Its source of randomness, which a copy of the box copies.
    pub dice: Dice,
    /// Who waits for a token, since when.
    pub clients: BTreeMap<RequestId, Instant>,
    /// When each signing thread is free.
    pub threads: [Instant; 2],
    /// Leases up to this one were revoked, as it has heard.
    pub heard_revoked: LeaseSeq,
    tsu: TsuId,
    builder: Arc<TokenBuilder>,
    monitor: EvidenceVerifier,
    met: bool,
    batches: BTreeMap<BatchSeq, TreeHead>,
    told: bool,
    aside: Aside,
    flushed: RawInstant,
    under_way: VecDeque<UnderWay>,
    next_request: u64,
}

impl Tsu {
    /// Starts the process on this disk.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn start(
        disk: &MemoryDisk,
        ids: (&Identity, &Identity),
        tsu: TsuId,
        leased: bool,
        mut dice: Dice,
        now: &Sample,
    ) -> Result<Self, String> {
        let (me, monitor) = ids;
        let incarnation = Incarnation::from_bytes(dice.bytes());
        let (mut log, start) = BoxLog::open(disk, me, Some(incarnation), now)?;
        let peer = log.exchange(disk, monitor)?;
        log.write_batch();
        start.committed_blocking().map_err(|why| why.to_string())?;
        let on_record = crate::boxlog::leaves(disk, me)?;
        let intent = |leaf: &Leaf| match &leaf.event {
            leaf::Event::Intent(intent) => Some(intent.gen_time),
            _ => None,
        };
        let high_water = on_record.iter().filter_map(intent).max();
        let builder = Arc::new(figures::builder());
        let terms = figures::terms(tsu.clone(), leased, incarnation, now.boot_id);
        let issuer = Issuer::new(terms, Arc::clone(&builder), LANES).resuming(high_water);
        Ok(Self {
            issuer,
            log,
            peer,
            tsu,
            link: Link::Down,
            incarnation,
            boot_id: now.boot_id,
            dice,
            clients: BTreeMap::new(),
            threads: [0; 2],
            heard_revoked: LeaseSeq::new(0),
            builder,
            monitor: monitor.as_peer().key,
            met: false,
            batches: BTreeMap::new(),
            told: false,
            aside: Aside::default(),
            flushed: now.raw_after,
            under_way: VecDeque::new(),
            next_request: 0,
        })
    }

    /// The pipeline is about to take this event.
    pub fn heard(&mut self, event: &Event) {
        if let Event::Revoked(up_to, _) = event {
            self.heard_revoked = self.heard_revoked.max(*up_to);
        }
    }

    /// A client's request, at `now`.
    pub fn requested(&mut self, now: Instant) -> Event {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.clients.insert(id, now);
        let (request, randomness) = (figures::request(self.dice.throw()), self.dice.bytes());
        Event::Requested { id, request, randomness }
    }

    /// A connection stands.
    pub fn connected(&mut self, conn: u64, now: Instant) -> Hello {
        self.link = Link::Up(conn, now);
        self.met = false;
        self.batches.clear();
        self.told = false;
        Hello {
            version: PROTOCOL_VERSION,
            tsu: self.tsu.clone(),
            incarnation: self.incarnation,
            boot_id: self.boot_id,
            held: self.peer.vouching.held(),
        }
    }

    /// What the pipeline hears of a message, and what is said in return. `None` ends the link.
    pub fn received(
        &mut self,
        message: ToTsu,
        now: &Sample,
    ) -> Option<(Vec<Event>, Option<ToMonitor>)> {
        let verify = |m: &[u8], s: &[u8]| self.monitor.verify(m, s);
        let event = match message {
            ToTsu::Welcome(welcome) => {
                self.met = true;
                let met = self.peer.offering.met_shown(welcome.vouched, welcome.shown);
                let broken = met.err().map(|broken| {
                    Event::LogBroken(match broken {
                        Broken::RolledBack { .. } => EndingCause::Rollback,
                        Broken::Forked { .. } => EndingCause::Fork,
                    })
                });
                return Some((broken.into_iter().chain([Event::Welcomed]).collect(), None));
            }
            ToTsu::Refused(why) => Event::Refused(why),
            ToTsu::Probe(nonce) => Event::Probed(nonce),
            ToTsu::Revoke { up_to, cause } => Event::Revoked(up_to, cause),
            ToTsu::NotConfirmed(batch, why) => Event::NotConfirmed(batch, why),
            ToTsu::Grant(lease) => {
                let terms = lease.open(verify).ok()?;
                Event::Granted(lease, terms)
            }
            ToTsu::Confirmed(signed) => {
                let confirmation = signed.open(verify).ok()?;
                let shown = self.batches.remove(&confirmation.batch.sequence);
                if kept(Condition::AboutThisBatch) && shown != Some(confirmation.log) {
                    return None;
                }
                Event::Confirmed(signed, confirmation)
            }
            ToTsu::Witnessed(both) => {
                let (event, reply) = self.vouch(&both.checkpoint, now)?;
                let note = self.peer.offering.cosigned(&both.cosignature).ok()?;
                // The monitor has it all the same.
                let _ = self.log.own.keep(&note, now);
                return Some((vec![event], reply));
            }
        };
        Some((vec![event], None))
    }

    fn vouch(&mut self, checkpoint: &[u8], now: &Sample) -> Option<(Event, Option<ToMonitor>)> {
        match self.peer.vouching.take(checkpoint, now) {
            Ok(Vouched { line, note, .. }) => {
                self.submit(now, Waits::Nobody, vec![leaf::Event::PeerCheckpoint(note)]);
                Some((Event::Vouched, Some(ToMonitor::Cosigned(line))))
            }
            Err(VouchError::Broken { record, .. }) => {
                let cause = record.cause;
                if !std::mem::replace(&mut self.told, true) {
                    self.submit(now, Waits::Nobody, vec![leaf::Event::PeerBroken(record)]);
                }
                Some((Event::LogBroken(cause), None))
            }
            Err(VouchError::Offer(_) | VouchError::Disk(_)) => None,
        }
    }

    /// What goes over the link for a message of the pipeline.
    pub fn wire(&mut self, message: ToLink) -> Option<ToMonitor> {
        Some(match message {
            ToLink::Answer(Answer { nonce, sample, reader, ended }) => {
                let log = self.met.then(|| self.peer.offering.offer());
                ToMonitor::Answer(ProbeAnswer { nonce, sample, reader, ended, log })
            }
            ToLink::Revoked(up_to) => ToMonitor::Revoked(up_to),
            ToLink::Confirm(batch) => {
                if !self.met {
                    return None;
                }
                let (log, since_shown) = self.peer.offering.show();
                self.batches.insert(batch.sequence, log);
                ToMonitor::Confirm(Confirm { batch, log, since_shown })
            }
        })
    }

    /// Lays a record aside that nobody waits for.
    pub fn lay_aside(&mut self, event: leaf::Event) {
        self.aside.lay(event);
    }

    /// Puts events on their way to the disk, and what was laid aside before them.
    pub fn submit(&mut self, now: &Sample, waits: Waits, events: Vec<leaf::Event>) {
        let aside = self.aside.take();
        let mut all = aside.events();
        all.extend(events);
        let pending = self.log.recorder.submit(now, all.clone());
        self.under_way.push_back(UnderWay { waits, aside, events: all, pending });
    }

    /// Whether what was laid aside was put on its way now.
    pub fn flush_if_due(&mut self, now: &Sample) -> bool {
        let due = (now.raw_after - self.flushed).magnitude() >= FLUSH;
        if due {
            self.flushed = now.raw_after;
        }
        let any = due && !self.aside.kept().is_empty();
        if any {
            self.submit(now, Waits::Nobody, Vec::new());
        }
        any
    }

    /// Whether a record is on its way to the disk.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// What became of records by now, in the order in which they were submitted.
    pub fn recorded(&mut self) -> Vec<Recorded> {
        let mut all = Vec::new();
        while let Some(front) = self.under_way.front_mut() {
            let result = match &mut front.pending {
                Ok(pending) => match answered(pending) {
                    None => break,
                    Some(result) => result,
                },
                Err(why) => Err(why.clone()),
            };
            let Some(UnderWay { waits, aside, mut events, .. }) = self.under_way.pop_front() else {
                break;
            };
            let why = |why: &RecordError| {
                if why.is_final() { NotRecorded::ForGood } else { NotRecorded::ForNow }
            };
            let first = result.as_ref().map(|committed| place(committed, aside.len())).map_err(why);
            let event = match waits {
                Waits::Lease(lease) => Some(Event::LeaseLogged(lease, first.map(drop))),
                Waits::Batch(lane) => Some(Event::Logged(lane, first)),
                Waits::Confirmation(lane) => Some(Event::ConfirmationLogged(lane, first.map(drop))),
                Waits::Nobody => None,
            };
            let first = result.ok().map(|committed| committed.first.as_u64());
            if first.is_none() {
                // Kept for a better time, as the shell does; of this a simulated run needs no bound.
                events.clear();
                self.aside.put_back(aside);
            }
            all.push(Recorded { first, events, event });
        }
        all
    }

    /// Signs one token, as a signing thread does. The signature is a hash: no promise rests on it.
    #[must_use]
    pub fn sign(&self, token: Witnessed<Content>) -> Option<Signed<Content>> {
        let builder = &self.builder;
        let signed = token.sign(
            |content, _| {
                let sign = |message: &[u8]| Ok(figures::signature(message));
                builder.build(&content.tst_info, content.request.cert_req(), sign)
            },
            |der, content, judged| {
                let verify = |m: &[u8], s: &[u8]| figures::signature(m) == s;
                let (request, serial) = (&content.request, &content.serial);
                let signature = builder.verify(der, request, serial, judged.gen_time(), verify)?;
                Ok::<_, TokenError>(signature)
            },
        );
        signed.ok()
    }

    /// The connection that it has lost is gone.
    pub fn disconnected(&mut self) {
        self.link = Link::Down;
    }

    /// What binds leases to this connection.
    #[must_use]
    pub fn channel(conn: u64) -> ChannelBinding {
        let mut bytes = [0xcb; 32];
        bytes[..8].copy_from_slice(&conn.to_be_bytes());
        ChannelBinding::from_bytes(bytes)
    }
}
