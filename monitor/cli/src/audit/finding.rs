//! What can be wrong with a leaf.

use core::fmt;

use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::leaf::LeafError;
use chronolease_core::id::{LeaseSeq, Serial, TsuId};
use chronolease_core::judge::Refusal;
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::pps::PpsState;
use chronolease_core::time::GenTime;
use chronolease_core::wire::WireError;

use crate::kind::Kind;
use crate::text;

/// A fault and the leaf that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which leaf.
    pub leaf: LeafIndex,
    /// Its kind.
    pub kind: Kind,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leaf {} ({}): {}", self.leaf, self.kind, self.fault)
    }
}

/// What is wrong with a leaf.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a canonical leaf of a kind that this version knows.
    #[error("no leaf that this version knows: {0}")]
    Unreadable(LeafError),
    /// The terms of a lease do not parse.
    #[error("the lease terms do not parse: {0}")]
    Terms(WireError),
    /// The signature of a lease is not the monitor's.
    #[error("the signature on the lease does not fit the evidence key")]
    Signature,
    /// The number of a lease is not above all before.
    #[error("lease {sequence} of {tsu} comes after lease {before}")]
    Sequence {
        /// Whose lease.
        tsu: TsuId,
        /// Its number.
        sequence: LeaseSeq,
        /// The highest number before.
        before: LeaseSeq,
    },
    /// A serial number has been used before.
    #[error("serial {serial} is already that of leaf {first}")]
    Serial {
        /// The serial number.
        serial: Serial,
        /// The first intent that has it.
        first: LeafIndex,
    },
    /// The time stated is not the sample's, cut to milliseconds.
    #[error(
        "genTime is {}, but the sample's clock says {}",
        text::gen_time(*stated),
        text::gen_time(*read)
    )]
    GenTime {
        /// The time that the token states.
        stated: GenTime,
        /// The time of its sample.
        read: GenTime,
    },
    /// The time is before that of an earlier intent of the same run.
    #[error(
        "genTime {} goes back behind {} of leaf {by}",
        text::gen_time(*stated),
        text::gen_time(*latest)
    )]
    Regressed {
        /// The time that the token states.
        stated: GenTime,
        /// The latest time before.
        latest: GenTime,
        /// The intent that states the latest time.
        by: LeafIndex,
    },
    /// The judge, asked again, refuses.
    #[error("judged again under lease {0}: {1}")]
    Judged(LeaseSeq, Refusal),
    /// An intent, but no TSU has started.
    #[error("no start of a TSU comes before")]
    NoRun,
    /// A token was released that nobody had announced.
    #[error("serial {0} was released without an intent before")]
    NoIntent(Serial),
    /// A token was released twice.
    #[error("serial {serial} was already released by leaf {first}")]
    IssuedTwice {
        /// The serial number.
        serial: Serial,
        /// The leaf that released it before.
        first: LeafIndex,
    },
    /// The record of a boundary says something else than its own readings.
    #[error("what was observed at the end of {0} is not what its readings show")]
    LeapChange(MonthEnd),
    /// The record of a pulse-per-second signal says something else than its own edge.
    #[error("the edge of the pulse-per-second signal does not show that it is {0}")]
    PpsChange(PpsState),
}
