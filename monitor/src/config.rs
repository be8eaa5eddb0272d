//! The configuration of the monitor: one TOML file; see `docs/configuration.md`.

mod end_to_end;
mod leap;
mod pps;
mod sources;
mod wards;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chronolease_core::budget::Account;
use chronolease_core::time::Bound;
use chronolease_net::clock_reader::ClockReaderConfig;
use chronolease_net::config::{ConfigErrors, Document, Section};
use chronolease_net::recorder::EvidenceConfig;
use chronolease_net::watchdog;

pub use end_to_end::{EndToEndConfig, Endpoint, PublicEndpoint};
pub use leap::LeapConfig;
pub use pps::PpsConfig;
pub use sources::{NtsConfig, SourceConfig, SourcesConfig};
pub use wards::{Budgets, Person, Role, Ward};

use crate::core::authority::{Rearm, Rules};

/// What environment variables start with: `CHRONOLEASE_MONITOR_ADMIN__LISTEN` is `admin.listen`.
pub const ENV_PREFIX: &str = "CHRONOLEASE_MONITOR_";

/// Everything that the configuration says, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The monitor's name.
    pub id: String,
    /// Where it keeps what must survive a crash.
    pub state_dir: PathBuf,
    /// Whether it may run although a hypervisor runs the box.
    pub allow_virtual_monitor: bool,
    /// The link to the TSUs.
    pub link: Link,
    /// The evidence log. Its key signs leases too.
    pub evidence: EvidenceConfig,
    /// The clock reader of this box.
    pub clock_reader: ClockReaderConfig,
    /// Where persons are served over TLS, with the link's certificate.
    pub admin: SocketAddr,
    /// Where `/metrics`, `/livez` and `/readyz` are served.
    pub metrics: SocketAddr,
    /// How long the engine may stand still before the process ends itself.
    pub stall_max: Bound,
    /// The log level.
    pub log_level: String,
    /// Where UTC comes from.
    pub sources: SourcesConfig,
    /// What operators know of leap seconds.
    pub leap: LeapConfig,
    /// How the pulse-per-second signal of this box is judged.
    pub pps: PpsConfig,
    /// How often the public endpoints of the TSUs are asked for a token.
    pub end_to_end: EndToEndConfig,
    /// The TSUs, each with the rules for its leases.
    pub wards: Vec<Ward>,
    /// What the figures of their leases add up to.
    pub budgets: Budgets,
    /// Who may ask the admin listener.
    pub persons: Vec<Person>,
}

/// The link to the TSUs.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where it listens.
    pub listen: SocketAddr,
    /// This box's certificate, in PEM.
    pub certificate_file: PathBuf,
    /// Its key, PKCS#8 in PEM.
    pub key_file: PathBuf,
}

impl Config {
    /// Reads the file with its layers.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every mistake.
    pub fn load(path: &Path) -> Result<(Self, Document), ConfigErrors> {
        let document = Document::load(path, ENV_PREFIX)?;
        let config = document.finish(Self::read(&document.root()))?;
        Ok((config, document))
    }

    fn read(root: &Section<'_>) -> Option<Self> {
        let monitor = root.section("monitor");
        let id = monitor.string("id");
        let state_dir = monitor.path("state_dir");
        let allow_virtual_monitor = monitor.bool_or("allow_virtual_monitor", false);
        let link = Link::read(&root.section("link"));
        let evidence = EvidenceConfig::read(&root.section("evidence"));
        let clock_reader = ClockReaderConfig::read(&root.section("clock_reader"));
        let admin = root.section("admin").socket_addr("listen");
        let metrics = root.section("metrics").socket_addr("listen");
        root.listen_apart(&[
            ("link", link.as_ref().map(|of| of.listen)),
            ("admin", admin),
            ("metrics", metrics),
        ]);
        let qualified = monitor.bool_or("qualified", false);
        let stall_max = watchdog::read_stall_max(root);
        let log_level = root.section("log").string_or("level", "info");
        let sources = SourcesConfig::read(root);
        let leap = LeapConfig::read(root);
        let pps = PpsConfig::read(&root.section("pps"));
        let end_to_end = EndToEndConfig::read(&root.section("end_to_end"));
        let wards = wards::read(root);
        let persons = wards::persons(root);
        let (wards, budgets) = wards.unzip();
        if qualified? {
            check_qualified(root, sources.as_ref(), wards.as_deref());
        }
        Some(Self {
            id: id?,
            state_dir: state_dir?,
            allow_virtual_monitor: allow_virtual_monitor?,
            link: link?,
            evidence: evidence?,
            clock_reader: clock_reader?,
            admin: admin?,
            metrics: metrics?,
            stall_max: stall_max?,
            log_level: log_level?,
            sources: sources?,
            leap: leap?,
            pps: pps?,
            end_to_end: end_to_end?,
            wards: wards?,
            budgets: budgets?,
            persons: persons?,
        })
    }

    /// The error budget, term by term: of UTC as one source tells it, and of a token.
    #[must_use]
    pub fn accounts(&self) -> [Account; 3] {
        let Budgets { lease, witness } = &self.budgets;
        let caps = &self.sources.caps;
        let half_delay = Bound::from_nanos(caps.delay_max.as_nanos().div_ceil(2));
        let source = Account {
            title: "the half-width of one source's interval, at its caps and at its oldest"
                .to_owned(),
            terms: vec![
                ("root distance: root delay / 2 + dispersion + precision", caps.root_distance_max),
                ("half the delay, whatever the path does", half_delay),
                ("rho*age: the monitor's oscillator since", lease.rho.over(self.sources.age_max)),
            ],
            limit: ("e_max: wider readings of UTC confirm nothing", witness.half_width_max),
        };
        [source, lease.account(), witness.account(lease)]
    }

    /// The rules of every TSU's leases.
    pub fn rules(&self) -> impl Iterator<Item = &Rules> {
        self.wards.iter().map(|ward| &ward.rules)
    }
}

/// What a monitor of qualified TSUs must not do.
fn check_qualified(root: &Section<'_>, sources: Option<&SourcesConfig>, wards: Option<&[Ward]>) {
    if let Some(why) = sources.and_then(SourcesConfig::too_many_plain) {
        root.section("sources").error("authenticated", why);
    }
    let automatic = |ward: &Ward| ward.rules.rearm == Rearm::Automatic;
    if wards.is_some_and(|wards| wards.iter().any(automatic)) {
        let why = "monitor.qualified: two persons reset a latch, never time alone";
        root.section("lease").error("rearm", why);
    }
}

impl Link {
    fn read(section: &Section<'_>) -> Option<Self> {
        let listen = section.socket_addr("listen");
        let certificate_file = section.existing_file("certificate_file");
        let key_file = section.existing_file("key_file");
        Some(Self { listen: listen?, certificate_file: certificate_file?, key_file: key_file? })
    }
}

#[cfg(test)]
mod tests;
