//! The watchdog over the core loop: what the service manager is told, and what ends a process whose
//! loop stands still.
//!
//! Both rest on the loop's own turns, never on a timer: a loop that hangs says nothing. The protocol
//! of the notifications is that of sd_notify(3).

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use chronolease_core::time::{Bound, RawInstant};
use tracing::error;

use crate::config::Section;
use crate::observe::Health;

/// How often the detector looks within the limit.
const LOOKS: u32 = 10;

/// How long a process that ends may take for its last act.
const LAST_ACT: Duration = Duration::from_secs(2);

/// Reads `watchdog.stall_max`: how long the core loop may stand still before the process ends
/// itself, 10 s unless it says otherwise.
#[must_use]
pub fn read_stall_max(root: &Section<'_>) -> Option<Bound> {
    let section = root.section("watchdog");
    let limit = section.duration_or("stall_max", Bound::from_millis(10_000));
    if limit.is_some_and(|limit| limit < Bound::from_millis(1_000)) {
        section.error("stall_max", "a busy machine pauses a process now and then; at least 1s");
    }
    limit
}

/// Tells the service manager. Without one it tells nobody.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that the loop goes round; `None` for never.
    every: Option<Bound>,
    last: AtomicI64,
}

impl Notifier {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    #[must_use]
    pub fn from_env() -> Self {
        let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let mine = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let timeout_us = number("WATCHDOG_USEC").filter(|_| mine);
        Self::new(env::var_os("NOTIFY_SOCKET"), timeout_us).unwrap_or_else(|failure| {
            error!(%failure, "the service manager cannot be told anything");
            Self { socket: None, every: None, last: AtomicI64::new(i64::MIN) }
        })
    }

    /// Tells the socket at `address`, an abstract one when it begins with `@`. Half of the service
    /// manager's timeout is the longest time between two notifications.
    ///
    /// # Errors
    /// When the socket cannot be had.
    pub fn new(address: Option<OsString>, timeout_us: Option<u64>) -> io::Result<Self> {
        let socket = address.map(|address| {
            let address = match address.as_bytes().strip_prefix(b"@") {
                Some(name) => SocketAddr::from_abstract_name(name)?,
                None => SocketAddr::from_pathname(&address)?,
            };
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&address)?;
            // The loop waits for nobody.
            socket.set_nonblocking(true)?;
            Ok::<_, io::Error>(socket)
        });
        let every = timeout_us.map(|us| Bound::from_nanos(us.saturating_mul(1_000) / 2));
        Ok(Self { socket: socket.transpose()?, every, last: AtomicI64::new(i64::MIN) })
    }

    /// The daemon does its work from here on.
    pub fn ready(&self) {
        self.tell(b"READY=1");
    }

    /// The daemon was asked to stop.
    pub fn stopping(&self) {
        self.tell(b"STOPPING=1");
    }

    /// The loop came round at `now`.
    pub fn turned(&self, now: RawInstant) {
        let Some(every) = self.every else { return };
        let last = self.last.load(Ordering::Relaxed);
        if last == i64::MIN || (now - RawInstant::from_nanos(last)) >= every.as_span() {
            self.last.store(now.as_nanos(), Ordering::Relaxed);
            self.tell(b"WATCHDOG=1");
        }
    }

    fn tell(&self, what: &[u8]) {
        if let Some(socket) = &self.socket {
            // One that is not heard comes again.
            let _ = socket.send(what);
        }
    }
}

/// Watches the turns of a loop until it is dropped.
#[derive(Debug)]
pub struct StallDetector {
    _stop: mpsc::Sender<()>,
}

impl StallDetector {
    /// Calls `stalled` on a thread of its own when the loop behind `health` made no turn for
    /// `limit`. The limit is counted in looks: a process that was stopped as a whole and goes on is
    /// not stalled.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(
        health: &Health,
        limit: Bound,
        stalled: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let (health, pace) = (health.clone(), Duration::from_nanos(limit.as_nanos()) / LOOKS);
        thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            let (mut last, mut same) = (health.turns(), 0);
            while stopped.recv_timeout(pace) == Err(RecvTimeoutError::Timeout) {
                let turns = health.turns();
                same = if turns == last { same + 1 } else { 0 };
                last = turns;
                if same >= LOOKS {
                    return stalled();
                }
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

/// Ends the process for a stalled loop, after `last_act`, which gets two seconds: it may hang too.
pub fn abort(last_act: impl FnOnce() + Send + 'static) -> ! {
    error!("the core loop stands still: this process ends itself");
    let (done, waited) = mpsc::channel();
    let act = move || {
        last_act();
        let _ = done.send(());
    };
    if thread::Builder::new().name("last act".to_owned()).spawn(act).is_ok() {
        let _ = waited.recv_timeout(LAST_ACT);
    }
    std::process::abort()
}

#[cfg(test)]
mod tests;
