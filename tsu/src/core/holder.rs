//! The lease that this TSU holds, and the guard over it.

use chronolease_core::broken::{Condition, kept};
use chronolease_core::budget::{Budget, WitnessBudget};
use chronolease_core::clock_reader::{Mark, ReaderWord};
use chronolease_core::id::{BootId, ChannelBinding, Incarnation, LeaseSeq, Nonce, TsuId};
use chronolease_core::judge::{self, JudgedSample, Limits, Refusal};
use chronolease_core::lease::{EndingCause, LeaseTerms};
use chronolease_core::sample::Sample;
use chronolease_core::stamped::Reading;
use chronolease_core::time::{Bound, GenTime, Ppb};
use chronolease_core::token::ReleasePermit;
use chronolease_core::wire::LeaseEnded;

/// Who this TSU is and what it accepts.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Its name, as the monitor knows it.
    pub tsu: TsuId,
    /// This run.
    pub incarnation: Incarnation,
    /// This boot.
    pub boot_id: BootId,
    /// The policy that its tokens are issued under.
    pub policy: String,
    /// A: the accuracy printed in tokens.
    pub accuracy: Bound,
    /// What the judge tolerates.
    pub limits: Limits,
    /// The error of this box's oscillator.
    pub rho: Ppb,
    /// By what right its tokens are released.
    pub mode: Mode,
}

/// By what right tokens are released. There is no way from the one to the other while a TSU runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The lease alone.
    Leased,
    /// The lease, and the monitor's confirmation of every batch.
    Witnessed(WitnessBudget),
}

impl Mode {
    /// The mode as the configuration names it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Leased => "leased",
            Self::Witnessed(_) => "witnessed",
        }
    }
}

/// The answer to a probe, as far as the clock goes. The link adds the log's checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The probe's nonce.
    pub nonce: Nonce,
    /// The reading.
    pub sample: Sample,
    /// What the clock reader says of it.
    pub reader: ReaderWord,
    /// A lease that this TSU ended by itself since its last one.
    pub ended: Option<LeaseEnded>,
}

/// Why a grant is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefused {
    /// It names another TSU, incarnation or boot.
    #[error("the lease is for another TSU, incarnation or boot")]
    NotMe,
    /// It was granted over another connection.
    #[error("the lease belongs to another connection")]
    OtherChannel,
    /// It is good for another policy.
    #[error("the lease is for policy {0}")]
    OtherPolicy(String),
    /// Its number is not above the newest one seen or revoked: a replay.
    #[error("lease {offered} is not newer than {newest}")]
    NotNewer {
        /// The number offered.
        offered: LeaseSeq,
        /// The newest number seen or revoked.
        newest: LeaseSeq,
    },
    /// The monitor's log was not found to continue what this TSU has vouched for.
    #[error("the monitor's log is not vouched for")]
    LogNotVouched,
    /// It is not on the sample that the last answer gave, or the guard tripped since.
    #[error("the lease is not on the sample last answered")]
    OtherSample,
    /// Its sample was taken through a pause, so that the budget's bracket does not cover it.
    #[error("the sample of the lease has a wider bracket than {0}")]
    WideSample(Bound),
    /// The clock was not watched without a gap since its sample, or somebody set it.
    #[error("since the sample of the lease: {0}")]
    Watch(Refusal),
    /// With its bound, rate and duration the accuracy in tokens would not hold.
    #[error("the lease breaks the budget: {0}")]
    Budget(String),
}

/// A sample that was answered, and the clock reader's mark of that instant.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    sample: Sample,
    mark: Mark,
}

/// A lease, with the mark of the sample that it was granted on.
#[derive(Debug)]
struct Held {
    terms: LeaseTerms,
    mark: Mark,
}

/// Holds at most one lease; starts with none.
#[derive(Debug)]
pub struct Holder {
    me: Terms,
    channel: Option<ChannelBinding>,
    answered: Option<Anchor>,
    /// Since the last answer, this TSU vouched for the monitor's newest checkpoint.
    vouched: bool,
    lease: Option<Held>,
    newest: LeaseSeq,
    /// Leases up to this one were revoked or ended by the guard: nothing of theirs is released.
    withdrawn: LeaseSeq,
    ended: Option<LeaseEnded>,
    nonce: Nonce,
    high_water: Option<GenTime>,
}

impl Holder {
    /// A TSU as it starts: without a lease.
    #[must_use]
    pub const fn new(me: Terms) -> Self {
        Self {
            me,
            channel: None,
            answered: None,
            vouched: false,
            lease: None,
            newest: LeaseSeq::new(0),
            withdrawn: LeaseSeq::new(0),
            ended: None,
            nonce: Nonce::from_bytes([0; 32]),
            high_water: None,
        }
    }

    /// With the latest genTime that an earlier run may have released.
    pub fn resume(&mut self, high_water: Option<GenTime>) {
        self.high_water = self.high_water.max(high_water);
    }

    /// A connection to the monitor stands. The lease that it already holds stays good: it runs out
    /// by itself.
    pub fn connected(&mut self, channel: ChannelBinding) {
        self.channel = Some(channel);
        self.answered = None;
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.channel = None;
        self.answered = None;
    }

    /// Answers a probe with `now`, which was read after the probe was in.
    pub fn probed(&mut self, now: &Reading, nonce: Nonce) -> Answer {
        // The clock may have been stepped and no token asked for since: better found here than by
        // the monitor a round trip later.
        let _ = self.judge(now);
        self.nonce = nonce;
        self.answered = Some(Anchor { sample: now.sample, mark: now.reader.mark() });
        self.vouched = false;
        Answer { nonce, sample: now.sample, reader: now.reader.word(), ended: self.ended }
    }

    /// The monitor's newest checkpoint continues what this TSU vouched for before; that it did so
    /// again is durable.
    pub const fn vouched(&mut self) {
        self.vouched = true;
    }

    /// One of the two logs does not continue what the other box vouched for.
    pub fn log_broken(&mut self, cause: EndingCause) {
        self.vouched = false;
        self.trip(cause);
    }

    /// Takes a lease whose signature was verified.
    ///
    /// # Errors
    /// [`GrantRefused`]; the lease it held before stays.
    pub fn granted(&mut self, now: &Reading, lease: LeaseTerms) -> Result<LeaseSeq, GrantRefused> {
        let me = &self.me;
        let mine = lease.tsu == me.tsu
            && lease.incarnation == me.incarnation
            && lease.sample.boot_id == me.boot_id;
        if kept(Condition::GrantIsMine) && !mine {
            return Err(GrantRefused::NotMe);
        }
        if kept(Condition::GrantChannel) && self.channel != Some(lease.channel) {
            return Err(GrantRefused::OtherChannel);
        }
        if lease.policy != me.policy {
            return Err(GrantRefused::OtherPolicy(lease.policy));
        }
        let newest = self.newest.max(self.withdrawn);
        if kept(Condition::GrantNewer) && lease.sequence <= newest {
            let offered = lease.sequence;
            return Err(GrantRefused::NotNewer { offered, newest });
        }
        if kept(Condition::GrantVouched) && !self.vouched {
            return Err(GrantRefused::LogNotVouched);
        }
        let fits = |anchor: &Anchor| !kept(Condition::GrantSample) || anchor.sample == lease.sample;
        let mark = match self.answered.filter(fits) {
            Some(anchor) => anchor.mark,
            None if kept(Condition::GrantSample) => return Err(GrantRefused::OtherSample),
            None => now.reader.mark(),
        };
        judge::judge_watch(now.reader.since(&mark)).map_err(GrantRefused::Watch)?;
        let limit = me.limits.bracket;
        if lease.sample.bracket().is_none_or(|bracket| bracket > limit) {
            return Err(GrantRefused::WideSample(limit));
        }
        // The boxes' configurations may differ; what is worse for the token counts.
        let budget = Budget {
            accuracy: me.accuracy,
            grant_within: lease.clock_bound,
            guard: me.limits.guard,
            bracket: me.limits.bracket,
            rho: lease.rho.max(me.rho),
            ttl: lease.ttl,
            digits: me.limits.digits,
        };
        budget.check().map_err(|broken| GrantRefused::Budget(broken.to_string()))?;
        if let Mode::Witnessed(witness) = me.mode {
            let fits = witness.check(&budget);
            fits.map_err(|broken| GrantRefused::Budget(broken.to_string()))?;
        }
        let sequence = lease.sequence;
        self.newest = sequence;
        self.ended = None;
        self.lease = Some(Held { terms: lease, mark });
        Ok(sequence)
    }

    /// The monitor revoked every lease up to `up_to`.
    pub fn revoked(&mut self, up_to: LeaseSeq) {
        if !kept(Condition::Revocation) {
            return;
        }
        self.withdrawn = self.withdrawn.max(up_to);
        self.lease.take_if(|held| held.terms.sequence <= up_to);
    }

    /// Judges a reading under the lease. A refusal that shows the clock itself to be unsound, or
    /// unwatched, ends the lease.
    ///
    /// # Errors
    /// The judge's [`Refusal`].
    pub fn judge(&mut self, now: &Reading) -> Result<JudgedSample, Refusal> {
        let Held { terms, mark } = self.lease.as_ref().ok_or(Refusal::NoLease)?;
        let (since, me) = (now.reader.since(mark), &self.me);
        let (sample, run) = (&now.sample, me.incarnation);
        let verdict = judge::judge(sample, since, run, terms, &me.limits, self.high_water);
        match &verdict {
            Ok(_) => {}
            Err(Refusal::Expired { .. }) => self.lease = None,
            Err(refusal) => {
                if let Some(cause) = refusal.ends_lease() {
                    self.trip(cause);
                }
            }
        }
        verdict
    }

    /// A token with this genTime is on its way; no later one may carry an earlier time.
    pub fn used(&mut self, judged: &JudgedSample) {
        self.high_water = self.high_water.max(Some(judged.gen_time()));
    }

    /// The evidence log takes nothing any more: no record, no token.
    pub fn evidence_lost(&mut self) {
        self.trip(EndingCause::EvidencePoisoned);
    }

    /// Who this TSU is and what it accepts.
    #[must_use]
    pub const fn me(&self) -> &Terms {
        &self.me
    }

    /// Whether tokens judged under `lease` may still be released.
    #[must_use]
    pub fn permit(&self, lease: LeaseSeq) -> Option<ReleasePermit> {
        let withdrawn = kept(Condition::ReleasePermit) && lease <= self.withdrawn;
        ReleasePermit::under(lease, withdrawn)
    }

    /// The lease that it holds, as far as it was looked at.
    #[must_use]
    pub fn lease(&self) -> Option<&LeaseTerms> {
        self.lease.as_ref().map(|held| &held.terms)
    }

    /// The newest nonce of the monitor, for serial numbers.
    #[must_use]
    pub const fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// The lease that the guard ended, until the next one is granted.
    #[must_use]
    pub const fn ended(&self) -> Option<LeaseEnded> {
        self.ended
    }

    /// Ends the lease for good, and forgets the answered sample, so that a grant that is on its
    /// way for a sample from before the fault is refused.
    fn trip(&mut self, cause: EndingCause) {
        if let Some(Held { terms: lease, .. }) = self.lease.take() {
            self.withdrawn = self.withdrawn.max(lease.sequence);
            self.answered = None;
            self.ended = Some(LeaseEnded { sequence: lease.sequence, cause });
        }
    }
}

#[cfg(all(test, not(feature = "negative-control")))]
pub(crate) mod tests;
