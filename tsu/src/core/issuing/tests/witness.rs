//! Witnessed release: what the monitor's word must fit, and what happens without it.

use super::*;
use chronolease_core::budget::WitnessBudget;
use chronolease_core::confirmation::{self, Batch, Confirmation, NotConfirmed, SignedConfirmation};
use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::{BatchSeq, ChannelBinding, Incarnation};
use chronolease_core::time::{Bound, GenTime, GenTimeDigits};

use crate::core::holder::Mode;

const QUEUE_MAX_MS: i64 = 150;

fn witnessed(lanes: usize) -> Bench {
    let pki = Pki::new();
    witnessed_by(&pki, pki.builder(), lanes)
}

/// One that builds its tokens with `builder`.
pub(super) fn witnessed_by(pki: &Pki, builder: TokenBuilder, lanes: usize) -> Bench {
    let witness = WitnessBudget {
        half_width_max: Bound::from_millis(60),
        queue_max: Bound::from_millis(150),
    };
    let me = Terms { mode: Mode::Witnessed(witness), ..terms() };
    let mut bench = Bench::building(me, pki, builder, lanes);
    bench.handle(&sample(0, 0), Event::Connected(CHANNEL));
    bench.handle(&sample(0, 0), Event::Welcomed);
    bench.grant(1, &sample(0, 0));
    bench
}

/// What the monitor says to a batch, as it was asked.
pub(super) fn word_on(batch: Batch) -> Confirmation {
    Confirmation {
        tsu: terms().tsu,
        incarnation: terms().incarnation,
        channel: CHANNEL,
        batch,
        log: TreeHead::empty(),
        utc: sample(0, 0).real,
        half_width: Bound::from_millis(5),
    }
}

impl Bench {
    /// The intents of the batch that closed become durable.
    fn logs(&mut self, now: &Sample) -> Vec<Intent> {
        let (lane, intents) = self.intents();
        let intents = intents.to_vec();
        self.handle(now, Event::Logged(lane, Ok(LeafIndex::new(70))));
        intents
    }

    pub(super) fn asked(&self) -> Option<Batch> {
        self.out.iter().find_map(|action| match action {
            Action::Send(ToLink::Confirm(batch)) => Some(*batch),
            _ => None,
        })
    }

    /// A request, as far as the question to the monitor.
    fn asks(&mut self, now: &Sample) -> (RequestId, Batch) {
        let id = self.request(now);
        self.logs(now);
        (id, self.asked().expect("the monitor is asked"))
    }

    pub(super) fn confirm(&mut self, now: &Sample, word: Confirmation) {
        let signed = SignedConfirmation { der: vec![1], signature: vec![2] };
        self.handle(now, Event::Confirmed(signed, word));
    }

    /// The batch that is to be signed, taken out.
    pub(super) fn unsigned(&mut self) -> Option<(LaneId, Unsigned)> {
        let at = self.out.iter().position(|action| matches!(action, Action::Sign(..)))?;
        match self.out.remove(at) {
            Action::Sign(lane, batch) => Some((lane, batch)),
            _ => None,
        }
    }

    /// Signs the confirmed batch; the confirmation is still on its way to the disk.
    fn signed(&mut self, now: &Sample) -> LaneId {
        let (lane, batch) = self.unsigned().expect("it is signed");
        let tokens = self.sign(lane, batch);
        self.finish(now, tokens);
        lane
    }
}

fn no_time(id: RequestId) -> (RequestId, Result<(), FailInfo>) {
    (id, Err(FailInfo::TimeNotAvailable))
}

/// The promise does not need it; the requester would be surprised. The lease is renewed meanwhile,
/// so that the age alone keeps the token.
#[test]
fn a_token_that_is_signed_long_after_its_confirmation_stays_inside() {
    for (late_ms, leaves) in [(3_000, true), (3_001, false)] {
        let mut bench = witnessed(1);
        let (id, batch) = bench.asks(&sample(10, 0));
        bench.confirm(&sample(20, 0), word_on(batch));
        let (lane, unsigned) = bench.unsigned().expect("it is signed");
        bench.handle(&sample(21, 0), Event::ConfirmationLogged(lane, Ok(())));
        let tokens = bench.sign(lane, unsigned);
        bench.grant(2, &sample(2_000, 0));
        bench.finish(&sample(20 + late_ms, 0), tokens);
        let reply = if leaves { (id, Ok(())) } else { no_time(id) };
        assert_eq!(bench.replies(), [reply], "{late_ms} ms after the confirmation");
    }
}

/// No tick comes between, and the lease was renewed: the age of the question alone keeps the word
/// from being used. Its requests get a fresh sample.
#[test]
fn a_word_that_comes_after_its_limit_is_not_used_also_before_the_next_tick() {
    for (late_ms, used) in [(3_000, true), (3_001, false)] {
        let mut bench = witnessed(1);
        let (_, batch) = bench.asks(&sample(10, 0));
        bench.grant(2, &sample(2_000, 0));
        let now = sample(10 + late_ms, 0);
        bench.confirm(&now, word_on(batch));
        assert_eq!(bench.unsigned().is_some(), used, "{late_ms} ms after the question");
        let burnt = bench.notes().iter().any(|note| matches!(note, Note::Unanswered(_)));
        assert_eq!(burnt, !used, "{:?}", bench.out);
        if !used {
            assert_eq!(bench.logs(&now).len(), 1, "asked about once more");
            assert_eq!(bench.asked().map(|again| again.sequence), batch.sequence.next());
        }
    }
}

#[test]
fn nothing_is_signed_before_the_monitors_word_nor_released_before_it_is_on_record() {
    let mut bench = witnessed(1);
    let (id, batch) = bench.asks(&sample(10, 0));
    assert!(bench.unsigned().is_none(), "{:?}", bench.out);
    bench.confirm(&sample(11, 0), word_on(batch));
    let logs = |action: &Action| matches!(action, Action::LogConfirmation(..));
    assert!(bench.out.iter().any(logs), "{:?}", bench.out);
    let lane = bench.signed(&sample(12, 0));
    assert!(bench.replies().is_empty(), "the confirmation is not on record yet");
    bench.handle(&sample(13, 0), Event::ConfirmationLogged(lane, Ok(())));
    assert_eq!(bench.replies(), [(id, Ok(()))]);
    // And the other way round: on record first, signed afterwards.
    let (id, batch) = bench.asks(&sample(20, 0));
    assert_eq!(batch.sequence, BatchSeq::new(2));
    bench.confirm(&sample(21, 0), word_on(batch));
    let (lane, unsigned) = bench.unsigned().expect("it is signed");
    bench.handle(&sample(22, 0), Event::ConfirmationLogged(lane, Ok(())));
    let tokens = bench.sign(lane, unsigned);
    bench.finish(&sample(23, 0), tokens);
    assert_eq!(bench.replies(), [(id, Ok(()))]);
}

#[test]
fn the_question_names_the_tokens_and_their_times() {
    let mut bench = witnessed(1);
    bench.request(&sample(10, 0));
    let intents = bench.logs(&sample(10, 0));
    let batch = bench.asked().expect("the monitor is asked");
    assert_eq!(batch.root, confirmation::root(intents.iter().map(|it| &it.tst_info_digest)));
    assert_eq!((batch.gen_times.min(), batch.gen_times.max()), {
        let gen_time = intents[0].gen_time;
        (gen_time, gen_time)
    });
    assert_eq!(batch.lease, LeaseSeq::new(1));
}

#[test]
fn a_word_on_anything_else_permits_nothing() {
    let wrong: [fn(&mut Confirmation); 6] = [
        |word| word.incarnation = Incarnation::from_bytes([9; 16]),
        |word| word.channel = ChannelBinding::from_bytes([9; 32]),
        |word| word.batch.root = Hash::from_bytes([9; 32]),
        |word| word.batch.lease = LeaseSeq::new(2),
        |word| {
            let later = GenTime::at(sample(1_000, 0).real, GenTimeDigits::Three);
            word.batch.gen_times = confirmation::GenTimes::of([later]).expect("one");
        },
        |word| word.tsu = chronolease_core::id::TsuId::new("tsu-2").expect("a fair name"),
    ];
    for change in wrong {
        let mut bench = witnessed(1);
        let (id, batch) = bench.asks(&sample(10, 0));
        let mut word = word_on(batch);
        change(&mut word);
        bench.confirm(&sample(11, 0), word);
        assert!(bench.unsigned().is_none(), "{:?}", bench.out);
        assert_eq!(bench.replies(), [no_time(id)]);
    }
}

#[test]
fn a_revocation_after_the_word_holds_the_tokens_back() {
    let revoked = || Event::Revoked(LeaseSeq::new(1), EndingCause::Deviation);
    // Before signing.
    let mut bench = witnessed(1);
    let (id, batch) = bench.asks(&sample(10, 0));
    bench.handle(&sample(11, 0), revoked());
    assert_eq!(bench.replies(), [no_time(id)], "told at once");
    bench.confirm(&sample(12, 0), word_on(batch));
    assert!(bench.unsigned().is_none(), "{:?}", bench.out);
    // Before release.
    let mut bench = witnessed(1);
    let (id, batch) = bench.asks(&sample(10, 0));
    bench.confirm(&sample(11, 0), word_on(batch));
    let lane = bench.signed(&sample(12, 0));
    bench.handle(&sample(13, 0), revoked());
    bench.handle(&sample(14, 0), Event::ConfirmationLogged(lane, Ok(())));
    assert_eq!(bench.replies(), [no_time(id)]);
}

#[test]
fn a_confirmation_that_cannot_be_recorded_releases_nothing() {
    for (why, holds) in [(NotRecorded::ForNow, true), (NotRecorded::ForGood, false)] {
        let mut bench = witnessed(1);
        let (id, batch) = bench.asks(&sample(10, 0));
        bench.confirm(&sample(11, 0), word_on(batch));
        let lane = bench.signed(&sample(12, 0));
        bench.handle(&sample(13, 0), Event::ConfirmationLogged(lane, Err(why)));
        assert_eq!(bench.replies(), [(id, Err(FailInfo::SystemFailure))]);
        assert_eq!(bench.issuer.holds_lease(), holds);
    }
}

#[test]
fn a_batch_that_came_late_gets_a_fresh_sample_and_fresh_serials_once() {
    let mut bench = witnessed(1);
    let id = bench.request(&sample(10, 0));
    let first = bench.logs(&sample(10, 0));
    let early = bench.asked().expect("the monitor is asked");
    let late = Event::NotConfirmed(early.sequence, NotConfirmed::TooEarly);
    bench.handle(&sample(700, 0), late);
    assert!(bench.replies().is_empty(), "{:?}", bench.out);
    let second = bench.logs(&sample(700, 0));
    assert_eq!(second[0].sample, sample(700, 0));
    assert_ne!(second[0].serial, first[0].serial);
    let again = bench.asked().expect("the monitor is asked once more");
    assert_eq!(again.sequence, BatchSeq::new(2));
    let late = Event::NotConfirmed(again.sequence, NotConfirmed::TooEarly);
    bench.handle(&sample(1_400, 0), late);
    assert_eq!(bench.replies(), [no_time(id)]);
}

#[test]
fn a_sample_that_grew_old_on_its_way_to_the_disk_is_not_even_asked_about() {
    let mut bench = witnessed(1);
    let id = bench.request(&sample(10, 0));
    bench.logs(&sample(10 + QUEUE_MAX_MS + 1, 0));
    assert_eq!(bench.asked(), None);
    bench.logs(&sample(10 + QUEUE_MAX_MS + 2, 0));
    let batch = bench.asked().expect("the fresh one is asked about");
    bench.confirm(&sample(200, 0), word_on(batch));
    let lane = bench.signed(&sample(201, 0));
    bench.handle(&sample(202, 0), Event::ConfirmationLogged(lane, Ok(())));
    assert_eq!(bench.replies(), [(id, Ok(()))]);
}

#[test]
fn other_refusals_are_told_at_once() {
    for &why in NotConfirmed::ALL.iter().filter(|why| **why != NotConfirmed::TooEarly) {
        let mut bench = witnessed(1);
        let (id, batch) = bench.asks(&sample(10, 0));
        bench.handle(&sample(11, 0), Event::NotConfirmed(batch.sequence, why));
        assert_eq!(bench.replies(), [no_time(id)], "{why:?}");
        assert!(bench.out.iter().any(|a| matches!(a, Action::Note(Note::NotConfirmed(_)))));
    }
}

#[test]
fn what_was_asked_on_a_broken_connection_is_burnt() {
    let mut bench = witnessed(2);
    let (_, batch) = bench.asks(&sample(10, 0));
    bench.handle(&sample(20, 0), Event::Disconnected);
    assert!(bench.replies().is_empty(), "{:?}", bench.out);
    assert_eq!(bench.asked(), None, "nobody is there to ask");
    let other = ChannelBinding::from_bytes([8; 32]);
    bench.handle(&sample(30, 0), Event::Connected(other));
    assert!(bench.out.is_empty(), "{:?}", bench.out);
    bench.handle(&sample(40, 0), Event::Welcomed);
    bench.logs(&sample(40, 0));
    let again = bench.asked().expect("the monitor is asked on the new connection");
    assert_eq!(again.sequence, BatchSeq::new(1));
    // A word from before names the right number, but another root and another connection.
    bench.confirm(&sample(50, 0), word_on(batch));
    assert!(bench.unsigned().is_none(), "{:?}", bench.out);
}

#[test]
fn a_monitor_that_does_not_answer_is_asked_once_more_while_the_lease_lives() {
    let mut bench = witnessed(1);
    let (id, _) = bench.asks(&sample(10, 0));
    bench.grant(2, &sample(2_500, 0));
    bench.handle(&sample(3_011, 0), Event::Tick);
    bench.logs(&sample(3_011, 0));
    assert!(bench.asked().is_some(), "{:?}", bench.out);
    // The lease runs out: whoever waits is told.
    bench.handle(&sample(5_501, 0), Event::Tick);
    assert_eq!(bench.replies(), [no_time(id)]);
}

#[test]
fn requests_wait_for_the_monitor_only_as_long_as_the_lease_lives() {
    let mut bench = witnessed(1);
    bench.handle(&sample(10, 0), Event::Disconnected);
    let early = bench.request(&sample(20, 0));
    assert!(bench.out.is_empty() && !bench.issuer.wants_another_sample(), "{:?}", bench.out);
    let late = bench.request(&sample(3_001, 0));
    assert_eq!(bench.replies(), [no_time(early), no_time(late)]);
}
