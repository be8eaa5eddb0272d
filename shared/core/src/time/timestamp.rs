//! Timestamps on named timescales.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::ops::{Add, Sub};

use super::Span;

/// A named timescale. Timestamps of two scales do not mix.
pub trait Timescale {}

/// Coordinated Universal Time, counted as POSIX counts it: leap seconds have no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Utc {}
impl Timescale for Utc {}

/// International Atomic Time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tai {}
impl Timescale for Tai {}

/// Nanoseconds since 1970-01-01 00:00:00 of its own timescale.
///
/// ```compile_fail
/// use chronolease_core::time::{Tai, Timestamp, Utc};
/// let utc = Timestamp::<Utc>::from_unix_nanos(0);
/// let tai = Timestamp::<Tai>::from_unix_nanos(0);
/// let _ = utc - tai; // needs the table of leap seconds, so it does not compile
/// ```
pub struct Timestamp<S: Timescale> {
    ns: i64,
    scale: PhantomData<S>,
}

impl<S: Timescale> Timestamp<S> {
    /// The timestamp `ns` nanoseconds after 1970-01-01 00:00:00.
    #[must_use]
    pub const fn from_unix_nanos(ns: i64) -> Self {
        Self { ns, scale: PhantomData }
    }

    /// Nanoseconds since 1970-01-01 00:00:00.
    #[must_use]
    pub const fn as_unix_nanos(self) -> i64 {
        self.ns
    }
}

impl<S: Timescale> Clone for Timestamp<S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S: Timescale> Copy for Timestamp<S> {}
impl<S: Timescale> PartialEq for Timestamp<S> {
    fn eq(&self, other: &Self) -> bool {
        self.ns == other.ns
    }
}
impl<S: Timescale> Eq for Timestamp<S> {}
impl<S: Timescale> PartialOrd for Timestamp<S> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<S: Timescale> Ord for Timestamp<S> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.ns.cmp(&other.ns)
    }
}
impl<S: Timescale> Hash for Timestamp<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ns.hash(state);
    }
}

impl<S: Timescale> Sub for Timestamp<S> {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span::from_nanos(self.ns.saturating_sub(earlier.ns))
    }
}

impl<S: Timescale> Add<Span> for Timestamp<S> {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self::from_unix_nanos(self.ns.saturating_add(span.as_nanos()))
    }
}

impl<S: Timescale> fmt::Debug for Timestamp<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ns) = (self.ns.div_euclid(1_000_000_000), self.ns.rem_euclid(1_000_000_000));
        write!(f, "{seconds}.{ns:09}")
    }
}
