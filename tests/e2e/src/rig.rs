//! A lab directory, time sources, a monitor and a TSU, each started, stopped and killed by itself.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

use chronolease_lab::{Accuracy, Layout, Ports};
use serde_json::Value;

use crate::bins::{Program, Programs};
use crate::http;
use crate::metrics::Metrics;
use crate::ports::PortClaim;
use crate::process::Process;
use crate::tools::{self, said};
use crate::tsp;
use crate::wait::{PATIENCE, poll};

/// The one TSU of a lab.
pub const TSU: &str = "tsu-1";

/// What a rig is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the tokens claim.
    pub accuracy: Accuracy,
    /// Which build runs.
    pub programs: Programs,
    /// Environment variables of the TSU.
    pub tsu_env: Vec<(String, String)>,
    /// What is laid over `tsu.toml`, as the text of a file in `tsu.d`.
    pub tsu_overlay: Option<String>,
    /// What is laid over `monitor.toml`, as the text of a file in `monitor.d`.
    pub monitor_overlay: Option<String>,
    /// Whether the monitor asks the public endpoint for tokens. A test that counts tokens wants none
    /// but its own.
    pub end_to_end: bool,
}

impl Default for Options {
    /// The lab's own accuracy and the programs as shipped.
    fn default() -> Self {
        Self {
            accuracy: Accuracy::DEFAULT,
            programs: Programs::Release,
            tsu_env: Vec::new(),
            tsu_overlay: None,
            monitor_overlay: None,
            end_to_end: false,
        }
    }
}

/// Two boxes and their time sources. All of it ends with the test; the directory stays when the
/// test failed.
#[derive(Debug)]
pub struct Rig {
    /// The time sources.
    pub sources: Process,
    /// Box B.
    pub monitor: Process,
    /// Box A.
    pub tsu: Process,
    /// The clock reader of box B.
    pub monitor_clock: Process,
    /// The clock reader of box A.
    pub tsu_clock: Process,
    /// Where box A is, for its clients and its metrics.
    pub tsu_host: IpAddr,
    layout: Layout,
    claim: PortClaim,
    // The last one to be dropped, when all children have ended.
    _directory: Directory,
}

impl Rig {
    /// A rig of which everything is started.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let mut rig = Self::prepared(options);
        rig.start_sources();
        rig.start_monitor();
        rig.start_tsu();
        rig
    }

    /// As [`Rig::new`], once the TSU holds its first lease.
    #[must_use]
    pub fn with_lease(options: &Options) -> Self {
        let rig = Self::new(options);
        rig.wait_for_lease();
        rig
    }

    /// A rig of which nothing is started yet: its files can still be changed.
    #[must_use]
    pub fn prepared(options: &Options) -> Self {
        options.programs.check();
        let directory = Directory::new();
        let claim = PortClaim::next();
        let lab = directory.path().join("lab");
        let layout = chronolease_lab::init(&lab, claim.ports(), options.accuracy)
            .unwrap_or_else(|e| panic!("no lab: {e}"));
        for (daemon, overlay) in
            [("tsu", &options.tsu_overlay), ("monitor", &options.monitor_overlay)]
        {
            if let Some(text) = overlay {
                lay_over(&layout, daemon, text);
            }
        }
        if !options.end_to_end {
            lay_over_as(&layout, "monitor", "quiet", "[end_to_end]\ninterval = \"1h\"\n");
        }
        let process = |program, before: &[&str], config: PathBuf, log: &str| {
            let config = config.to_str().expect("temporary directories have plain names");
            let arguments = [before, &["--config", config]].concat();
            let log = directory.path().join(log);
            Process::new(options.programs.path(program), &arguments, log)
        };
        let mut tsu = process(Program::Tsu, &[], layout.tsu_toml(), "tsu.log");
        tsu.set_env(&options.tsu_env);
        let clock = |config, log| process(Program::Clock, &[], config, log);
        Self {
            sources: process(Program::Lab, &["sources"], layout.lab_toml(), "sources.log"),
            monitor: process(Program::Monitor, &[], layout.monitor_toml(), "monitor.log"),
            tsu,
            monitor_clock: clock(layout.monitor_clock_toml(), "monitor-clock.log"),
            tsu_clock: clock(layout.tsu_clock_toml(), "tsu-clock.log"),
            tsu_host: Ipv4Addr::LOCALHOST.into(),
            layout,
            claim,
            _directory: directory,
        }
    }

    /// Starts the time sources and waits until their knobs can be turned.
    pub fn start_sources(&mut self) {
        let control = self.ports().control();
        self.sources.start_until(|| answers_200(control, "/sources"));
    }

    /// Starts the monitor, with its clock reader when that does not run, and waits until its health
    /// can be asked for.
    pub fn start_monitor(&mut self) {
        start_clock(&mut self.monitor_clock, &self.layout.monitor_clock_socket());
        self.start_monitor_alone();
    }

    /// Starts the monitor with whatever serves the socket of its clock reader, and waits until its
    /// health can be asked for.
    pub fn start_monitor_alone(&mut self) {
        let metrics = self.ports().monitor_metrics();
        self.monitor.start_until(|| answers_200(metrics, "/livez"));
    }

    /// Starts the TSU, with its clock reader when that does not run, and waits until its health
    /// can be asked for.
    pub fn start_tsu(&mut self) {
        self.start_tsu_clock();
        let metrics = self.tsu_metrics_address();
        self.tsu.start_until(|| answers_200(metrics, "/livez"));
    }

    /// Starts the clock reader of box A when it does not run.
    pub fn start_tsu_clock(&mut self) {
        start_clock(&mut self.tsu_clock, &self.layout.tsu_clock_socket());
    }

    /// The files.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The ports.
    #[must_use]
    pub const fn ports(&self) -> Ports {
        self.claim.ports()
    }

    /// A number that no other rig of this machine has.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.claim.number()
    }

    /// A port for something else than the lab's own listeners.
    #[must_use]
    pub const fn spare_port(&self) -> u16 {
        self.claim.base() + 20
    }

    /// Where clients reach the TSU.
    #[must_use]
    pub fn client_address(&self) -> SocketAddr {
        SocketAddr::new(self.tsu_host, self.ports().tsu_http().port())
    }

    /// A client of the TSU.
    #[must_use]
    pub fn client(&self) -> tsp::Client {
        tsp::Client::new(self.client_address())
    }

    fn tsu_metrics_address(&self) -> SocketAddr {
        SocketAddr::new(self.tsu_host, self.ports().tsu_metrics().port())
    }

    /// Turns knobs of the source `name`.
    pub fn turn(&self, name: &str, knobs: &Value) {
        let path = format!("/sources/{name}");
        let response = http::put(self.ports().control(), &path, &knobs.to_string());
        let response = response.unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(response.status, 200, "{path} {knobs}: {}", response.text());
    }

    /// What the monitor shows.
    #[must_use]
    pub fn monitor_metrics(&self) -> Metrics {
        let metrics = Metrics::fetch(self.ports().monitor_metrics());
        metrics.unwrap_or_else(|e| panic!("the monitor's metrics: {e}\n{}", self.monitor.tail()))
    }

    /// What the TSU shows.
    #[must_use]
    pub fn tsu_metrics(&self) -> Metrics {
        let metrics = Metrics::fetch(self.tsu_metrics_address());
        metrics.unwrap_or_else(|e| panic!("the TSU's metrics: {e}\n{}", self.tsu.tail()))
    }

    /// How many leases ended with `cause` so far.
    #[must_use]
    pub fn endings(&self, cause: &str) -> f64 {
        let labels = [("tsu", TSU), ("cause", cause)];
        let endings = "chronolease_monitor_lease_endings_total";
        self.monitor_metrics().get(endings, &labels).expect("every cause has a series")
    }

    /// What the monitor's admin listener answers somebody whose certificate and key are below `pki/`:
    /// the body, and the code on a line of its own.
    #[must_use]
    pub fn admin(&self, who: Option<&str>, method: &str, path: &str) -> Output {
        let url = format!("https://{}{path}", self.ports().admin());
        let (certificate, key);
        let mut arguments = vec!["-sS", "-w", "\n%{http_code}", "-X", method, "--cacert"];
        arguments.extend(["pki/node-ca.pem", url.as_str()]);
        if let Some(who) = who {
            (certificate, key) = (format!("pki/{who}.pem"), format!("pki/{who}.key"));
            arguments.extend(["--cert", certificate.as_str(), "--key", key.as_str()]);
        }
        tools::run(self.layout.dir(), "curl", &arguments)
    }

    /// What the auditor reads.
    #[must_use]
    pub fn status(&self) -> Value {
        let output = self.admin(Some("persons/auditor"), "GET", "/v1/status");
        let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
        let body = text.strip_suffix("\n200").unwrap_or_else(|| panic!("{}", said(&output)));
        serde_json::from_str(body).expect("JSON")
    }

    /// The value of `key` in what the monitor keeps of the TSU.
    #[must_use]
    pub fn recorded(&self, key: &str) -> String {
        let text = fs::read_to_string(self.layout.ward_record()).expect("the monitor wrote it");
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let found = lines.find_map(|(k, value)| (k == key).then(|| value.to_owned()));
        found.unwrap_or_else(|| panic!("no {key} in {text}"))
    }

    /// How many tokens that the monitor asked for had `result` so far.
    #[must_use]
    pub fn end_to_end(&self, result: &str) -> f64 {
        let labels = [("tsu", TSU), ("result", result)];
        let results = "chronolease_monitor_end_to_end_results_total";
        self.monitor_metrics().get(results, &labels).expect("every result has a series")
    }

    /// Whether the TSU's `/readyz` answers 200: it holds a lease.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        http::get(self.tsu_metrics_address(), "/readyz").is_ok_and(|r| r.status == 200)
    }

    /// Waits until the TSU holds a lease.
    pub fn wait_for_lease(&self) {
        self.eventually("the TSU holds a lease", || {
            if self.is_ready() { Ok(()) } else { Err("it is not ready".to_owned()) }
        });
    }

    /// Waits until the TSU holds no lease.
    pub fn wait_until_unready(&self) {
        self.eventually("the TSU's lease ends", || {
            if self.is_ready() { Err("it is ready".to_owned()) } else { Ok(()) }
        });
    }

    /// Waits until the monitor shows `state` for the source `name`.
    pub fn wait_for_source(&self, name: &str, state: &str) {
        self.eventually(&format!("{name} is {state}"), || {
            let metrics = self.monitor_metrics();
            let family = "chronolease_monitor_source_state";
            match metrics.get(family, &[("source", name), ("state", state)]) {
                Some(1.0) => Ok(()),
                _ => Err(metrics.shown(family)),
            }
        });
    }

    /// As [`crate::eventually`], with the ends of all logs when it panics.
    pub fn eventually<T>(&self, what: &str, probe: impl FnMut() -> Result<T, String>) -> T {
        poll(PATIENCE, probe).unwrap_or_else(|last| {
            let tails = [&self.sources, &self.monitor, &self.tsu].map(Process::tail).concat();
            panic!("not within {PATIENCE}: {what}; last seen: {last}\n{tails}")
        })
    }
}

/// Lays `text` over the configuration of `daemon`, `tsu` or `monitor`.
pub fn lay_over(layout: &Layout, daemon: &str, text: &str) {
    lay_over_as(layout, daemon, "overlay", text);
}

fn lay_over_as(layout: &Layout, daemon: &str, name: &str, text: &str) {
    let folder = layout.file(&format!("{daemon}.d"));
    fs::create_dir_all(&folder).expect("the directory is ours");
    fs::write(folder.join(format!("{name}.toml")), text).expect("the directory is ours");
}

fn start_clock(clock: &mut Process, socket: &Path) {
    if !clock.is_started() {
        clock.start_until(|| match UnixStream::connect(socket) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{}: {error}", socket.display())),
        });
    }
}

fn answers_200(address: SocketAddr, path: &str) -> Result<(), String> {
    match http::get(address, path) {
        Ok(response) if response.status == 200 => Ok(()),
        Ok(response) => Err(response.text()),
        Err(error) => Err(error.to_string()),
    }
}

/// A directory of one test. It stays when the test failed.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chronolease-e2e-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // A process of the same id may have failed here before.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("logs and files of this test are in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
