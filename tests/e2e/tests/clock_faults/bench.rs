//! A rig whose TSU lives by a fake clock, and its clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chronolease_core::time::{Bound, Span, Timestamp, Utc};
use chronolease_e2e::{Options, Programs, Rig};
use chronolease_lab::Accuracy;
use chronolease_sys::Clocks;

use crate::fake_clock::{self, FakeClock};
use crate::ledger::{Exchange, Ledger, Stepped};

/// How many clients ask, each on a connection of its own, and how long each waits from an answer
/// to its next request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// How many.
    pub(crate) clients: usize,
    /// How long each waits.
    pub(crate) pause: Duration,
}

/// Two boxes and their time sources, of which the TSU alone lives by a fake clock.
#[derive(Debug)]
pub(crate) struct Bench {
    /// The boxes.
    pub(crate) rig: Rig,
    /// The TSU's clock.
    pub(crate) clock: Arc<FakeClock>,
    /// What the clients were told.
    pub(crate) ledger: Ledger,
    accuracy: Bound,
    truth: Clocks,
}

impl Bench {
    /// Boxes that hold their first lease and have issued nothing yet.
    pub(crate) fn start(programs: Programs, accuracy: Accuracy) -> Self {
        Self::with(Options { programs, accuracy, ..Options::default() })
    }

    /// Boxes without guard and verdict, whose monitor asks the public endpoint.
    pub(crate) fn watched(accuracy: Accuracy) -> Self {
        let programs = Programs::NegativeControl;
        let often = "[end_to_end]\ninterval = \"200ms\"\ntimeout = \"200ms\"\n";
        let monitor_overlay = Some(often.to_owned());
        Self::with(Options {
            programs,
            accuracy,
            monitor_overlay,
            end_to_end: true,
            ..Options::default()
        })
    }

    fn with(options: Options) -> Self {
        let clock = Arc::new(FakeClock::new());
        let tsu_env = clock.environment();
        let accuracy = options.accuracy;
        let rig = Rig::with_lease(&Options { tsu_env, ..options });
        fake_clock::sweep(rig.tsu.pid());
        Self {
            rig,
            clock,
            ledger: Ledger::default(),
            accuracy: accuracy.bound(),
            truth: Clocks::open().expect("this box has clocks"),
        }
    }

    /// The time by this machine's own clock, which nobody fakes.
    pub(crate) fn now(&self) -> Timestamp<Utc> {
        self.truth.real()
    }

    /// Keeps clients asking while `drive` runs.
    pub(crate) fn under_load<T>(&self, load: Load, drive: impl FnOnce() -> T) -> T {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            // Ends the clients however `drive` ends, or the scope would wait for them for ever.
            let _ending = Ending(&stop);
            for _ in 0..load.clients {
                scope.spawn(|| {
                    let mut client = self.rig.client();
                    while !stop.load(Ordering::Relaxed) {
                        self.ledger.add(Exchange::from(client.ask()));
                        thread::sleep(load.pause);
                    }
                });
            }
            drive()
        })
    }

    /// Waits for `count` tokens to requests sent after `since`.
    pub(crate) fn await_tokens(&self, count: usize, since: Timestamp<Utc>) -> usize {
        self.rig.eventually("tokens are issued", || match self.ledger.tokens_since(since) {
            tokens if tokens >= count => Ok(tokens),
            tokens => Err(format!("{tokens} of {count}")),
        })
    }

    /// Waits until a request sent after `since` is refused for want of time.
    pub(crate) fn await_refusal(&self, since: Timestamp<Utc>) {
        self.rig.eventually("the lease ends", || match self.ledger.refusals_since(since) {
            0 => Err("no request is refused".to_owned()),
            _ => Ok(()),
        });
    }

    /// Waits for a token that is wrong by more than the accuracy it claims, and answers its error.
    pub(crate) fn await_wrong_token(&self) -> Span {
        self.rig.eventually("a wrong token is issued", || {
            let wrong = self.ledger.error_beyond(self.accuracy);
            wrong.ok_or_else(|| self.ledger.tally().to_string())
        })
    }

    /// How many leases ended because the TSU's own guard found the clock out.
    pub(crate) fn endings_by_guard(&self) -> usize {
        self.rig.endings("step") as usize
    }

    /// Panics when a token was off by more than `limit` or by more than the accuracy it claims, or
    /// was made while the clock was stepped away, or when something else went wrong.
    pub(crate) fn must_be_sound(&self, limit: Bound, stepped: &[Stepped]) {
        let faults = self.ledger.faults(limit.min(self.accuracy), stepped);
        assert!(
            faults.is_empty(),
            "{} faults, the first ones: {:#?}\n{}{}",
            faults.len(),
            &faults[..faults.len().min(5)],
            self.rig.tsu.tail(),
            self.rig.monitor.tail(),
        );
    }
}

struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
