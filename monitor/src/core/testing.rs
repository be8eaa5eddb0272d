//! What tests of this crate share.

use chronolease_core::clock_reader::{Account, ClockWatch, Marker, OddReading, ReaderWord};
use chronolease_core::id::BootId;
use chronolease_core::sample::Sample;
use chronolease_core::stamped::{ReadClocks, Reading, Stamped, Turn};
use chronolease_core::time::{RawInstant, Span, Timestamp};

use super::continuity::Continuity;

/// The word of a clock reader at whose box nothing happened.
pub(crate) const QUIET: ReaderWord = ReaderWord {
    steps: 0,
    disruptions: 0,
    heard: Ok(Account { kernel: Err(OddReading::Refused), marker: Marker::Absent }),
};

/// A guard over a box at which nothing happens, begun with this sample.
pub(crate) fn guard_from(sample: Sample) -> Continuity {
    Continuity::begin(turn(sample).reading())
}

/// A guard over a box at which nothing happens.
pub(crate) fn guard() -> Continuity {
    Continuity::begin(turn_at(RawInstant::from_nanos(0)).reading())
}

/// A turn at this sample, on a box at which nothing happened.
pub(crate) fn turn(sample: Sample) -> Turn {
    struct Shown(Sample);
    impl ReadClocks for Shown {
        fn read(&self) -> Reading {
            let watch = ClockWatch::undisturbed(self.0.boot_id);
            Reading { sample: self.0, reader: watch.view(self.0.raw_after) }
        }
    }
    Stamped::receive((), &Shown(sample)).into_turn().0
}

/// A turn at this instant of the oscillator; of the other clocks nothing is asked.
pub(crate) fn turn_at(now: RawInstant) -> Turn {
    turn(Sample {
        raw_before: now,
        real: Timestamp::from_unix_nanos(0),
        raw_after: now,
        boot_minus_mono: Span::ZERO,
        boot_id: BootId::from_bytes([7; 16]),
    })
}
