use core::cell::Cell;

use super::*;
use crate::clock_reader::ClockWatch;
use crate::id::BootId;
use crate::time::{RawInstant, Span, Timestamp};

const BOOT: BootId = BootId::from_bytes([1; 16]);

/// A box whose time a test moves.
struct World(Cell<i64>);

impl ReadClocks for World {
    fn read(&self) -> Reading {
        let raw = RawInstant::from_nanos(self.0.get());
        let sample = Sample {
            raw_before: raw,
            real: Timestamp::from_unix_nanos(self.0.get()),
            raw_after: raw,
            boot_minus_mono: Span::ZERO,
            boot_id: BOOT,
        };
        Reading { sample, reader: ClockWatch::undisturbed(BOOT).view(raw) }
    }
}

/// The process stands still between the event and its handler.
#[test]
fn a_stop_between_event_and_handler_shows_in_the_reading() {
    let world = World(Cell::new(10));
    // The control: what was read before the event knows nothing of the stop.
    let stale = world.read();
    let event = world.0.get();
    world.0.set(5_000);
    let (now, event) = Stamped::receive(event, &world).into_parts();
    assert_eq!(event, 10);
    assert_eq!(now.sample.raw_before, RawInstant::from_nanos(5_000));
    assert_eq!(stale.sample.raw_before, RawInstant::from_nanos(10));
}
