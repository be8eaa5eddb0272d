//! What this box is.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use chronolease_core::clock_reader::{HypervisorName, Machine, Marker};

/// Xen says here what it is, also to guests whose processor shows nothing.
const HYPERVISOR_TYPE: &str = "/sys/hypervisor/type";

/// What the firmware says of the box; everybody may read these.
const FIRMWARE: [&str; 4] = [
    "/sys/class/dmi/id/sys_vendor",
    "/sys/class/dmi/id/product_name",
    "/sys/class/dmi/id/board_vendor",
    "/sys/class/dmi/id/bios_vendor",
];

/// How the firmware of virtual machines begins its names. It matters for hypervisors that were
/// told to hide from the processor's flags.
const VIRTUAL_FIRMWARE: [&str; 16] = [
    "Amazon EC2",
    "Apple Virtualization",
    "BHYVE",
    "Bochs",
    "Firecracker",
    "Google Compute Engine",
    "Hyper-V",
    "KVM",
    "OpenStack",
    "Parallels",
    "QEMU",
    "VMW",
    "VMware",
    "Virtual Machine",
    "VirtualBox",
    "Xen",
];

/// What a process without privileges can see of a hypervisor.
#[derive(Debug, Default)]
struct Signs {
    /// What the processor says; `None` when it cannot be asked.
    processor: Option<Processor>,
    /// [`HYPERVISOR_TYPE`].
    hypervisor_type: Option<String>,
    /// [`FIRMWARE`], as far as it is there.
    firmware: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Processor {
    Bare,
    Hypervised(String),
}

/// Whether a hypervisor runs this box, by all that can be seen without privileges. A container is
/// no hypervisor.
#[must_use]
pub fn machine() -> Machine {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    Signs {
        processor: processor(),
        hypervisor_type: read(HYPERVISOR_TYPE),
        firmware: FIRMWARE.iter().filter_map(|path| read(path)).collect(),
    }
    .judged()
}

/// Whether a hypervisor runs this box, or it cannot be told. Under one, every clock of the box can
/// freeze together.
#[must_use]
pub fn is_virtual() -> bool {
    !machine().is_physical()
}

impl Signs {
    /// One sign is enough for a hypervisor; only a processor that denies one, and no sign
    /// elsewhere, make a physical box.
    fn judged(&self) -> Machine {
        let virtual_by = |name: &str| Machine::Virtual(HypervisorName::from_foreign(name));
        if let Some(Processor::Hypervised(name)) = &self.processor {
            return virtual_by(name);
        }
        if let Some(kind) = &self.hypervisor_type {
            return virtual_by(kind);
        }
        // The same vendor rents out whole machines, and names them so.
        let is_metal = self.firmware.iter().any(|name| name.ends_with(".metal"));
        let is_virtual = |name: &&String| VIRTUAL_FIRMWARE.iter().any(|v| name.starts_with(v));
        if let Some(name) = self.firmware.iter().find(is_virtual).filter(|_| !is_metal) {
            return virtual_by(name);
        }
        match self.processor {
            Some(_) => Machine::Physical,
            None => Machine::Unknown,
        }
    }
}

/// Leaf 1 has a bit that no physical processor sets; leaf 0x4000_0000 then holds a name.
#[cfg(target_arch = "x86_64")]
fn processor() -> Option<Processor> {
    use std::arch::x86_64::__cpuid;
    const HYPERVISOR_BIT: u32 = 1 << 31;
    if __cpuid(1).ecx & HYPERVISOR_BIT == 0 {
        return Some(Processor::Bare);
    }
    let leaf = __cpuid(0x4000_0000);
    let name = [leaf.ebx, leaf.ecx, leaf.edx].map(u32::to_le_bytes).concat();
    Some(Processor::Hypervised(String::from_utf8_lossy(&name).into_owned()))
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> Option<Processor> {
    None
}

/// What the vmclock device at `path` shows. The kernel copies it out consistently.
#[must_use]
pub fn disruption_marker(path: &Path) -> Marker {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Marker::Absent,
        Err(_) => return Marker::Unreadable,
    };
    read_marker(&file).unwrap_or(Marker::Unreadable)
}

/// `struct vmclock_abi` of `linux/vmclock-abi.h`, all little-endian.
fn read_marker(device: &fs::File) -> io::Result<Marker> {
    const MAGIC: u32 = u32::from_le_bytes(*b"VCLK");
    const VERSION: u16 = 1;
    const HAS_GENERATION: u64 = 1 << 8;
    const GENERATION_AT: u64 = 104;

    let mut head = [0u8; 32];
    device.read_exact_at(&mut head, 0)?;
    let (magic, rest) = take::<4>(&head);
    let (_size, rest) = take::<4>(rest);
    let (version, rest) = take::<2>(rest);
    let (_counter_and_time_type, rest) = take::<2>(rest);
    let (_seq_count, rest) = take::<4>(rest);
    let (disruption, rest) = take::<8>(rest);
    let (flags, _) = take::<8>(rest);
    if u32::from_le_bytes(magic) != MAGIC || u16::from_le_bytes(version) != VERSION {
        return Err(ErrorKind::InvalidData.into());
    }
    let generation = if u64::from_le_bytes(flags) & HAS_GENERATION == 0 {
        None
    } else {
        let mut generation = [0u8; 8];
        device.read_exact_at(&mut generation, GENERATION_AT)?;
        Some(u64::from_le_bytes(generation))
    };
    Ok(Marker::Shown { disruption: u64::from_le_bytes(disruption), generation })
}

/// The first `N` bytes and what follows them.
fn take<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    let (head, rest) = bytes.split_first_chunk().expect("the caller counted the bytes");
    (*head, rest)
}

#[cfg(test)]
mod tests;
