//! Clients that keep asking, and what they were told: every token is checked against the clock of
//! this machine, which nobody fakes.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chronolease_core::time::{Bound, Timestamp, Utc};
use chronolease_sys::Clocks;

use crate::tsp::{Answer, Client, Token};

/// Clients that ask until this is dropped.
#[derive(Debug)]
pub struct Load {
    answers: Arc<Mutex<Vec<Answer>>>,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

/// The time by this machine's own clock.
#[must_use]
pub fn now() -> Timestamp<Utc> {
    Clocks::open().expect("this box has clocks").real()
}

impl Load {
    /// `clients` of the TSU at `address`, each on a connection of its own. Each waits for `pause`
    /// from an answer to its next request.
    #[must_use]
    pub fn start(address: SocketAddr, clients: usize, pause: Duration) -> Self {
        let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let client = |_| {
            let (answers, stop) = (Arc::clone(&answers), Arc::clone(&stop));
            thread::spawn(move || {
                let mut client = Client::new(address);
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.ask();
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
                    thread::sleep(pause);
                }
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { answers, stop, clients }
    }

    /// All answers so far, in the order in which they came.
    #[must_use]
    pub fn answers(&self) -> Vec<Answer> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many answers to requests sent after `since` are as `wanted` says.
    pub fn count(&self, since: Timestamp<Utc>, wanted: impl Fn(&Answer) -> bool) -> usize {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers
            .iter()
            .rev()
            .take_while(|a| a.received > since)
            .filter(|a| a.sent > since && wanted(a))
            .count()
    }

    /// Ends the clients and answers what they were told.
    #[must_use]
    pub fn finish(mut self) -> Vec<Answer> {
        self.end();
        self.answers()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.join().expect("a client panicked: see above");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            // It may be what made the test panic.
            let _ = client.join();
        }
    }
}

/// The first answer that breaks P1: its token is off by more than `accuracy` from every instant
/// between sending and receiving.
#[must_use]
pub fn wrong(answers: &[Answer], accuracy: Bound) -> Option<&Answer> {
    answers.iter().find(|answer| answer.off_by().is_some_and(|off| off > accuracy))
}

/// Panics when a token breaks P1, or two tokens share a serial number (P3). Answers the tokens.
pub fn assert_sound(answers: &[Answer], accuracy: Bound) -> Vec<Token> {
    let wrong = wrong(answers, accuracy);
    assert!(
        wrong.is_none(),
        "a wrong token, off by {:?}: {wrong:?}",
        wrong.and_then(Answer::off_by)
    );
    let tokens: Vec<Token> = answers.iter().filter_map(Answer::token).cloned().collect();
    let serials: HashSet<String> = tokens.iter().map(|t| t.serial.to_string()).collect();
    assert_eq!(serials.len(), tokens.len(), "a serial number repeats");
    tokens
}
