//! The pure heart of Chronolease: what both boxes must agree on, without I/O.
//!
//! Nothing here reads a clock, opens a file or a socket, or draws a random number; all of that
//! comes in as an argument. So every judgement can be repeated later from recorded inputs.
//!
//! | module | what it holds |
//! |---|---|
//! | [`time`] | spans, bounds, rates, instants and timestamps that do not mix |
//! | [`interval`] | closed intervals of spans: every statement about UTC is one |
//! | [`sample`] | one bracketed reading of a box's clocks |
//! | [`stamped`] | an event with the reading that was taken after it was in |
//! | [`lease`] | the signed verdict that permits issuing |
//! | [`confirmation`] | the monitor's signed word on a batch, which permits its release |
//! | [`judge`] | may a token be built from this sample under this lease? |
//! | [`fusion`] | UTC as the hull of what enough laboratories agree on |
//! | [`clock_reader`] | what the clock reader publishes, and what its word is worth |
//! | [`leap`] | leap seconds: what is expected, and when issuing is suspended |
//! | [`pps`] | whether the edges of a pulse-per-second signal are where they should be |
//! | [`broken`] | the conditions that the simulator can leave out |
//! | [`budget`] | the arithmetic that a configuration must satisfy |
//! | [`evidence`] | the evidence log's tree, notes and witness |
//! | [`token`] | the stages a token passes; only the last can leave |
//! | [`wire`] | the messages between the boxes, in canonical DER |
#![deny(clippy::float_arithmetic)]

#[cfg(all(feature = "negative-control", not(debug_assertions)))]
compile_error!("the negative control must never be built as a release");

#[cfg(all(feature = "broken", not(debug_assertions)))]
compile_error!("cores whose conditions can be left out must never be built as a release");

pub mod broken;
pub mod budget;
pub mod clock_reader;
mod coded;
pub mod confirmation;
pub mod evidence;
pub mod fusion;
pub mod id;
pub mod interval;
pub mod judge;
pub mod leap;
pub mod lease;
pub mod pps;
pub mod sample;
pub mod stamped;
pub mod time;
pub mod token;
pub mod wire;
