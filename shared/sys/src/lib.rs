//! Every clock read, every system call and every `unsafe` block of Chronolease.

mod clock;
mod host;
mod process;

pub use clock::{Clocks, ClocksError};
pub use host::is_virtual;
pub use process::{die_with_parent, terminate};
