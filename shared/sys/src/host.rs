//! What this box is.

use std::fs;

/// Whether the processor says that a hypervisor runs this box. Under one, every clock of the box
/// can freeze together. `true` as well when it cannot be found out.
#[must_use]
pub fn is_virtual() -> bool {
    let Ok(cpuinfo) = fs::read_to_string("/proc/cpuinfo") else { return true };
    let Some(flags) = cpuinfo.lines().find(|line| line.starts_with("flags")) else { return true };
    flags.split_ascii_whitespace().any(|flag| flag == "hypervisor")
}
