//! The certificate, its key or its algorithm ends: at each stage from there on nothing goes further.

use super::witness::{witnessed_by, word_on};
use super::*;
use chronolease_core::time::{Timestamp, Utc};

use crate::core::rfc3161::{AlgorithmOutdated, NotUsable};

/// The last millisecond at which tokens may be signed.
const LAST_MS: i64 = 100;
const STAGES: usize = 4;

fn at(ms: i64) -> Timestamp<Utc> {
    sample(ms, 0).real
}

/// What becomes of a request whose stages from number `late` on come `at_ms`: it is answered in one of
/// them.
fn run(ends: [i64; 3], late: usize, at_ms: i64) -> (Bench, RequestId, usize) {
    let pki = Pki::new();
    let [certificate, key, algorithm] = ends.map(at);
    let until = pki.certificate().until(certificate, key, algorithm);
    let builder = TokenBuilder::new(until, &[], testing::profile()).expect("it was good");
    let mut bench = witnessed_by(&pki, builder, 1);
    let when = |stage: usize| sample(if stage < late { 10 } else { at_ms }, 0);
    let id = bench.request(&when(0));
    if !bench.replies().is_empty() {
        return (bench, id, 0);
    }
    let lane = bench.intents().0;
    bench.handle(&when(1), Event::Logged(lane, Ok(LeafIndex::new(70))));
    let Some(batch) = bench.asked() else { return (bench, id, 1) };
    bench.confirm(&when(2), word_on(batch));
    let Some((lane, unsigned)) = bench.unsigned() else { return (bench, id, 2) };
    let tokens = bench.sign(lane, unsigned);
    bench.handle(&when(2), Event::ConfirmationLogged(lane, Ok(())));
    bench.finish(&when(3), tokens);
    (bench, id, 3)
}

#[test]
fn what_has_ended_signs_and_releases_nothing_whatever_ended_first() {
    let last = at(LAST_MS);
    for (ends, why) in [
        ([LAST_MS, 200, 300], NotUsable::CertificateExpired(last)),
        ([300, LAST_MS, 200], NotUsable::KeyExpired(last)),
        ([200, 300, LAST_MS], AlgorithmOutdated(last).into()),
    ] {
        for late in 0..STAGES {
            let (bench, id, stage) = run(ends, late, LAST_MS + 1);
            assert_eq!(stage, late, "{why}");
            assert_eq!(bench.replies(), [(id, Err(FailInfo::SystemFailure))], "{late}: {why}");
            assert_eq!(bench.notes(), [&Note::NotUsable(why)], "{late}: {why}");
            let (bench, id, _) = run(ends, late, LAST_MS);
            assert_eq!(bench.replies(), [(id, Ok(()))], "{late}: just in time, {why}");
        }
    }
}

#[test]
fn an_expired_certificate_signs_nothing() {
    let ended = |params: &mut rcgen::CertificateParams| {
        params.not_after = rcgen::date_time_ymd(2026, 9, 1);
    };
    let pki = Pki::with(ended, &rcgen::PKCS_ECDSA_P256_SHA256);
    let mut bench = Bench::with(&pki, 1);
    bench.handle(&sample(0, 0), Event::Connected(CHANNEL));
    bench.grant(1, &sample(0, 0));
    let id = bench.request(&sample(10, 0));
    assert_eq!(bench.replies(), [(id, Err(FailInfo::SystemFailure))]);
    assert!(matches!(bench.notes()[..], [Note::NotUsable(NotUsable::CertificateExpired(_))]));
}
