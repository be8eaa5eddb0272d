//! Puts the monitor together from its configuration, and runs it.

mod confirmed;
mod first_look;
mod public;
mod virtual_box;

use std::sync::Arc;
use std::time::Duration;

use chronolease_core::evidence::leaf::{BoxRole, Started};
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::TsuId;
use chronolease_core::time::{Bound, Ppb};
use chronolease_net::build;
use chronolease_net::clock_reader::{ClockReader, WatchedClocks};
use chronolease_net::daemon::DaemonError;
use chronolease_net::evidence::{Disk, OpenError, Refused};
use chronolease_net::exchange::{Offering, PeerLog, Vouching};
use chronolease_net::keys::{EvidenceSigner, EvidenceVerifier};
use chronolease_net::observe::{Health, Observer};
use chronolease_net::recorder::{Evidence, Recorder, RecorderError};
use chronolease_net::shutdown;
use chronolease_net::tls::{self, Accepted, Identity, TlsListener};
use chronolease_net::watchdog::{self, Notifier, StallDetector};
use chronolease_sys::Clocks;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use confirmed::last_confirmed;
use first_look::{FIRST_WORD, first_look};
use public::token_certificates;

use crate::commission::{no_log, peer_trouble, read_record, record_file};
use crate::config::{self, Config};
use crate::core::authority::{Rearm, Record, Ward};
use crate::core::continuity::Continuity;
use crate::core::end_to_end::TokenCertificate;
use crate::core::leap::watch::LeapWatch;
use crate::core::ntp::PIVOT;
use crate::core::nts::known::KnownUtc;
use crate::core::sources::{Report, Rounds, Rules, Source, Sources};
use crate::io::admin::Admin;
use crate::io::engine::{Drifts, Engine, Input, Kernels, Logs, Pulse, Slot};
use crate::io::leap_list::{self, ListFile};
use crate::io::link::{Links, Registered};
use crate::io::metrics::{MonitorMetrics, NtsMetrics};
use crate::io::ntp::{Pollers, Target};
use crate::io::nts::Setup;
use crate::io::nts::trust::Trust;
use crate::io::records::Records;
use crate::io::second::Checks;
use crate::io::status::StatusWriter;
use crate::trust;

/// The loop counts as stalled when it has not come round for this long.
const STALL_LIMIT: Bound = Bound::from_millis(5_000);

/// How long the last messages to the TSUs may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How much may wait for the engine.
const INPUTS_MAX: usize = 256;

/// How many reports of the clock reader may wait for it: several seconds of them.
const REPORTS_MAX: usize = 64;

/// The configuration with the files that it names, loaded and found to fit together.
pub struct Monitor {
    config: Config,
    identity: Identity,
    signer: Arc<EvidenceSigner>,
    /// Of the wards, in their order.
    evidence_keys: Vec<EvidenceVerifier>,
    config_digest: Hash,
    clocks: Clocks,
    is_virtual: bool,
    records: Vec<Record>,
    /// Of the sources, in their order: who may vouch for those under NTS.
    trusts: Vec<Option<Arc<Trust>>>,
    /// The certificates that the wards' tokens are signed with, in their order; none for a ward
    /// whose public endpoint is not asked.
    token_certificates: Vec<Vec<TokenCertificate>>,
}

/// What was bound.
struct Ports {
    observer: Observer,
    links: TlsListener,
    admin: TlsListener,
}

impl Monitor {
    /// Loads what the configuration names, the evidence log left out: that is only looked for.
    /// `config_digest` goes on record with the start.
    ///
    /// # Errors
    /// [`DaemonError`] that names the file and what is wrong with it.
    pub fn prepare(config: Config, config_digest: Hash) -> Result<Self, DaemonError> {
        let clocks = Clocks::open().map_err(DaemonError::failed)?;
        let is_virtual =
            virtual_box::allowed(chronolease_sys::is_virtual(), config.allow_virtual_monitor)?;
        let link = &config.link;
        let identity = Identity::load(&link.certificate_file, &link.key_file)
            .map_err(DaemonError::of("link.certificate_file, link.key_file"))?;
        let signer = EvidenceSigner::load(&config.evidence.key_file)
            .map_err(DaemonError::of("evidence.key_file"))?;
        let key = |ward: &config::Ward| EvidenceVerifier::load(&ward.evidence_key_file);
        let evidence_keys = config.wards.iter().map(key).collect::<Result<_, _>>();
        let evidence_keys = evidence_keys.map_err(DaemonError::of("tsu.evidence_key_file"))?;
        let token_certificates =
            config.wards.iter().map(token_certificates).collect::<Result<_, _>>();
        let token_certificates = token_certificates?;
        let read =
            |rules: &crate::core::authority::Rules| read_record(&config.state_dir, &rules.tsu);
        let records = config.rules().map(read).collect::<Result<_, _>>()?;
        let trusts = trust::of_sources(&config)?;
        if !config.evidence.dir.is_dir() {
            return Err(no_log(&config.evidence));
        }
        let signer = Arc::new(signer);
        Ok(Self {
            config,
            identity,
            signer,
            evidence_keys,
            config_digest,
            clocks,
            is_virtual,
            records,
            trusts,
            token_certificates,
        })
    }

    /// Looks at what may be wrong at a start and must not be when an operator asks: the list of leap
    /// seconds.
    ///
    /// # Errors
    /// [`DaemonError`] that names the key, the file and what is wrong with it.
    pub fn check(&self) -> Result<(), DaemonError> {
        let leap = &self.config.leap;
        let Some(file) = &leap.file else { return Ok(()) };
        leap_list::load(file, leap.pin.as_ref())
            .map(drop)
            .map_err(|why| DaemonError::config(format!("leap_seconds.file: {why}")))
    }

    /// What the configuration allows and an operator should know.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.config.sources.warnings()
    }

    /// Runs until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// [`DaemonError`] when a port is taken, the evidence log cannot be used, or the engine ends on
    /// its own.
    pub async fn run(self) -> Result<(), DaemonError> {
        let stop = shutdown::on_signal().map_err(DaemonError::failed)?;
        let ports = self.bind().await?;
        self.announce();
        let evidence = self.open_evidence().await?;
        let (recorder, clocks) = (evidence.recorder(), self.clocks);
        info!(records = recorder.size(), "the evidence log is open");
        let slots = self.slots(&evidence)?;
        self.serve(ports, recorder, slots, stop).await?;
        close_evidence(evidence, clocks).await?;
        info!("stopped");
        Ok(())
    }

    async fn bind(&self) -> Result<Ports, DaemonError> {
        let observer = Observer::bind(self.config.metrics).await.map_err(|e| {
            DaemonError::failed(format!("metrics.listen {}: {e}", self.config.metrics))
        })?;
        let tsu_pins = self.config.wards.iter().flat_map(|ward| ward.pins.clone());
        let links = self.listen("link.listen", self.config.link.listen, tsu_pins.collect()).await?;
        let person_pins = self.config.persons.iter().flat_map(|person| person.pins.clone());
        let admin = self.listen("admin.listen", self.config.admin, person_pins.collect()).await?;
        Ok(Ports { observer, links, admin })
    }

    async fn serve(
        self,
        ports: Ports,
        recorder: Recorder,
        slots: Vec<Slot>,
        stop: CancellationToken,
    ) -> Result<(), DaemonError> {
        let tsus: Vec<TsuId> = self.config.rules().map(|rules| rules.tsu.clone()).collect();
        let metrics = MonitorMetrics::new(&tsus, self.is_virtual).map_err(DaemonError::failed)?;
        let registry = metrics.registry();
        let notifier = Arc::new(Notifier::from_env());
        let health = Health::new(self.clocks, STALL_LIMIT).notifying(Arc::clone(&notifier));
        let (watched, stall_max) = (health.clone(), self.config.stall_max);
        let (status, status_reader) = StatusWriter::new(&self.config.id);
        let rounds = Rounds::new(self.poll_interval());
        let (inputs, inputs_in) = mpsc::channel(INPUTS_MAX);

        let ended = CancellationToken::new();
        let (reports, reports_in) = mpsc::channel(REPORTS_MAX);
        let reader = self.config.clock_reader.clone();
        let reader = ClockReader::start_telling(reader, self.clocks, reports, ended.clone());
        let clocks = WatchedClocks { clocks: self.clocks, bracket: Continuity::SLACK, reader };
        let pulse = Pulse::new(self.config.pps.rules(self.rho()), reports_in);
        // Before anything is measured: whatever happens to the clocks from now on is a break.
        let continuity = first_look(&clocks, FIRST_WORD).await;
        let sources = self.sources(&continuity);
        let (epoch, epochs) = watch::channel(sources.epoch());
        let (date, dates) = watch::channel(None);
        self.poll(epochs, &dates, &metrics.nts(), inputs.clone(), ended.clone());
        let slots = self.ask_publicly(slots, &inputs);
        let tracker = TaskTracker::new();
        let links = Links {
            tracker: tracker.clone(),
            listener: ports.links,
            registered: self.registered(),
            clocks: self.clocks,
            engine: inputs,
        };
        tokio::spawn(links.run(ended.clone()));
        let persons = Admin::new(&self.config.persons, status_reader);
        tokio::spawn(persons.run(ports.admin, ended.clone()));
        tokio::spawn(ports.observer.run(registry, health.clone(), ended.clone()));
        let leap = self.config.leap;
        let engine = Engine {
            clocks,
            sources,
            leap: LeapWatch::new(leap.rules),
            leap_list: ListFile::new(leap.file, leap.pin),
            drifts: Drifts::default(),
            continuity,
            pps: pulse,
            discard: false,
            kernels: Kernels::default(),
            epoch,
            date,
            slots,
            signer: self.signer,
            records: Records::new(recorder),
            rounds,
            inputs: inputs_in,
            metrics,
            status,
            health,
        };
        let detector = StallDetector::start(&watched, stall_max, || watchdog::abort(|| ()))
            .map_err(DaemonError::failed)?;
        let finished = tokio::spawn(engine.run(stop.clone())).await;
        notifier.stopping();
        drop(detector);
        ended.cancel();
        // The engine is gone and with it its end of every connection: what it said last is sent,
        // then they close.
        tracker.close();
        if tokio::time::timeout(LAST_WORDS, tracker.wait()).await.is_err() {
            warn!(open = tracker.len(), "some TSUs may not have heard of their revocation");
        }
        if finished.is_err() || !stop.is_cancelled() {
            return Err(DaemonError::failed("the engine ended"));
        }
        Ok(())
    }

    async fn open_evidence(&self) -> Result<Evidence, DaemonError> {
        let (config, clocks) = (self.config.evidence.clone(), self.clocks);
        let signer = Arc::clone(&self.signer);
        let started = Started {
            role: BoxRole::Monitor,
            version: build::VERSION.to_owned(),
            build: build::BUILD_ID.to_owned(),
            incarnation: None,
            config_digest: self.config_digest,
            virtual_allowed: self.is_virtual,
        };
        let opened =
            tokio::task::spawn_blocking(move || Evidence::open(&config, &signer, clocks, started));
        opened.await.map_err(DaemonError::failed)?.map_err(|error| match error {
            RecorderError::Open { source: OpenError::Refused(Refused::Absent), .. } => {
                no_log(&self.config.evidence)
            }
            other => DaemonError::failed(other),
        })
    }

    async fn listen(
        &self,
        key: &str,
        address: std::net::SocketAddr,
        accepted: Accepted,
    ) -> Result<TlsListener, DaemonError> {
        let tls = tls::server_config(&self.identity, accepted).map_err(DaemonError::failed)?;
        TlsListener::bind(address, tls)
            .await
            .map_err(|e| DaemonError::failed(format!("{key} {address}: {e}")))
    }

    fn sources(&self, begun: &Continuity) -> Sources {
        let config = &self.config.sources;
        let servers = config
            .servers
            .iter()
            .map(|server| Source { name: server.name.clone(), group: server.laboratory.clone() });
        let rho = self.rho();
        let rules =
            Rules { faults: config.faults, rho, age_max: config.age_max, voters: config.voters };
        Sources::new(servers.collect(), rules, begun)
    }

    fn poll(
        &self,
        epoch: watch::Receiver<crate::core::sources::Epoch>,
        dates: &watch::Receiver<Option<KnownUtc>>,
        metrics: &NtsMetrics,
        inputs: mpsc::Sender<Input>,
        stop: CancellationToken,
    ) {
        let checks = Checks { clocks: self.clocks, pivot: PIVOT, rho: self.rho() };
        let config = &self.config.sources;
        for (server, trust) in config.servers.iter().zip(&self.trusts) {
            metrics.begin(&server.name, trust.is_some());
        }
        let setup = |place: usize| {
            let trust = self.trusts[place].as_ref()?;
            Some(Setup::new(Arc::clone(trust), dates.clone(), metrics.clone()))
        };
        let targets: Vec<Target> = config.targets(setup).collect();
        let checking =
            checks.run(targets.clone(), config.second_opinion, inputs.clone(), stop.clone());
        tokio::spawn(checking);
        let (reports, mut reported) = mpsc::channel::<Report>(INPUTS_MAX);
        let pollers = Pollers { clocks: self.clocks, pivot: PIVOT, epoch, reports, stop };
        pollers.spawn(targets).detach_all();
        tokio::spawn(async move {
            while let Some(report) = reported.recv().await {
                if inputs.send(Input::Polled(report)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// The oscillator error of this box: the largest that any TSU's rules name.
    fn rho(&self) -> Ppb {
        let rho = self.config.rules().map(|rules| rules.limits.rho).max();
        rho.unwrap_or(Ppb::from_ppm(100))
    }

    fn poll_interval(&self) -> Bound {
        let nanos = self.config.sources.poll.as_nanos();
        u64::try_from(nanos).map_or(Bound::MAX, Bound::from_nanos)
    }

    fn registered(&self) -> Arc<[Registered]> {
        let wards = self.config.wards.iter();
        wards.map(|w| Registered { tsu: w.rules.tsu.clone(), pins: w.pins.clone() }).collect()
    }

    fn slots(&self, evidence: &Evidence) -> Result<Vec<Slot>, DaemonError> {
        let now = self.clocks.raw();
        let own = evidence.own_log(Arc::clone(&self.signer));
        let wards = self.config.wards.iter().zip(&self.evidence_keys).zip(&self.records);
        let slot = |((ward, key), record): ((&config::Ward, &EvidenceVerifier), &Record)| {
            let peer = PeerLog { origin: ward.evidence_origin.clone(), key: key.clone() };
            let offering = Offering::new(own.clone(), peer.clone());
            let dir = &self.config.evidence.dir;
            let vouching = Vouching::open(Arc::new(Disk), dir, own.clone(), peer)
                .map_err(|why| peer_trouble(dir, &ward.rules.tsu, &why))?;
            let file = record_file(&self.config.state_dir, &ward.rules.tsu);
            let confirmed = last_confirmed(evidence, ward, vouching.held())?;
            let ward = Ward::new(ward.rules.clone(), record.clone(), now).knowing(confirmed);
            Ok(Slot::new(ward, file, Logs::new(own.clone(), offering, vouching)))
        };
        wards.map(slot).collect()
    }

    /// Says what runs, and what this build does not guard against yet.
    fn announce(&self) {
        info!(
            monitor = self.config.id,
            version = build::LONG_VERSION,
            sources = self.config.sources.servers.len(),
            tsus = self.config.wards.len(),
            "starting"
        );
        for warning in self.warnings() {
            warn!("{warning}");
        }
        if self.config.leap.file.is_none() {
            warn!(
                "no list of leap seconds (leap_seconds.file): issuing is suspended around every end \
                   of a month where a leap second is possible"
            );
        }
        if cfg!(feature = "negative-control") {
            warn!("NEGATIVE CONTROL: every clock is found good; tokens may be wrong");
        }
        if self.is_virtual {
            warn!("a hypervisor runs this box (monitor.allow_virtual_monitor)");
        }
        if self.config.pps.required {
            info!("leases need a good PPS signal (pps.required)");
        }
        for ward in self.config.wards.iter().filter(|ward| ward.public.is_none()) {
            warn!(tsu = %ward.rules.tsu, "no token is asked for at its public endpoint \
                   (tsu.endpoint): nobody but its clients sees what leaves the box");
        }
        for (rules, record) in self.config.rules().zip(&self.records) {
            if let Some(cause) = record.latch {
                warn!(tsu = %rules.tsu, %cause, "latched since before this start");
            }
            if rules.rearm == Rearm::TwoPersons {
                warn!(tsu = %rules.tsu, "a latched cause will stay: this build has no way for two \
                       persons to reset it yet");
            }
        }
    }
}

/// Puts the stop on record and closes the log.
async fn close_evidence(evidence: Evidence, clocks: Clocks) -> Result<(), DaemonError> {
    let close = move || {
        let recorder = evidence.recorder();
        evidence.close(&clocks.sample()).map(|()| recorder.size())
    };
    match tokio::task::spawn_blocking(close).await.map_err(DaemonError::failed)? {
        Ok(records) => info!(records, "the evidence log is closed"),
        Err(why) => warn!(%why, "the stop is not on record"),
    }
    Ok(())
}
