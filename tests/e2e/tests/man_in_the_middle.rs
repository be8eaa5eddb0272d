//! Somebody between the boxes who holds no key drops, repeats, reorders, alters and delays what they
//! say. No token is wrong, a connection that was touched dies, and issuing resumes by itself.

use std::time::Duration;

use chronolease_core::time::{Bound, Span};
use chronolease_e2e::load::{self, Load, now};
use chronolease_e2e::middleman::{Deed, Middleman, Way};
use chronolease_e2e::tsp::Answer;
use chronolease_e2e::{Options, Rig};

/// What a lab claims.
const ACCURACY: Bound = Bound::from_millis(500);
/// Short enough for a verdict within E0.
const HARMLESS: Span = Span::from_millis(20);
/// Longer than what the monitor accepts of a batch.
const TOO_LONG: Span = Span::from_millis(700);

const HASTE: &str =
    "[lease]\nprobe = \"300ms\"\ngood_probes = 1\nhold = \"100ms\"\nhold_latched = \"100ms\"\n";

struct Pair {
    middleman: Middleman,
    load: Load,
    rig: Rig,
}

impl Pair {
    fn start() -> Self {
        let overlay = Some(HASTE.to_owned());
        let mut rig = Rig::prepared(&Options { monitor_overlay: overlay, ..Options::default() });
        let middleman = Middleman::new(rig.spare_port(), rig.ports().link());
        let overlay = format!("[link]\nmonitor = \"{}\"\n", middleman.address());
        chronolease_e2e::rig::lay_over(rig.layout(), "tsu", &overlay);
        rig.start_sources();
        rig.start_monitor();
        rig.start_tsu();
        rig.wait_for_lease();
        let load = Load::start(rig.client_address(), 2, Duration::from_millis(10));
        Self { middleman, load, rig }
    }

    fn await_tokens(&self, count: usize) {
        let since = now();
        self.rig.eventually("tokens are issued", || {
            match self.load.count(since, |answer| answer.token().is_some()) {
                tokens if tokens >= count => Ok(()),
                tokens => Err(format!("{tokens} tokens")),
            }
        });
    }

    /// The connection stands while `act` goes on. On a machine that stood still it may have fallen
    /// silent for a whole TTL, so it is tried again.
    fn stands_while(&self, act: impl Fn()) {
        self.rig.eventually("the connection stands", || {
            let before = self.middleman.connections();
            act();
            match self.middleman.connections() {
                connections if connections == before => Ok(()),
                connections => Err(format!("{} new connections", connections - before)),
            }
        });
    }

    fn finish(mut self) {
        let tokens = load::assert_sound(&self.load.finish(), ACCURACY);
        println!("{} tokens, none wrong", tokens.len());
        assert_eq!(self.rig.tsu.sigterm().code(), Some(0), "{}", self.rig.tsu.tail());
    }
}

#[test]
fn whoever_touches_a_record_ends_the_connection_and_no_token_is_wrong() {
    let pair = Pair::start();
    // The control: as long as he passes everything on, the connection stands.
    pair.stands_while(|| pair.await_tokens(50));
    for way in [Way::ToMonitor, Way::ToTsu] {
        for deed in [Deed::Drop, Deed::Repeat, Deed::Swap, Deed::Flip] {
            let before = pair.middleman.connections();
            pair.middleman.strike(way, deed);
            pair.rig.eventually(&format!("{deed:?} {way:?} ends the connection"), || {
                match pair.middleman.connections() {
                    connections if connections > before => Ok(()),
                    connections => Err(format!("{connections} connections")),
                }
            });
            pair.await_tokens(10);
        }
    }
    // What was said on an earlier connection means nothing on another one.
    pair.stands_while(|| {
        pair.middleman.play_again();
        pair.await_tokens(10);
    });
    assert_eq!(pair.rig.endings("clone"), 0.0);
    pair.finish();
}

#[test]
fn what_is_delayed_for_too_long_is_not_confirmed() {
    let pair = Pair::start();
    pair.middleman.delay(HARMLESS);
    pair.await_tokens(10);
    for _ in 0..2 {
        pair.middleman.delay(TOO_LONG);
        let since = now();
        pair.rig.eventually("clients are told", || {
            match pair.load.count(since, Answer::is_time_not_available) {
                0..10 => Err("nobody is refused".to_owned()),
                _ => Ok(()),
            }
        });
        let tokens = pair.load.count(since, |answer| answer.token().is_some());
        assert_eq!(tokens, 0, "of requests sent since everything is {TOO_LONG} late");
        pair.middleman.delay(Span::ZERO);
        pair.await_tokens(10);
    }
    pair.finish();
}
