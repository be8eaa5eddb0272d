//! What tests of this crate share.

use chronolease_core::clock_reader::{Account, Marker, OddReading, ReaderWord};

/// The word of a clock reader at whose box nothing happened.
pub(crate) const QUIET: ReaderWord = ReaderWord {
    steps: 0,
    disruptions: 0,
    heard: Ok(Account { kernel: Err(OddReading::Refused), marker: Marker::Absent }),
};
