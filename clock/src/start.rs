//! Puts the clock reader together from its configuration, and runs it.

use chronolease_core::clock_reader::{Machine, Marker};
use chronolease_core::id::ReaderRun;
use chronolease_net::daemon::DaemonError;
use chronolease_net::{build, random, shutdown};
use chronolease_sys::{Clocks, StepTimer};
use tracing::{info, warn};

use crate::config::Config;
use crate::core::Reporter;
use crate::io::listeners::Listeners;
use crate::io::pps::{KernelPps, PpsFeed};
use crate::io::publisher::Publisher;
use crate::io::socket::Socket;
use crate::io::steps::StepNotices;

/// The configuration, on a box whose clocks can be read.
#[derive(Debug)]
pub struct Reader {
    config: Config,
    clocks: Clocks,
}

impl Reader {
    /// Tries the clocks.
    ///
    /// # Errors
    /// [`DaemonError`] when one is missing.
    pub fn prepare(config: Config) -> Result<Self, DaemonError> {
        let clocks = Clocks::open().map_err(DaemonError::failed)?;
        Ok(Self { config, clocks })
    }

    /// Runs until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// [`DaemonError`] when the socket cannot be had, or the kernel does not let the clock be
    /// watched.
    pub async fn run(self) -> Result<(), DaemonError> {
        let Self { config, clocks } = self;
        let stop = shutdown::on_signal().map_err(DaemonError::failed)?;
        #[expect(clippy::disallowed_methods, reason = "this is the process that watches")]
        let timer = StepTimer::arm().map_err(DaemonError::failed)?;
        let notices = StepNotices::new(timer.into()).map_err(DaemonError::failed)?;
        let socket = Socket::bind(&config.socket).await.map_err(DaemonError::failed)?;
        let machine = chronolease_sys::machine();
        announce(&config, &machine);
        let pps = match config.pps {
            Some(pps) => PpsFeed::start(KernelPps::new(pps.device, pps.event), clocks)
                .map_err(DaemonError::failed)?,
            None => PpsFeed::absent(),
        };
        let run = ReaderRun::from_bytes(random::bytes());
        let publisher = Publisher {
            clocks,
            notices,
            reporter: Reporter::new(run, machine, clocks.sample()),
            socket,
            listeners: Listeners::new(config.socket.clients_max),
            interval: config.interval,
            vmclock: config.vmclock,
            pps,
        };
        publisher.run(stop).await.map_err(DaemonError::failed)?;
        info!("stopped");
        Ok(())
    }
}

/// Says what runs, and what it cannot see.
fn announce(config: &Config, machine: &Machine) {
    info!(
        version = build::LONG_VERSION,
        socket = %config.socket.path.display(),
        interval = %config.interval,
        %machine,
        "starting"
    );
    match &config.pps {
        Some(pps) => info!(device = %pps.device.display(), event = ?pps.event, "PPS"),
        None => info!("no PPS device is configured"),
    }
    let device = config.vmclock.display();
    match chronolease_sys::disruption_marker(&config.vmclock) {
        Marker::Unreadable => {
            warn!(%device, "the device cannot be read; give this process access to it");
        }
        Marker::Absent if !machine.is_physical() => warn!(
            %device,
            "no such device: if the hypervisor migrates or restores this box, nothing here shows it"
        ),
        Marker::Absent | Marker::Shown { .. } => {}
    }
}
