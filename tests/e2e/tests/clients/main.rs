//! Programs that know nothing of Chronolease each get and verify a token of every suite. Which of
//! them takes which suite is what `docs/clients.md` says, or this test fails.

mod pki;
mod programs;
mod table;

use std::path::{Path, PathBuf};

use chronolease_e2e::rig::Directory;
use chronolease_e2e::{Options, Rig};

use pki::{Pki, SUITES};
use programs::{CLIENTS, Case, Client, Files, Verdict, WRONG};

const ATTEMPTS: usize = 5;

/// A TSU for each suite: starting one anew with another key would take longer.
fn rigs(pki: &Pki) -> Vec<Rig> {
    let start = |suite| {
        let tsu_overlay = Some(pki.overlay(suite));
        Rig::new(&Options { tsu_overlay, ..Options::default() })
    };
    let rigs: Vec<_> = SUITES.iter().map(start).collect();
    rigs.iter().for_each(Rig::wait_for_lease);
    rigs
}

/// What the clients say while every TSU holds its lease. On a machine that stood still for seconds
/// the leases run out, and then a client rightly gets no token: it is asked again.
fn while_leased(rigs: &[Rig], ask: impl Fn() -> Vec<Verdict>) -> Vec<Verdict> {
    let turned_away = |rig: &Rig| {
        let labels = [("result", "time_not_available")];
        let count = rig.tsu_metrics().get("chronolease_tsu_requests_total", &labels);
        count.expect("every result has a series") as u64
    };
    let turned_away = || rigs.iter().map(turned_away).sum::<u64>();
    for _ in 0..ATTEMPTS {
        rigs.iter().for_each(Rig::wait_for_lease);
        let before = turned_away();
        let verdicts = ask();
        if turned_away() == before {
            return verdicts;
        }
    }
    panic!("no lease lasted for as long as one client takes, {ATTEMPTS} times");
}

#[test]
fn every_client_takes_the_suites_that_the_book_says() {
    let directory = Directory::new();
    let pki = Pki::new(directory.path());
    let files = Files::new(directory.path());
    let rigs = rigs(&pki);
    let case = |(suite, rig): (&pki::Suite, &Rig)| Case {
        suite: suite.name,
        url: format!("http://{}/", rig.ports().tsu_http()),
        root: pki.root(),
        other_root: pki.other_root(),
        certificate: pki.certificate(suite),
        other_certificate: pki.other_root(),
    };
    let cases: Vec<Case> = SUITES.iter().zip(&rigs).map(case).collect();

    let judged =
        |client: &'static Client| (client, while_leased(&rigs, || client.judge(&files, &cases)));
    let verdicts: Vec<(&Client, Vec<Verdict>)> = CLIENTS.iter().map(judged).collect();
    for (Client { name: client, .. }, verdicts) in &verdicts {
        for (case, verdict) in cases.iter().zip(verdicts) {
            assert_eq!(verdict.suite, case.suite, "{client}: one verdict for each case, in order");
            let why = verdict.why.trim().lines().last().unwrap_or_default();
            let accepts = verdict.accepts;
            println!("{client}, {}: {}", case.suite, if accepts { "accepts" } else { why });
            let takes = WRONG.into_iter().filter(|wrong| !verdict.refuses.contains(*wrong));
            let takes: Vec<&str> = takes.filter(|_| accepts).collect();
            assert!(takes.is_empty(), "{client} takes {takes:?}, so its word is worth nothing");
        }
    }
    table::compare(&book(), &verdicts);
}

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/clients.md")
}
