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
    /// What the clock reader's word was worth right after the sample was taken. Its
    /// [`mark`](ReaderView::mark) is of right before.
    pub reader: ReaderView,
}

/// Reads the clocks of a box anew each time it is asked.
pub trait ReadClocks {
    /// The clock reader's mark, the clocks now, and then the reader's word on them.
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

    /// The event, and a turn at its reading.
    #[must_use]
    pub fn into_turn(self) -> (Turn, E) {
        (Turn { reading: self.reading }, self.event)
    }

    /// Both, to be used up together.
    #[must_use]
    pub fn into_parts(self) -> (Reading, E) {
        (self.reading, self.event)
    }
}

/// A turn of a core that decides several things of one event: each at the reading that was taken
/// when that was in. It comes from [`Stamped::into_turn`] alone; no reading of before becomes one,
///
/// ```compile_fail
/// use chronolease_core::stamped::{Reading, Turn};
/// fn late(reading: Reading) -> Turn {
///     Turn { reading } // a private field
/// }
/// ```
///
/// and it can be neither copied nor cloned, so that it ends with its event:
///
/// ```compile_fail
/// use chronolease_core::stamped::Turn;
/// fn again(turn: &Turn) -> Turn {
///     turn.clone() // no such method
/// }
/// ```
///
/// ```
/// use chronolease_core::stamped::{ReadClocks, Stamped, Turn};
/// fn received(clocks: &impl ReadClocks) -> (Turn, &'static str) {
///     Stamped::receive("received before", clocks).into_turn()
/// }
/// ```
#[derive(Debug)]
pub struct Turn {
    reading: Reading,
}

impl Turn {
    /// The clocks, and the clock reader's word on them.
    #[must_use]
    pub const fn reading(&self) -> &Reading {
        &self.reading
    }
}

impl core::ops::Deref for Turn {
    type Target = Sample;

    fn deref(&self) -> &Sample {
        &self.reading.sample
    }
}

#[cfg(test)]
mod tests;
