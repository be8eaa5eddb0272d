//! The link between the boxes is cut and healed, between two network namespaces. Witnessed, no
//! token is sampled after the cut; issuing resumes by itself, however each side saw it.

use std::thread;
use std::time::Duration;

use chronolease_core::time::{Bound, Timestamp, Utc};
use chronolease_e2e::load::{self, Load, now};
use chronolease_e2e::netns::{Cut, Island};
use chronolease_e2e::tsp::Answer;
use chronolease_e2e::{Options, Rig, wait};

/// What a lab claims.
const ACCURACY: Bound = Bound::from_millis(500);
/// How far a clock may gain on the oscillator, and what is cut off a genTime.
const GUARD: Bound = Bound::from_millis(5);
/// Shorter than a lease lasts.
const GLITCH: Bound = Bound::from_millis(500);

const HASTE: &str =
    "[lease]\nprobe = \"300ms\"\ngood_probes = 1\nhold = \"100ms\"\nhold_latched = \"100ms\"\n";

/// A pair with box A on an island.
fn pair(mode: &str) -> (Rig, Island) {
    let mut rig = Rig::prepared(&Options::default());
    let island = Island::of(&mut rig, &format!("[tsu]\nmode = \"{mode}\"\n"), HASTE);
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();
    (rig, island)
}

/// Cuts the link under load, heals it, and waits for issuing to resume. Answers the tokens that
/// were sampled after the cut and left before it was healed.
fn cut_once(
    rig: &Rig,
    island: &Island,
    load: &Load,
    cut: Cut,
    until: impl FnOnce(Timestamp<Utc>),
) -> Vec<Answer> {
    await_tokens(rig, load);
    island.cut(cut);
    let from = now();
    until(from);
    let healing = now();
    island.heal(cut);
    await_tokens(rig, load);
    let mut answers = load.answers();
    answers.retain(|answer| {
        let sampled = answer.token().map(|token| token.gen_time);
        sampled > Some(from + GUARD.as_span()) && answer.received < healing
    });
    answers
}

fn await_tokens(rig: &Rig, load: &Load) {
    let since = now();
    rig.eventually("tokens are issued", || match load.count(since, |a| a.token().is_some()) {
        10.. => Ok(()),
        tokens => Err(format!("{tokens} tokens")),
    });
}

fn load(rig: &Rig) -> Load {
    Load::start(rig.client_address(), 2, Duration::from_millis(10))
}

fn cut_and_heal(cut: Cut) {
    let (mut rig, island) = pair("witnessed");
    let load = load(&rig);
    for _ in 0..2 {
        let glitch = |_| wait::during(GLITCH, || thread::sleep(Duration::from_millis(5)));
        assert!(cut_once(&rig, &island, &load, cut, glitch).is_empty(), "{cut:?}");
        let lost = rig.endings("link-lost");
        let sampled = cut_once(&rig, &island, &load, cut, |from| {
            rig.wait_until_unready();
            rig.eventually("the monitor counts the lease as ended", || {
                if rig.endings("link-lost") > lost { Ok(()) } else { Err(rig.monitor.tail()) }
            });
            rig.eventually("clients are told", || {
                match load.count(from, Answer::is_time_not_available) {
                    0 => Err("nobody is refused".to_owned()),
                    _ => Ok(()),
                }
            });
        });
        assert!(sampled.is_empty(), "{cut:?}: {sampled:?}");
    }
    let tokens = load::assert_sound(&load.finish(), ACCURACY);
    println!("{cut:?}: cut and healed 4 times, {} tokens, none sampled after a cut", tokens.len());
    assert_eq!(rig.tsu.sigterm().code(), Some(0), "{}", rig.tsu.tail());
}

#[test]
fn no_token_is_sampled_after_the_link_is_cut_and_issuing_resumes_when_it_heals() {
    thread::scope(|scope| {
        scope.spawn(|| cut_and_heal(Cut::Down));
        scope.spawn(|| cut_and_heal(Cut::OneWay));
        scope.spawn(leased_tokens_go_on);
    });
}

/// The control: in leased mode the same cut does leave tokens that were sampled after it.
fn leased_tokens_go_on() {
    let (rig, island) = pair("leased");
    let load = load(&rig);
    let sampled = cut_once(&rig, &island, &load, Cut::Down, |_| rig.wait_until_unready());
    assert!(!sampled.is_empty(), "the lease did not outlive the link");
    load::assert_sound(&load.finish(), ACCURACY);
}
