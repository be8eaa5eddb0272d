//! The configuration of the TSU: one TOML file; see `docs/configuration.md`.

mod token;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chronolease_core::budget::Budget;
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::note::KeyName;
use chronolease_core::id::{SpkiPin, TsuId};
use chronolease_core::judge::Limits;
use chronolease_core::time::Bound;
use chronolease_net::clock_reader::ClockReaderConfig;
use chronolease_net::config::{ConfigErrors, Document, Section};
use chronolease_net::profile;
use chronolease_net::recorder::{self, EvidenceConfig};
use chronolease_net::watchdog;

use crate::core::holder::Mode;
use crate::core::rfc3161::TokenProfile;

pub use token::{SelfCheck, Signer, Token};

/// What environment variables start with: `CHRONOLEASE_TSU_HTTP__LISTEN` is `http.listen`.
pub const ENV_PREFIX: &str = "CHRONOLEASE_TSU_";

/// Everything that the configuration says, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The TSU's name.
    pub tsu: TsuId,
    /// By what right tokens are released.
    pub mode: Mode,
    /// Whether it may issue on a lease alone although a hypervisor runs the box.
    pub allow_unwitnessed_vm: bool,
    /// The endpoint for clients.
    pub http: Http,
    /// The same over TLS, if there is one.
    pub https: Option<Https>,
    /// What tokens say.
    pub token: Token,
    /// The figures of a lease.
    pub budget: Budget,
    /// The key that signs tokens.
    pub signer: Signer,
    /// The link to the monitor.
    pub link: Link,
    /// The clock reader of this box.
    pub clock_reader: ClockReaderConfig,
    /// The evidence log.
    pub evidence: EvidenceConfig,
    /// SHA-256 over the whole configuration, as `config show` prints it.
    pub digest: Hash,
    /// Where `/metrics`, `/livez` and `/readyz` are served.
    pub metrics: SocketAddr,
    /// How long the pipeline may stand still before the process ends itself.
    pub stall_max: Bound,
    /// The log level.
    pub log_level: String,
}

/// The endpoint for clients.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The largest request, in bytes.
    pub request_bytes_max: usize,
    /// The most connections at a time.
    pub connections_max: usize,
    /// How long a client may take for what it does next, or do nothing.
    pub patience: Bound,
}

/// The endpoint for clients over TLS.
#[derive(Clone, Debug)]
pub struct Https {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The server's certificate and its chain, in PEM.
    pub certificate_file: PathBuf,
    /// Its key in PEM.
    pub key_file: PathBuf,
}

/// The link to the monitor.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where the monitor listens.
    pub monitor: SocketAddr,
    /// This box's certificate on the link, in PEM.
    pub certificate_file: PathBuf,
    /// Its key, PKCS#8 in PEM.
    pub key_file: PathBuf,
    /// The monitor's keys on the link.
    pub monitor_pins: Vec<SpkiPin>,
    /// The monitor's evidence key: an Ed25519 public key in PEM.
    pub monitor_evidence_key_file: PathBuf,
    /// The name of the monitor's evidence log.
    pub monitor_evidence_origin: KeyName,
}

/// [`Mode`] without its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Leased,
    Witnessed,
}

impl Config {
    /// Reads the file with its layers.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every mistake.
    pub fn load(path: &Path) -> Result<(Self, Document), ConfigErrors> {
        let document = Document::load(path, ENV_PREFIX)?;
        let mut config = document.finish(Self::read(&document.root()))?;
        config.digest = recorder::config_digest(&document.show());
        Ok((config, document))
    }

    /// What the tokens are like.
    #[must_use]
    pub const fn token_profile(&self) -> TokenProfile {
        let Token { qualified, carries, .. } = self.token;
        let Budget { accuracy, digits, .. } = self.budget;
        TokenProfile { accuracy, digits, qualified, carries }
    }

    /// What a sample must keep to.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        let Budget { guard, bracket, digits, .. } = self.budget;
        Limits { guard, bracket, digits }
    }

    fn read(root: &Section<'_>) -> Option<Self> {
        let tsu = root.section("tsu");
        let id = tsu.parsed("id", "a TSU id of a-z, 0-9, \"-\", \"_\" and \".\"", TsuId::new);
        let modes = [("witnessed", Kind::Witnessed), ("leased", Kind::Leased)];
        let mode = tsu.one_of_or("mode", &modes, Kind::Witnessed);
        let allow_unwitnessed_vm = tsu.bool_or("allow_unwitnessed_vm", false);

        let http = Http::read(&root.section("http"));
        let https = root.optional("https", |root, key| Https::read(&root.section(key)));
        let token = Token::read(&root.section("token"));
        let lease = root.section("lease");
        let budget = profile::budget(&lease);
        let needed = budget.as_ref().filter(|_| mode == Some(Kind::Witnessed));
        let witness = profile::witness(&lease, needed);
        let mode = match mode {
            Some(Kind::Witnessed) => witness.map(Mode::Witnessed),
            Some(Kind::Leased) => Some(Mode::Leased),
            None => None,
        };
        let qualified = token.as_ref().is_some_and(|token| token.qualified);
        if qualified && !root.has("https") {
            let message = "a qualified TSU is asked over HTTPS too (CIR (EU) 2025/1929)";
            root.error("https", message);
        }
        let signer = Signer::read(&root.section("signer"), qualified);
        let link = Link::read(&root.section("link"));
        let clock_reader = ClockReaderConfig::read(&root.section("clock_reader"));
        let evidence = EvidenceConfig::read(&root.section("evidence"));
        let metrics = root.section("metrics").socket_addr("listen");
        root.listen_apart(&[
            ("http", http.as_ref().map(|of| of.listen)),
            ("https", https.iter().flatten().map(|of| of.listen).next()),
            ("metrics", metrics),
        ]);
        let stall_max = watchdog::read_stall_max(root);
        let log_level = root.section("log").string_or("level", "info");

        Some(Self {
            tsu: id?,
            mode: mode?,
            allow_unwitnessed_vm: allow_unwitnessed_vm?,
            http: http?,
            https: https?,
            token: token?,
            budget: budget?,
            signer: signer?,
            link: link?,
            clock_reader: clock_reader?,
            evidence: evidence?,
            digest: Hash::of_nothing(),
            metrics: metrics?,
            stall_max: stall_max?,
            log_level: log_level?,
        })
    }
}

/// Clients far away need some time, and nobody may hold a seat for long.
const PATIENCE_LEAST: Bound = Bound::from_millis(100);
const PATIENCE_MOST: Bound = Bound::from_millis(60_000);

impl Http {
    fn read(section: &Section<'_>) -> Option<Self> {
        let listen = section.socket_addr("listen");
        let request_bytes_max = section.integer_or("request_bytes_max", 256..=65_536, 16_384);
        let connections_max = section.integer_or("connections_max", 1..=65_536, 1_024);
        let patience = section.duration_or("patience", Bound::from_millis(10_000))?;
        if !(PATIENCE_LEAST..=PATIENCE_MOST).contains(&patience) {
            section.error("patience", format!("must be from {PATIENCE_LEAST} to {PATIENCE_MOST}"));
        }
        Some(Self {
            listen: listen?,
            request_bytes_max: usize::try_from(request_bytes_max?).ok()?,
            connections_max: usize::try_from(connections_max?).ok()?,
            patience,
        })
    }
}

impl Https {
    fn read(section: &Section<'_>) -> Option<Self> {
        let listen = section.socket_addr("listen");
        let certificate_file = section.existing_file("certificate_file");
        let key_file = section.existing_file("key_file");
        Some(Self { listen: listen?, certificate_file: certificate_file?, key_file: key_file? })
    }
}

impl Link {
    fn read(section: &Section<'_>) -> Option<Self> {
        let monitor = section.socket_addr("monitor");
        let certificate_file = section.existing_file("certificate_file");
        let key_file = section.existing_file("key_file");
        let what = "a SHA-256 in 64 hexadecimal digits";
        let pins = section.parsed_list("monitor_spki_sha256", what, SpkiPin::from_hex);
        if pins.as_ref().is_some_and(Vec::is_empty) {
            section.error("monitor_spki_sha256", "at least one key of the monitor is needed");
        }
        let monitor_evidence_key_file = section.existing_file("monitor_evidence_key_file");
        let monitor_evidence_origin =
            section.parsed("monitor_evidence_origin", recorder::ORIGIN, KeyName::new);
        Some(Self {
            monitor: monitor?,
            certificate_file: certificate_file?,
            key_file: key_file?,
            monitor_pins: pins?,
            monitor_evidence_key_file: monitor_evidence_key_file?,
            monitor_evidence_origin: monitor_evidence_origin?,
        })
    }
}

#[cfg(test)]
mod tests;
