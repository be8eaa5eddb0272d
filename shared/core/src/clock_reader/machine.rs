//! What the box is, and what tells of its disruptions.

use core::fmt;

/// Whether a hypervisor runs the box. Under one, every clock of the box can freeze together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Machine {
    /// No sign of a hypervisor. A container on a physical box counts as physical: it shares the
    /// box's kernel and clocks.
    Physical,
    /// A hypervisor runs the box.
    Virtual(HypervisorName),
    /// It cannot be told.
    Unknown,
}

impl Machine {
    /// Whether the box is known to be physical. Where nobody can tell, it is not.
    #[must_use]
    pub const fn is_physical(&self) -> bool {
        matches!(self, Self::Physical)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Physical => f.write_str("physical"),
            Self::Virtual(name) => write!(f, "virtual ({name})"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// What a hypervisor calls itself: 1 to 64 visible ASCII characters or spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HypervisorName(String);

impl HypervisorName {
    const LEN_MAX: usize = 64;

    /// The name as it is; `None` when it breaks the rule above.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=Self::LEN_MAX).contains(&name.len())
            && name.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        fits.then(|| Self(name.to_owned()))
    }

    /// What is left of a name when all that breaks the rule is dropped; `unnamed` when nothing is.
    #[must_use]
    pub fn from_foreign(name: &str) -> Self {
        let kept = name.chars().filter(|c| *c == ' ' || c.is_ascii_graphic());
        let kept: String = kept.take(Self::LEN_MAX).collect();
        Self::new(kept.trim()).unwrap_or_else(|| Self("unnamed".to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HypervisorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a hypervisor changes when it migrates the box or restores it from a snapshot (Linux
/// vmclock). No hypervisor promises to change it for a plain pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Marker {
    /// The box has no such device.
    Absent,
    /// What the device shows. Only whether it changes means anything.
    Shown {
        /// `disruption_marker`: the processor's counter was disrupted.
        disruption: u64,
        /// `vm_generation_counter`: the box was loaded from a saved state. Not every hypervisor
        /// has one.
        generation: Option<u64>,
    },
    /// There is such a device, but it cannot be read.
    Unreadable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_name_is_cut_to_what_may_be_shown() {
        for (foreign, name) in [
            ("KVMKVMKVM\0\0\0", "KVMKVMKVM"),
            (" QEMU\n", "QEMU"),
            ("\u{1b}[31m", "[31m"),
            ("", "unnamed"),
            ("\0\0", "unnamed"),
            ("  ", "unnamed"),
        ] {
            assert_eq!(HypervisorName::from_foreign(foreign).as_str(), name);
        }
        let long = HypervisorName::from_foreign(&"x".repeat(65));
        assert_eq!(long.as_str().len(), 64);
        assert_eq!(HypervisorName::new(&"x".repeat(65)), None);
        assert_eq!(HypervisorName::new("a\n"), None);
    }

    #[test]
    fn only_a_box_that_is_known_to_be_physical_is() {
        assert!(Machine::Physical.is_physical());
        assert!(!Machine::Unknown.is_physical());
        assert!(!Machine::Virtual(HypervisorName::from_foreign("Xen")).is_physical());
    }
}
