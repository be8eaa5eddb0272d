//! The harness of the end-to-end tests: whole boxes, run with the binaries that are shipped.
//!
//! | module | what it holds |
//! |---|---|
//! | [`bins`] | which binaries run, and that they are of the sources under test |
//! | [`ports`] | a port base that no other test uses |
//! | [`process`] | one child process: started, asked to stop, killed, its log |
//! | [`rig`] | a lab directory, time sources, a monitor and a TSU |
//! | [`http`] | a client that can also send what no client should |
//! | [`metrics`] | what Prometheus would read |
//! | [`tsp`] | requests, tokens, and what a client knows of a token's time |
//! | [`evidence`] | the evidence logs of both boxes |
//! | [`failing_disk`] | a disk whose fdatasync fails on command |
//! | [`folders`] | state folders that are copied and put back |
//! | [`stopping`] | a process that stops itself at an exact call |
//! | [`netns`] | a network namespace for box A, whose link can be cut |
//! | [`middleman`] | somebody on the link who holds no key |
//! | [`load`] | clients that keep asking, and whether their tokens are right |
//! | [`tools`] | openssl and curl |
//! | [`wait`] | waiting for a condition |
//!
//! A test asserts by panicking, so the harness does too: every function here panics with the reason
//! when the machine or the programs refuse what the test builds on.

pub mod bins;
pub mod evidence;
pub mod failing_disk;
pub mod folders;
pub mod http;
pub mod load;
pub mod metrics;
pub mod middleman;
pub mod netns;
pub mod ports;
pub mod process;
pub mod rig;
pub mod stopping;
pub mod tools;
pub mod tsp;
pub mod wait;

pub use bins::{Program, Programs};
pub use rig::{Options, Rig};
pub use wait::eventually;
