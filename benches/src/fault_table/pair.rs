//! A pair under load, and what its clients were told after a fault.

use std::thread;
use std::time::Duration;

use chronolease_core::time::{Bound, Span, Timestamp, Utc};
use chronolease_e2e::load::{self, Load, now};
use chronolease_e2e::tsp::Answer;
use chronolease_e2e::{Rig, wait};

/// What a lab claims.
pub(crate) const ACCURACY: Bound = Bound::from_millis(500);
/// What the cut of a genTime takes away, and what a clock may gain on the oscillator meanwhile.
const SLACK: Span = Span::from_millis(1);
/// How long clients keep asking once all of them are refused.
const AFTERWARDS: Bound = Bound::from_millis(1_000);

/// What came of one fault.
pub(crate) struct Outcome {
    /// How many tokens were sampled after it for certain.
    pub(crate) sampled_after: usize,
    /// When the last token was sampled, in nanoseconds after the fault; `None` if before it.
    pub(crate) last_sample_ns: Option<i64>,
    /// When the last token reached its client, if after the fault.
    pub(crate) last_release_ns: Option<i64>,
}

/// How a token tells when it was sampled.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Clock {
    /// By its genTime.
    True,
    /// Not at all, if the clock is wrong: what was asked for after the fault was sampled after it.
    Wrong,
}

/// Puts `fault` on a pair under load, and looks at its tokens until all clients are refused. The
/// fault answers from when on it was in force.
pub(crate) fn strike(
    mut rig: Rig,
    clock: Clock,
    fault: impl FnOnce(&mut Rig) -> Timestamp<Utc>,
) -> Outcome {
    let load = Load::start(rig.client_address(), 4, Duration::from_millis(2));
    let flows = now();
    rig.eventually("tokens flow", || match load.count(flows, |a| a.token().is_some()) {
        200.. => Ok(()),
        tokens => Err(format!("{tokens} tokens")),
    });
    let struck = fault(&mut rig);
    rig.eventually("everybody is refused", || {
        let recent = load.count(struck, |answer| answer.token().is_none());
        if recent > 0 && !rig.is_ready() { Ok(()) } else { Err("tokens flow".to_owned()) }
    });
    wait::during(AFTERWARDS, || thread::sleep(Duration::from_millis(10)));
    let answers = load.finish();
    load::assert_sound(&answers, ACCURACY);
    outcome(&answers, struck, clock)
}

fn outcome(answers: &[Answer], struck: Timestamp<Utc>, clock: Clock) -> Outcome {
    let tokens = answers.iter().filter_map(|answer| Some((answer, answer.token()?)));
    // In nanoseconds after the fault; the latest instant that it can have been, by what is known.
    let sampled = |(answer, token): (&Answer, &chronolease_e2e::tsp::Token)| match clock {
        Clock::True => (token.gen_time - struck).as_nanos(),
        Clock::Wrong => (answer.sent - struck).as_nanos(),
    };
    let after: Vec<i64> = tokens.clone().map(sampled).filter(|ns| *ns > SLACK.as_nanos()).collect();
    let released = tokens.map(|(answer, _)| (answer.received - struck).as_nanos());
    Outcome {
        sampled_after: after.len(),
        last_sample_ns: after.into_iter().max(),
        last_release_ns: released.max().filter(|ns| *ns > 0),
    }
}
