use super::*;
use crate::core::holder::tests::{CHANNEL, lease, sample as sample_at, terms};
use crate::core::rfc3161::TokenBuilder;
use crate::core::rfc3161::testing::{self, Pki};
use crate::core::testing::{BOOT, ShownClocks};
use crate::io::signer::{FileSigner, Signer};
use chronolease_core::clock_reader::ClockWatch;
use chronolease_core::evidence::leaf::{Intent, IssuedToken};
use chronolease_core::id::Nonce;
use chronolease_core::lease::EndingCause;
use chronolease_core::sample::Sample;
use chronolease_core::stamped::Stamped;
use chronolease_core::token::Witnessed;
use chronolease_core::wire::LeaseEnded;
use rasn_cms::{ContentInfo, SignedData};

/// A time within the throw-away certificate.
fn sample(ms: i64, error_ms: i64) -> Sample {
    sample_at(ms, error_ms)
}

/// What the link hands on with a lease; only the record looks at it.
fn signed() -> SignedLease {
    SignedLease { terms_der: vec![], signature: vec![] }
}

mod batches;
mod ends;
mod reader;
mod witness;

struct Bench {
    issuer: Issuer,
    builder: Arc<TokenBuilder>,
    signer: FileSigner,
    signature: Bound,
    next: u64,
    now: Sample,
    watch: ClockWatch,
    out: Vec<Action>,
}

impl Bench {
    fn new(lanes: usize) -> Self {
        Self::with(&Pki::new(), lanes)
    }

    fn with(pki: &Pki, lanes: usize) -> Self {
        Self::of(terms(), pki, lanes)
    }

    fn of(me: Terms, pki: &Pki, lanes: usize) -> Self {
        Self::building(me, pki, pki.builder(), lanes)
    }

    fn building(me: Terms, pki: &Pki, builder: TokenBuilder, lanes: usize) -> Self {
        let builder = Arc::new(builder);
        let issuer = Issuer::new(me, Arc::clone(&builder), lanes);
        let (now, watch) = (sample(0, 0), ClockWatch::undisturbed(BOOT));
        let (signer, signature) = (pki.signer(), Bound::ZERO);
        Self { issuer, builder, signer, signature, next: 0, now, watch, out: vec![] }
    }

    fn leased(lanes: usize) -> Self {
        let mut bench = Self::new(lanes);
        bench.handle(&sample(0, 0), Event::Connected(CHANNEL));
        bench.grant(1, &sample(0, 0));
        bench
    }

    fn handle(&mut self, now: &Sample, event: Event) {
        self.out.clear();
        self.now = *now;
        let clocks = ShownClocks { sample: *now, watch: &self.watch };
        self.issuer.handle(Stamped::receive(event, &clocks), &mut self.out);
    }

    fn grant(&mut self, sequence: u64, now: &Sample) {
        self.handle(now, Event::Probed(Nonce::from_bytes([6; 32])));
        self.handle(now, Event::Vouched);
        self.handle(now, Event::Granted(signed(), lease(sequence, *now)));
        assert!(self.issuer.holds_lease(), "{:?}", self.out);
        let notes = std::mem::take(&mut self.out);
        self.handle(now, Event::LeaseLogged(LeaseSeq::new(sequence), Ok(())));
        self.out.splice(0..0, notes);
    }

    fn request(&mut self, now: &Sample) -> RequestId {
        self.next += 1;
        let id = RequestId(self.next);
        let request = testing::request(true);
        self.handle(now, Event::Requested { id, request, randomness: [7; 32] });
        id
    }

    /// The batch that closed, on its way to the disk.
    fn intents(&self) -> (LaneId, &[Intent]) {
        let logged = self.out.iter().find_map(|action| match action {
            Action::Log(lane, intents) => Some((*lane, &intents[..])),
            _ => None,
        });
        logged.expect("a batch closed")
    }

    /// The batch that closed, once the disk has it.
    fn batch(&mut self) -> (LaneId, Unsigned) {
        let lane = self.intents().0;
        let now = self.now;
        self.handle(&now, Event::Logged(lane, Ok(LeafIndex::new(70))));
        let signs = |action: &Action| matches!(action, Action::Sign(..));
        let at = self.out.iter().position(signs).expect("a recorded batch is signed");
        match self.out.swap_remove(at) {
            Action::Sign(lane, batch) => (lane, batch),
            other => panic!("{other:?}"),
        }
    }

    fn sign(&self, lane: LaneId, batch: Unsigned) -> Vec<Finished> {
        let sign = |token: Witnessed<Content>| {
            token.sign(
                |content, _| {
                    let sign = |m: &[u8]| self.signer.sign(m);
                    let cert_req = content.request.cert_req();
                    self.builder.build(&content.tst_info, cert_req, sign).map_err(drop)
                },
                |der, content, judged| {
                    let verify = |m: &[u8], s: &[u8]| self.signer.verify(m, s);
                    let (request, serial) = (&content.request, &content.serial);
                    self.builder
                        .verify(der, request, serial, judged.gen_time(), verify)
                        .map_err(drop)
                },
            )
        };
        let took = self.signature;
        let finished = |(id, token)| Finished { lane, id, took, token: sign(token).ok() };
        batch.into_iter().map(finished).collect()
    }

    /// What came of all of them is in `out`.
    fn finish(&mut self, now: &Sample, tokens: Vec<Finished>) {
        let mut out = Vec::new();
        for token in tokens {
            self.handle(now, Event::Finished(Box::new(token)));
            out.append(&mut self.out);
        }
        self.out = out;
    }

    fn replies(&self) -> Vec<(RequestId, Result<(), FailInfo>)> {
        let reply = |action: &Action| match action {
            Action::Reply(id, Ok(_)) => Some((*id, Ok(()))),
            Action::Reply(id, Err(rejection)) => Some((*id, Err(rejection.fail))),
            _ => None,
        };
        self.out.iter().filter_map(reply).collect()
    }

    fn notes(&self) -> Vec<&Note> {
        let notes = self.out.iter().filter_map(|action| match action {
            Action::Note(note) => Some(note),
            _ => None,
        });
        notes.collect()
    }
}

#[test]
fn without_a_lease_the_answer_is_no_at_once_and_nothing_is_signed() {
    let mut bench = Bench::new(1);
    let id = bench.request(&sample(1, 0));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::TimeNotAvailable))]);
    assert!(bench.out.iter().all(|action| matches!(action, Action::Reply(..))));
}

#[test]
fn under_a_lease_a_request_becomes_a_token_of_the_sample_that_came_with_it() {
    let mut bench = Bench::leased(1);
    let now = sample(1_234, 0);
    let id = bench.request(&now);
    let (lane, batch) = bench.batch();
    assert_eq!(batch[0].1.judged().sample(), &now);
    let finished = bench.sign(lane, batch);
    bench.finish(&sample(1_240, 0), finished);
    assert_eq!(bench.replies(), [(id, Ok(()))]);
}

#[test]
fn requests_wait_for_a_slot_and_share_the_sample_that_frees_it() {
    let mut bench = Bench::leased(1);
    bench.request(&sample(1, 0));
    let (lane, first) = bench.batch();
    for ms in 2..=40 {
        bench.request(&sample(ms, 0));
        assert!(bench.out.is_empty(), "{:?}", bench.out);
    }
    let finished = bench.sign(lane, first);
    let now = sample(50, 0);
    bench.finish(&now, finished);
    let (_, second) = bench.batch();
    assert_eq!(second.len(), BATCH_MAX);
    assert!(second.iter().all(|(_, token)| token.judged().sample() == &now));
    let mut serials: Vec<_> = second.iter().map(|(_, token)| token.content().serial).collect();
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), BATCH_MAX, "no serial repeats within a batch");
}

#[test]
fn a_signed_token_waits_for_no_other_but_its_lane_does() {
    let mut bench = Bench::leased(1);
    bench.request(&sample(1, 0));
    let (lane, first) = bench.batch();
    let early = [bench.request(&sample(2, 0)), bench.request(&sample(3, 0))];
    let finished = bench.sign(lane, first);
    bench.finish(&sample(4, 0), finished);
    let (lane, second) = bench.batch();
    bench.request(&sample(5, 0));
    let mut finished = bench.sign(lane, second);
    let last = finished.pop().expect("two of them");
    bench.finish(&sample(6, 0), finished);
    assert_eq!(bench.replies(), [(early[0], Ok(()))]);
    assert!(!bench.out.iter().any(|action| matches!(action, Action::Log(..))));
    bench.finish(&sample(7, 0), vec![last]);
    assert_eq!(bench.replies(), [(early[1], Ok(()))]);
    assert_eq!(bench.intents().1.len(), 1, "the lane is free: the next batch closes");
}

#[test]
fn a_step_refuses_the_batch_and_ends_the_lease() {
    let mut bench = Bench::leased(2);
    let id = bench.request(&sample(10, 700));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::TimeNotAvailable))]);
    let ended = LeaseEnded { sequence: LeaseSeq::new(1), cause: EndingCause::Step };
    assert_eq!(bench.notes(), [&Note::LeaseEnded(NoLeaseWhy::Guard(ended))]);
    // Put back, it stays ended.
    let id = bench.request(&sample(20, 0));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::TimeNotAvailable))]);
}

#[test]
fn a_step_while_signing_holds_the_batch_back() {
    let mut bench = Bench::leased(1);
    let id = bench.request(&sample(10, 0));
    let (lane, batch) = bench.batch();
    let finished = bench.sign(lane, batch);
    bench.finish(&sample(11, -700), finished);
    assert_eq!(bench.replies(), [(id, Err(FailInfo::TimeNotAvailable))]);
}

#[test]
fn nothing_judged_before_a_revocation_is_released_after_it() {
    let mut bench = Bench::leased(1);
    let id = bench.request(&sample(10, 0));
    let (lane, batch) = bench.batch();
    bench.handle(&sample(11, 0), Event::Revoked(LeaseSeq::new(1), EndingCause::NoConsensus));
    let acked =
        |a: &Action| matches!(a, Action::Send(ToLink::Revoked(up_to)) if up_to.as_u64() == 1);
    assert!(bench.out.iter().any(acked), "{:?}", bench.out);
    let finished = bench.sign(lane, batch);
    // Not even when a newer lease came meanwhile.
    bench.grant(2, &sample(12, 0));
    bench.finish(&sample(13, 0), finished);
    assert_eq!(bench.replies(), [(id, Err(FailInfo::TimeNotAvailable))]);
}

#[test]
fn what_was_sampled_in_time_is_released_after_the_lease_ran_out() {
    let mut bench = Bench::leased(1);
    let id = bench.request(&sample(2_999, 0));
    let (lane, batch) = bench.batch();
    let finished = bench.sign(lane, batch);
    bench.finish(&sample(3_400, 0), finished);
    assert_eq!(bench.replies(), [(id, Ok(()))]);
    let id = bench.request(&sample(3_401, 0));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::TimeNotAvailable))]);
}

#[test]
fn a_pause_while_sampling_makes_clients_wait_for_the_next_sample() {
    let mut bench = Bench::leased(1);
    let mut paused = sample(10, 0);
    paused.raw_after = sample(15, 0).raw_before;
    let id = bench.request(&paused);
    assert!(bench.out.is_empty() && bench.issuer.wants_another_sample(), "{:?}", bench.out);
    bench.handle(&sample(16, 0), Event::Tick);
    assert_eq!(bench.batch().1[0].0, id);
    assert!(!bench.issuer.wants_another_sample());
}

#[test]
fn a_token_that_cannot_be_signed_is_a_system_failure_and_frees_its_slot() {
    let mut bench = Bench::leased(1);
    let id = bench.request(&sample(10, 0));
    let (lane, _) = bench.batch();
    let failed = Finished { lane, id, took: Bound::ZERO, token: None };
    bench.handle(&sample(11, 0), Event::Finished(Box::new(failed)));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::SystemFailure))]);
    bench.request(&sample(12, 0));
    bench.batch();
}

#[test]
fn it_takes_in_no_more_than_its_bound() {
    let mut bench = Bench::leased(1);
    bench.request(&sample(1, 0));
    for _ in 0..WAITING_MAX {
        assert!(bench.issuer.has_room());
        bench.request(&sample(2, 0));
    }
    assert!(!bench.issuer.has_room());
}

#[test]
fn the_lease_is_noted_when_it_comes_and_when_it_goes_but_not_when_it_is_renewed() {
    let mut bench = Bench::new(1);
    bench.handle(&sample(0, 0), Event::Connected(CHANNEL));
    bench.grant(1, &sample(0, 0));
    assert_eq!(bench.notes(), [&Note::LeaseHeld(LeaseSeq::new(1))]);
    bench.grant(2, &sample(1_000, 0));
    assert!(bench.notes().is_empty());
    bench.handle(&sample(4_001, 0), Event::Tick);
    assert_eq!(bench.notes(), [&Note::LeaseEnded(NoLeaseWhy::Expired)]);
}

#[test]
fn the_intent_is_on_record_before_anything_is_signed() {
    let mut bench = Bench::leased(1);
    let now = sample(1_234, 0);
    bench.request(&now);
    assert!(!bench.out.iter().any(|action| matches!(action, Action::Sign(..))));
    let (lane, intents) = bench.intents();
    let [intent] = intents else { panic!("{intents:?}") };
    assert_eq!((intent.sample, intent.lease), (now, LeaseSeq::new(1)));
    let intent = intent.clone();
    bench.handle(&now, Event::Logged(lane, Ok(LeafIndex::new(70))));
    let signs = bench.out.iter().find_map(|action| match action {
        Action::Sign(_, batch) => Some(&batch[0].1),
        _ => None,
    });
    let token = signs.expect("recorded, so signed");
    assert_eq!(token.content().serial, intent.serial);
    assert_eq!(token.judged().gen_time(), intent.gen_time);
}

#[test]
fn what_is_not_on_record_is_not_signed() {
    let mut bench = Bench::leased(1);
    let id = bench.request(&sample(10, 0));
    let lane = bench.intents().0;
    bench.handle(&sample(11, 0), Event::Logged(lane, Err(NotRecorded::ForNow)));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::SystemFailure))]);
    assert!(bench.issuer.holds_lease());
    // There is room again: the lane is free and the lease still stands.
    bench.request(&sample(12, 0));
    bench.batch();
}

#[test]
fn a_poisoned_log_ends_the_lease_and_is_reported() {
    let mut bench = Bench::leased(1);
    let id = bench.request(&sample(10, 0));
    let lane = bench.intents().0;
    bench.handle(&sample(11, 0), Event::Logged(lane, Err(NotRecorded::ForGood)));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::SystemFailure))]);
    assert!(!bench.issuer.holds_lease());
    bench.handle(&sample(12, 0), Event::Probed(Nonce::from_bytes([8; 32])));
    let ended = bench.out.iter().find_map(|action| match action {
        Action::Send(ToLink::Answer(answer)) => answer.ended,
        _ => None,
    });
    assert_eq!(ended.map(|ended| ended.cause), Some(EndingCause::EvidencePoisoned));
}

#[test]
fn a_revocation_while_recording_is_honoured_before_signing() {
    let mut bench = Bench::leased(1);
    let id = bench.request(&sample(10, 0));
    let lane = bench.intents().0;
    bench.handle(&sample(11, 0), Event::Revoked(LeaseSeq::new(1), EndingCause::Deviation));
    bench.handle(&sample(12, 0), Event::Logged(lane, Ok(LeafIndex::new(70))));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::TimeNotAvailable))]);
    assert!(!bench.out.iter().any(|action| matches!(action, Action::Sign(..))));
}

#[test]
fn a_released_token_goes_on_record_with_its_digest() {
    let mut bench = Bench::leased(1);
    bench.request(&sample(10, 0));
    let (lane, batch) = bench.batch();
    let serial = batch[0].1.content().serial;
    let finished = bench.sign(lane, batch);
    bench.finish(&sample(11, 0), finished);
    let issued = bench.out.iter().find_map(|action| match action {
        Action::Record(leaf::Event::Issued(issued)) => Some(issued[0]),
        _ => None,
    });
    let token = bench.out.iter().find_map(|action| match action {
        Action::Reply(_, Ok(token)) => Some(token.der()),
        _ => None,
    });
    let content: ContentInfo = rasn::der::decode(token.expect("released")).expect("CMS");
    let data: SignedData = rasn::der::decode(content.content.as_bytes()).expect("SignedData");
    let signature_digest = Hash::of(&data.signer_infos.to_vec()[0].signature);
    assert_eq!(issued, Some(IssuedToken { serial, signature_digest }));
}

#[test]
fn nothing_is_issued_under_a_lease_that_is_not_on_record() {
    let logs_lease = |out: &[Action]| out.iter().any(|a| matches!(a, Action::LogLease(..)));
    let mut bench = Bench::new(1);
    bench.handle(&sample(0, 0), Event::Connected(CHANNEL));
    bench.handle(&sample(0, 0), Event::Probed(Nonce::from_bytes([6; 32])));
    bench.handle(&sample(0, 0), Event::Vouched);
    bench.handle(&sample(0, 0), Event::Granted(signed(), lease(1, sample(0, 0))));
    assert!(logs_lease(&bench.out));
    let id = bench.request(&sample(1, 0));
    assert!(bench.out.is_empty() && !bench.issuer.wants_another_sample(), "{:?}", bench.out);

    // The disk is full: whoever waits is told, and the next request tries again.
    let sequence = LeaseSeq::new(1);
    bench.handle(&sample(2, 0), Event::LeaseLogged(sequence, Err(NotRecorded::ForNow)));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::SystemFailure))]);
    assert!(bench.issuer.holds_lease());
    let id = bench.request(&sample(3, 0));
    assert!(logs_lease(&bench.out) && bench.replies().is_empty(), "{:?}", bench.out);
    bench.handle(&sample(4, 0), Event::LeaseLogged(sequence, Ok(())));
    assert_eq!(bench.batch().1[0].0, id);
}

#[test]
fn a_disk_that_hangs_does_not_hide_that_the_lease_ran_out() {
    // On its way to the disk: once the lease itself, once the batch that holds the only lane.
    let mut unrecorded = Bench::new(1);
    unrecorded.handle(&sample(0, 0), Event::Connected(CHANNEL));
    unrecorded.handle(&sample(0, 0), Event::Probed(Nonce::from_bytes([6; 32])));
    unrecorded.handle(&sample(0, 0), Event::Vouched);
    unrecorded.handle(&sample(0, 0), Event::Granted(signed(), lease(1, sample(0, 0))));
    let mut busy = Bench::leased(1);
    busy.request(&sample(1, 0));
    for mut bench in [unrecorded, busy] {
        let early = bench.request(&sample(2, 0));
        assert!(bench.replies().is_empty(), "{:?}", bench.out);
        let late = bench.request(&sample(3_001, 0));
        let refused = Err(FailInfo::TimeNotAvailable);
        assert_eq!(bench.replies(), [(early, refused), (late, refused)]);
    }
}
