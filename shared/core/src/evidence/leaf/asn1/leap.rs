//! The grammar of a passed boundary.

use rasn::prelude::*;

use super::{Bytes32, Interval, bytes, hash};
use crate::leap::month_end::MonthEnd;
use crate::leap::passage::{self, Observed};
use crate::leap::plan::Outlook;
use crate::time::{Ppb, RawInstant, Timestamp};
use crate::wire::WireError;

/// `LeapChange ::= SEQUENCE { boundary, expected, observed, before, after, rho, list [0] OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct LeapChange {
    boundary: i64,
    expected: u8,
    observed: u8,
    before: Reading,
    after: Reading,
    rho: u32,
    #[rasn(tag(0))]
    list: Option<Bytes32>,
}

/// `Reading ::= SEQUENCE { at, utcMinusRaw }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct Reading {
    at: i64,
    utc_minus_raw: Interval,
}

impl From<passage::Reading> for Reading {
    fn from(reading: passage::Reading) -> Self {
        Self { at: reading.at.as_nanos(), utc_minus_raw: reading.utc_minus_raw.into() }
    }
}

impl TryFrom<Reading> for passage::Reading {
    type Error = WireError;
    fn try_from(reading: Reading) -> Result<Self, WireError> {
        let at = RawInstant::from_nanos(reading.at);
        Ok(Self { at, utc_minus_raw: reading.utc_minus_raw.try_into()? })
    }
}

impl From<&passage::LeapChange> for LeapChange {
    fn from(change: &passage::LeapChange) -> Self {
        Self {
            boundary: change.end.instant().as_unix_nanos(),
            expected: change.expected.code(),
            observed: change.observed.code(),
            before: change.before.into(),
            after: change.after.into(),
            rho: change.rho.as_ppb(),
            list: change.list.as_ref().map(bytes),
        }
    }
}

impl TryFrom<LeapChange> for passage::LeapChange {
    type Error = WireError;
    fn try_from(change: LeapChange) -> Result<Self, WireError> {
        let end = MonthEnd::at(Timestamp::from_unix_nanos(change.boundary));
        Ok(Self {
            end: end.ok_or(WireError::Range("boundary"))?,
            expected: Outlook::from_code(change.expected).ok_or(WireError::Range("expected"))?,
            observed: Observed::from_code(change.observed).ok_or(WireError::Range("observed"))?,
            before: change.before.try_into()?,
            after: change.after.try_into()?,
            rho: Ppb::from_ppb(change.rho),
            list: change.list.as_ref().map(hash),
        })
    }
}
