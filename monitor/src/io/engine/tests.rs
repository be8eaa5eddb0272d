//! What goes on record, and what must not happen without a record.

use super::super::testing::{OFFSET, TestLog, clocks, close, sample, turn};
use super::*;
use crate::core::assessment::{self, Limits};
use crate::core::authority::{ConnId, Rearm, Record, Rules, Ward, WardState};
use crate::core::continuity::Break;
use crate::core::leap::watch::LeapRules;
use crate::core::ntp::exchange::SourceSample;
use crate::core::ntp::packet::{LeapIndicator, RefId};
use crate::core::pps::PpsRules;
use crate::core::sources::{self, PollResult, Report, Source};
use crate::core::testing::{QUIET, guard_from};
use chronolease_core::clock_reader::{ClockWatch, ReaderWord};
use chronolease_core::confirmation::WitnessLimits;
use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::leaf::Assessment;
use chronolease_core::fusion::Faults;
use chronolease_core::id::{BootId, ChannelBinding, Incarnation, TsuId};
use chronolease_core::interval::Interval;
use chronolease_core::leap::plan::Season;
use chronolease_core::lease::EndingCause;
use chronolease_core::pps::PpsLimits;
use chronolease_core::stamped::Reading;
use chronolease_core::time::Ppb;
use chronolease_core::wire::{Hello, PROTOCOL_VERSION, ProbeAnswer};
use chronolease_net::clock_reader::ClockReader;
use chronolease_net::evidence::Disk;
use chronolease_net::exchange::{self, Offering, Vouching};
use chronolease_net::recorder::Evidence;

mod box_b;
mod kernels;
mod logs;
mod pps;

const CONN: ConnId = ConnId(1);
const LIMITS: Limits = Limits {
    grant_within: Bound::from_millis(125),
    revoke_beyond: Bound::from_millis(250),
    bracket: Bound::from_millis(1),
    rho: Ppb::from_ppm(100),
};

const PPS: PpsRules = PpsRules {
    limits: PpsLimits {
        residual: Bound::from_millis(10),
        jitter: Bound::from_millis(1),
        rho: LIMITS.rho,
    },
    required: false,
};

/// An engine with one TSU, which the test feeds by hand, and the TSU's end of the link.
struct Bench {
    engine: Engine,
    feed: mpsc::Sender<Input>,
    outgoing: mpsc::Sender<ToTsu>,
    messages: mpsc::Receiver<ToTsu>,
    /// What the TSU's clock reader says.
    reader: ReaderWord,
    /// The TSU's log.
    tsu: Offering,
    _tsu_log: (TestLog, Evidence),
}

impl Bench {
    fn new(log: &TestLog, evidence: &Evidence) -> Self {
        let tsu = TsuId::new("tsu-1").expect("a fair name");
        let tsu_log = TestLog::named("test.example/tsu-1");
        let tsu_evidence = tsu_log.open();
        let (own, other) = (evidence.own_log(log.signer()), tsu_evidence.own_log(tsu_log.signer()));
        let (disk, folder) = (Arc::new(Disk), log.folder().join("evidence"));
        let (monitor_log, peer) = (log.as_peer(), tsu_log.as_peer());
        exchange::commission(disk.clone(), &folder, &peer.origin).expect("new");
        let offering = Offering::new(own.clone(), peer.clone());
        let vouching = Vouching::open(disk, &folder, own.clone(), peer).expect("just made");
        let logs = Logs::new(own, offering, vouching);
        let ward = Ward::new(rules(tsu.clone()), Record::default(), sample(0).raw_after);
        let (feed, inputs) = mpsc::channel(16);
        let (outgoing, messages) = mpsc::channel(64);
        let source = |n: usize| Source { name: format!("ntp{n}"), group: format!("lab{n}") };
        let source_rules = sources::Rules {
            faults: Faults(1),
            rho: LIMITS.rho,
            age_max: Bound::from_millis(64_000),
            voters: sources::Voters::All,
        };
        let continuity = guard_from(sample(0));
        let sources = Sources::new((0..5).map(source).collect(), source_rules, &continuity);
        let undisturbed = ClockWatch::undisturbed(clocks().boot_id());
        let reader = ClockReader::over(watch::channel(undisturbed).1);
        let engine = Engine {
            clocks: WatchedClocks { clocks: clocks(), bracket: Continuity::SLACK, reader },
            epoch: watch::channel(sources.epoch()).0,
            date: watch::channel(None).0,
            sources,
            leap: LeapWatch::new(LeapRules { season: Season::HalfYears, bulletins: Vec::new() }),
            leap_list: ListFile::default(),
            drifts: Drifts::default(),
            continuity,
            pps: Pulse::new(PPS, mpsc::channel(1).1),
            discard: false,
            kernels: Kernels::default(),
            slots: vec![Slot::new(ward, log.folder().join("tsu-1.ward"), logs)],
            signer: log.signer(),
            records: Records::new(evidence.recorder()),
            rounds: Rounds::new(Bound::from_millis(1_000)),
            inputs,
            metrics: MonitorMetrics::new(&[tsu], false).expect("fair names"),
            status: StatusWriter::new("monitor-1").0,
            health: Health::new(clocks(), Bound::from_millis(5_000)),
        };
        let tsu = Offering::new(other, monitor_log);
        let (_tsu_log, reader) = ((tsu_log, tsu_evidence), QUIET);
        Self { engine, feed, outgoing, messages, reader, tsu, _tsu_log }
    }

    /// UTC is known and the TSU connected, at 1 s.
    fn ready(log: &TestLog, evidence: &Evidence) -> Self {
        let mut bench = Self::new(log, evidence);
        for source in 0..5 {
            bench.polled(source, 1_000);
        }
        let connected = Self::connected_by(&bench.outgoing);
        bench.engine.take(&turn(1_000), Some(connected));
        bench
    }

    fn connected_by(outgoing: &mpsc::Sender<ToTsu>) -> Input {
        let hello = Hello {
            version: PROTOCOL_VERSION,
            tsu: TsuId::new("tsu-1").expect("a fair name"),
            incarnation: Incarnation::from_bytes([1; 16]),
            boot_id: BootId::from_bytes([7; 16]),
            held: TreeHead::empty(),
        };
        let channel = ChannelBinding::from_bytes([2; 32]);
        let event = Event::Connected { conn: CONN, hello, channel };
        Input::Connected { ward: 0, event, outgoing: outgoing.clone() }
    }

    /// A turn in which a source was polled.
    fn polled(&mut self, source: usize, at_ms: i64) {
        let (now, epoch) = (sample(at_ms), self.engine.sources.epoch());
        let around = |ms: i64| Span::from_nanos(OFFSET) + Span::from_millis(ms);
        let result = PollResult::Sample(SourceSample {
            utc_minus_raw: Interval::new(around(-5), around(5)).expect("lo <= hi"),
            sent: now.raw_before,
            received: now.raw_before,
            delay: Bound::from_millis(8),
            root_distance: Bound::from_millis(1),
            stratum: 1,
            leap: LeapIndicator::NoWarning,
            reference_id: RefId(*b"PPS\0"),
            authenticated: false,
        });
        self.engine.take(&turn(at_ms), Some(Input::Polled(Report { source, epoch, result })));
        let view = self.engine.sources.view(now.raw_after);
        self.engine.record(&now, &view);
    }

    /// A turn in which the TSU answers its last probe, with a clock that is `error_ms` off.
    fn answered(&mut self, at_ms: i64, error_ms: i64) -> Sample {
        let nonce = self.probe();
        self.answer(nonce, at_ms, error_ms)
    }

    /// The last probe that was sent.
    fn probe(&mut self) -> Nonce {
        let mut probes = self.sent().into_iter().filter_map(|message| match message {
            ToTsu::Probe(nonce) => Some(nonce),
            _ => None,
        });
        probes.next_back().expect("a probe was sent")
    }

    fn answer(&mut self, nonce: Nonce, at_ms: i64, error_ms: i64) -> Sample {
        let now = sample(at_ms);
        let read = Sample { real: now.real + Span::from_millis(error_ms), ..now };
        let log = Some(self.tsu.offer());
        let answer = ProbeAnswer { nonce, sample: read, reader: self.reader, ended: None, log };
        let received = now.raw_after;
        self.engine
            .take(&turn(at_ms), Some(Input::Answered { ward: 0, conn: CONN, answer, received }));
        let view = self.engine.sources.view(now.raw_after);
        self.engine.record(&now, &view);
        read
    }

    fn tick(&mut self, at_ms: i64) {
        self.engine.everybody(&turn(at_ms), &Event::Tick);
    }

    fn sent(&mut self) -> Vec<ToTsu> {
        std::iter::from_fn(|| self.messages.try_recv().ok()).collect()
    }

    fn ward(&self) -> &Ward {
        &self.engine.slots[0].ward
    }
}

/// A guard over box B that has not heard its clock reader.
fn unwatched() -> Continuity {
    let sample = sample(0);
    let deaf = ClockWatch::new(sample.boot_id, Bound::from_millis(1_000));
    Continuity::begin(&Reading { sample, reader: deaf.view(sample.raw_after) })
}

/// The first good probe grants.
fn rules(tsu: TsuId) -> Rules {
    Rules {
        tsu,
        policy: "0.4.0.2023.1.1".to_owned(),
        limits: LIMITS,
        witness: WitnessLimits {
            accuracy: Bound::from_millis(500),
            half_width_max: Bound::from_millis(60),
        },
        ttl: Bound::from_millis(3_000),
        probe: Bound::from_millis(1_000),
        good_probes: 1,
        hold: Bound::ZERO,
        hold_latched: Bound::ZERO,
        rearm: Rearm::Automatic,
    }
}

fn revoked(messages: &[ToTsu]) -> Option<EndingCause> {
    messages.iter().find_map(|message| match message {
        ToTsu::Revoke { cause, .. } => Some(*cause),
        _ => None,
    })
}

fn grants(messages: &[ToTsu]) -> usize {
    messages.iter().filter(|message| matches!(message, ToTsu::Grant(_))).count()
}

/// What is on record but rounds.
fn judgements(log: &TestLog) -> Vec<leaf::Event> {
    let is_round = |event: &leaf::Event| matches!(event, leaf::Event::Round(_));
    log.events().into_iter().filter(|event| !is_round(event)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_on_record_with_its_verdict_before_it_is_sent() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    let nonce = bench.probe();
    let mut messages = std::mem::replace(&mut bench.messages, mpsc::channel(1).1);
    let (answer, lease, events) = std::thread::scope(|scope| {
        // Looks into the log at the very moment when the grant arrives.
        let tsu = scope.spawn(|| {
            let first = messages.blocking_recv();
            assert!(matches!(first, Some(ToTsu::Witnessed(_))), "the checkpoint comes first");
            match messages.blocking_recv() {
                Some(ToTsu::Grant(lease)) => (lease, judgements(&log)),
                other => panic!("no grant: {other:?}"),
            }
        });
        let answer = bench.answer(nonce, 1_010, 20);
        drop(bench);
        let (lease, events) = tsu.join().expect("a grant");
        (answer, lease, events)
    });
    let [leaf::Event::Verdict(probed), leaf::Event::LeaseGranted(granted)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*granted, lease);
    assert_eq!((probed.answer, probed.received), (answer, answer.raw_after));
    let again = assessment::assess(
        &assessment::Probed { sent: probed.sent, received: probed.received, sample: probed.answer },
        probed.utc_minus_raw,
        &LIMITS,
        probed.judged_at,
    );
    assert_eq!(Assessment::from(again), probed.assessment);
    assert!(matches!(probed.assessment, Assessment::Good(_)));
}

#[cfg(not(feature = "negative-control"))]
#[tokio::test(flavor = "multi_thread")]
async fn an_ending_is_on_record_with_the_sample_that_gave_it_away() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    bench.answered(1_010, 0);
    bench.tick(2_000);
    let answer = bench.answered(2_010, 300);
    bench.engine.records.finish(&sample(2_020));
    assert!(close(evidence));
    let events = judgements(&log);
    let [.., leaf::Event::Verdict(probed), leaf::Event::LeaseEnded(ended)] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(matches!(probed.assessment, Assessment::Bad(_)));
    assert_eq!((ended.cause, ended.found_by), (EndingCause::Deviation, Some(answer)));
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_are_on_record_once_a_poll_and_when_utc_comes() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::new(&log, &evidence);
    // Five sources, each polled once a second, for ten seconds.
    for turn in 0..50_u8 {
        bench.polled(usize::from(turn % 5), i64::from(turn) * 200);
    }
    bench.engine.records.finish(&sample(10_000));
    assert!(close(evidence));
    let known = |event: &leaf::Event| match event {
        leaf::Event::Round(round) => round.utc.is_ok(),
        other => panic!("{other:?}"),
    };
    let known: Vec<bool> = log.events().iter().map(known).collect();
    // At 0 s, at 0.4 s with the third laboratory, and every second from then on.
    assert_eq!(known.len(), 11);
    assert_eq!(known.iter().filter(|known| !**known).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_log_nothing_is_granted_and_the_tsu_is_latched() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    bench.answered(1_010, 0);
    assert_eq!(grants(&bench.sent()), 1);
    bench.tick(2_000);
    assert!(close(evidence));
    bench.answered(2_010, 0);
    let sent = bench.sent();
    assert_eq!((grants(&sent), revoked(&sent)), (0, Some(EndingCause::EvidencePoisoned)));
    assert_eq!(bench.ward().record().latch, Some(EndingCause::EvidencePoisoned));
    let durable = std::fs::read_to_string(log.folder().join("tsu-1.ward")).expect("written");
    assert!(durable.contains("latch evidence-poisoned"), "{durable}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_not_renewed_while_the_log_is_full() {
    let log = TestLog::new();
    let full = log.open_full();
    let mut bench = Bench::ready(&log, &full);
    bench.answered(1_010, 0);
    let sent = bench.sent();
    assert_eq!((grants(&sent), revoked(&sent)), (0, None));
    assert_eq!((bench.ward().state(), bench.ward().record().latch), (WardState::Holding, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_finds_no_room_is_not_sent() {
    let log = TestLog::new();
    let roomy = log.open();
    let mut bench = Bench::ready(&log, &roomy);
    bench.answered(1_010, 0);
    assert!(close(roomy));
    let sent = bench.sent();
    let Some(ToTsu::Grant(lease)) = sent.into_iter().find(|m| matches!(m, ToTsu::Grant(_))) else {
        panic!("no grant")
    };
    let terms = lease.open(|_, _| true).expect("terms");
    let full = log.open_full();
    bench.engine.records = Records::new(full.recorder());
    let record = bench.ward().record().clone();
    let failure = bench.engine.act(0, &turn(1_030), Action::Grant(CONN, record, terms));
    assert!(matches!(failure[..], [Event::PersistFailed]), "{failure:?}");
    assert_eq!(grants(&bench.sent()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_engine_revokes_as_soon_as_it_learns_that_the_log_is_lost() {
    let log = TestLog::new();
    let evidence = log.open();
    let Bench { engine, feed, outgoing, mut messages, .. } = Bench::new(&log, &evidence);
    assert!(close(evidence));
    let stop = CancellationToken::new();
    let running = tokio::spawn(engine.run(stop.clone()));
    let connected = Bench::connected_by(&outgoing);
    feed.send(connected).await.expect("it runs");
    let cause = loop {
        if let ToTsu::Revoke { cause, .. } = messages.recv().await.expect("it runs") {
            break cause;
        }
    };
    assert_eq!(cause, EndingCause::EvidencePoisoned);
    stop.cancel();
    running.await.expect("no panic");
}

/// Box B without its clock reader: nobody would notice that it was disrupted.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_granted_while_the_monitors_own_clock_reader_is_lost() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    bench.engine.continuity = unwatched();
    bench.answered(1_010, 0);
    assert_eq!(grants(&bench.sent()), 0);
    bench.engine.continuity = guard_from(sample(0));
    bench.tick(2_010);
    bench.answered(2_020, 0);
    assert_eq!(grants(&bench.sent()), 1);
}

/// What dates of certificates are judged by is UTC as known before the break, moved on by the
/// oscillator: after a break that means nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_break_of_continuity_takes_the_date_from_the_certificates() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    let tell = |bench: &Bench, at_ms: i64| {
        let now = sample(at_ms);
        bench.engine.tell_date(&now, &bench.engine.sources.view(now.raw_after));
        *bench.engine.date.borrow()
    };
    assert!(tell(&bench, 1_000).is_some(), "UTC is known");
    breaks::broke(&mut bench.engine, &turn(2_000), Break::Suspended(Span::from_millis(5)));
    assert_eq!(*bench.engine.date.borrow(), None);
    assert_eq!(tell(&bench, 2_000), None, "nothing is known yet");
    for source in 0..5 {
        bench.polled(source, 3_000);
    }
    assert_eq!(tell(&bench, 3_000).map(|known| known.at), Some(sample(3_000).raw_after));
}

/// The rounds of a running monitor tell how the clocks run.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_tells_drifts_and_steps_of_both_boxes() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    bench.answered(1_010, 0);
    bench.tick(2_000);
    bench.answered(2_010, 7);
    let round = drifts::round(&bench.engine, &sample(3_000));
    let [own, tsu] = &round.drifts[..] else { panic!("{:?}", round.drifts) };
    assert_eq!((own.tsu.as_ref(), own.rate, own.stepped), (None, None, Bound::ZERO));
    assert_eq!(tsu.tsu.as_ref().map(TsuId::as_str), Some("tsu-1"));
    assert_eq!((tsu.rate, tsu.stepped), (None, Bound::from_millis(7)));
    assert!(round.estimate.is_some());
}
