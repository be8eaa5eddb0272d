//! The lease: the monitor's signed verdict on one clock sample, which permits issuing for a while.

use core::fmt;

use crate::coded::coded;
use crate::id::{ChannelBinding, Incarnation, LeaseSeq, TsuId};
use crate::leap::blackout::Blackout;
use crate::sample::Sample;
use crate::time::{Bound, Ppb};
use crate::wire::{self, WireError};

/// What the monitor states and signs when it grants.
///
/// It says: "this very sample was within `clock_bound` of UTC; for `ttl` from the sample's own RAW
/// reading you may issue, as this incarnation, on this boot, over this connection."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseTerms {
    /// The TSU that may issue.
    pub tsu: TsuId,
    /// The run of that TSU that may issue.
    pub incarnation: Incarnation,
    /// The number of this lease, never used before for this TSU.
    pub sequence: LeaseSeq,
    /// The connection that it was granted over.
    pub channel: ChannelBinding,
    /// The sample that was judged. Its boot id binds the lease to one boot.
    pub sample: Sample,
    /// How long it lasts on the TSU's oscillator, from `sample.raw_before`.
    pub ttl: Bound,
    /// `|sample.real - UTC|` is proven to be at most this (E0 of the budget).
    pub clock_bound: Bound,
    /// The oscillator error that both boxes are assumed to keep within.
    pub rho: Ppb,
    /// The time-stamp policy that it is good for, in dotted notation.
    pub policy: String,
    /// The next blackout around a possible leap second. The lease ends where it begins.
    pub blackout: Option<Blackout>,
}

/// Lease terms in DER with the monitor's signature, as they travel and as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedLease {
    /// The terms in canonical DER.
    pub terms_der: Vec<u8>,
    /// Ed25519 over [`SignedLease::message`].
    pub signature: Vec<u8>,
}

/// Why a received lease is not one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// The terms do not parse.
    #[error("the lease terms do not parse: {0}")]
    Terms(#[from] WireError),
    /// The signature does not fit the monitor's evidence key.
    #[error("the signature on the lease does not fit the monitor's evidence key")]
    Signature,
}

impl SignedLease {
    /// What stands before the terms in the signed message, so that a signature over a lease can
    /// never pass for a signature over anything else.
    pub const CONTEXT: &'static [u8] = b"chronolease/lease/v1\0";

    /// Encodes `terms` and lets `sign` sign them.
    ///
    /// # Errors
    /// What `sign` returns.
    pub fn sign<E>(
        terms: &LeaseTerms,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let terms_der = wire::encode_terms(terms);
        let signature = sign(&Self::message(&terms_der))?;
        Ok(Self { terms_der, signature })
    }

    /// The bytes that are signed: the context, then the terms.
    #[must_use]
    pub fn message(terms_der: &[u8]) -> Vec<u8> {
        [Self::CONTEXT, terms_der].concat()
    }

    /// Checks the signature with `verify(message, signature)`, and only then reads the terms.
    ///
    /// # Errors
    /// [`LeaseError`] when the signature does not fit or the terms do not parse.
    pub fn open(
        &self,
        verify: impl FnOnce(&[u8], &[u8]) -> bool,
    ) -> Result<LeaseTerms, LeaseError> {
        if !verify(&Self::message(&self.terms_der), &self.signature) {
            return Err(LeaseError::Signature);
        }
        Ok(wire::decode_terms(&self.terms_der)?)
    }
}

macro_rules! ending_causes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $label:literal, latches: $latches:literal;)+) => {
        coded! {
            /// Why a lease ended. The labels stand in metrics, logs and alarms.
            pub enum EndingCause { $($(#[$doc])* $name = $code, $label;)+ }
        }

        impl EndingCause {
            /// Whether the cause latches: the longer hold, and a reset unless re-arming is
            /// automatic.
            #[must_use]
            pub const fn latches(self) -> bool {
                match self { $(Self::$name => $latches,)+ }
            }

            /// The cause with this label.
            #[must_use]
            pub fn from_label(label: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|cause| cause.label() == label)
            }
        }
    };
}

ending_causes! {
    /// Enough laboratories answer, but more than f of them lie.
    NoConsensus = 1, "no-consensus", latches: false;
    /// Too few laboratories answer.
    QuorumLost = 2, "quorum-lost", latches: false;
    /// The TSU's clock is provably outside E_bad.
    Deviation = 3, "deviation", latches: true;
    /// The TSU's guard saw its clock leave the oscillator.
    Step = 4, "step", latches: true;
    /// The TSU's box was suspended.
    Suspend = 5, "suspend", latches: false;
    /// It ran out: the verdict was not GOOD for a whole TTL.
    Lapsed = 6, "lapsed", latches: false;
    /// The link to the TSU broke or fell silent.
    LinkLost = 7, "link-lost", latches: false;
    /// The TSU came back as another process or on another boot.
    Restarted = 8, "restarted", latches: false;
    /// Two connections answered for one TSU.
    Clone = 9, "clone", latches: true;
    /// The monitor was stopped in good order.
    MonitorStopped = 10, "monitor-stopped", latches: false;
    /// Box B's own continuity broke: it was suspended, or cannot tell that it was not.
    MonitorBreak = 11, "monitor-break", latches: false;
    /// The monitor could not keep its own state on disk.
    StateLost = 12, "state-lost", latches: false;
    /// A write of the evidence log failed on one of the boxes: it will never be written again.
    EvidencePoisoned = 13, "evidence-poisoned", latches: true;
    /// A log lost leaves that the other box has vouched for.
    Rollback = 14, "rollback", latches: true;
    /// A log is no continuation of what the other box has vouched for.
    Fork = 15, "fork", latches: true;
    /// The blackout around a possible leap second began.
    LeapSecond = 17, "leap-second", latches: false;
    /// The kernel said that somebody set the TSU's clock.
    StepNotice = 18, "step-notice", latches: true;
    /// A hypervisor disrupted the TSU's box: it was migrated, or restored from a snapshot.
    Disrupted = 19, "disrupted", latches: true;
    /// The TSU's clock reader is lost: nobody can tell whether its clock is set.
    ReaderLost = 20, "reader-lost", latches: false;
    /// A token from the public endpoint breaks a promise: its time is provably wrong, or it was
    /// made without a lease.
    WrongToken = 21, "wrong-token", latches: true;
    /// The oscillators of the two boxes went on by different times: one of the boxes stood still,
    /// and which cannot be told.
    Oscillators = 22, "oscillators", latches: false;
    /// The pulse-per-second signal of the monitor's box, which leases need by configuration, does
    /// not fit UTC as the sources have it, or its edges are missing.
    PpsAnomaly = 23, "pps-anomaly", latches: false;
}

impl fmt::Display for EndingCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_labels_name_one_cause_each() {
        for &cause in EndingCause::ALL {
            assert_eq!(EndingCause::from_code(cause.code()), Some(cause));
            assert_eq!(EndingCause::from_label(cause.label()), Some(cause));
        }
        assert_eq!(EndingCause::from_code(0), None);
    }
}
