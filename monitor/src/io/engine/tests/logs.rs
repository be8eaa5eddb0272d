//! No lease without logs that continue, and what is said of those that do not.

use chronolease_core::evidence::TreeSize;
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::wire::{LogOffer, Witnessed};

use super::*;
use crate::io::testing::put;

/// A TSU's log with the name and the key of the one that the monitor knows, and another history.
struct Other {
    log: TestLog,
    evidence: Evidence,
}

impl Other {
    fn new(leaves: u64) -> Self {
        let log = TestLog::named("test.example/tsu-1");
        let evidence = log.open();
        let other = Self { log, evidence };
        other.grow(leaves);
        other
    }

    fn grow(&self, leaves: u64) {
        grow(&self.evidence, leaves);
    }

    fn offering(&self, monitor: &TestLog) -> Offering {
        Offering::new(self.evidence.own_log(self.log.signer()), monitor.as_peer())
    }
}

fn grow(evidence: &Evidence, leaves: u64) {
    while evidence.recorder().size() < leaves {
        assert!(put(&evidence.recorder(), leaf::Event::Stopped), "there is room");
    }
}

fn tree(size: u64) -> TreeHead {
    TreeHead { size: TreeSize::new(size), root: Hash::from_bytes([3; 32]) }
}

/// The TSU connects anew, and holds this tree of the monitor's.
fn connect(bench: &mut Bench, at_ms: i64, conn: u64, held: TreeHead) {
    let Input::Connected { ward, event, outgoing } = Bench::connected_by(&bench.outgoing) else {
        unreachable!("it makes nothing else")
    };
    let Event::Connected { hello, channel, .. } = event else { unreachable!("nothing else") };
    let event = Event::Connected { conn: ConnId(conn), hello: Hello { held, ..hello }, channel };
    bench.engine.take(&turn(at_ms), Some(Input::Connected { ward, event, outgoing }));
}

fn disconnect(bench: &mut Bench, at_ms: i64, conn: u64) {
    let event = Event::Closed { conn: ConnId(conn) };
    bench.engine.take(&turn(at_ms), Some(Input::Link { ward: 0, event }));
}

/// The TSU answers its last probe, its clock is right, and its checkpoint is this.
fn answer(bench: &mut Bench, at_ms: i64, conn: u64, log: Option<LogOffer>) -> Vec<ToTsu> {
    let (now, nonce) = (sample(at_ms), bench.probe());
    let answer = ProbeAnswer { nonce, sample: now, reader: QUIET, ended: None, log };
    let (conn, received) = (ConnId(conn), now.raw_after);
    bench.engine.take(&turn(at_ms), Some(Input::Answered { ward: 0, conn, answer, received }));
    bench.engine.records.flush(&now);
    bench.sent()
}

fn witnessed(messages: &[ToTsu]) -> Option<&Witnessed> {
    messages.iter().find_map(|message| match message {
        ToTsu::Witnessed(witnessed) => Some(witnessed),
        _ => None,
    })
}

fn broken(log: &TestLog) -> Vec<EndingCause> {
    let causes = log.events().into_iter().filter_map(|event| match event {
        leaf::Event::PeerBroken(broken) => Some(broken.cause),
        _ => None,
    });
    causes.collect()
}

fn is_cut_off(bench: &Bench) -> bool {
    bench.engine.slots[0].connections.is_empty() && !bench.ward().is_connected()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_granted_without_a_checkpoint_to_vouch_for() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    let sent = answer(&mut bench, 1_010, 1, None);
    assert_eq!((grants(&sent), witnessed(&sent)), (0, None));
    bench.tick(2_000);
    let offer = bench.tsu.offer();
    let sent = answer(&mut bench, 2_010, 1, Some(offer.clone()));
    assert_eq!(grants(&sent), 1, "the probe before was good too");
    assert!(witnessed(&sent).is_some());
    assert_eq!(bench.engine.slots[0].logs.vouched_size(), TreeSize::new(1));
    // The same offer once more proves nothing.
    bench.tick(3_000);
    let sent = answer(&mut bench, 3_010, 1, Some(offer));
    assert_eq!((grants(&sent), witnessed(&sent)), (0, None));
    assert!(is_cut_off(&bench));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_does_not_continue_ends_the_lease_latches_and_is_on_record_once() {
    for (leaves, cause) in [(2, EndingCause::Rollback), (9, EndingCause::Fork)] {
        let log = TestLog::new();
        let evidence = log.open();
        let mut bench = Bench::ready(&log, &evidence);
        grow(&bench._tsu_log.1, 4);
        bench.answered(1_010, 0);
        assert_eq!(grants(&bench.sent()), 1);

        let other = Other::new(leaves);
        let offer = |bench: &Bench| {
            let mut offering = other.offering(&log);
            assert!(offering.met(bench.engine.slots[0].logs.held()).is_err());
            Some(offering.offer())
        };
        for at_ms in [2_000, 3_000] {
            bench.tick(at_ms);
            let offered = offer(&bench);
            let sent = answer(&mut bench, at_ms + 10, 1, offered);
            assert_eq!((grants(&sent), witnessed(&sent)), (0, None));
            assert_eq!(revoked(&sent), (at_ms == 2_000).then_some(cause));
        }
        assert_eq!(bench.ward().record().latch, Some(cause));
        let durable = std::fs::read_to_string(log.folder().join("tsu-1.ward")).expect("written");
        assert!(durable.contains(&format!("latch {cause}")), "{durable}");
        assert_eq!(bench.engine.slots[0].logs.vouched_size(), TreeSize::new(4));

        disconnect(&mut bench, 3_500, 1);
        connect(&mut bench, 4_000, 2, TreeHead::empty());
        let offered = offer(&bench);
        assert_eq!(grants(&answer(&mut bench, 4_010, 2, offered)), 0);
        bench.engine.records.finish(&sample(5_000));
        assert!(close(evidence));
        assert_eq!(broken(&log), [cause; 2], "once for each connection");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tsu_that_sends_what_is_no_checkpoint_is_cut_off() {
    for rubbish in [b"rubbish".to_vec(), Vec::new()] {
        let log = TestLog::new();
        let evidence = log.open();
        let mut bench = Bench::ready(&log, &evidence);
        let offer = LogOffer { checkpoint: rubbish, since_shown: Vec::new() };
        let sent = answer(&mut bench, 1_010, 1, Some(offer));
        assert_eq!((grants(&sent), revoked(&sent)), (0, None));
        assert!(is_cut_off(&bench));
        assert_eq!(bench.ward().record().latch, None, "it proves nothing");
        assert!(close(evidence));
    }
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    bench.answered(1_010, 0);
    let line = "\u{2014} test.example/tsu-1 AAAAAAAA".to_owned();
    bench.engine.take(&turn(1_020), Some(Input::Cosigned { ward: 0, conn: CONN, line }));
    assert!(is_cut_off(&bench), "its answer is no cosignature");
    assert!(close(evidence));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_granted_while_the_monitors_own_log_does_not_continue() {
    for (held, cause) in [(100, EndingCause::Rollback), (1, EndingCause::Fork)] {
        let log = TestLog::new();
        let evidence = log.open();
        let mut bench = Bench::new(&log, &evidence);
        for source in 0..5 {
            bench.polled(source, 1_000);
        }
        connect(&mut bench, 1_000, 1, tree(held));
        assert_eq!(bench.ward().record().latch, Some(cause));
        let offer = bench.tsu.offer();
        let sent = answer(&mut bench, 1_010, 1, Some(offer));
        assert_eq!(grants(&sent), 0);
        assert!(witnessed(&sent).is_some(), "the TSU must see it too");
        // The TSU's log goes on, and each proof starts where the one before ended: it is not at fault.
        for (leaves, at_ms) in [(4, 2_000), (9, 3_000), (11, 4_000)] {
            grow(&bench._tsu_log.1, leaves);
            bench.tick(at_ms);
            let offer = bench.tsu.offer();
            let sent = answer(&mut bench, at_ms + 10, 1, Some(offer));
            assert_eq!(grants(&sent), 0);
            assert!(witnessed(&sent).is_some() && !is_cut_off(&bench), "it stays");
        }
        // A connection on which it does continue, as after a re-pairing.
        disconnect(&mut bench, 4_020, 1);
        bench.tsu.met(bench.engine.slots[0].logs.held()).expect("it continues");
        connect(&mut bench, 5_000, 2, TreeHead::empty());
        let offer = bench.tsu.offer();
        assert_eq!(grants(&answer(&mut bench, 5_010, 2, Some(offer))), 1, "rearm is automatic");
        bench.engine.records.finish(&sample(6_000));
        assert!(close(evidence));
        assert_eq!(broken(&log), [], "nothing is said of the TSU's log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_down_is_not_vouched_for() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    let peers = log.folder().join("evidence/peer");
    let aside = log.folder().join("evidence/peer.aside");
    std::fs::rename(&peers, &aside).expect("ours");
    let offer = bench.tsu.offer();
    let sent = answer(&mut bench, 1_010, 1, Some(offer.clone()));
    assert_eq!((grants(&sent), witnessed(&sent)), (0, None));
    assert_eq!(bench.engine.slots[0].logs.vouched_size(), TreeSize::EMPTY);
    // As soon as the disk takes it, the same offer is good.
    std::fs::rename(&aside, &peers).expect("ours");
    bench.tick(2_000);
    let sent = answer(&mut bench, 2_010, 1, Some(offer));
    assert_eq!(grants(&sent), 1);
    assert_eq!(bench.engine.slots[0].logs.vouched_size(), TreeSize::new(1));
    assert!(close(evidence));
}

/// A restarted monitor knows the tree of the last batch that it confirmed, which is newer than the
/// last checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_does_not_continue_the_last_confirmed_batch_is_not_vouched_for() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::new(&log, &evidence);
    for source in 0..5 {
        bench.polled(source, 1_000);
    }
    let confirmed = tree(100);
    let slot = bench.engine.slots.remove(0);
    let (ward, file) = (slot.ward.knowing(confirmed), log.folder().join("tsu-1.ward"));
    bench.engine.slots.push(Slot::new(ward, file, slot.logs));
    connect(&mut bench, 1_000, 1, TreeHead::empty());
    let sent = bench.sent();
    let welcome = sent.iter().find_map(|message| match message {
        ToTsu::Welcome(welcome) => Some(*welcome),
        _ => None,
    });
    let welcome = welcome.expect("it is admitted");
    assert_eq!((welcome.vouched, welcome.shown), (TreeHead::empty(), confirmed));
    let probe = sent.iter().find_map(|message| match message {
        ToTsu::Probe(nonce) => Some(*nonce),
        _ => None,
    });
    assert!(bench.tsu.met_shown(welcome.vouched, welcome.shown).is_err(), "the TSU sees it too");
    let (now, log_offer) = (sample(1_010), Some(bench.tsu.offer()));
    let nonce = probe.expect("it is probed");
    let answer = ProbeAnswer { nonce, sample: now, reader: QUIET, ended: None, log: log_offer };
    let (conn, received) = (ConnId(1), now.raw_after);
    bench.engine.take(&turn(1_010), Some(Input::Answered { ward: 0, conn, answer, received }));
    assert_eq!(bench.ward().record().latch, Some(EndingCause::Rollback));
    let sent = bench.sent();
    assert_eq!((grants(&sent), witnessed(&sent)), (0, None));
    assert_eq!(bench.engine.slots[0].logs.vouched_size(), TreeSize::EMPTY);
    bench.engine.records.finish(&now);
    assert!(close(evidence));
    assert_eq!(broken(&log), [EndingCause::Rollback]);
}
