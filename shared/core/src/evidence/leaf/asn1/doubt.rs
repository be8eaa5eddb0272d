//! The grammar of what speaks against a source.

use rasn::prelude::*;

use super::Interval;
use super::event;
use crate::leap::smear::Smear;
use crate::time::Bound;
use crate::wire::WireError;

/// `SourceDoubt ::= SEQUENCE { source, doubt }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct SourceDoubt {
    source: Utf8String,
    doubt: Doubt,
}

/// `Doubt ::= CHOICE { disagreement [0], smear [1] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
enum Doubt {
    Disagreement(Disagreement),
    Smear(Drift),
}

/// `Disagreement ::= SEQUENCE { ours, theirs }`
#[derive(AsnType, Encode, Decode)]
struct Disagreement {
    ours: Interval,
    theirs: Interval,
}

/// `Drift ::= SEQUENCE { ppb, over }`, in parts per billion and nanoseconds.
#[derive(AsnType, Encode, Decode)]
struct Drift {
    ppb: i64,
    over: u64,
}

impl From<&event::SourceDoubt> for SourceDoubt {
    fn from(it: &event::SourceDoubt) -> Self {
        let doubt = match it.doubt {
            event::Doubt::Disagreement { ours, theirs } => {
                Doubt::Disagreement(Disagreement { ours: ours.into(), theirs: theirs.into() })
            }
            event::Doubt::Smear(smear) => {
                Doubt::Smear(Drift { ppb: smear.drift_ppb, over: smear.over.as_nanos() })
            }
        };
        Self { source: it.source.clone(), doubt }
    }
}

impl TryFrom<SourceDoubt> for event::SourceDoubt {
    type Error = WireError;
    fn try_from(it: SourceDoubt) -> Result<Self, WireError> {
        let doubt = match it.doubt {
            Doubt::Disagreement(Disagreement { ours, theirs }) => {
                event::Doubt::Disagreement { ours: ours.try_into()?, theirs: theirs.try_into()? }
            }
            Doubt::Smear(Drift { ppb, over }) => {
                event::Doubt::Smear(Smear { drift_ppb: ppb, over: Bound::from_nanos(over) })
            }
        };
        Ok(Self { source: it.source, doubt })
    }
}
