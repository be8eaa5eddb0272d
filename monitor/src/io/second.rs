//! The second opinion on plain sources: each is asked by `rsntp` too, which others wrote from the
//! same RFC. At commissioning by hand, in service at a slow pace. It checks this program, not the
//! time: nothing that `rsntp` says ever becomes a sample.

use std::net::SocketAddr;
use std::time::Duration;

use chronolease_core::time::{Ppb, Span, Timestamp, Utc};
use chronolease_sys::Clocks;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::engine::Input;
use super::ntp::{self, Target};
use super::nts::Session;
use crate::core::ntp::comparison::{Comparison, SecondOpinion};
use crate::core::sources::PollResult;
use crate::io::addresses::Addresses;

/// What came of asking one source twice.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whom, once the name was looked up.
    pub server: Option<SocketAddr>,
    /// What this program's own client made of it.
    pub ours: PollResult,
    /// What `rsntp` made of it, or said.
    pub theirs: Result<SecondOpinion, String>,
    /// Both, when both have something to say.
    pub comparison: Option<Comparison>,
}

/// What all checks need to know.
#[derive(Clone, Debug)]
pub struct Checks {
    /// The clocks of this box.
    pub clocks: Clocks,
    /// Settles the NTP era.
    pub pivot: Timestamp<Utc>,
    /// The oscillator error of this box.
    pub rho: Ppb,
}

impl Checks {
    /// Asks the same server by both clients, one right after the other. One under NTS is asked by
    /// ours alone, with keys of its own.
    pub async fn ask(&self, target: &Target, addresses: &mut Addresses) -> Asked {
        if let Some(setup) = &target.nts {
            let mut session = Session::new(setup.clone());
            let ours = session.poll(target, self.clocks, self.pivot).await;
            let theirs = Err("it is never asked in plain NTP".to_owned());
            return Asked { server: None, ours, theirs, comparison: None };
        }
        let before = self.clocks.sample();
        let ours = ntp::poll(target, addresses, self.clocks, self.pivot).await;
        let server = addresses.chosen();
        let theirs = match server {
            Some(server) => rsntp(server, target.timeout).await,
            None => Err("the name has no address".to_owned()),
        };
        let after = self.clocks.sample();
        let comparison = match (&ours, &theirs) {
            (PollResult::Sample(sample), Ok(second)) => {
                Some(Comparison::of(sample, *second, [&before, &after], self.rho))
            }
            _ => None,
        };
        Asked { server, ours, theirs, comparison }
    }

    /// Checks one plain source after the other, each once in `every`, until `stop`. A report names
    /// its source by the position in `targets`.
    pub async fn run(
        self,
        targets: Vec<Target>,
        every: Duration,
        reports: mpsc::Sender<Input>,
        stop: CancellationToken,
    ) {
        let mut targets: Vec<_> = targets
            .into_iter()
            .enumerate()
            .filter(|(_, target)| target.nts.is_none())
            .map(|(source, target)| (source, target, Addresses::default()))
            .collect();
        let count = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return;
        }
        let checking = async {
            loop {
                for (source, target, addresses) in &mut targets {
                    let source = *source;
                    sleep(every / count).await;
                    let asked = self.ask(target, addresses).await;
                    tracing::debug!(source = target.name, ?asked, "asked for a second opinion");
                    let comparison = asked.comparison;
                    if reports.send(Input::SecondOpinion { source, comparison }).await.is_err() {
                        return;
                    }
                }
            }
        };
        stop.run_until_cancelled(checking).await;
    }
}

async fn rsntp(server: SocketAddr, timeout: Duration) -> Result<SecondOpinion, String> {
    let asking = spawn_blocking(move || {
        let local: SocketAddr =
            if server.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        let config = rsntp::Config::default().bind_address(local).timeout(timeout);
        let result = rsntp::SntpClient::with_config(config).synchronize(server);
        let result = result.map_err(|error| error.to_string())?;
        let delay = nanos(result.round_trip_delay().as_secs_f64());
        if delay < Span::ZERO {
            return Err(format!("a negative delay of {delay}"));
        }
        let offset = nanos(result.clock_offset().as_secs_f64());
        Ok(SecondOpinion { offset, delay: delay.magnitude() })
    });
    asking.await.unwrap_or_else(|gone| Err(gone.to_string()))
}

/// The other implementation counts in floating point; nothing is judged by these figures.
fn nanos(seconds: f64) -> Span {
    Span::from_nanos((seconds * 1e9) as i64)
}

#[cfg(test)]
mod tests;
