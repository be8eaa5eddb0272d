//! Every clock read, every system call and every `unsafe` block of Chronolease.

mod clock;
pub mod file;
mod host;
mod process;

pub use clock::{Clocks, ClocksError, cpu_time};
pub use host::is_virtual;
pub use process::{die_with_parent, terminate};
