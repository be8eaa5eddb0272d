//! A box whose clocks show what a test says.

use chronolease_core::clock_reader::ClockWatch;
use chronolease_core::id::BootId;
use chronolease_core::sample::Sample;
use chronolease_core::stamped::{ReadClocks, Reading};

/// The boot of all tests.
pub(crate) const BOOT: BootId = BootId::from_bytes([1; 16]);

/// Shows one sample, and what a watch says at that instant.
#[derive(Debug)]
pub(crate) struct ShownClocks<'a> {
    pub(crate) sample: Sample,
    pub(crate) watch: &'a ClockWatch,
}

impl ReadClocks for ShownClocks<'_> {
    fn read(&self) -> Reading {
        Reading { sample: self.sample, reader: self.watch.view(self.sample.raw_after) }
    }
}

/// This sample, on a box at which nothing happens.
pub(crate) fn undisturbed(sample: Sample) -> Reading {
    ShownClocks { sample, watch: &ClockWatch::undisturbed(BOOT) }.read()
}
