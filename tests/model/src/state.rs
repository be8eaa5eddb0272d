//! What the two boxes and the network hold at one moment.
//!
//! Every instant is kept as its distance from now, negative when it is past, so that time has no end and a state that comes
//! again is known again.

pub(crate) use crate::world::Ticks;

/// What the clocks of a box happen to show when they are read. They are under nobody's control, so
/// at each reading they may show anything within the limits of a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// How far the oscillator is ahead of where it was slowest, up to rho*TTL.
    pub gain: Ticks,
    /// REAL - RAW.
    pub offset: Ticks,
}

/// What a sample says, as the protocol sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reading {
    /// RAW, just before REAL was read.
    pub raw: Ticks,
    /// REAL - RAW.
    pub offset: Ticks,
    /// RAW just after, less RAW just before.
    pub bracket: Ticks,
}

impl Reading {
    /// REAL.
    #[must_use]
    pub const fn real(&self) -> Ticks {
        self.raw + self.offset
    }
}

/// A lease as the TSU holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Its number.
    pub seq: u8,
    /// The reading that was judged GOOD.
    pub reading: Reading,
    /// The RAW that the TTL counts from.
    pub since: Ticks,
}

/// What names the content of a token: its serial, and which of two boxes with equal memory wrote
/// it. The serial is the worst there could be: no randomness and no nonce in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The run that issues it; part of the serial.
    pub incarnation: u8,
    /// Counts the batches of a run; part of the serial.
    pub counter: u8,
    /// Which box wrote it.
    pub branch: u8,
}

/// How far a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Judged, but the clock is still to be read: only when that is what is broken.
    Unread {
        /// When the request came in.
        recv: Ticks,
    },
    /// The intent is on record and on its way to the monitor.
    Intended,
    /// It is being signed.
    Signing,
}

/// A batch in flight; one token stands for all of its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    /// How far it has come.
    pub stage: Stage,
    /// The lease that it was judged under.
    pub lease: u8,
    /// What it is.
    pub token: Token,
    /// Its number in the log of intents.
    pub seq: u8,
    /// genTime.
    pub gen_time: Ticks,
    /// Whether genTime + A reaches recv, which is half of P1.
    pub reaches_recv: bool,
    /// Whether genTime is within A of the reading itself, which is P2.
    pub exact: bool,
    /// Whether it was judged after its lease was revoked, and in leased mode after TTL* too.
    pub late: bool,
}

/// A sample that is being taken: RAW was read, and perhaps REAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sampling {
    /// Whether it will answer a probe; otherwise it will close a batch.
    pub for_probe: bool,
    /// RAW just before.
    pub raw: Ticks,
    /// REAL, once it is read, and when that was.
    pub real: Option<(Ticks, Ticks)>,
}

/// Box A with its TSU, or a copy of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tsu {
    /// This run of the process.
    pub incarnation: u8,
    /// Tells boxes with equal memory apart; no part of the protocol.
    pub branch: u8,
    /// How many batches this run has begun, where that is told apart.
    pub counter: u8,
    /// The connection, 0 for none.
    pub conn: u8,
    /// RAW - UTC without any drift: how long it stood still, below 0.
    pub raw: Ticks,
    /// Whether everything on this box stands still.
    pub frozen: bool,
    /// A sample that is being taken.
    pub sampling: Option<Sampling>,
    /// The reading that the last answer gave.
    pub answered: Option<Reading>,
    /// A reading kept from earlier: only when that is what is broken.
    pub kept: Option<Reading>,
    /// The lease that it holds.
    pub lease: Option<Lease>,
    /// The newest lease that it accepted.
    pub newest: u8,
    /// Leases up to this one were revoked, or ended by the guard.
    pub withdrawn: u8,
    /// The lease that the guard ended, until the next one.
    pub ended: u8,
    /// The number of the newest intent in its log.
    pub seq: u8,
    /// Who wrote each intent, where logs are told apart.
    pub log: Vec<u8>,
    /// The batches in flight.
    pub batches: Vec<Batch>,
}

/// A connection as the monitor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// Its number.
    pub conn: u8,
    /// Who called.
    pub incarnation: u8,
    /// m1 of the probe that is still to be answered.
    pub probed: Option<Ticks>,
    /// Whether it was probed within this tick: probes are further apart, so that no two answers
    /// give one reading.
    pub just_probed: bool,
    /// Whether the challenge was answered.
    pub answered: bool,
    /// How many intents its log had when it called.
    pub seq: u8,
    /// Its log when it called.
    pub log: Vec<u8>,
}

/// A second connection, while both are challenged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Challenge {
    /// The second connection.
    pub link: Link,
    /// When the challenge began.
    pub since: Ticks,
}

/// The newest lease as the monitor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Granted {
    /// Its number.
    pub seq: u8,
    /// Who holds it.
    pub incarnation: u8,
    /// When it is dead for certain, on the slowest RAW that the monitor may have.
    pub live_until: Ticks,
    /// Whether it was revoked. It is forgotten when that is acknowledged.
    pub revoked: bool,
    /// Whether it is the first one after an end.
    pub rearmed: bool,
}

/// Box B with its monitor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Monitor {
    /// The connection that speaks for the TSU.
    pub link: Option<Link>,
    /// A second one.
    pub challenge: Option<Challenge>,
    /// The newest lease.
    pub lease: Option<Granted>,
    /// Until then a lease from before its start may live, on its RAW.
    pub inherited_until: Option<Ticks>,
    /// Good probes in a row.
    pub run: u8,
    /// How many it takes before a lease.
    pub hold: u8,
    /// Leases up to this one are not live here.
    pub ended: u8,
    /// The next sequence number of an intent.
    pub next: u8,
    /// How far its interval lies from UTC: only when both boxes are wrong alike.
    pub wrong: Ticks,
    /// m read before a batch was in: only when that is what is broken.
    pub early: Option<Ticks>,
    /// Durable: who was granted the newest lease.
    pub incarnation: u8,
    /// Durable: the newest lease ever granted.
    pub sequence: u8,
    /// Durable: a latched cause.
    pub latched: bool,
    /// Durable: the newest intent that it confirmed.
    pub confirmed: u8,
    /// Durable: the log that it last saw to be consistent.
    pub log: Vec<u8>,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// Monitor to TSU: what does your clock say? Only the newest on a connection is alive.
    Probe { conn: u8 },
    /// TSU to monitor: this; and the guard ended this lease, unless 0.
    Answer { conn: u8, reading: Reading, ended: u8 },
    /// Monitor to TSU: a lease.
    Grant { conn: u8, seq: u8, incarnation: u8, reading: Reading },
    /// Monitor to TSU: leases up to this one end now.
    Revoke { conn: u8, up_to: u8 },
    /// TSU to monitor: they are dead here.
    Revoked { conn: u8, up_to: u8 },
    /// TSU to monitor: a batch to confirm. `error` is genTime less the true time of the reading,
    /// no part of the protocol, where it is told.
    Intents {
        conn: u8,
        lease: u8,
        seq: u8,
        gen_time: Ticks,
        log: Vec<u8>,
        token: Token,
        error: Ticks,
    },
    /// Monitor to TSU: confirmed.
    Confirm { conn: u8, seq: u8, token: Token },
    /// Monitor to TSU: not confirmed, and its number is burnt.
    Refuse { conn: u8, seq: u8 },
}

/// What the step that led here did, for the properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Just {
    /// A token was released.
    pub released: bool,
    /// It was judged under the first lease after an end.
    pub rearmed: bool,
    /// It breaks P1.
    pub breaks_p1: bool,
    /// It breaks P2.
    pub breaks_p2: bool,
    /// Another token with its serial was released before.
    pub breaks_p3: bool,
    /// It was judged after its lease was revoked.
    pub breaks_p4: bool,
    /// It left although its TSU had taken the revocation.
    pub after_revoked: bool,
    /// An incarnation got a confirmation after another one had taken its place.
    pub superseded_confirmed: bool,
    /// A sound and timely batch was refused for its time.
    pub sound_refused: bool,
    /// A batch was refused for its time.
    pub refused: bool,
    /// The monitor found two boxes, or one from the past.
    pub caught: bool,
}

/// What is remembered for the properties alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// Which leases were revoked when: leases up to a number, since an instant.
    pub revocations: Vec<(u8, Ticks)>,
    /// What was released, where serials are told apart.
    pub released: Vec<Token>,
    /// Who was confirmed last.
    pub confirmer: u8,
    /// Who was confirmed before another one was, and may still run.
    pub superseded: Vec<u8>,
}

/// How much may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// Kills of the TSU.
    pub crashes: u8,
    /// Kills of the monitor.
    pub monitor_crashes: u8,
    /// Clones.
    pub clones: u8,
    /// Copies to restore from.
    pub snapshots: u8,
    /// Batches.
    pub batches: u8,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// UTC, as far as genTimes are cut to multiples.
    pub phase: Ticks,
    /// Box A, and its clone.
    pub boxes: Vec<Tsu>,
    /// Box A as it was when it was copied.
    pub snapshot: Option<Tsu>,
    /// How old the copy is.
    pub snapshot_age: Ticks,
    /// Box B.
    pub monitor: Monitor,
    /// Messages on their way, in no order. One that is lost stays here for ever.
    pub network: Vec<Message>,
    /// How much may still happen.
    pub left: Left,
    /// Numbers given to incarnations so far.
    pub incarnations: u8,
    /// For the properties.
    pub memory: Memory,
    /// For the properties.
    pub just: Just,
}
