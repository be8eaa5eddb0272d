//! What a client can hold of a TSU, and that the TSU lets go of it.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use chronolease_e2e::Rig;
use chronolease_e2e::http::Client;
use chronolease_e2e::tsp::{self, Outcome};
use rasn::types::ObjectIdentifier;

use super::framing::head;
use super::{connect, good};

const CONNECTIONS: usize = 4;
/// How many requests each connection sends at once, and how many such bursts there are: in all
/// 100,000 requests.
const BURST: usize = 50;
const BURSTS: usize = 500;
/// After so many bursts a client connects anew.
const BURSTS_OF_A_CONNECTION: usize = 20;

/// How many threads the runtime may have started meanwhile for work that blocks. They go when idle.
const POOL: usize = 4;

/// Connections that are kept to see whether it shows. A scrape more or less is in each count too.
const KEPT: usize = 4;

/// What the TSU's process holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Held {
    descriptors: usize,
    threads: usize,
    tasks: f64,
}

impl Held {
    /// Waits until it stays as it is: a scrape is a connection and a task of its own.
    pub(crate) fn by(rig: &Rig) -> Self {
        let mut last = Self::now(rig);
        rig.eventually("the TSU is at rest", || {
            let now = Self::now(rig);
            if now == last {
                return Ok(());
            }
            last = now;
            Err(format!("{last:?}"))
        });
        last
    }

    pub(crate) fn is_held_again(&self, rig: &Rig) {
        rig.eventually(&format!("the TSU holds no more than {self:?}"), || {
            self.bounds(rig).map_err(|now| format!("{now:?}"))
        });
    }

    /// The negative control of [`Self::is_held_again`]: it sees a few connections that are kept, and
    /// as many descriptors, threads or tasks more than there may be.
    pub(crate) fn tells_what_is_kept(&self, rig: &Rig) {
        let kept = [(); KEPT].map(|()| {
            let mut client = connect(rig);
            let response = client.request("GET", "/policy", &[], None).expect("an answer");
            assert_eq!((response.status, response.header("connection")), (200, None));
            client
        });
        // The tasks are counted now and then.
        let seen = rig.eventually("connections that are kept show", || {
            let now = Self::now(rig);
            let show = now.descriptors > self.descriptors && now.tasks > self.tasks;
            if show { Ok(now) } else { Err(format!("{now:?} after {self:?}")) }
        });
        assert!(self.bounds(rig).is_err(), "{self:?} bounds {seen:?}");
        drop(kept);
        self.is_held_again(rig);

        let now = Self::by(rig);
        let fewer = [
            Self { descriptors: now.descriptors - KEPT, ..now },
            Self { threads: now.threads.saturating_sub(POOL + KEPT), ..now },
            Self { tasks: now.tasks - KEPT as f64, ..now },
        ];
        for before in fewer {
            assert!(before.bounds(rig).is_err(), "{before:?} bounds {now:?}");
        }
    }

    /// Whether the TSU holds no more than this; what it holds if it does.
    fn bounds(&self, rig: &Rig) -> Result<(), Self> {
        let now = Self::now(rig);
        let more = now.descriptors > self.descriptors
            || now.threads > self.threads + POOL
            || now.tasks.total_cmp(&self.tasks).is_gt();
        if more { Err(now) } else { Ok(()) }
    }

    fn now(rig: &Rig) -> Self {
        let count = |what: &str| {
            let folder = format!("/proc/{}/{what}", rig.tsu.pid());
            fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder}: {e}")).count()
        };
        let tasks = rig.tsu_metrics().get("chronolease_tsu_tasks", &[]).expect("it is shown");
        Self { descriptors: count("fd"), threads: count("task"), tasks }
    }
}

/// Clients that begin and do not go on.
pub(crate) struct SlowSenders {
    head: Vec<Client>,
    body: Vec<Client>,
}

pub(crate) fn slow_senders(rig: &Rig) -> SlowSenders {
    let begun = |bytes: &[u8]| {
        let mut client = connect(rig);
        client.send(bytes).expect("it listens");
        client
    };
    let body = format!("{}Content-Length: 40\r\n\r\n0", head());
    let heads = ["", "POST", "POST / HTTP/1.1\r\nHost:", &head()];
    SlowSenders {
        head: heads.map(|bytes| begun(bytes.as_bytes())).into(),
        body: vec![begun(body.as_bytes())],
    }
}

impl SlowSenders {
    /// Each waits for the end of its connection.
    pub(crate) fn are_cut_off(self) {
        for mut client in self.head {
            client.read_end().expect("a head that does not end ends the connection");
        }
        for mut client in self.body {
            let response = client.response().expect("a body that does not end is told so");
            assert_eq!(response.status, 408, "{}", response.text());
            client.read_end().expect("and ends the connection");
        }
    }
}

/// One of each kind: its bytes, its status, and what a status of 200 must say.
type Kind = (Vec<u8>, u16, Expected);

#[derive(Clone, Copy)]
enum Expected {
    Nothing,
    Token,
    Rejection(usize),
}

fn kinds() -> Vec<Kind> {
    let post = |body: &[u8]| {
        [format!("{}Content-Length: {}\r\n\r\n", head(), body.len()).as_bytes(), body].concat()
    };
    let mut sha_224 = tsp::request(b"hello");
    let arcs = vec![2, 16, 840, 1, 101, 3, 4, 2, 4];
    sha_224.message_imprint.hash_algorithm.algorithm =
        ObjectIdentifier::new(arcs).expect("an object identifier");
    let mut truncated = good();
    truncated.truncate(20);
    vec![
        (post(&good()), 200, Expected::Token),
        (post(&[]), 200, Expected::Rejection(5)),
        (post(&truncated), 200, Expected::Rejection(5)),
        (b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), 405, Expected::Nothing),
        (post(&vec![0xff; 2_000]), 200, Expected::Rejection(5)),
        (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), 404, Expected::Nothing),
        (b"GET /policy HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), 200, Expected::Nothing),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), 415, Expected::Nothing),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), 200, Expected::Nothing),
        (post(&tsp::encode(&sha_224)), 200, Expected::Rejection(0)),
    ]
}

pub(crate) fn a_hundred_thousand_requests_are_answered(rig: &Rig) {
    let (kinds, granted) = (&kinds(), &AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for first in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut client = connect(rig);
                for burst in 0..BURSTS {
                    if burst % BURSTS_OF_A_CONNECTION == BURSTS_OF_A_CONNECTION - 1 {
                        // What it asked last it never waits for.
                        client.send(&kinds[0].0).expect("it listens");
                        client = connect(rig);
                    }
                    let tokens = answered(&mut client, kinds, first + burst);
                    granted.fetch_add(tokens, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(granted.load(Ordering::Relaxed) > 0, "no token in all that time");
}

/// Sends a burst of all kinds, beginning with number `first`, and reads all answers. How many were
/// tokens.
fn answered(client: &mut Client, kinds: &[Kind], first: usize) -> usize {
    let mut tokens = 0;
    let burst: Vec<&Kind> = (0..BURST).map(|n| &kinds[(first + n) % kinds.len()]).collect();
    let bytes: Vec<&[u8]> = burst.iter().map(|(bytes, ..)| &bytes[..]).collect();
    client.send(&bytes.concat()).expect("it listens");
    for (bytes, status, expected) in burst {
        let asked = String::from_utf8_lossy(bytes);
        let response = client.response().unwrap_or_else(|e| panic!("{asked}: {e}"));
        assert_eq!(response.status, *status, "{asked}");
        match expected {
            Expected::Nothing => {}
            Expected::Token => match tsp::outcome(&response) {
                Outcome::Token(_) => tokens += 1,
                // A machine that is busy with other things cannot always prove its time.
                Outcome::Rejected(tsp::TIME_NOT_AVAILABLE) => {}
                other => panic!("{other:?}"),
            },
            Expected::Rejection(bit) => {
                let outcome = tsp::outcome(&response);
                assert!(matches!(outcome, Outcome::Rejected(b) if b == *bit), "{outcome:?}");
            }
        }
    }
    tokens
}
