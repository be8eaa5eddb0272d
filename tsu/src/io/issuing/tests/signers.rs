//! Signers that are slow, or fail, while the world goes on.

use std::num::NonZeroU64;
use std::sync::{Condvar, Mutex};

use super::*;
use chronolease_core::time::{Span, Timestamp, Utc};
use rasn_cms::tsp::TstInfo;
use rasn_cms::{ContentInfo, SignedData};

use crate::core::rfc3161::FailInfo;
use crate::io::signer::{FileSigner, Sampled, SignerError};

/// Signs when it is told to, and fails if it is told so.
struct Held {
    signer: FileSigner,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many signatures were asked for.
    asked: usize,
    /// Whether it works, once it may.
    opened: Option<Works>,
}

#[derive(Clone, Copy, PartialEq)]
enum Works {
    Yes,
    No,
    /// Its signatures have a wrong bit.
    Badly,
}

impl Held {
    fn new(pki: &Pki) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Arc::new(Self { signer: pki.signer(), state, changed })
    }

    fn open(&self, works: Works) {
        self.state.lock().expect("no holder panics").opened = Some(works);
        self.changed.notify_all();
    }

    /// Waits until so many signatures were asked for.
    fn await_asked(&self, count: usize) {
        let state = self.state.lock().expect("no holder panics");
        drop(self.changed.wait_while(state, |state| state.asked < count));
    }
}

impl Signer for Held {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let mut state = self.state.lock().expect("no holder panics");
        state.asked += 1;
        self.changed.notify_all();
        let state = self.changed.wait_while(state, |state| state.opened.is_none());
        match state.expect("no holder panics").opened {
            Some(Works::Yes) => self.signer.sign(message),
            Some(Works::Badly) => self.signer.sign(message).map(|mut signature| {
                let last = signature.last_mut().expect("a signature is not empty");
                *last ^= 1;
                signature
            }),
            _ => Err(SignerError::Failed("the session is gone".to_owned())),
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.signer.verify(message, signature)
    }

    fn describe(&self) -> &str {
        "a signer that is held"
    }
}

fn gen_time(token: &[u8]) -> Timestamp<Utc> {
    let content: ContentInfo = rasn::der::decode(token).expect("a ContentInfo");
    let signed: SignedData = rasn::der::decode(content.content.as_bytes()).expect("SignedData");
    let info = signed.encap_content_info.content.expect("a TSTInfo");
    let info: TstInfo = rasn::der::decode(&info).expect("a TSTInfo");
    Timestamp::from_unix_nanos(info.gen_time.timestamp_nanos_opt().expect("a time of this age"))
}

/// All signatures are verified before a token leaves, or the first and one in so many.
#[tokio::test]
async fn a_signature_that_does_not_verify_stays_inside() {
    let pki = Pki::new();
    let two = NonZeroU64::new(2).expect("not zero");
    let signer = Held::new(&pki);
    let sampled = Arc::new(Sampled::new(Arc::clone(&signer) as Arc<dyn Signer>, two));
    let of_sampled = [false, true, false, true];
    for (signer, by, leaves) in [
        (Arc::clone(&signer), Arc::clone(&signer) as Arc<dyn Signer>, [false; 4]),
        (signer, sampled as Arc<dyn Signer>, of_sampled),
    ] {
        let mut bench = Bench::signing_with(&pki, by);
        bench.grant().await;
        signer.open(Works::Badly);
        for leaves in leaves {
            let answer = bench.ask().await.await.expect("an answer");
            let fail = answer.as_ref().err().map(|rejection| rejection.fail);
            let expected = if leaves { None } else { Some(FailInfo::SystemFailure) };
            assert_eq!(fail, expected, "{answer:?}");
        }
        signer.open(Works::Yes);
        let token = bench.ask().await.await.expect("an answer");
        assert!(token.is_ok(), "{token:?}");
    }
}

/// A pipeline whose signer is held.
fn held() -> (Bench, Arc<Held>) {
    let pki = Pki::new();
    let signer = Held::new(&pki);
    let bench = Bench::signing_with(&pki, Arc::clone(&signer) as Arc<dyn Signer>);
    (bench, signer)
}

/// Asks for a token and waits until the signer has it, and a while longer.
async fn at_the_signer(bench: &mut Bench, signer: &Arc<Held>) -> oneshot::Receiver<Reply> {
    bench.grant().await;
    let answer = bench.ask().await;
    let held = Arc::clone(signer);
    tokio::task::spawn_blocking(move || held.await_asked(1)).await.expect("it waits");
    let since = bench.clocks.raw();
    while bench.clocks.raw() - since < Span::from_millis(50) {
        // The pipeline goes on meanwhile.
        tokio::task::yield_now().await;
    }
    answer
}

#[tokio::test]
async fn a_token_of_a_slow_signer_says_when_it_was_sampled() {
    let (mut bench, signer) = held();
    let asked = bench.clocks.real();
    let answer = at_the_signer(&mut bench, &signer).await;
    let late = bench.clocks.real();
    signer.open(Works::Yes);
    let token = answer.await.expect("an answer").expect("a token");
    let (time, millisecond) = (gen_time(token.der()), Span::from_millis(1));
    assert!(time - asked >= -millisecond, "{time:?} before {asked:?}");
    // It does not say when it was signed: that is at least 50 ms later.
    assert!(late - time >= Span::from_millis(50), "{time:?}, signed after {late:?}");
}

#[tokio::test]
async fn a_revocation_while_the_signer_works_holds_its_token_back() {
    let (mut bench, signer) = held();
    let answer = at_the_signer(&mut bench, &signer).await;
    bench.tell(Event::Revoked(LeaseSeq::new(1), EndingCause::Deviation)).await;
    let said = bench.from_tsu.recv().await;
    assert!(matches!(said, Some(ToLink::Revoked(up_to)) if up_to == LeaseSeq::new(1)), "{said:?}");
    signer.open(Works::Yes);
    let rejection = answer.await.expect("an answer").expect_err("it was revoked");
    assert_eq!(rejection.fail, FailInfo::TimeNotAvailable);
}

#[tokio::test]
async fn a_signer_that_fails_late_is_told_and_the_next_token_comes_when_it_works() {
    let (mut bench, signer) = held();
    let answer = at_the_signer(&mut bench, &signer).await;
    signer.open(Works::No);
    let rejection = answer.await.expect("an answer").expect_err("it could not sign");
    assert_eq!(rejection.fail, FailInfo::SystemFailure);
    signer.open(Works::Yes);
    let token = bench.ask().await.await.expect("an answer");
    assert!(token.is_ok(), "{token:?}");
}

/// One thread wakes the next as long as there is enough to do; here each signature takes for ever.
#[tokio::test]
async fn slow_signatures_are_made_side_by_side() {
    let (mut bench, signer) = held();
    bench.grant().await;
    let answers = [bench.ask().await, bench.ask().await];
    let held = Arc::clone(&signer);
    let both = tokio::task::spawn_blocking(move || held.await_asked(2));
    let both = tokio::time::timeout(Duration::from_secs(30), both).await;
    signer.open(Works::Yes);
    both.expect("two threads sign at a time").expect("it waits");
    for answer in answers {
        assert!(answer.await.expect("an answer").is_ok());
    }
}
