//! One NTP server that answers truthfully, or exactly as untruthfully as its knobs say.

mod knobs;
mod packet;
mod server;

#[cfg(test)]
mod tests;

pub use knobs::{KnobError, Knobs, Leap, Mode, RefId, Within};
pub use server::{Server, Source};
