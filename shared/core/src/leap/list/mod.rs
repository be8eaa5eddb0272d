//! The list of leap seconds as the IERS, NIST and the IANA publish it (`leap-seconds.list`).
//!
//! `#$` says when the list was updated and `#@` when it expires, both in seconds since 1900; each
//! line of data says from when on TAI - UTC has which value; `#h` holds SHA-1 over all of these.
//! That hash finds damage, not forgery: against forgery the operator pins the file's SHA-256.
//!
//! What a reader elsewhere forgives is refused here. A list that is refused counts as missing, and
//! a missing list suspends.

mod error;
mod read;
mod write;

use super::LeapSign;
use super::month_end::MonthEnd;
use crate::evidence::merkle::Hash;
use crate::time::{Timestamp, Utc};

pub use error::{Directive, ListError};
pub use write::{history, write_list};

/// The largest list in bytes; the real one has about 5,000.
pub const BYTES_MAX: usize = 65_536;

/// From a month's end on, TAI - UTC has this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The end of the month at whose L the value begins to hold.
    pub from: MonthEnd,
    /// TAI - UTC in seconds.
    pub tai_minus_utc_s: i32,
}

/// A list that passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeapList {
    updated: Timestamp<Utc>,
    expires: Timestamp<Utc>,
    entries: Vec<Entry>,
    digest: Hash,
}

impl LeapList {
    /// Reads a list. With a `pin`, SHA-256 over the whole file must be that.
    ///
    /// # Errors
    /// The first [`ListError`] that applies, with the number of the line.
    pub fn parse(file: &[u8], pin: Option<&Hash>) -> Result<Self, ListError> {
        read::parse(file, pin)
    }

    /// When the list was updated (`#$`).
    #[must_use]
    pub const fn updated(&self) -> Timestamp<Utc> {
        self.updated
    }

    /// When the list expires (`#@`): it says nothing about what comes later.
    #[must_use]
    pub const fn expires(&self) -> Timestamp<Utc> {
        self.expires
    }

    /// SHA-256 over the whole file: what a pin must be, and what goes on record.
    #[must_use]
    pub const fn digest(&self) -> &Hash {
        &self.digest
    }

    /// Every value that TAI - UTC has had since 1972, the oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Every leap second, the oldest first.
    pub fn leaps(&self) -> impl Iterator<Item = (MonthEnd, LeapSign)> {
        self.entries.windows(2).filter_map(|pair| {
            let change = pair[1].tai_minus_utc_s - pair[0].tai_minus_utc_s;
            Some((pair[1].from, LeapSign::from_tai_minus_utc_change_s(change)?))
        })
    }

    /// What the list says of a month's end: a leap second, or that there is none (`Some(None)`).
    /// `None` where it says nothing, which is after its expiry.
    #[must_use]
    pub fn says(&self, end: MonthEnd) -> Option<Option<LeapSign>> {
        let leap = self.leaps().find(|(at, _)| *at == end).map(|(_, sign)| sign);
        (leap.is_some() || end.instant() <= self.expires).then_some(leap)
    }

    /// TAI - UTC in seconds at `now`; `None` before 1972.
    #[must_use]
    pub fn tai_minus_utc_s(&self, now: Timestamp<Utc>) -> Option<i32> {
        let newest = self.entries.iter().rev().find(|entry| entry.from.instant() <= now)?;
        Some(newest.tai_minus_utc_s)
    }
}

#[cfg(test)]
mod tests;
