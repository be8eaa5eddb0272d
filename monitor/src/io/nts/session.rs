//! One source under NTS: when keys are exchanged, what is asked with them, what is believed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chronolease_core::time::{Bound, RawInstant, Timestamp, Utc};
use chronolease_net::random;
use chronolease_sys::Clocks;
use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::key_exchange;
use super::trust::{Chain, Trust};
use crate::core::ntp::exchange::{Kiss, Refused, SourceSample};
use crate::core::ntp::packet::NtpTimestamp;
use crate::core::nts::client::{Client, Failure, Next};
use crate::core::nts::cookie::Cookie;
use crate::core::nts::exchange::{Fresh, Outcome, Pending};
use crate::core::nts::known::{KnownUtc, When};
use crate::core::sources::PollResult;
use crate::io::metrics::NtsMetrics;
use crate::io::ntp::{Target, converse};

/// How long a key exchange may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longer than any request that we send, and so than any answer.
const DATAGRAM_ROOM: usize = 2_048;

/// What it takes to ask a source under NTS.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who may vouch for it.
    pub trust: Arc<Trust>,
    /// UTC as it was fused last, or `None` before, and after a break.
    pub utc: watch::Receiver<Option<KnownUtc>>,
    /// What is counted.
    pub metrics: NtsMetrics,
    /// [`RETRY_FIRST`](crate::core::nts::client::RETRY_FIRST) anywhere but in tests.
    pub retry_first: Bound,
    /// How long a key exchange may take; five seconds anywhere but in tests.
    pub patience: Duration,
}

impl Setup {
    /// As it is anywhere but in tests.
    #[must_use]
    pub const fn new(
        trust: Arc<Trust>,
        utc: watch::Receiver<Option<KnownUtc>>,
        metrics: NtsMetrics,
    ) -> Self {
        let retry_first = crate::core::nts::client::RETRY_FIRST;
        Self { trust, utc, metrics, retry_first, patience: PATIENCE }
    }
}

/// What is kept of a source between polls.
#[derive(Debug)]
pub(crate) struct Session {
    setup: Setup,
    client: Client,
    /// What the server of the present keys showed, and whether its dates were judged.
    chain: Option<(Chain, bool)>,
}

impl Session {
    pub(crate) fn new(setup: Setup) -> Self {
        let client = Client::new(setup.retry_first);
        Self { setup, client, chain: None }
    }

    /// Asks once, with new keys before it where they are due.
    pub(crate) async fn poll(
        &mut self,
        target: &Target,
        clocks: Clocks,
        pivot: Timestamp<Utc>,
    ) -> PollResult {
        let result = match self.judge_certificate(target, clocks.raw()) {
            Ok(()) => {
                if self.client.next(clocks.raw()) == Next::Exchange {
                    self.exchange_keys(target, clocks).await;
                }
                self.ask(target, clocks, pivot).await
            }
            Err(refused) => PollResult::Refused(refused),
        };
        self.setup.metrics.cookies(&target.name, self.client.cookies());
        debug!(source = target.name, ?result, "polled");
        result
    }

    /// Ends as soon as UTC is known and the certificate's dates were not judged yet.
    pub(crate) async fn certificate_is_due(&mut self) {
        if self.chain.as_ref().is_some_and(|(_, judged)| !judged)
            && self.setup.utc.wait_for(Option::is_some).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    fn when(&self, now: RawInstant) -> When {
        When::of(self.setup.utc.borrow().as_ref(), now)
    }

    /// Whether the certificate of the present keys is valid, as far as that can be told.
    fn judge_certificate(&mut self, target: &Target, now: RawInstant) -> Result<(), Refused> {
        let when = self.when(now);
        let Some((chain, judged)) = &mut self.chain else { return Ok(()) };
        *judged = matches!(when, When::Within(..));
        if !*judged {
            return Ok(());
        }
        let Err(why) = self.setup.trust.judge(chain, when) else { return Ok(()) };
        warn!(source = target.name, %why, "its certificate is not valid at the fused time");
        self.client.forget();
        self.chain = None;
        Err(Refused::Certificate)
    }

    async fn exchange_keys(&mut self, target: &Target, clocks: Clocks) {
        let began = clocks.raw();
        let when = self.when(began);
        let Setup { trust, metrics, patience, .. } = &self.setup;
        let exchanged = match trust.client(when) {
            Ok(tls) => key_exchange::exchange(&target.address, tls, *patience).await,
            Err(why) => Err(io::Error::other(why).into()),
        };
        let keyed = match exchanged {
            Ok((keyed, chain)) => {
                metrics.key_exchange(&target.name, "ok");
                let judged = matches!(when, When::Within(..));
                info!(source = target.name, server = keyed.server, judged, "new NTS keys");
                self.chain = Some((chain, judged));
                Ok(keyed)
            }
            Err(why) => {
                metrics.key_exchange(&target.name, why.label());
                warn!(source = target.name, %why, "no NTS keys");
                Err(why.failure())
            }
        };
        let [dice] = random::bytes();
        self.client.exchanged(began, keyed, dice);
    }

    async fn ask(&mut self, target: &Target, clocks: Clocks, pivot: Timestamp<Utc>) -> PollResult {
        if self.client.next(clocks.raw()) == Next::Denied {
            return PollResult::Refused(Refused::Kiss(Kiss::Deny));
        }
        let Some((request, pending, server)) = self.client.ask(&fresh()) else {
            return match self.client.failure() {
                Some(Failure::Refused) => PollResult::Refused(Refused::KeyExchange),
                Some(Failure::Unreachable) | None => PollResult::Failed("no NTS keys".to_owned()),
            };
        };
        let mut rejected = false;
        let asking = self.answer(target, clocks, pivot, &server, &request, &pending, &mut rejected);
        let answered = timeout(target.timeout, asking).await;
        let metrics = &self.setup.metrics;
        if rejected {
            metrics.rejected(&target.name);
        }
        let (cookies, result) = match answered {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => {
                return self.unanswered(rejected, PollResult::Failed(error.to_string()));
            }
            Err(_elapsed) => return self.unanswered(rejected, PollResult::NoAnswer),
        };
        self.client.answered(cookies);
        match result {
            Ok(sample) => PollResult::Sample(sample),
            Err(refused) => {
                if matches!(refused, Refused::Kiss(Kiss::Deny | Kiss::Restrict)) {
                    warn!(source = target.name, %refused, "it is not asked for an hour");
                    self.client.denied(clocks.raw());
                }
                PollResult::Refused(refused)
            }
        }
    }

    fn unanswered(&mut self, rejected: bool, result: PollResult) -> PollResult {
        if rejected {
            self.client.rejected();
        }
        result
    }

    /// Waits for a proven answer, and passes over everything else.
    #[expect(clippy::too_many_arguments, reason = "one exchange: what is asked, of whom, by when")]
    async fn answer(
        &self,
        target: &Target,
        clocks: Clocks,
        pivot: Timestamp<Utc>,
        server: &str,
        request: &[u8],
        pending: &Pending,
        rejected: &mut bool,
    ) -> io::Result<(Vec<Cookie>, Result<SourceSample, Refused>)> {
        let server = lookup_host(server).await?.next();
        let server = server.ok_or_else(|| io::Error::other("the name has no address"))?;
        let mut room = [0; DATAGRAM_ROOM];
        converse(target, server, clocks, request, &mut room, |sent, datagram, received| {
            match pending.complete(sent, datagram, received, &target.caps, pivot) {
                Outcome::Answered { cookies, result } => Some((cookies, result)),
                Outcome::Nak => {
                    *rejected = true;
                    None
                }
                Outcome::Ignored(why) => {
                    self.setup.metrics.ignored(&target.name, why);
                    debug!(source = target.name, reason = why.label(), "not an answer");
                    None
                }
            }
        })
        .await
    }
}

fn fresh() -> Fresh {
    let nonce = NtpTimestamp::from_bits(u64::from_be_bytes(random::bytes()));
    Fresh { nonce, identifier: random::bytes(), seal: random::bytes() }
}

#[cfg(test)]
mod tests;
