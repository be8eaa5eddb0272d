//! One whole issuing pipeline, as `chronolease_tsu::start` puts it together, with a log of its own
//! and a lease of its own.

use std::path::Path;
use std::sync::Arc;

use chronolease_benches::keys::Keys;
use chronolease_benches::terms::terms;
use chronolease_core::clock_reader::ClockWatch;
use chronolease_core::time::Bound;
use chronolease_net::clock_reader::{ClockReader, WatchedClocks};
use chronolease_net::evidence::{self, Owner, Settings};
use chronolease_net::observe::Health;
use chronolease_net::recorder::Recorder;
use chronolease_sys::Clocks;
use chronolease_tsu::core::issuing::{BATCH_MAX, Issuer};
use chronolease_tsu::io::issuing::{self, Driver, Incoming};
use chronolease_tsu::io::link;
use chronolease_tsu::io::metrics::TsuMetrics;
use chronolease_tsu::io::signer::SignerPool;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::disk::{BenchDisk, Syncs};
use crate::lease::Grantor;

/// How wide a pipeline is.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// How many threads sign.
    pub(crate) slots: usize,
    /// How many batches can be in flight.
    pub(crate) lanes: usize,
}

/// A pipeline that holds a lease.
pub(crate) struct Pipeline {
    /// Where requests go.
    pub(crate) requests: mpsc::Sender<Incoming>,
    /// What its disk did.
    pub(crate) syncs: Syncs,
    owner: Owner,
    stop: CancellationToken,
}

impl Pipeline {
    /// Makes a new log in `folder`, where none may be, and starts a pipeline on it.
    pub(crate) async fn start(
        clocks: Clocks,
        keys: &Keys,
        shape: Shape,
        disk: Arc<BenchDisk>,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let me = terms(clocks.boot_id())?;
        let bracket = me.limits.bracket;
        let syncs = disk.syncs();
        // No segment grows old here.
        let owner = evidence::create(disk, folder, Settings::new("bench"), Box::new(|| 0))?;

        let (requests, requests_in) = issuing::queue();
        let (events, events_in) = mpsc::channel(16);
        let (to_monitor, from_tsu) = link::outgoing();
        let (finished, finished_in) = mpsc::channel(shape.lanes * BATCH_MAX);
        // The reader's word is looked at with every event, as in service; nothing happens here.
        let (_, heard) = watch::channel(ClockWatch::undisturbed(clocks.boot_id()));
        let reader = ClockReader::over(heard);
        let (slots, lanes) = (shape.slots, shape.lanes);
        let driver = Driver {
            issuer: Issuer::new(me.clone(), Arc::clone(&keys.builder), lanes),
            clocks: WatchedClocks { clocks, bracket, reader },
            signers: SignerPool::start(slots, &keys.builder, &keys.signer, clocks, &finished)?,
            recorder: Recorder::over(owner.log().clone()),
            link: events_in,
            to_monitor,
            requests: requests_in,
            finished: finished_in,
            metrics: TsuMetrics::new(false)?,
            health: Health::new(clocks, Bound::from_millis(5_000)),
        };
        let stop = CancellationToken::new();
        tokio::spawn(driver.run(stop.clone()));
        let mut grantor = Grantor::new(me, events, from_tsu);
        grantor.first().await?;
        tokio::spawn(grantor.keep(stop.clone()));
        Ok(Self { requests, syncs, owner, stop })
    }

    /// Ends it and closes the log. Blocks.
    pub(crate) fn stop(self) {
        self.stop.cancel();
        self.owner.close();
    }
}
