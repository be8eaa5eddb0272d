//! The socket, its listeners, and the notices of the kernel.

pub mod listeners;
pub mod pps;
pub mod publisher;
pub mod socket;
pub mod steps;
