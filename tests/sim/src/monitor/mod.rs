//! One run of the monitor's process: the cores that ship, and as little of a shell as they need.

mod first_look;
mod records;
mod wards;

use std::collections::{BTreeMap, VecDeque};

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
    Action, ConnId, Context, Event, Facts, Rearm, ShownLog,
};
use chronolease_monitor::core::leap::watch::{LeapRules, LeapWatch};
use chronolease_monitor::core::pps::PpsSays;
use chronolease_monitor::core::sources::{Report, Rounds, View};
use chronolease_net::evidence::{MemoryDisk, Pending};
use chronolease_net::exchange::{VouchError, Vouched};
use chronolease_net::recorder::{Aside, Kept};

use self::first_look::Begun;
use self::wards::Side;
use crate::boxlog::{BoxLog, Identity};
use crate::dice::Dice;
use crate::figures;
use crate::world::Shown;

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
    /// The TSUs.
    sides: Vec<Side>,
    /// By connection.
    wards_of: BTreeMap<u64, usize>,
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
    noted: Aside,
    endings: Kept,
    under_way: Vec<UnderWay>,
    lost: bool,
    told_lost: bool,
    last_tick: RawInstant,
    /// A mistake of the shell that the simulator must find: confirmations leave before they are on
    /// record.
    pub answers_early: bool,
    /// Another one: all wards are kept in one record.
    pub one_record: bool,
    /// Another one: that a TSU's log does not continue is told to every ward.
    pub told_to_all: bool,
}

impl Monitor {
    /// Starts the process on this disk. It does nothing before its first look at its clocks.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn start(
        disk: &MemoryDisk,
        (me, tsus): (&Identity, &[Identity]),
        rearm: Rearm,
        list: Option<&LeapList>,
        dice: Dice,
        now: &Sample,
    ) -> Result<Self, String> {
        let (mut log, start) = BoxLog::open(disk, me, None, now)?;
        log.write_batch();
        start.committed_blocking().map_err(|why| why.to_string())?;
        let open = |(place, tsu): (usize, &Identity)| {
            Side::open((disk, &log), (me, tsu), figures::tsu_id(place), rearm, now)
        };
        let sides = tsus.iter().enumerate().map(open).collect::<Result<_, _>>()?;
        let mut leap =
            LeapWatch::new(LeapRules { season: Season::HalfYears, bulletins: Vec::new() });
        leap.set_list(list.cloned());
        Ok(Self {
            sides,
            wards_of: BTreeMap::new(),
            log,
            me: me.clone(),
            disk: disk.clone(),
            leap,
            begun: None,
            reader: ClockWatch::new(now.boot_id, figures::SILENCE_MAX).view(now.raw_after),
            discard: false,
            rounds: Rounds::new(figures::POLL),
            dice,
            noted: Aside::default(),
            endings: Kept::default(),
            under_way: Vec::new(),
            lost: false,
            told_lost: false,
            last_tick: now.raw_after,
            answers_early: false,
            one_record: false,
            told_to_all: false,
        })
    }

    /// One turn of the engine. `clocks` were read after `input` was in.
    pub(crate) fn turn(&mut self, clocks: &Shown, input: Input, out: &mut Vec<Out>) {
        let now = &clocks.sample;
        self.reader = clocks.reader;
        self.settle(out);
        if self.lost && !std::mem::replace(&mut self.told_lost, true) {
            self.everybody(now, &Event::EvidenceLost, out);
        }
        if self.broke(clocks) {
            self.discard_all(now, out);
        }
        let overdue = now.raw_after - self.last_tick > Bound::from_millis(250).as_span();
        if overdue || matches!(input, Input::Tick) {
            self.last_tick = now.raw_after;
            self.everybody(now, &Event::Tick, out);
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
        self.everybody(now, &Event::Broken, out);
    }

    /// What it knows.
    pub fn look(&mut self, now: &Sample) -> View {
        let begun = self.begun.as_mut().expect("no turn before the first look");
        self.leap.look(&mut begun.sources, now.raw_after)
    }

    fn take(&mut self, now: &Sample, input: Input, out: &mut Vec<Out>) {
        match input {
            Input::Polled(report) => {
                self.begun().sources.handle(&report);
                self.everybody(now, &Event::Fused, out);
            }
            Input::Connected(conn, hello) => {
                let Some(ward) = self.ward_named(&hello.tsu) else {
                    return out.push(Out::Close(conn));
                };
                self.wards_of.insert(conn, ward);
                self.sides[ward].conns.insert(conn, hello.held);
                let channel = crate::tsu::Tsu::channel(conn);
                self.handle(
                    ward,
                    now,
                    Event::Connected { conn: ConnId(conn), hello, channel },
                    out,
                );
            }
            Input::Said(conn, message, received) => self.said(now, conn, message, received, out),
            Input::Closed(conn) => {
                let ward = self.ward_of(conn);
                self.sides[ward].conns.remove(&conn);
                self.handle(ward, now, Event::Closed { conn: ConnId(conn) }, out);
            }
            Input::Tick => {}
            Input::Stop => self.everybody(now, &Event::Stop, out),
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
        let (id, ward) = (ConnId(conn), self.ward_of(conn));
        match message {
            // A connection has one.
            ToMonitor::Hello(_) => self.cut(now, conn, out),
            ToMonitor::Answer(answer) => self.answered(now, conn, answer, received, out),
            ToMonitor::Revoked(up_to) => {
                self.handle(ward, now, Event::RevocationAcked { conn: id, up_to }, out);
            }
            ToMonitor::Confirm(confirm) => {
                self.handle(ward, now, Event::Confirm { conn: id, confirm }, out);
            }
            ToMonitor::Cosigned(line) if self.sides[ward].ward.is_current(id) => {
                match self.sides[ward].exchange.offering.cosigned(&line) {
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
        let (id, place) = (ConnId(conn), self.ward_of(conn));
        let side = &mut self.sides[place];
        let offer = answer.log.take().filter(|_| side.ward.is_current(id));
        let mut log = None;
        if let Some(LogOffer { checkpoint, since_shown }) = offer {
            let (ward, mut shown) = (&side.ward, None);
            let continues = |tree: &TreeHead| {
                ward.continues(id, tree, &since_shown).inspect(|()| shown = Some(*tree))
            };
            let mut vouched = false;
            match side.exchange.vouching.take_if(&checkpoint, now, continues) {
                Ok(Vouched { line, note, .. }) => {
                    side.owed = Some((conn, line));
                    self.noted.lay(leaf::Event::PeerCheckpoint(note));
                    let own_broken = side.own_broken;
                    vouched = own_broken.is_none();
                    if let Some(cause) = own_broken {
                        self.log_broken(place, now, cause, out);
                    }
                }
                Err(VouchError::Broken { record, .. }) => {
                    let cause = record.cause;
                    if side.told.replace(conn) != Some(conn) {
                        self.noted.lay(leaf::Event::PeerBroken(record));
                    }
                    self.log_broken(place, now, cause, out);
                }
                Err(VouchError::Disk(_)) => self.handle(place, now, Event::PersistFailed, out),
                Err(VouchError::Offer(_)) => return self.cut(now, conn, out),
            }
            log = shown.map(|tree| ShownLog { tree, since_shown, vouched });
        }
        self.handle(place, now, Event::Answered { conn: id, answer, received, log }, out);
        self.witness(conn, out);
    }

    /// Sends the monitor's half of the exchange, when the last answer is owed one.
    fn witness(&mut self, conn: u64, out: &mut Vec<Out>) {
        let ward = self.ward_of(conn);
        let side = &mut self.sides[ward];
        if let Some((_, cosignature)) = side.owed.take_if(|(owed, _)| *owed == conn) {
            let checkpoint = side.exchange.offering.offer().checkpoint;
            out.push(Out::Send(conn, ToTsu::Witnessed(Witnessed { cosignature, checkpoint })));
        }
    }

    fn cut(&mut self, now: &Sample, conn: u64, out: &mut Vec<Out>) {
        let ward = self.ward_of(conn);
        self.sides[ward].conns.remove(&conn);
        out.push(Out::Close(conn));
        self.handle(ward, now, Event::Closed { conn: ConnId(conn) }, out);
    }

    fn handle(&mut self, ward: usize, now: &Sample, event: Event, out: &mut Vec<Out>) {
        let mut waiting = VecDeque::from(self.decide(ward, now, event));
        while let Some(action) = waiting.pop_front() {
            if let Some(event) = self.act(ward, now, action, out) {
                waiting.extend(self.decide(ward, now, event));
            }
        }
        if self.sides[ward].dirty {
            self.persist(ward, &self.sides[ward].ward.record().clone());
        }
    }

    fn decide(&mut self, ward: usize, now: &Sample, event: Event) -> Vec<Action> {
        let is_watched = self.begun().continuity.is_watched();
        let facts = Facts {
            utc: self.look(now).utc,
            boundaries: self.leap.boundaries(),
            vouched: self.sides[ward].exchange.vouching.held(),
            recordable: !self.lost && self.log.recorder.trouble().is_none() && is_watched,
            pps: PpsSays::Permits,
            nonces: [Nonce::from_bytes(self.dice.bytes()), Nonce::from_bytes(self.dice.bytes())],
        };
        let mut actions = Vec::new();
        let shown = Shown { sample: *now, reader: self.reader };
        let (turn, event) = Stamped::receive(event, &shown).into_turn();
        self.sides[ward].ward.handle(Context::of(&turn, facts), event, &mut actions);
        actions
    }

    fn act(
        &mut self,
        ward: usize,
        now: &Sample,
        action: Action,
        out: &mut Vec<Out>,
    ) -> Option<Event> {
        match action {
            Action::Admit(conn) => {
                let side = &mut self.sides[ward];
                let held = side.conns.get(&conn.0).copied()?;
                side.owed = None;
                let broken = side.exchange.offering.met(held).err().map(|broken| match broken {
                    Broken::RolledBack { .. } => EndingCause::Rollback,
                    Broken::Forked { .. } => EndingCause::Fork,
                });
                side.own_broken = broken;
                let vouched = side.exchange.vouching.held();
                let welcome = Welcome { vouched, shown: side.ward.shown(vouched) };
                out.push(Out::Send(conn.0, ToTsu::Welcome(welcome)));
                return broken.map(|cause| Event::LogBroken { cause });
            }
            Action::Send(conn, message) => out.push(Out::Send(conn.0, message)),
            Action::Close(conn) => {
                self.sides[ward].conns.remove(&conn.0);
                out.push(Out::Close(conn.0));
            }
            Action::Persist(record) => {
                return (!self.persist(ward, &record)).then_some(Event::PersistFailed);
            }
            Action::Grant(conn, record, terms) => {
                return self.grant(ward, now, conn, &record, terms, out);
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
