//! `[sources]` and `[[source]]`: where UTC comes from.

use std::collections::BTreeSet;
use std::time::Duration;

use chronolease_core::fusion::Faults;
use chronolease_core::time::Bound;
use chronolease_net::config::Section;

use crate::core::ntp::exchange::Caps;
use crate::io::ntp::Target;

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
    /// `host:port`.
    pub address: String,
}

/// Which laboratories may vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Authenticated {
    Mixed,
    Required,
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
        let modes = [("mixed", Authenticated::Mixed), ("required", Authenticated::Required)];
        let authenticated = section.one_of_or("authenticated", &modes, Authenticated::Required);
        if authenticated == Some(Authenticated::Required) {
            let message = "this build has no NTS yet, so no source can be authenticated: only \
                           \"mixed\" can work. With it one attacker on the path may own every \
                           source";
            section.error("authenticated", message);
        }
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
        check_groups(&section, &servers, faults);
        authenticated?;
        Some(Self {
            faults,
            poll: duration(poll),
            second_opinion: duration(second_opinion),
            timeout: duration(timeout),
            age_max,
            caps: caps?,
            servers,
        })
    }
}

impl SourcesConfig {
    /// The servers as they are asked, in the configured order.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = Target> {
        self.servers.iter().map(|server| Target {
            name: server.name.clone(),
            address: server.address.clone(),
            caps: self.caps,
            poll: self.poll,
            timeout: self.timeout,
        })
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
        let address = section.parsed("address", "\"host:port\"", host_and_port);
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
        Some(SourceConfig { name, laboratory: laboratory?, address: address? })
    };
    // All are read before the first mistake counts.
    root.sections("source").iter().map(read).collect::<Vec<_>>().into_iter().collect()
}

fn check_groups(section: &Section<'_>, servers: &[SourceConfig], faults: Faults) {
    let groups: BTreeSet<&str> = servers.iter().map(|s| s.laboratory.as_str()).collect();
    let needed = 2 * faults.0 + 2;
    if groups.len() < needed {
        let message = format!(
            "bearing f = {} lying laboratories takes at least 2f + 2 = {needed} laboratories, the \
             [[source]] tables name {}",
            faults.0,
            groups.len()
        );
        section.error("faults", message);
    }
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

fn duration(bound: Bound) -> Duration {
    Duration::from_nanos(bound.as_nanos())
}
