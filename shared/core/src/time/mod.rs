//! Time as integers of nanoseconds, with a type for each meaning.
//!
//! Arithmetic saturates. A saturated value lies about 292 years away from anything real, so it is
//! beyond every limit a judgement accepts: saturation refuses, it never permits.

mod instant;
mod span;
mod timestamp;

pub use instant::{BootInstant, RawInstant};
pub use span::{Bound, Ppb, Span};
pub use timestamp::{GenTime, Tai, Timescale, Timestamp, Utc};
