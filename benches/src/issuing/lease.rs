//! Stands in for the monitor: a lease that never runs out.

use std::time::Duration;

use anyhow::{Context as _, bail};
use chronolease_core::id::{BootId, ChannelBinding, Incarnation, LeaseSeq, Nonce, TsuId};
use chronolease_core::judge::Limits;
use chronolease_core::lease::{LeaseTerms, SignedLease};
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, GenTimeDigits, Ppb};
use chronolease_core::wire::encode_terms;
use chronolease_net::random;
use chronolease_tsu::core::holder::{Mode, Terms};
use chronolease_tsu::core::issuing::{Event, ToLink};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::keys::POLICY;

/// How often a lease is granted; each lasts three times as long.
const RENEWAL: Duration = Duration::from_secs(1);
const TTL: Bound = Bound::from_millis(3_000);

/// Both ends of a link of which there is no wire.
pub(crate) struct Grantor {
    me: Terms,
    channel: ChannelBinding,
    sequence: u64,
    events: mpsc::Sender<Event>,
    from_tsu: mpsc::Receiver<ToLink>,
}

/// Who the TSU is, with the default figures of a lease profile.
pub(crate) fn terms(boot_id: BootId) -> anyhow::Result<Terms> {
    Ok(Terms {
        tsu: TsuId::new("bench").context("a name")?,
        incarnation: Incarnation::from_bytes(random::bytes()),
        boot_id,
        policy: POLICY.to_owned(),
        accuracy: Bound::from_millis(500),
        limits: Limits {
            guard: Bound::from_millis(5),
            bracket: Bound::from_millis(1),
            digits: GenTimeDigits::Three,
        },
        rho: Ppb::from_ppm(100),
        // What the disk costs is measured; the monitor is not here.
        mode: Mode::Leased,
    })
}

impl Grantor {
    pub(crate) fn new(
        me: Terms,
        events: mpsc::Sender<Event>,
        from_tsu: mpsc::Receiver<ToLink>,
    ) -> Self {
        let channel = ChannelBinding::from_bytes(random::bytes());
        Self { me, channel, sequence: 0, events, from_tsu }
    }

    /// Connects and grants the first lease: whatever is asked of the pipeline after this finds it.
    pub(crate) async fn first(&mut self) -> anyhow::Result<()> {
        self.events.send(Event::Connected(self.channel)).await?;
        self.events.send(Event::Welcomed).await?;
        self.grant().await
    }

    /// Renews the lease until `stop`, or until the pipeline is gone.
    pub(crate) async fn keep(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RENEWAL) => {}
            }
            if self.grant().await.is_err() {
                return;
            }
        }
    }

    /// Probes, and grants on the sample that comes back.
    async fn grant(&mut self) -> anyhow::Result<()> {
        self.events.send(Event::Probed(Nonce::from_bytes(random::bytes()))).await?;
        let Some(ToLink::Answer(answer)) = self.from_tsu.recv().await else {
            bail!("the pipeline does not answer")
        };
        self.sequence += 1;
        let lease = self.lease(answer.sample);
        // The signature was verified by the link, which is not here, and is only put on record.
        let signed = SignedLease { terms_der: encode_terms(&lease), signature: vec![0; 64] };
        self.events.send(Event::Vouched).await?;
        Ok(self.events.send(Event::Granted(signed, lease)).await?)
    }

    fn lease(&self, sample: Sample) -> LeaseTerms {
        LeaseTerms {
            tsu: self.me.tsu.clone(),
            incarnation: self.me.incarnation,
            sequence: LeaseSeq::new(self.sequence),
            channel: self.channel,
            sample,
            ttl: TTL,
            clock_bound: Bound::from_millis(125),
            rho: self.me.rho,
            policy: self.me.policy.clone(),
            blackout: None,
        }
    }
}
