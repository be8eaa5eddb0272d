use super::*;
use crate::core::assessment::Limits;
use crate::core::leap::watch::Boundaries;
use crate::core::testing::{QUIET, turn_at};
use chronolease_core::clock_reader::ReaderWord;
use chronolease_core::confirmation::WitnessLimits;
use chronolease_core::evidence::TreeHead;
use chronolease_core::id::{BootId, ChannelBinding, Incarnation, LeaseSeq, Nonce, TsuId};
use chronolease_core::interval::Interval;
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Ppb, Span, Timestamp};
use chronolease_core::wire::{Hello, PROTOCOL_VERSION, RefusedWhy, ToTsu};

const MS: i64 = 1_000_000;
/// UTC - RAW of the monitor in these tests.
const OFFSET: i64 = 1_790_000_000_000 * MS;
const A: u8 = 0xa;
const B: u8 = 0xb;

fn rules(rearm: Rearm) -> Rules {
    Rules {
        tsu: TsuId::new("tsu-1").expect("a fair name"),
        policy: "0.4.0.2023.1.1".to_owned(),
        limits: Limits {
            grant_within: Bound::from_millis(125),
            revoke_beyond: Bound::from_millis(250),
            bracket: Bound::from_millis(1),
            rho: Ppb::from_ppm(100),
        },
        witness: WitnessLimits {
            accuracy: Bound::from_millis(500),
            half_width_max: Bound::from_millis(60),
        },
        ttl: Bound::from_millis(3_000),
        probe: Bound::from_millis(1_000),
        good_probes: 5,
        hold: Bound::from_millis(3_000),
        hold_latched: Bound::from_millis(5_000),
        rearm,
    }
}

/// A monitor with one ward, time that the test moves, and what came out last.
struct Bench {
    ward: Ward,
    now_ms: i64,
    utc: Result<Interval, NoUtc>,
    boundaries: Boundaries,
    recordable: bool,
    pps: PpsSays,
    /// What comes with each answer of the TSU about its log.
    log: Option<ShownLog>,
    /// What its clock reader says.
    reader: ReaderWord,
    /// How far its oscillator is off ours by now, in milliseconds.
    raw_shift_ms: i64,
    nonce: u8,
    out: Vec<Action>,
}

impl Bench {
    fn new(rearm: Rearm, record: Record) -> Self {
        Self::with(rules(rearm), record)
    }

    fn with(rules: Rules, record: Record) -> Self {
        let now_ms = 10_000;
        let now = RawInstant::from_nanos(now_ms * MS);
        let ward = Ward::new(rules, record, now);
        let log = Some(ShownLog { tree: TreeHead::empty(), since_shown: vec![], vouched: true });
        Self {
            ward,
            now_ms,
            utc: Ok(utc()),
            boundaries: Boundaries::default(),
            recordable: true,
            pps: PpsSays::Permits,
            log,
            reader: QUIET,
            raw_shift_ms: 0,
            nonce: 0,
            out: vec![],
        }
    }

    fn connected() -> Self {
        let mut bench = Self::new(Rearm::Automatic, Record::default());
        bench.connect(1, A);
        bench
    }

    fn granted() -> Self {
        let mut bench = Self::connected();
        bench.probes(5, 0);
        assert_eq!(bench.ward.state(), WardState::Granted);
        bench
    }

    fn handle(&mut self, event: Event) {
        self.nonce = self.nonce.wrapping_add(2);
        let nonce = |n: u8| Nonce::from_bytes([n; 32]);
        let facts = Facts {
            utc: self.utc,
            boundaries: self.boundaries,
            vouched: TreeHead::empty(),
            recordable: self.recordable,
            pps: self.pps,
            nonces: [nonce(self.nonce), nonce(self.nonce.wrapping_add(1))],
        };
        self.out.clear();
        let now = turn_at(RawInstant::from_nanos(self.now_ms * MS));
        self.ward.handle(Context::of(&now, facts), event, &mut self.out);
    }

    fn connect(&mut self, conn: u64, incarnation: u8) {
        self.handle(Event::Connected {
            conn: ConnId(conn),
            hello: Hello {
                version: PROTOCOL_VERSION,
                tsu: TsuId::new("tsu-1").expect("a fair name"),
                incarnation: Incarnation::from_bytes([incarnation; 16]),
                boot_id: BootId::from_bytes([1; 16]),
                held: TreeHead::empty(),
            },
            channel: ChannelBinding::from_bytes([u8::try_from(conn).expect("a small number"); 32]),
        });
    }

    fn probe_sent(&self, conn: u64) -> Option<Nonce> {
        self.out.iter().rev().find_map(|action| match action {
            Action::Send(to, ToTsu::Probe(nonce)) if *to == ConnId(conn) => Some(*nonce),
            _ => None,
        })
    }

    fn answer(&mut self, conn: u64, nonce: Nonce, error_ms: i64, ended: Option<LeaseEnded>) {
        let at = self.now_ms * MS;
        let raw = at + self.raw_shift_ms * MS;
        let sample = Sample {
            raw_before: RawInstant::from_nanos(raw + 5),
            real: Timestamp::from_unix_nanos(OFFSET + at + error_ms * MS),
            raw_after: RawInstant::from_nanos(raw + 6),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([1; 16]),
        };
        let answer = ProbeAnswer { nonce, sample, reader: self.reader, ended, log: None };
        let received = RawInstant::from_nanos(at);
        let log = self.log.clone();
        self.handle(Event::Answered { conn: ConnId(conn), answer, received, log });
    }

    /// `count` probes, each answered at once, a second apart.
    fn probes(&mut self, count: usize, error_ms: i64) {
        for _ in 0..count {
            let nonce = self.probe_sent(1).unwrap_or_else(|| {
                self.pass(1_000);
                self.probe_sent(1).expect("a probe a second")
            });
            self.answer(1, nonce, error_ms, None);
        }
    }

    fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        self.handle(Event::Tick);
    }

    fn grant(&self) -> Option<LeaseTerms> {
        self.out.iter().find_map(|action| match action {
            Action::Grant(_, record, terms) => {
                assert_eq!(record.sequence, terms.sequence, "the record covers the grant");
                Some(terms.clone())
            }
            _ => None,
        })
    }

    fn ending(&self) -> Option<EndingCause> {
        self.out.iter().find_map(|action| match action {
            Action::Ended(ended) => Some(ended.cause),
            _ => None,
        })
    }

    fn revoked(&self) -> Option<(LeaseSeq, EndingCause)> {
        self.out.iter().find_map(|action| match action {
            Action::Send(_, ToTsu::Revoke { up_to, cause }) => Some((*up_to, *cause)),
            _ => None,
        })
    }

    fn refused(&self, conn: u64) -> Option<RefusedWhy> {
        self.out.iter().find_map(|action| match action {
            Action::Send(to, ToTsu::Refused(why)) if *to == ConnId(conn) => Some(*why),
            _ => None,
        })
    }
}

fn utc() -> Interval {
    Interval::new(Span::from_nanos(OFFSET - MS), Span::from_nanos(OFFSET + MS)).expect("fair")
}

/// The first end of a month after the time of these tests.
fn end() -> MonthEnd {
    MonthEnd::containing(Timestamp::from_unix_nanos(OFFSET))
}

const NO_CONSENSUS: NoUtc = NoUtc::NoConsensus { usable: 5, best: 3, required: 4 };

mod connections;
mod crossing;
mod leases;
mod pps;
mod property;
mod reader;
mod witness;
