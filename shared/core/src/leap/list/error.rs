//! Why a list of leap seconds is refused.

use core::fmt;

use super::BYTES_MAX;
use crate::evidence::merkle::Hash;

/// The lines that are neither data nor comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// `#$`: when the list was updated.
    Updated,
    /// `#@`: when the list expires.
    Expires,
    /// `#h`: the hash.
    Hash,
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Updated => "#$ (updated)",
            Self::Expires => "#@ (expires)",
            Self::Hash => "#h (hash)",
        })
    }
}

/// SHA-1 as the `#h` line writes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ListHash(pub(super) [u8; 20]);

impl fmt::Debug for ListHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a list is refused. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The file is too long to be a list.
    #[error("{bytes} bytes are too long for a list of leap seconds, which has at most {BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It is another file than the one that the operator pinned.
    #[error("SHA-256 of the file is {found}, the configuration pins {pinned}")]
    Pin {
        /// Of this file.
        found: Hash,
        /// What is configured.
        pinned: Hash,
    },
    /// A value is no plain decimal number, or has a leading zero.
    #[error("line {line}: not a plain decimal number")]
    Number {
        /// Where.
        line: usize,
    },
    /// A line of data has not exactly two columns.
    #[error("line {line}: {columns} columns of data, not two")]
    Columns {
        /// Where.
        line: usize,
        /// How many there are.
        columns: usize,
    },
    /// The hash is not five words of up to eight hexadecimal digits.
    #[error("line {line}: the hash is not five words of up to eight hexadecimal digits")]
    HashForm {
        /// Where.
        line: usize,
    },
    /// A directive stands there twice.
    #[error("line {line}: {directive} a second time")]
    Twice {
        /// Where the second one is.
        line: usize,
        /// Which.
        directive: Directive,
    },
    /// A line stands before one that it must follow: `#$`, `#@`, the data, `#h` is the order.
    #[error("line {line}: must follow {after}")]
    Order {
        /// Where.
        line: usize,
        /// What is missing before it.
        after: Directive,
    },
    /// Data after the hash, which would not cover it.
    #[error("line {line}: data after the hash")]
    AfterHash {
        /// Where.
        line: usize,
    },
    /// A directive is missing.
    #[error("no line {0}")]
    Missing(Directive),
    /// The hash does not fit: the list is damaged.
    #[error("line {line}: the hash is {stated:?}, the list has {computed:?}")]
    HashMismatch {
        /// Where it stands.
        line: usize,
        /// What it says.
        stated: ListHash,
        /// What it should be.
        computed: ListHash,
    },
    /// A time before 1970 or after 2261.
    #[error("line {line}: {ntp_s} seconds since 1900 are outside 1970 to 2261")]
    Range {
        /// Where.
        line: usize,
        /// What stands there.
        ntp_s: u64,
    },
    /// The list does not begin on 1972-01-01 with 10 seconds.
    #[error("line {line}: the first entry is not 2272060800 10 (1972-01-01)")]
    First {
        /// Where its first entry is.
        line: usize,
    },
    /// An entry is not later than the one before; a time that wrapped in 2036 is not either.
    #[error("line {line}: not later than the entry before")]
    NotLater {
        /// Where.
        line: usize,
    },
    /// An entry is not the first instant of a month.
    #[error("line {line}: not the first instant of a UTC month")]
    NotMonthEnd {
        /// Where.
        line: usize,
    },
    /// TAI - UTC does not change by exactly one second.
    #[error("line {line}: TAI - UTC goes from {from} to {to}, not by one second")]
    Step {
        /// Where.
        line: usize,
        /// The entry before.
        from: i32,
        /// This entry.
        to: u64,
    },
    /// There is no data.
    #[error("no entries")]
    Empty,
    /// It contradicts what has happened: TAI - UTC has been 37 s since 2017-01-01.
    #[error("no entry 3692217600 37 (2017-01-01), or not the value that held until then")]
    History,
    /// It expires before it was updated.
    #[error("expires before it was updated")]
    ExpiresBeforeUpdate,
}
