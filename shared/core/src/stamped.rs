//! How an event meets a reading of the clocks: the reading is taken once the event is in, and is
//! good for that event alone.
//!
//! A pause between "what time is it?" and "what happened?" would let an old reading stand for the
//! present. So the cores take [`Stamped`] events, and [`Stamped::receive`] is the only way to one:
//! it owns the event before it asks for the time.

use crate::clock_reader::ReaderView;
use crate::sample::Sample;

/// The clocks of a box, and what its clock reader says of them. It can be neither copied nor
/// cloned, so that it is not kept for a later event.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    /// The clocks.
    pub sample: Sample,
    /// What the clock reader's word was worth right after the sample was taken.
    pub reader: ReaderView,
}

/// Reads the clocks of a box anew each time it is asked.
pub trait ReadClocks {
    /// The clocks now, and then the clock reader's word on them.
    fn read(&self) -> Reading;
}

/// An event with a reading that was taken after the event was in.
///
/// A reading of before cannot be put to an event:
///
/// ```compile_fail
/// use chronolease_core::stamped::{ReadClocks, Reading, Stamped};
/// fn late(clocks: &impl ReadClocks) -> Stamped<&'static str> {
///     let reading = clocks.read();
///     let event = "received meanwhile";
///     Stamped { reading, event } // private fields
/// }
/// ```
///
/// nor can one be used for two events:
///
/// ```compile_fail
/// use chronolease_core::stamped::Reading;
/// fn again(reading: &Reading) -> Reading {
///     reading.clone() // no such method
/// }
/// ```
///
/// The one way there is:
///
/// ```
/// use chronolease_core::stamped::{ReadClocks, Stamped};
/// fn received(clocks: &impl ReadClocks) -> Stamped<&'static str> {
///     let event = "received before";
///     Stamped::receive(event, clocks)
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Stamped<E> {
    reading: Reading,
    event: E,
}

impl<E> Stamped<E> {
    /// Takes the event, which must have been received completely, and only then reads the clocks.
    #[must_use]
    pub fn receive(event: E, clocks: &impl ReadClocks) -> Self {
        let reading = clocks.read();
        Self { reading, event }
    }

    /// The reading.
    #[must_use]
    pub const fn now(&self) -> &Reading {
        &self.reading
    }

    /// Both, to be used up together.
    #[must_use]
    pub fn into_parts(self) -> (Reading, E) {
        (self.reading, self.event)
    }
}

#[cfg(test)]
mod tests {
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
}
