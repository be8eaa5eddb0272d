//! What a client keeps between polls: keys, cookies, and when it may ask for new ones.

use chronolease_core::time::{Bound, RawInstant};

use super::cookie::{Cookie, Jar};
use super::exchange::{Fresh, Pending, request};
use super::seal::Keys;

/// The least time from one key exchange to the next, unless the keys have proven good.
pub const RETRY_FIRST: Bound = Bound::from_millis(10_000);

/// How long a source is left alone that said, and proved, that it will not serve us (RFC 5905 7.4).
const DENIED: Bound = Bound::from_millis(3_600_000);

/// What a key exchange gave.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// The keys.
    pub keys: Keys,
    /// The cookies.
    pub jar: Jar,
    /// Where to ask for the time: `host:port`.
    pub server: String,
}

/// Why a key exchange gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was nobody to talk to: no connection, or it was silent.
    Unreachable,
    /// Somebody was there and was not to be trusted or understood.
    Refused,
}

impl Failure {
    /// The longest wait after it. A network that was away is no reason to stay away for long.
    const fn wait_max(self) -> Bound {
        match self {
            Self::Unreachable => Bound::from_millis(64_000),
            Self::Refused => Bound::from_millis(3_600_000),
        }
    }
}

/// What a poll begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A key exchange.
    Exchange,
    /// A request: there is a cookie to spend.
    Ask,
    /// Nothing: there are no keys, and it is too early to ask for some again.
    Wait,
    /// Nothing: the source wants to be left alone.
    Denied,
}

/// The state of one source's client. Pure: what happened and what time it is come in.
///
/// There is no way from here to an unsealed request.
#[derive(Debug)]
pub struct Client {
    retry_first: Bound,
    keyed: Option<Keyed>,
    /// The server does not open our cookies any more.
    renew: bool,
    /// Key exchanges since the last good answer.
    attempts: u32,
    earliest: Option<RawInstant>,
    failure: Option<Failure>,
    denied_until: Option<RawInstant>,
}

impl Client {
    /// Without keys; `retry_first` is [`RETRY_FIRST`] anywhere but in tests.
    #[must_use]
    pub const fn new(retry_first: Bound) -> Self {
        Self {
            retry_first,
            keyed: None,
            renew: false,
            attempts: 0,
            earliest: None,
            failure: None,
            denied_until: None,
        }
    }

    /// What a poll at `now` begins with. After a key exchange, ask again.
    #[must_use]
    pub fn next(&self, now: RawInstant) -> Next {
        if self.denied_until.is_some_and(|until| now < until) {
            return Next::Denied;
        }
        let can_ask = self.keyed.as_ref().is_some_and(|keyed| !keyed.jar.is_empty());
        let may_exchange = self.earliest.is_none_or(|earliest| now >= earliest);
        match (can_ask, may_exchange) {
            (false, true) => Next::Exchange,
            (true, true) if self.renew => Next::Exchange,
            (true, _) => Next::Ask,
            (false, false) => Next::Wait,
        }
    }

    /// A key exchange that began at `began` is over. New keys replace the old ones; a failure leaves
    /// them (RFC 8915 5.7). `dice` spreads clients that failed together.
    pub fn exchanged(&mut self, began: RawInstant, result: Result<Keyed, Failure>, dice: u8) {
        self.attempts = self.attempts.saturating_add(1);
        self.failure = result.as_ref().err().copied();
        let most = self.failure.unwrap_or(Failure::Refused).wait_max();
        self.earliest = Some(began.plus(wait(self.retry_first, self.attempts, most, dice)));
        if let Ok(keyed) = result {
            self.keyed = Some(keyed);
            self.renew = false;
        }
    }

    /// A request and where it goes, if there is a cookie. The cookie is spent, answered or not. It
    /// asks for as many as the jar has room for.
    pub fn ask(&mut self, fresh: &Fresh) -> Option<(Vec<u8>, Pending, String)> {
        let keyed = self.keyed.as_mut()?;
        let cookie = keyed.jar.take()?;
        let more = keyed.jar.room_for_more();
        let (bytes, pending) = request(&keyed.keys, &cookie, more, fresh);
        Some((bytes, pending, keyed.server.clone()))
    }

    /// A proven answer came, with these cookies.
    pub fn answered(&mut self, cookies: Vec<Cookie>) {
        if let Some(keyed) = &mut self.keyed {
            keyed.jar.fill(cookies);
        }
        self.attempts = 0;
        self.renew = false;
    }

    /// The server said that it cannot open our cookie, and no proven answer came.
    pub const fn rejected(&mut self) {
        self.renew = true;
    }

    /// The source said, and proved, that it will not serve us: it is left alone for an hour, and then
    /// has to give new keys.
    pub fn denied(&mut self, now: RawInstant) {
        self.forget();
        self.denied_until = Some(now.plus(DENIED));
    }

    /// Drops keys and cookies: their server is not to be believed any more.
    pub fn forget(&mut self) {
        self.keyed = None;
        self.renew = false;
    }

    /// Why the last key exchange failed, if it did.
    #[must_use]
    pub const fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// How many cookies are left.
    #[must_use]
    pub fn cookies(&self) -> usize {
        self.keyed.as_ref().map_or(0, |keyed| keyed.jar.len())
    }
}

/// The first wait, half as much again for each further attempt, up to `most`, and up to half of that
/// on top by `dice`.
fn wait(first: Bound, attempts: u32, most: Bound, dice: u8) -> Bound {
    let mut ns = first.min(most).as_nanos();
    for _ in 1..attempts.min(64) {
        ns = ns.saturating_add(ns / 2).min(most.as_nanos());
    }
    Bound::from_nanos(ns.saturating_add(ns / 512 * u64::from(dice)))
}

#[cfg(test)]
mod tests;
