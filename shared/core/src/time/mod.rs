//! Time as integers of nanoseconds, with a type for each meaning.
//!
//! Arithmetic saturates. A saturated value lies about 292 years away from anything real, so it is
//! beyond every limit a judgement accepts: saturation refuses, it never permits.

mod gen_time;
mod instant;
mod rate;
mod span;
mod timestamp;

pub use gen_time::{GenTime, GenTimeDigits};
pub use instant::{BootInstant, RawInstant};
pub use rate::Rate;
pub use span::{Bound, Ppb, Span};
pub use timestamp::{Tai, Timescale, Timestamp, Utc};
