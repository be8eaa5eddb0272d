//! One run of the monitor's process: the cores that ship, and as little of a shell as they need.

mod first_look;
mod records;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use chronolease_core::clock_reader::{ClockWatch, ReaderView};
use chronolease_core::confirmation::{Confirmation, SignedConfirmation};
use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::leaf;
use chronolease_core::evidence::offers::Broken;
use chronolease_core::id::Nonce;
use chronolease_core::leap::list::LeapList;
use chronolease_core::leap::plan::Season;
use chronolease_core::lease::{EndingCause, LeaseTerms};
use chronolease_core::sample::Sample;
use chronolease_core::stamped::Stamped;
use chronolease_core::time::{Bound, RawInstant};
use chronolease_core::wire::{Hello, LogOffer, ProbeAnswer, ToMonitor, ToTsu, Welcome, Witnessed};
use chronolease_monitor::core::authority::{
    Action, ConnId, Context, Event, Facts, Rearm, Record, ShownLog, Ward, WardState,
};
use chronolease_monitor::core::leap::watch::{LeapRules, LeapWatch};
use chronolease_monitor::core::pps::PpsSays;
use chronolease_monitor::core::sources::{Report, Rounds, View};
use chronolease_net::evidence::{Files, MemoryDisk, Pending};
use chronolease_net::exchange::{VouchError, Vouched};
use chronolease_net::recorder::{Aside, Kept};

use self::first_look::Begun;
use crate::boxlog::{BoxLog, Identity, leaves};
use crate::dice::Dice;
use crate::figures;
use crate::world::Shown;

const WARD: &str = "/wards/tsu-1.ward";

/// What comes to the monitor.
#[derive(Debug)]
pub enum Input {
    /// A source was polled.
    Polled(Report),
    /// A TSU introduced itself.
    Connected(u64, Hello),
    /// A TSU says something; with the oscillator as it was when that was in.
    Said(u64, ToMonitor, RawInstant),
    /// A connection is gone.
    Closed(u64),
    /// Time passed.
    Tick,
    /// It stops in good order.
    Stop,
}

/// What the monitor did.
#[derive(Debug)]
pub enum Out {
    /// Said this over a connection.
    Send(u64, ToTsu),
    /// Closed a connection.
    Close(u64),
    /// Granted; the lease is on record.
    Granted(LeaseTerms),
    /// Ended all leases up to this one, or latched.
    Ended(leaf::Ended),
    /// Decided to confirm; it goes out when it is on record.
    Decided(Confirmation),
    /// Put these on record for certain.
    Recorded(u64, Vec<leaf::Event>),
}

/// Events on their way to the disk.
struct UnderWay {
    events: Kept,
    pending: Pending,
    /// What goes out when they are durable.
    then: Option<(u64, ToTsu)>,
}

/// The process.
pub struct Monitor {
    /// The authority.
    pub ward: Ward,
    /// The log.
    pub log: BoxLog,
    me: Identity,
    disk: MemoryDisk,
    leap: LeapWatch,
    begun: Option<Begun>,
    /// What the clock reader says in this turn.
    reader: ReaderView,
    /// The ward found that nothing of before may count any more.
    discard: bool,
    rounds: Rounds,
    dice: Dice,
    conns: BTreeMap<u64, TreeHead>,
    owed: Option<(u64, String)>,
    told: Option<u64>,
    own_broken: Option<EndingCause>,
    noted: Aside,
    endings: Kept,
    under_way: Vec<UnderWay>,
    lost: bool,
    told_lost: bool,
    dirty: bool,
    last_tick: RawInstant,
    /// A mistake of the shell that the simulator must find: confirmations leave before they are on
    /// record.
    pub answers_early: bool,
}

impl Monitor {
    /// Starts the process on this disk. It does nothing before its first look at its clocks.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn start(
        disk: &MemoryDisk,
        ids: (&Identity, &Identity),
        rearm: Rearm,
        list: Option<&LeapList>,
        dice: Dice,
        now: &Sample,
    ) -> Result<Self, String> {
        let (me, tsu) = ids;
        let (mut log, start) = BoxLog::open(disk, me, tsu, None, now)?;
        log.write_batch();
        start.committed_blocking().map_err(|why| why.to_string())?;
        let text = disk.read(Path::new(WARD)).map_err(|why| why.to_string())?;
        let text = String::from_utf8(text.unwrap_or_default()).map_err(|why| why.to_string())?;
        let record = if text.is_empty() { Ok(Record::default()) } else { Record::parse(&text) };
        let record = record.map_err(|why| why.to_string())?;
        let confirmed = last_confirmed(disk, me)?;
        let mut leap =
            LeapWatch::new(LeapRules { season: Season::HalfYears, bulletins: Vec::new() });
        leap.set_list(list.cloned());
        Ok(Self {
            ward: Ward::new(figures::rules(rearm), record, now.raw_after).knowing(confirmed),
            log,
            me: me.clone(),
            disk: disk.clone(),
            leap,
            begun: None,
            reader: ClockWatch::new(now.boot_id, figures::SILENCE_MAX).view(now.raw_after),
            discard: false,
            rounds: Rounds::new(figures::POLL),
            dice,
            conns: BTreeMap::new(),
            owed: None,
            told: None,
            own_broken: None,
            noted: Aside::default(),
            endings: Kept::default(),
            under_way: Vec::new(),
            lost: false,
            told_lost: false,
            dirty: false,
            last_tick: now.raw_after,
            answers_early: false,
        })
    }

    /// One turn of the engine. `clocks` were read after `input` was in.
    pub(crate) fn turn(&mut self, clocks: &Shown, input: Input, out: &mut Vec<Out>) {
        let now = &clocks.sample;
        self.reader = clocks.reader;
        self.settle(out);
        if self.lost && !std::mem::replace(&mut self.told_lost, true) {
            self.handle(now, Event::EvidenceLost, out);
        }
        if self.broke(clocks) {
            self.discard_all(now, out);
        }
        let overdue = now.raw_after - self.last_tick > Bound::from_millis(250).as_span();
        if overdue || matches!(input, Input::Tick) {
            self.last_tick = now.raw_after;
            self.handle(now, Event::Tick, out);
        }
        self.take(now, input, out);
        if std::mem::take(&mut self.discard) {
            self.discard_all(now, out);
        }
        let view = self.look(now);
        let _ = self.leap.take_news();
        let changes = self.leap.take_changes();
        for change in changes {
            self.noted.lay(leaf::Event::LeapChange(change));
        }
        if self.rounds.is_due(now.raw_after, view.utc.is_ok()) {
            let round = self.begun().sources.round(now.raw_before);
            self.noted.lay(leaf::Event::Round(round));
        }
        if !self.noted.kept().is_empty() {
            self.send_off(now, None);
        }
    }

    /// Nothing that was measured before counts any more.
    fn discard_all(&mut self, now: &Sample, out: &mut Vec<Out>) {
        self.begun().sources.discard_all();
        self.leap.broken();
        self.handle(now, Event::Broken, out);
    }

    /// What it knows.
    pub fn look(&mut self, now: &Sample) -> View {
        let begun = self.begun.as_mut().expect("no turn before the first look");
        self.leap.look(&mut begun.sources, now.raw_after)
    }

    /// The state of the ward.
    #[must_use]
    pub fn state(&self) -> WardState {
        self.ward.state()
    }

    fn take(&mut self, now: &Sample, input: Input, out: &mut Vec<Out>) {
        match input {
            Input::Polled(report) => {
                self.begun().sources.handle(&report);
                self.handle(now, Event::Fused, out);
            }
            Input::Connected(conn, hello) => {
                self.conns.insert(conn, hello.held);
                let channel = crate::tsu::Tsu::channel(conn);
                self.handle(now, Event::Connected { conn: ConnId(conn), hello, channel }, out);
            }
            Input::Said(conn, message, received) => self.said(now, conn, message, received, out),
            Input::Closed(conn) => {
                self.conns.remove(&conn);
                self.handle(now, Event::Closed { conn: ConnId(conn) }, out);
            }
            Input::Tick => {}
            Input::Stop => self.handle(now, Event::Stop, out),
        }
    }

    fn said(
        &mut self,
        now: &Sample,
        conn: u64,
        message: ToMonitor,
        received: RawInstant,
        out: &mut Vec<Out>,
    ) {
        let id = ConnId(conn);
        match message {
            // A connection has one.
            ToMonitor::Hello(_) => self.cut(now, conn, out),
            ToMonitor::Answer(answer) => self.answered(now, conn, answer, received, out),
            ToMonitor::Revoked(up_to) => {
                self.handle(now, Event::RevocationAcked { conn: id, up_to }, out);
            }
            ToMonitor::Confirm(confirm) => {
                self.handle(now, Event::Confirm { conn: id, confirm }, out);
            }
            ToMonitor::Cosigned(line) if self.ward.is_current(id) => {
                match self.log.offering.cosigned(&line) {
                    Ok(note) => drop(self.log.own.keep(&note, now)),
                    Err(_) => self.cut(now, conn, out),
                }
            }
            ToMonitor::Cosigned(_) => {}
        }
    }

    /// The checkpoint before the clock: what is granted rests on both.
    fn answered(
        &mut self,
        now: &Sample,
        conn: u64,
        mut answer: ProbeAnswer,
        received: RawInstant,
        out: &mut Vec<Out>,
    ) {
        let id = ConnId(conn);
        let offer = answer.log.take().filter(|_| self.ward.is_current(id));
        let mut log = None;
        if let Some(LogOffer { checkpoint, since_shown }) = offer {
            let (ward, mut shown) = (&self.ward, None);
            let continues = |tree: &TreeHead| {
                ward.continues(id, tree, &since_shown).inspect(|()| shown = Some(*tree))
            };
            let mut vouched = false;
            match self.log.vouching.take_if(&checkpoint, now, continues) {
                Ok(Vouched { line, note, .. }) => {
                    self.owed = Some((conn, line));
                    self.noted.lay(leaf::Event::PeerCheckpoint(note));
                    vouched = self.own_broken.is_none();
                    if let Some(cause) = self.own_broken {
                        self.handle(now, Event::LogBroken { cause }, out);
                    }
                }
                Err(VouchError::Broken { record, .. }) => {
                    let cause = record.cause;
                    if self.told.replace(conn) != Some(conn) {
                        self.noted.lay(leaf::Event::PeerBroken(record));
                    }
                    self.handle(now, Event::LogBroken { cause }, out);
                }
                Err(VouchError::Disk(_)) => self.handle(now, Event::PersistFailed, out),
                Err(VouchError::Offer(_)) => return self.cut(now, conn, out),
            }
            log = shown.map(|tree| ShownLog { tree, since_shown, vouched });
        }
        self.handle(now, Event::Answered { conn: id, answer, received, log }, out);
        self.witness(conn, out);
    }

    /// Sends the monitor's half of the exchange, when the last answer is owed one.
    fn witness(&mut self, conn: u64, out: &mut Vec<Out>) {
        if let Some((_, cosignature)) = self.owed.take_if(|(owed, _)| *owed == conn) {
            let checkpoint = self.log.offering.offer().checkpoint;
            out.push(Out::Send(conn, ToTsu::Witnessed(Witnessed { cosignature, checkpoint })));
        }
    }

    fn cut(&mut self, now: &Sample, conn: u64, out: &mut Vec<Out>) {
        self.conns.remove(&conn);
        out.push(Out::Close(conn));
        self.handle(now, Event::Closed { conn: ConnId(conn) }, out);
    }

    fn handle(&mut self, now: &Sample, event: Event, out: &mut Vec<Out>) {
        let mut waiting = VecDeque::from(self.decide(now, event));
        while let Some(action) = waiting.pop_front() {
            if let Some(event) = self.act(now, action, out) {
                waiting.extend(self.decide(now, event));
            }
        }
        if self.dirty {
            self.persist(&self.ward.record().clone());
        }
    }

    fn decide(&mut self, now: &Sample, event: Event) -> Vec<Action> {
        let is_watched = self.begun().continuity.is_watched();
        let facts = Facts {
            utc: self.look(now).utc,
            boundaries: self.leap.boundaries(),
            vouched: self.log.vouching.held(),
            recordable: !self.lost && self.log.recorder.trouble().is_none() && is_watched,
            pps: PpsSays::Permits,
            nonces: [Nonce::from_bytes(self.dice.bytes()), Nonce::from_bytes(self.dice.bytes())],
        };
        let mut actions = Vec::new();
        let shown = Shown { sample: *now, reader: self.reader };
        let (turn, event) = Stamped::receive(event, &shown).into_turn();
        self.ward.handle(Context::of(&turn, facts), event, &mut actions);
        actions
    }

    fn act(&mut self, now: &Sample, action: Action, out: &mut Vec<Out>) -> Option<Event> {
        match action {
            Action::Admit(conn) => {
                let held = self.conns.get(&conn.0).copied()?;
                self.owed = None;
                let broken = self.log.offering.met(held).err().map(|broken| match broken {
                    Broken::RolledBack { .. } => EndingCause::Rollback,
                    Broken::Forked { .. } => EndingCause::Fork,
                });
                self.own_broken = broken;
                let vouched = self.log.vouching.held();
                let welcome = Welcome { vouched, shown: self.ward.shown(vouched) };
                out.push(Out::Send(conn.0, ToTsu::Welcome(welcome)));
                return broken.map(|cause| Event::LogBroken { cause });
            }
            Action::Send(conn, message) => out.push(Out::Send(conn.0, message)),
            Action::Close(conn) => {
                self.conns.remove(&conn.0);
                out.push(Out::Close(conn.0));
            }
            Action::Persist(record) => {
                return (!self.persist(&record)).then_some(Event::PersistFailed);
            }
            Action::Grant(conn, record, terms) => {
                return self.grant(now, conn, &record, terms, out);
            }
            Action::Confirm(conn, confirmation) => {
                let signer = &self.me.signer;
                let signed = SignedConfirmation::sign(&confirmation, |m| signer.sign(m));
                out.push(Out::Decided(confirmation));
                self.noted.lay(leaf::Event::Confirmed(signed.clone()));
                let answer = ToTsu::Confirmed(signed);
                if self.answers_early {
                    out.push(Out::Send(conn.0, answer));
                    self.send_off(now, None);
                } else {
                    self.send_off(now, Some((conn.0, answer)));
                }
            }
            Action::Ended(ended) => {
                out.push(Out::Ended(ended.clone()));
                self.noted.lay(leaf::Event::LeaseEnded(ended));
            }
            Action::Discard(_) => self.discard = true,
            Action::Judged(probed) => self.noted.lay(leaf::Event::Verdict(probed)),
        }
        None
    }
}

/// The tree of the TSU's log that the last batch was confirmed with, unless a later one was vouched
/// for.
fn last_confirmed(disk: &MemoryDisk, me: &Identity) -> Result<TreeHead, String> {
    let leaves = leaves(disk, me)?;
    let confirmed = leaves.iter().rev().find_map(|leaf| match &leaf.event {
        leaf::Event::Confirmed(signed) => Some(signed.open(|_, _| true).map(|c| c.log)),
        leaf::Event::PeerCheckpoint(_) => Some(Ok(TreeHead::empty())),
        _ => None,
    });
    confirmed.unwrap_or_else(|| Ok(TreeHead::empty())).map_err(|why| why.to_string())
}
