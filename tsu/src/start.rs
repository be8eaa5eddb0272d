//! Puts the TSU together from its configuration, and runs it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chronolease_core::evidence::leaf::{self, BoxRole, Started};
use chronolease_core::id::Incarnation;
use chronolease_core::time::{Bound, GenTime};
use chronolease_net::build;
use chronolease_net::clock_reader::{ClockReader, WatchedClocks};
use chronolease_net::daemon::DaemonError;
use chronolease_net::evidence::{Disk, OpenError, Refused};
use chronolease_net::exchange::{self, Offering, PeerLog, PeerTrouble, Vouching};
use chronolease_net::keys::{EvidenceSigner, EvidenceVerifier};
use chronolease_net::observe::{Health, MetricsError, Observer};
use chronolease_net::recorder::{self, Evidence, RecorderError};
use chronolease_net::tls::{self, Handshakes, Identity};
use chronolease_net::watchdog::{Notifier, StallDetector};
use chronolease_net::{random, shutdown, watchdog};
use chronolease_sys::Clocks;
use rustls::ClientConfig;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{Config, SelfCheck};
use crate::core::holder::{Mode, Terms};
use crate::core::issuing::{BATCH_MAX, Issuer};
use crate::core::rfc3161::{TokenBuilder, TsuCertificate};
use crate::io::http::{Door, Endpoint, Facts, Pages, Secure};
use crate::io::issuing::{self, Driver};
use crate::io::link::{self, Link, Logs};
use crate::io::metrics::TsuMetrics;
use crate::io::signer::{FileSigner, Sampled, Signer, SignerPool, load_certificates, verify_chain};

/// The loop counts as stalled when it has not come round for this long.
const STALL_LIMIT: Bound = Bound::from_millis(5_000);

/// How many batches may be in flight for each signing thread: some on their way to the disk while
/// others are signed. With more of them batches are smaller, and each costs a write.
const LANES_PER_THREAD: usize = 2;

/// How many messages of the monitor may wait for the pipeline.
const LINK_EVENTS_MAX: usize = 16;

/// So long before the end of its certificate, key or algorithm a start warns: a month (EN 319 421
/// TIS-7.6.7).
const ENDS_SOON: Bound = Bound::from_millis(30 * 86_400_000);

/// The configuration with the files that it names, loaded and found to fit together.
pub struct Tsu {
    config: Config,
    builder: TokenBuilder,
    signer: Arc<dyn Signer>,
    pages: Arc<Pages>,
    https: Option<Secure>,
    tls: Arc<ClientConfig>,
    evidence_key: EvidenceVerifier,
    evidence_signer: Arc<EvidenceSigner>,
    clocks: Clocks,
    is_virtual: bool,
}

impl Tsu {
    /// Loads what the configuration names and checks that it fits together.
    ///
    /// # Errors
    /// [`DaemonError`] that names the file and what is wrong with it.
    pub fn prepare(config: Config) -> Result<Self, DaemonError> {
        let clocks = Clocks::open().map_err(DaemonError::failed)?;
        let is_virtual = chronolease_sys::is_virtual();
        if is_virtual && config.mode == Mode::Leased && !config.allow_unwitnessed_vm {
            return Err(DaemonError::config(
                "a hypervisor runs this box, or it cannot be told: all its clocks can freeze \
                 together and no lease can see that. Take tsu.mode = \"witnessed\", or set \
                 tsu.allow_unwitnessed_vm = true to issue on a lease alone all the same",
            ));
        }
        // Before what is said of the certificate: a new one for this key would be refused as well.
        config.signer.terms.fit_at(clocks.real()).map_err(|e| in_file(&config, e))?;
        let certificate = load_certificate(&config)?;
        let key_file = &config.signer.key_file;
        let signer = FileSigner::load(key_file, &certificate).map_err(|e| {
            DaemonError::of("signer.key_file")(format!("{}: {e}", key_file.display()))
        })?;
        certificate.usable_at(clocks.real()).map_err(|e| in_file(&config, e))?;
        let mut chain = Vec::new();
        for file in &config.signer.chain_files {
            let loaded = load_certificates(file);
            chain.extend(loaded.map_err(DaemonError::of("signer.chain_files"))?);
        }
        let root = load_one("signer.root_file", &config.signer.root_file)?;
        verify_chain(&certificate, &chain, &root, clocks.real())
            .map_err(|e| in_file(&config, e))?;
        let builder = TokenBuilder::new(certificate, &chain, config.token_profile())
            .map_err(|e| in_file(&config, e))?;
        let pages = Arc::new(Pages::new(&Facts {
            tsu: config.tsu.as_str(),
            mode: config.mode.label(),
            policy: &config.token.request_policy,
            builder: &builder,
            chain: &chain,
        }));
        let https = config.https.as_ref();
        let https = https.map(|of| Secure::load(&of.certificate_file, &of.key_file));
        let https = https.transpose().map_err(DaemonError::config)?;
        let identity = Identity::load(&config.link.certificate_file, &config.link.key_file)
            .map_err(DaemonError::of("link.certificate_file, link.key_file"))?;
        let tls = tls::client_config(&identity, &config.link.monitor_pins)
            .map_err(DaemonError::config)?;
        let evidence_key = EvidenceVerifier::load(&config.link.monitor_evidence_key_file)
            .map_err(DaemonError::of("link.monitor_evidence_key_file"))?;
        let evidence_signer = EvidenceSigner::load(&config.evidence.key_file)
            .map_err(DaemonError::of("evidence.key_file"))?;
        let evidence_signer = Arc::new(evidence_signer);
        let signer: Arc<dyn Signer> = match config.token.self_check {
            SelfCheck::Every => Arc::new(signer),
            SelfCheck::Sampled(one_in) => Arc::new(Sampled::new(Arc::new(signer), one_in)),
        };
        Ok(Self {
            config,
            builder,
            signer,
            pages,
            https,
            tls,
            evidence_key,
            evidence_signer,
            clocks,
            is_virtual,
        })
    }

    /// Looks at what may be wrong at a start and must not be when an operator asks: the dates of the
    /// certificate of HTTPS. Clients would refuse it, and HTTP carries tokens that are as good.
    ///
    /// # Errors
    /// [`DaemonError`] that names the key of the configuration and the file.
    pub fn check(&self) -> Result<(), DaemonError> {
        let valid = |https: &Secure| https.valid_at(self.clocks.real());
        self.https.as_ref().map_or(Ok(()), valid).map_err(DaemonError::config)
    }

    /// Runs until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// [`DaemonError`] when a port is taken or a task ends on its own.
    pub async fn run(self) -> Result<(), DaemonError> {
        let stop = shutdown::on_signal().map_err(DaemonError::failed)?;
        let doors = self.doors().await?;
        let observer = Observer::bind(self.config.metrics).await.map_err(|e| {
            DaemonError::failed(format!("metrics.listen {}: {e}", self.config.metrics))
        })?;
        let metrics = self.metrics().map_err(DaemonError::failed)?;
        let notifier = Arc::new(Notifier::from_env());
        let health = Health::new(self.clocks, STALL_LIMIT).notifying(Arc::clone(&notifier));
        health.set_unready(vec!["no lease".to_owned()]);
        self.announce();

        let me = self.terms(Incarnation::from_bytes(random::bytes()));
        let (requests, requests_in) = issuing::queue();
        let (events, events_in) = mpsc::channel(LINK_EVENTS_MAX);
        let (to_monitor, outgoing) = link::outgoing();
        let threads = self.config.signer.slots;
        let lanes = (threads * LANES_PER_THREAD).min(issuing::LANES_MAX);
        let (finished, finished_in) = mpsc::channel(lanes * BATCH_MAX);
        let endpoint = Endpoint {
            requests,
            policy: Arc::new(self.config.token.request_policy.clone()),
            request_bytes_max: self.config.http.request_bytes_max,
            patience: Duration::from_nanos(self.config.http.patience.as_nanos()),
            pages: Arc::clone(&self.pages),
            metrics: metrics.clone(),
        };
        let evidence = self.record_start(me.incarnation)?;
        let high_water = self.high_water(&evidence)?;
        let link = self.link(&me, &evidence, &metrics)?;
        let builder = Arc::new(self.builder);
        let watched = health.clone();
        // Clients are answered first, then the pipeline and the link end.
        let drained = CancellationToken::new();
        let driver = Driver {
            issuer: Issuer::new(me, Arc::clone(&builder), lanes).resuming(high_water),
            recorder: evidence.recorder(),
            clocks: WatchedClocks {
                clocks: self.clocks,
                bracket: self.config.budget.bracket,
                reader: ClockReader::start(
                    self.config.clock_reader.clone(),
                    self.clocks,
                    drained.clone(),
                ),
            },
            signers: SignerPool::start(threads, &builder, &self.signer, self.clocks, &finished)
                .map_err(DaemonError::failed)?,
            link: events_in,
            to_monitor,
            requests: requests_in,
            finished: finished_in,
            metrics: metrics.clone(),
            health: health.clone(),
        };

        tokio::spawn(link.run(events, outgoing, drained.clone()));
        tokio::spawn(observer.run(metrics.registry(), health, drained.clone()));
        let signer = Arc::clone(&self.signer);
        let stalled = move || watchdog::abort(move || signer.log_out());
        let detector = StallDetector::start(&watched, self.config.stall_max, stalled)
            .map_err(DaemonError::failed)?;
        let mut pipeline = tokio::spawn(driver.run(drained.clone()));
        let connections_max = self.config.http.connections_max;
        let serving = endpoint.serve(doors, connections_max, stop);
        tokio::select! {
            () = serving => {}
            _ = &mut pipeline => return Err(DaemonError::failed("the issuing pipeline ended")),
        }
        notifier.stopping();
        drained.cancel();
        let _ = pipeline.await;
        drop(detector);
        let now = self.clocks.sample();
        tokio::task::block_in_place(|| evidence.close(&now)).map_err(DaemonError::failed)?;
        info!("stopped");
        Ok(())
    }

    fn metrics(&self) -> Result<TsuMetrics, MetricsError> {
        let metrics = TsuMetrics::new(self.is_virtual && self.config.mode == Mode::Leased)?;
        let https_until = self.https.as_ref().map(Secure::valid_until);
        metrics.ends(self.builder.certificate().usable_until(), https_until)?;
        Ok(metrics)
    }

    async fn doors(&self) -> Result<Vec<Door>, DaemonError> {
        let plain = bind("http.listen", self.config.http.listen).await?;
        let mut doors = vec![Door { listener: plain, tls: None }];
        if let (Some(of), Some(tls)) = (&self.config.https, &self.https) {
            let listener = bind("https.listen", of.listen).await?;
            let tls = Handshakes::start(tls.config()).map_err(DaemonError::failed)?;
            doors.push(Door { listener, tls: Some(tls) });
        }
        Ok(doors)
    }

    /// Opens the evidence log and puts this start on record.
    fn record_start(&self, incarnation: Incarnation) -> Result<Evidence, DaemonError> {
        let started = Started {
            role: BoxRole::Tsu,
            version: build::VERSION.to_owned(),
            build: build::BUILD_ID.to_owned(),
            incarnation: Some(incarnation),
            config_digest: self.config.digest,
            virtual_allowed: self.is_virtual && self.config.mode == Mode::Leased,
        };
        let (config, signer) = (&self.config.evidence, &self.evidence_signer);
        let open = || Evidence::open(config, signer, self.clocks, started);
        tokio::task::block_in_place(open).map_err(|refused| match refused {
            RecorderError::Open { source: OpenError::Refused(Refused::Absent), .. } => {
                DaemonError::failed(format!(
                    "{refused}. The log of a new TSU is made once, by: chronolease-tsu --config \
                     FILE commission"
                ))
            }
            other => DaemonError::failed(other),
        })
    }

    /// The latest genTime of an intent on record. Nothing was ever released without one, whatever
    /// the mode was then.
    fn high_water(&self, evidence: &Evidence) -> Result<Option<GenTime>, DaemonError> {
        let gen_time = |event: &leaf::Event| match event {
            leaf::Event::Intent(intent) => Some(intent.gen_time),
            _ => None,
        };
        let find = || evidence.newest(gen_time);
        tokio::task::block_in_place(find)
            .map_err(|why| DaemonError::failed(format!("the evidence log: {why}")))
    }

    fn terms(&self, incarnation: Incarnation) -> Terms {
        Terms {
            tsu: self.config.tsu.clone(),
            incarnation,
            boot_id: self.clocks.boot_id(),
            policy: self.config.token.policy.clone(),
            accuracy: self.config.budget.accuracy,
            limits: self.config.limits(),
            rho: self.config.budget.rho,
            mode: self.config.mode,
        }
    }

    fn link(
        &self,
        me: &Terms,
        evidence: &Evidence,
        metrics: &TsuMetrics,
    ) -> Result<Link, DaemonError> {
        let own = evidence.own_log(Arc::clone(&self.evidence_signer));
        let peer = self.monitor_log();
        let offering = Offering::new(own.clone(), peer.clone());
        let dir = &self.config.evidence.dir;
        let vouching = Vouching::open(Arc::new(Disk), dir, own.clone(), peer)
            .map_err(|why| peer_trouble(dir, &why))?;
        let (recorder, clocks) = (evidence.recorder(), self.clocks);
        let logs = Logs::new(own, offering, vouching, recorder, clocks, metrics.clone());
        Ok(Link {
            monitor: self.config.link.monitor,
            tls: Arc::clone(&self.tls),
            evidence_key: self.evidence_key.clone(),
            logs,
            tsu: me.tsu.clone(),
            incarnation: me.incarnation,
            boot_id: me.boot_id,
            silence_max: Duration::from_nanos(self.config.budget.ttl.as_nanos()),
        })
    }

    fn monitor_log(&self) -> PeerLog {
        let origin = self.config.link.monitor_evidence_origin.clone();
        PeerLog { origin, key: self.evidence_key.clone() }
    }

    /// Says what runs, and what this build does not guard against yet.
    fn announce(&self) {
        let certificate = self.builder.certificate();
        info!(tsu = %self.config.tsu, version = build::LONG_VERSION, mode = self.config.mode.label(),
            signer = self.signer.describe(), suite = certificate.suite().name(),
            self_check = ?self.config.token.self_check, qualified = self.config.token.qualified,
            accuracy = %self.config.budget.accuracy,
            http = %self.config.http.listen, "starting without a lease");
        if self.config.mode == Mode::Leased {
            warn!("tokens rest on the lease and the guard alone (tsu.mode = \"leased\")");
        }
        if cfg!(feature = "negative-control") {
            warn!("NEGATIVE CONTROL: the guard is switched off; tokens may be wrong");
        }
        if self.is_virtual && self.config.mode == Mode::Leased {
            warn!(
                "a hypervisor runs this box; tokens are issued on a lease alone all the same \
                   (tsu.allow_unwitnessed_vm)"
            );
        }
        if let Some(Err(why)) = self.https.as_ref().map(|https| https.valid_at(self.clocks.real()))
        {
            warn!("{why}. HTTP carries tokens all the same");
        }
        let left = certificate.usable_until() - self.clocks.real();
        if left < ENDS_SOON.as_span() {
            let days = left.as_nanos() / 86_400_000_000_000;
            warn!(
                days,
                "the certificate, its key or its algorithm ends: no token is signed after it"
            );
        }
        for warning in certificate.warnings() {
            warn!(%warning, "the TSU's certificate");
        }
    }
}

/// Makes the empty evidence log of a new TSU, and notes that nothing of the monitor's log was
/// vouched for yet.
///
/// # Errors
/// [`DaemonError`] when there is one already or it cannot be made.
pub fn commission(config: &Config) -> Result<(), DaemonError> {
    let clocks = Clocks::open().map_err(DaemonError::failed)?;
    recorder::commission(&config.evidence, clocks).map_err(DaemonError::failed)?;
    let (dir, origin) = (&config.evidence.dir, &config.link.monitor_evidence_origin);
    exchange::commission(Arc::new(Disk), dir, origin).map_err(|why| peer_trouble(dir, &why))
}

fn peer_trouble(dir: &Path, why: &PeerTrouble) -> DaemonError {
    DaemonError::failed(format!("{}: {why}", dir.display()))
}

fn in_file(config: &Config, error: impl std::fmt::Display) -> DaemonError {
    DaemonError::config(format!("{}: {error}", config.signer.certificate_file.display()))
}

fn load_certificate(config: &Config) -> Result<TsuCertificate, DaemonError> {
    let path: &Path = &config.signer.certificate_file;
    let der = load_one("signer.certificate_file", path)?;
    TsuCertificate::check(&der, &config.signer.terms).map_err(|problems| {
        let all: Vec<String> =
            problems.iter().map(|p| format!("{}: {p}", path.display())).collect();
        DaemonError::config(all.join("\n"))
    })
}

/// Loads the one certificate in the file that `key` of the configuration names.
fn load_one(key: &'static str, path: &Path) -> Result<Vec<u8>, DaemonError> {
    let mut certificates = load_certificates(path).map_err(DaemonError::of(key))?;
    match (certificates.pop(), certificates.len()) {
        (Some(der), 0) => Ok(der),
        (_, others) => Err(DaemonError::config(format!(
            "{key}: {} holds {} certificates, exactly one is needed",
            path.display(),
            others + 1
        ))),
    }
}

async fn bind(key: &str, address: std::net::SocketAddr) -> Result<TcpListener, DaemonError> {
    TcpListener::bind(address)
        .await
        .map_err(|e| DaemonError::failed(format!("{key} {address}: {e}")))
}
