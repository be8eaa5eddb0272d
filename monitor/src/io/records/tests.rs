use super::super::testing::{TestLog, close, sample};
use super::*;
use chronolease_core::evidence::leaf::Ended;
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::{LeaseSeq, TsuId};
use chronolease_core::lease::EndingCause;

fn ended(sequence: u64) -> Event {
    let tsu = TsuId::new("tsu-1").expect("a fair name");
    let (sequence, cause) = (LeaseSeq::new(sequence), EndingCause::Lapsed);
    Event::LeaseEnded(Ended { tsu, sequence, cause, found_by: None })
}

fn other(number: u8) -> Event {
    Event::ConfigDigest(Hash::from_bytes([number; 32]))
}

impl Records {
    /// Waits for everything under way.
    async fn settled(&mut self) -> bool {
        while let Some(outcome) = self.under_way.join_next().await {
            self.judge(outcome.expect("a task that only waits"));
        }
        self.settle()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_noted_goes_on_record_in_order_and_before_what_is_committed() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut records = Records::new(evidence.recorder());
    records.note(other(1));
    records.note(other(2));
    records.flush(&sample(1));
    records.note(other(3));
    records.commit(&sample(2), other(4)).expect("there is room");
    assert_eq!(log.events(), [other(1), other(2), other(3), other(4)], "durable by now");
    assert!(!records.settled().await);
    assert_eq!((records.size(), records.missing(), records.trouble()), (5, 0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ending_that_found_no_room_goes_on_record_when_there_is_some() {
    let log = TestLog::new();
    let full = log.open_full();
    let mut records = Records::new(full.recorder());
    records.note(ended(1));
    records.note(other(1));
    records.flush(&sample(1));
    assert!(!records.settled().await, "a full disk is not the end");
    assert!(records.trouble().is_some_and(|why| why.contains("no room")));
    let refused = records.commit(&sample(2), other(2)).expect_err("no room");
    assert!(!refused.is_final());
    assert_eq!((log.events(), records.missing()), (vec![], 2));

    assert!(!close(full));
    let roomy = log.open();
    records.recorder = roomy.recorder();
    records.note(other(3));
    records.flush(&sample(4));
    assert!(!records.settled().await);
    assert_eq!(log.events(), [ended(1), other(3)]);
    assert_eq!((records.missing(), records.trouble()), (2, None));
}

/// What is committed is answered at once, so it can fail before what was put on its way earlier is
/// known to have failed.
#[tokio::test(flavor = "multi_thread")]
async fn endings_that_found_no_room_keep_their_order() {
    let log = TestLog::new();
    let full = log.open_full();
    let mut records = Records::new(full.recorder());
    records.note(ended(1));
    records.flush(&sample(1));
    records.note(ended(2));
    records.commit(&sample(2), other(1)).expect_err("no room");
    assert!(!records.settled().await);

    assert!(!close(full));
    let roomy = log.open();
    records.recorder = roomy.recorder();
    records.note(ended(3));
    records.flush(&sample(4));
    assert!(!records.settled().await);
    assert_eq!(log.events(), [ended(1), ended(2), ended(3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_flush_takes_what_is_owed() {
    let log = TestLog::new();
    let full = log.open_full();
    let mut records = Records::new(full.recorder());
    records.note(ended(1));
    records.flush(&sample(1));
    records.settled().await;
    assert!(!close(full));
    let roomy = log.open();
    records.recorder = roomy.recorder();
    records.finish(&sample(3));
    assert!(close(roomy));
    assert_eq!(log.events(), [ended(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_lost_is_told_once_and_takes_nothing() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut records = Records::new(evidence.recorder());
    assert!(close(evidence));
    records.note(ended(1));
    records.flush(&sample(1));
    assert!(records.settled().await);
    assert!(!records.settled().await, "told once");
    assert!(records.commit(&sample(2), other(1)).is_err_and(|why| why.is_final()));
    assert!(!records.settle());
    assert!(records.trouble().is_some_and(|why| why.contains("closed")));
    assert_eq!((records.missing(), log.events()), (2, vec![]));
}

/// The disk is full, or the log is gone: who asked about a batch is told, and not left waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_is_not_on_record_is_a_refusal() {
    let log = TestLog::new();
    let signed = SignedConfirmation { der: vec![1], signature: vec![2] };
    let (outgoing, mut messages) = mpsc::channel(4);
    let full = log.open_full();
    let mut records = Records::new(full.recorder());
    records.confirm(&sample(1), BatchSeq::new(1), signed.clone(), outgoing.clone());
    records.settled().await;
    assert!(!close(full));
    records.confirm(&sample(2), BatchSeq::new(2), signed.clone(), outgoing.clone());
    records.settled().await;
    for batch in [1, 2] {
        let refused = ToTsu::NotConfirmed(BatchSeq::new(batch), NotConfirmed::NoRecord);
        assert_eq!(messages.recv().await, Some(refused));
    }
    let roomy = log.open();
    records.recorder = roomy.recorder();
    records.confirm(&sample(3), BatchSeq::new(3), signed.clone(), outgoing);
    records.settled().await;
    assert_eq!(messages.recv().await, Some(ToTsu::Confirmed(signed)));
    assert!(messages.recv().await.is_none(), "one word each");
}
