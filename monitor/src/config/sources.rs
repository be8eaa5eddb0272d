//! `[sources]` and `[[source]]`: where UTC comes from.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use chronolease_core::fusion::Faults;
use chronolease_core::time::Bound;
use chronolease_net::config::Section;

use crate::core::ntp::exchange::Caps;
use crate::core::nts::KEY_EXCHANGE_PORT;
use crate::core::sources::Voters;
use crate::io::ntp::Target;
use crate::io::nts::Setup;

/// Public services that spread leap seconds over a day, by the ends of their names. They must not be
/// mixed with sources of UTC (RFC 8633 3.7.1).
const SMEARING: [&str; 8] = [
    "time.google.com",
    "time1.google.com",
    "time2.google.com",
    "time3.google.com",
    "time4.google.com",
    "time.android.com",
    "time.aws.com",
    "time.facebook.com",
];

/// Where UTC comes from.
#[derive(Clone, Debug)]
pub struct SourcesConfig {
    /// f: how many laboratories may lie.
    pub faults: Faults,
    /// From one poll of a source to the next.
    pub poll: Duration,
    /// How often each plain source is asked by the second implementation too.
    pub second_opinion: Duration,
    /// How long a poll may take.
    pub timeout: Duration,
    /// The age at which a sample is dropped.
    pub age_max: Bound,
    /// What is asked of every answer.
    pub caps: Caps,
    /// Which samples count.
    pub voters: Voters,
    /// The servers.
    pub servers: Vec<SourceConfig>,
}

/// One server.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Its name in metrics, logs and alarms.
    pub name: String,
    /// The laboratory it belongs to; one vote each.
    pub laboratory: String,
    /// `host:port`: of the server, or of its key exchange where it is asked under NTS.
    pub address: String,
    /// How it proves who it is, if it does.
    pub nts: Option<NtsConfig>,
}

/// How a server proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NtsConfig {
    /// The roots that may vouch for it and no others; the public ones when there are none.
    pub ca_files: Vec<PathBuf>,
}

impl SourcesConfig {
    pub(super) fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("sources");
        let faults = section.integer_or("faults", 0..=16, 1);
        let poll = section.duration_or("poll", Bound::from_millis(16_000));
        let second_opinion = section.duration_or("second_opinion", Bound::from_millis(3_600_000));
        let timeout = section.duration_or("timeout", Bound::from_millis(1_000));
        let four_polls = poll.map_or(Bound::MAX, |poll| poll.times(4));
        let age_max = section.duration_or("age_max", four_polls);
        let caps = caps(&section);
        let modes = [("mixed", Voters::All), ("required", Voters::Authenticated)];
        let voters = section.one_of_or("authenticated", &modes, Voters::Authenticated);
        let servers = servers(root);

        let (poll, timeout, age_max) = (poll?, timeout?, age_max?);
        if poll == Bound::ZERO {
            section.error("poll", "the sources cannot be polled without a pause");
        }
        let second_opinion = second_opinion?;
        if second_opinion < poll {
            section.error(
                "second_opinion",
                format!("more often than once a poll, which is every {poll}"),
            );
        }
        if timeout == Bound::ZERO {
            section.error("timeout", "no answer takes no time");
        }
        if timeout > poll {
            section.error(
                "timeout",
                format!("a poll may take {timeout}, but one starts every {poll}"),
            );
        }
        if age_max < poll {
            section.error(
                "age_max",
                format!("samples are dropped at {age_max}, before the next poll at {poll}"),
            );
        }
        let faults = Faults(usize::try_from(faults?).ok()?);
        let servers = servers?;
        let voters = voters?;
        check_groups(&section, &servers, faults, voters);
        Some(Self {
            faults,
            poll: duration(poll),
            second_opinion: duration(second_opinion),
            timeout: duration(timeout),
            age_max,
            caps: caps?,
            voters,
            servers,
        })
    }
}

impl SourcesConfig {
    /// The servers as they are asked, in the configured order. `nts` says what it takes to ask the
    /// server in that place under NTS.
    pub fn targets(
        &self,
        nts: impl Fn(usize) -> Option<Setup>,
    ) -> impl ExactSizeIterator<Item = Target> {
        self.servers.iter().enumerate().map(move |(place, server)| Target {
            name: server.name.clone(),
            address: server.address.clone(),
            caps: self.caps,
            poll: self.poll,
            timeout: self.timeout,
            nts: nts(place),
        })
    }

    /// The laboratories that vote and have a server that is asked in plain NTP.
    fn plain_voters(&self) -> BTreeSet<&str> {
        let plain = self.servers.iter().filter(|server| server.nts.is_none());
        let plain = plain.filter(|_| self.voters == Voters::All);
        plain.map(|server| server.laboratory.as_str()).collect()
    }

    /// Why a monitor of qualified TSUs may not rest on these, if so.
    pub(super) fn too_many_plain(&self) -> Option<String> {
        let (plain, faults) = (self.plain_voters(), self.faults.0);
        (plain.len() > faults).then(|| {
            format!(
                "monitor.qualified: at most f = {faults} laboratories that vote may be asked in \
                 plain NTP, these are {}: one attacker on the path may own all of them",
                plain.len()
            )
        })
    }

    /// What is allowed and should be known, in words.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let plain = self.plain_voters();
        if plain.is_empty() {
            return Vec::new();
        }
        let names: Vec<&str> = plain.iter().copied().collect();
        let (count, faults) = (plain.len(), self.faults.0);
        let follows = if count > faults {
            format!("more than the f = {faults} that may lie, so UTC is what that attacker says")
        } else {
            format!("no more than the f = {faults} that may lie")
        };
        vec![format!(
            "sources.authenticated = \"mixed\": one attacker on the path may own every laboratory \
             that is asked in plain NTP ({}), which is {count} at once, {follows}",
            names.join(", ")
        )]
    }
}

fn caps(section: &Section<'_>) -> Option<Caps> {
    let stratum_max = section.integer_or("stratum_max", 1..=15, 4);
    let root_distance_max = section.duration_or("root_distance_max", Bound::from_millis(50));
    let delay_max = section.duration_or("delay_max", Bound::from_millis(200));
    let reference_age_max = section.duration_or("reference_age_max", Bound::from_millis(3_600_000));
    Some(Caps {
        stratum_min: 1,
        stratum_max: u8::try_from(stratum_max?).ok()?,
        root_distance_max: root_distance_max?,
        delay_max: delay_max?,
        reference_age_max: reference_age_max?,
    })
}

fn servers(root: &Section<'_>) -> Option<Vec<SourceConfig>> {
    let mut names = BTreeSet::new();
    let what = "a name of a-z, 0-9, \"-\" and \"_\"";
    let read = |section: &Section<'_>| {
        let name = section.parsed("name", what, source_name);
        let laboratory = section.string("laboratory");
        let nts = section.has("nts").then(|| nts(&section.section("nts")));
        let (address, nts) = match nts {
            None => (section.parsed("address", "\"host:port\"", host_and_port), Some(None)),
            Some((address, nts)) => {
                if section.has("address") {
                    let message = "a source under NTS has nts.server: the key exchange says where \
                                   the time is";
                    section.error("address", message);
                }
                (address, nts.map(Some))
            }
        };
        if let Some(smearing) = address.as_deref().and_then(smearing) {
            section.error(
                "address",
                format!(
                    "{smearing} spreads leap seconds over a day: around one it does not show UTC"
                ),
            );
        }
        let name = name?;
        if !names.insert(name.clone()) {
            section.error("name", format!("{name:?} names another source as well"));
        }
        Some(SourceConfig { name, laboratory: laboratory?, address: address?, nts: nts? })
    };
    // All are read before the first mistake counts.
    root.sections("source").iter().map(read).collect::<Vec<_>>().into_iter().collect()
}

/// Where the keys are exchanged, and who may vouch for it.
fn nts(section: &Section<'_>) -> (Option<String>, Option<NtsConfig>) {
    let what = "\"host\" or \"host:port\", the host being a name or an IP address";
    let server = section.parsed("server", what, key_exchange_server);
    let ca_files = section.existing_files("ca_files");
    (server, ca_files.map(|ca_files| NtsConfig { ca_files }))
}

fn check_groups(section: &Section<'_>, servers: &[SourceConfig], faults: Faults, voters: Voters) {
    let votes = |server: &&SourceConfig| voters == Voters::All || server.nts.is_some();
    let groups: BTreeSet<&str> =
        servers.iter().filter(votes).map(|s| s.laboratory.as_str()).collect();
    let needed = 2 * faults.0 + 2;
    if groups.len() >= needed {
        return;
    }
    let mut message = format!(
        "bearing f = {} lying laboratories takes at least 2f + 2 = {needed} laboratories, the \
         [[source]] tables name {}",
        faults.0,
        groups.len()
    );
    if voters == Voters::Authenticated {
        message.push_str(
            " that are asked under NTS. Others vote with authenticated = \"mixed\" alone; then \
             one attacker on the path may own all of them",
        );
    }
    section.error("faults", message);
}

/// The service behind `host:port`, if it is known to smear.
fn smearing(address: &str) -> Option<&'static str> {
    let (host, _) = address.rsplit_once(':')?;
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is = |name: &str| {
        host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let meta = |host: &str| {
        let number = host.strip_prefix("time").and_then(|rest| rest.strip_suffix(".facebook.com"));
        number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
    };
    if host == "169.254.169.123" || host == "[fd00:ec2::123]" {
        return Some("the time service of AWS");
    }
    SMEARING
        .into_iter()
        .find(|name| is(name))
        .or_else(|| meta(&host).then_some("time.facebook.com"))
}

fn source_name(text: &str) -> Option<String> {
    let fits = (1..=32).contains(&text.len())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    fits.then(|| text.to_owned())
}

fn host_and_port(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let fits = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
    fits.then(|| text.to_owned())
}

fn key_exchange_server(text: &str) -> Option<String> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some(format!("[{text}]:{KEY_EXCHANGE_PORT}"));
    }
    if text.ends_with(']') || !text.contains(':') {
        return host_and_port(&format!("{text}:{KEY_EXCHANGE_PORT}"));
    }
    host_and_port(text)
}

fn duration(bound: Bound) -> Duration {
    Duration::from_nanos(bound.as_nanos())
}
