//! Five laboratories, the monitor's core and a TSU, around the end of June 2027.

use std::collections::BTreeSet;

use chronolease_core::clock_reader::{ReaderWord, Since};
use chronolease_core::confirmation::{Batch, GenTimes, WitnessLimits};
use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::merkle;
use chronolease_core::fusion::Faults;
use chronolease_core::id::{BatchSeq, BootId, ChannelBinding, Incarnation, LeaseSeq, Nonce, TsuId};
use chronolease_core::judge::{self, JudgedSample, judge};
use chronolease_core::leap::LeapSign;
use chronolease_core::leap::list::{Entry, LeapList, history, write_list};
use chronolease_core::leap::plan::Finding;
use chronolease_core::lease::{EndingCause, LeaseTerms};
use chronolease_core::sample::Sample;
use chronolease_core::wire::{Confirm, Hello, LeaseEnded, PROTOCOL_VERSION, ProbeAnswer, ToTsu};

use super::super::*;
use crate::core::assessment::Limits;
use crate::core::authority::{
    Action, ConnId, Context, Event, Facts, Rearm, Record, Rules as WardRules, ShownLog, Ward,
};
use crate::core::ntp::exchange::SourceSample;
use crate::core::ntp::packet::{LeapIndicator, RefId};
use crate::core::pps::PpsSays;
use crate::core::sources::{PollResult, Report, Source, Voters};
use crate::core::testing::{QUIET, guard, turn_at};
use chronolease_core::time::GenTimeDigits;

const MS: i64 = 1_000_000;
const CONN: ConnId = ConnId(1);
const RHO: Ppb = Ppb::from_ppm(100);
const ME: Incarnation = Incarnation::from_bytes([1; 16]);
const FROM_MS: i64 = -20_000;
const UNTIL_MS: i64 = 20_000;

pub(super) fn end() -> MonthEnd {
    MonthEnd::of(2027, 6).expect("a month")
}

/// A list with this leap second at the end, which expires so many seconds after it.
pub(super) fn list(leap: Option<LeapSign>, expires_s: i64) -> LeapList {
    let mut entries = history();
    entries.extend(
        leap.map(|sign| Entry { from: end(), tai_minus_utc_s: 37 + sign.tai_minus_utc_change_s() }),
    );
    let updated = end().previous().previous().instant();
    let expires = end().instant() + Span::from_millis(expires_s * 1_000);
    LeapList::parse(write_list(updated, expires, &entries).as_bytes(), None).expect("sound")
}

/// What is the case.
pub(super) struct Scenario {
    pub(super) list: Option<LeapList>,
    pub(super) bulletins: Vec<BulletinC>,
    /// How many laboratories announce something, and what.
    pub(super) announcing: usize,
    pub(super) announces: LeapSign,
    /// What UTC does, and the laboratories and box A with it.
    pub(super) happens: Option<LeapSign>,
    pub(super) tsu_leaps: bool,
    /// From when to when no laboratory answers, in ms from L without a leap second.
    pub(super) outage: Option<(i64, i64)>,
    /// From then on nothing goes between the boxes.
    pub(super) cut_at_ms: Option<i64>,
    pub(super) ttl: Bound,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            list: None,
            bulletins: Vec::new(),
            announcing: 0,
            announces: LeapSign::Insert,
            happens: None,
            tsu_leaps: true,
            outage: None,
            cut_at_ms: None,
            ttl: Bound::from_millis(3_000),
        }
    }
}

/// How it went.
pub(super) struct Run {
    pub(super) ward: Ward,
    pub(super) endings: Vec<EndingCause>,
    pub(super) changes: Vec<LeapChange>,
    pub(super) findings: BTreeSet<&'static str>,
    /// When the change truly was, on RAW.
    pub(super) changed_at_ns: i64,
    /// UTC was unknown at some time, and whenever it was, that was put down to the boundary.
    pub(super) was_crossing_while_unknown: bool,
    /// Confirmed tokens, by genTime and by UTC at the try.
    pub(super) before: u32,
    pub(super) in_blackout: u32,
    pub(super) after: u32,
    /// Samples that the judge alone found good.
    pub(super) judged_before: u32,
    pub(super) judged_from_blackout: u32,
}

/// Everything, at one millisecond.
pub(super) struct Sim {
    scenario: Scenario,
    pub(super) watch: LeapWatch,
    sources: Sources,
    now_ms: i64,
    /// What box A holds.
    lease: Option<LeaseTerms>,
    ended: Option<LeaseEnded>,
    next_batch: u64,
    nonce: u8,
    unknown: Vec<bool>,
    run: Run,
}

impl Scenario {
    pub(super) fn run(self) -> Run {
        let mut sim = self.start();
        sim.go(UNTIL_MS);
        sim.run.was_crossing_while_unknown =
            !sim.unknown.is_empty() && sim.unknown.iter().all(|crossing| *crossing);
        sim.run
    }

    pub(super) fn start(mut self) -> Sim {
        let source = |n: usize| Source { name: format!("ntp{n}"), group: format!("lab{n}") };
        let age_max = Bound::from_millis(4_000);
        let rules = Rules { faults: Faults(1), rho: RHO, age_max, voters: Voters::All };
        let bulletins = core::mem::take(&mut self.bulletins);
        let mut watch = LeapWatch::new(LeapRules { season: Season::HalfYears, bulletins });
        watch.set_list(self.list.take());
        let l = if self.happens == Some(LeapSign::Delete) { -1_000 } else { 0 };
        let ward = Ward::new(ward_rules(self.ttl), Record::default(), raw(FROM_MS));
        let mut sim = Sim {
            scenario: self,
            watch,
            sources: Sources::new((0..5).map(source).collect(), rules, &guard()),
            now_ms: FROM_MS,
            lease: None,
            ended: None,
            next_batch: 1,
            nonce: 0,
            unknown: Vec::new(),
            run: Run {
                ward,
                endings: Vec::new(),
                changes: Vec::new(),
                findings: BTreeSet::new(),
                changed_at_ns: l * MS,
                was_crossing_while_unknown: false,
                before: 0,
                in_blackout: 0,
                after: 0,
                judged_before: 0,
                judged_from_blackout: 0,
            },
        };
        (0..5).for_each(|source| sim.poll(source));
        sim.handle(Event::Connected {
            conn: CONN,
            hello: Hello {
                version: PROTOCOL_VERSION,
                tsu: TsuId::new("tsu-1").expect("a fair name"),
                incarnation: ME,
                boot_id: BootId::from_bytes([1; 16]),
                held: TreeHead::empty(),
            },
            channel: ChannelBinding::from_bytes([2; 32]),
        });
        sim
    }
}

fn ward_rules(ttl: Bound) -> WardRules {
    WardRules {
        tsu: TsuId::new("tsu-1").expect("a fair name"),
        policy: "1.2.3".to_owned(),
        limits: Limits {
            grant_within: Bound::from_millis(125),
            revoke_beyond: Bound::from_millis(250),
            bracket: Bound::from_millis(1),
            rho: RHO,
        },
        witness: WitnessLimits {
            accuracy: Bound::from_millis(500),
            half_width_max: Bound::from_millis(60),
        },
        ttl,
        probe: Bound::from_millis(1_000),
        good_probes: 2,
        hold: Bound::from_millis(3_000),
        hold_latched: Bound::from_millis(60_000),
        rearm: Rearm::Automatic,
    }
}

/// RAW of both boxes shows 0 where L is without a leap second.
fn raw(ms: i64) -> RawInstant {
    RawInstant::from_nanos(ms * MS)
}

impl Sim {
    /// Every millisecond near the boundary, and every tenth elsewhere.
    pub(super) fn go(&mut self, until_ms: i64) {
        while self.now_ms < until_ms {
            let near = (-4_000..6_000).contains(&self.now_ms);
            self.now_ms += if near { 1 } else { 10 };
            let now = self.now_ms;
            if now.rem_euclid(200) == 0 && !self.is_outage() {
                self.poll(usize::try_from(now.rem_euclid(1_000) / 200).expect("0 to 4"));
            }
            if now.rem_euclid(50) == 0 {
                self.handle(Event::Tick);
            }
            self.issue();
            let view = self.watch.look(&mut self.sources, raw(now));
            if view.utc.is_err() {
                self.unknown.push(self.watch.boundaries().crossing);
            }
            let plan = self.watch.plan().expect("UTC was known at the start");
            self.run.findings.extend(plan.findings().iter().map(Finding::label));
            self.run.changes.extend(self.watch.take_changes());
        }
    }

    fn is_outage(&self) -> bool {
        self.scenario.outage.is_some_and(|(from, until)| (from..until).contains(&self.now_ms))
    }

    /// What a clock shows that leaps, or not.
    fn reading(&self, leaps: bool) -> Timestamp<Utc> {
        let shift = match self.scenario.happens.filter(|_| leaps) {
            Some(LeapSign::Insert) if self.now_ms >= 0 => -1_000,
            Some(LeapSign::Delete) if self.now_ms >= -1_000 => 1_000,
            _ => 0,
        };
        end().instant() + Span::from_millis(self.now_ms + shift)
    }

    fn poll(&mut self, source: usize) {
        let utc_minus_raw = self.reading(true) - Timestamp::from_unix_nanos(self.now_ms * MS);
        let announces = source < self.scenario.announcing && self.now_ms < 0;
        let leap = match self.scenario.announces {
            LeapSign::Insert if announces => LeapIndicator::Insert,
            LeapSign::Delete if announces => LeapIndicator::Delete,
            _ => LeapIndicator::NoWarning,
        };
        let result = PollResult::Sample(SourceSample {
            utc_minus_raw: Interval::within(Bound::from_millis(5)).shifted(utc_minus_raw),
            sent: raw(self.now_ms - 8),
            received: raw(self.now_ms),
            delay: Bound::from_millis(8),
            root_distance: Bound::from_millis(1),
            stratum: 1,
            leap,
            reference_id: RefId(*b"PPS\0"),
            authenticated: false,
        });
        let epoch = self.sources.epoch();
        self.sources.handle(&Report { source, epoch, result });
        self.handle(Event::Fused);
    }

    fn is_cut(&self) -> bool {
        self.scenario.cut_at_ms.is_some_and(|at| self.now_ms >= at)
    }

    fn handle(&mut self, event: Event) -> bool {
        self.nonce = self.nonce.wrapping_add(1);
        let facts = Facts {
            utc: self.watch.look(&mut self.sources, raw(self.now_ms)).utc,
            boundaries: self.watch.boundaries(),
            vouched: TreeHead::empty(),
            recordable: true,
            pps: PpsSays::Permits,
            nonces: [Nonce::from_bytes([self.nonce; 32]), Nonce::from_bytes([0; 32])],
        };
        let mut out = Vec::new();
        let context = Context::of(&turn_at(raw(self.now_ms)), facts);
        self.run.ward.handle(context, event, &mut out);
        let mut confirmed = false;
        for action in out {
            match action {
                Action::Ended(ended) => self.run.endings.push(ended.cause),
                Action::Confirm(..) => confirmed = true,
                _ if self.is_cut() => {}
                Action::Grant(_, _, terms) => {
                    self.lease = Some(terms);
                    self.ended = None;
                }
                Action::Send(_, ToTsu::Probe(nonce)) => self.answer(nonce),
                Action::Send(_, ToTsu::Revoke { up_to, .. }) => {
                    self.lease.take_if(|lease| lease.sequence <= up_to);
                    self.handle(Event::RevocationAcked { conn: CONN, up_to });
                }
                _ => {}
            }
        }
        confirmed
    }

    fn sample(&self) -> Sample {
        Sample {
            raw_before: raw(self.now_ms),
            real: self.reading(self.scenario.tsu_leaps),
            raw_after: raw(self.now_ms),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([1; 16]),
        }
    }

    /// A kernel announces its leap second as a step.
    fn kernel_steps(&self) -> u64 {
        u64::from(self.reading(self.scenario.tsu_leaps) != self.reading(false))
    }

    fn answer(&mut self, nonce: Nonce) {
        let _ = self.judge();
        let (sample, ended) = (self.sample(), self.ended);
        let reader = ReaderWord { steps: self.kernel_steps(), ..QUIET };
        let answer = ProbeAnswer { nonce, sample, reader, ended, log: None };
        let log =
            Some(ShownLog { tree: TreeHead::empty(), since_shown: Vec::new(), vouched: true });
        let received = raw(self.now_ms);
        self.handle(Event::Answered { conn: CONN, answer, received, log });
    }

    /// As box A judges.
    fn judge(&mut self) -> Option<JudgedSample> {
        let limits = judge::Limits {
            guard: Bound::from_millis(5),
            bracket: Bound::from_millis(1),
            digits: GenTimeDigits::Three,
        };
        let lease = self.lease.as_ref()?;
        match judge(&self.sample(), Since::Alive, ME, lease, &limits, None) {
            Ok(judged) => Some(judged),
            Err(refusal) => {
                if let Some(cause) = refusal.ends_lease() {
                    self.ended = Some(LeaseEnded { sequence: lease.sequence, cause });
                    self.lease = None;
                }
                None
            }
        }
    }

    fn issue(&mut self) {
        let Some(judged) = self.judge() else { return };
        let blackout = Blackout::around(end());
        let utc = self.reading(true);
        if utc >= blackout.from() || judged.sample().real >= blackout.from() {
            self.run.judged_from_blackout += u32::from(judged.lease() < self.first_after());
        } else {
            self.run.judged_before += 1;
        }
        if self.is_cut() {
            return;
        }
        let gen_times = GenTimes::of([judged.gen_time()]).expect("one");
        let batch = Batch {
            sequence: BatchSeq::new(self.next_batch),
            lease: judged.lease(),
            root: merkle::Hash::from_bytes([9; 32]),
            gen_times,
        };
        self.next_batch += 1;
        let confirm = Confirm { batch, log: TreeHead::empty(), since_shown: Vec::new() };
        if !self.handle(Event::Confirm { conn: CONN, confirm }) {
            return;
        }
        let printed = Timestamp::from_unix_nanos(gen_times.min().as_unix_nanos());
        if blackout.covers_reading(printed) || blackout.covers_reading(utc) {
            self.run.in_blackout += 1;
        } else if utc < blackout.from() {
            self.run.before += 1;
        } else {
            self.run.after += 1;
        }
    }

    /// The first lease that was not granted before the boundary: none, while the link is cut.
    fn first_after(&self) -> LeaseSeq {
        let cut = self.scenario.cut_at_ms.is_some();
        if cut { LeaseSeq::new(u64::MAX) } else { LeaseSeq::new(0) }
    }
}
