//! Every clock read, every system call and every `unsafe` block of Chronolease.

mod arrival;
mod clock;
pub mod file;
mod host;
mod kernel;
mod pps;
mod process;
mod processor;
mod step;

pub use arrival::{receive_stamped, stamp_arrivals};
pub use clock::{Clocks, ClocksError, cpu_time};
pub use host::{disruption_marker, is_virtual, machine};
pub use kernel::kernel_clock;
pub use pps::{Captured, PpsDevice, PpsEvent};
pub use process::{die_with_parent, resume, suspend, terminate};
pub use processor::{give_way, stay_on, usable_processors};
pub use step::{StepTimer, is_step_notice, take_step_notice};
