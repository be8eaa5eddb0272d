//! Stands in for the monitor: a lease that never runs out.

use std::time::Duration;

use anyhow::bail;
use chronolease_core::id::{ChannelBinding, LeaseSeq, Nonce};
use chronolease_core::lease::{LeaseTerms, SignedLease};
use chronolease_core::sample::Sample;
use chronolease_core::time::Bound;
use chronolease_core::wire::encode_terms;
use chronolease_net::random;
use chronolease_tsu::core::holder::Terms;
use chronolease_tsu::core::issuing::{Event, ToLink};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

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
