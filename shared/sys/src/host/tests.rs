use super::*;

fn signs(processor: Option<Processor>, firmware: &[&str]) -> Signs {
    let firmware = firmware.iter().map(|&name| name.to_owned()).collect();
    Signs { processor, hypervisor_type: None, firmware }
}

fn named(name: &str) -> Machine {
    Machine::Virtual(HypervisorName::from_foreign(name))
}

#[test]
fn one_sign_is_enough_for_a_hypervisor() {
    let hypervised = Processor::Hypervised("KVMKVMKVM\0\0\0".to_owned());
    let dell = ["Dell Inc.", "PowerEdge R650"];
    assert_eq!(signs(Some(hypervised), &dell).judged(), named("KVMKVMKVM"));
    assert_eq!(signs(Some(Processor::Bare), &["QEMU"]).judged(), named("QEMU"));
    assert_eq!(signs(None, &["VMware, Inc."]).judged(), named("VMware, Inc."));
    let xen = Signs {
        processor: Some(Processor::Bare),
        hypervisor_type: Some("xen".to_owned()),
        firmware: Vec::new(),
    };
    assert_eq!(xen.judged(), named("xen"));
}

#[test]
fn only_a_processor_that_denies_it_makes_a_physical_box() {
    let dell = ["Dell Inc.", "PowerEdge R650"];
    assert_eq!(signs(Some(Processor::Bare), &dell).judged(), Machine::Physical);
    assert_eq!(signs(Some(Processor::Bare), &[]).judged(), Machine::Physical);
    assert_eq!(signs(None, &dell).judged(), Machine::Unknown);
}

#[test]
fn a_rented_machine_that_is_whole_is_physical() {
    let whole = ["Amazon EC2", "m5.metal"];
    assert_eq!(signs(Some(Processor::Bare), &whole).judged(), Machine::Physical);
    let part = ["Amazon EC2", "m5.large"];
    assert_eq!(signs(Some(Processor::Bare), &part).judged(), named("Amazon EC2"));
}

/// The kernel looks at the same bit of the processor.
#[test]
fn the_kernel_sees_the_same_processor() {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").expect("Linux has it");
    let Some(flags) = cpuinfo.lines().find(|line| line.starts_with("flags")) else {
        return assert_eq!(processor(), None);
    };
    let hypervised = flags.split_ascii_whitespace().any(|flag| flag == "hypervisor");
    assert_eq!(matches!(processor(), Some(Processor::Hypervised(_))), hypervised);
    assert!(!hypervised || is_virtual());
}

/// A page as a vmclock device shows it.
fn page(disruption: u64, generation: Option<u64>) -> Vec<u8> {
    let mut page = vec![0u8; 4096];
    page[..4].copy_from_slice(b"VCLK");
    page[4..8].copy_from_slice(&4096u32.to_le_bytes());
    page[8..10].copy_from_slice(&1u16.to_le_bytes());
    page[16..24].copy_from_slice(&disruption.to_le_bytes());
    page[24..32].copy_from_slice(&(u64::from(generation.is_some()) << 8).to_le_bytes());
    page[104..112].copy_from_slice(&generation.unwrap_or(99).to_le_bytes());
    page
}

#[test]
fn a_marker_is_read_from_its_place() {
    let path = std::env::temp_dir().join(format!("chronolease-vmclock-{}", std::process::id()));
    let shown = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("ours");
        disruption_marker(&path)
    };
    for generation in [None, Some(0), Some(7)] {
        let marker = Marker::Shown { disruption: 0x0102_0304_0506_0708, generation };
        assert_eq!(shown(&page(0x0102_0304_0506_0708, generation)), marker);
    }
    let good = page(1, Some(2));
    let mut other_magic = good.clone();
    other_magic[0] = b'v';
    let mut other_version = good.clone();
    other_version[8] = 2;
    for bad in [&other_magic, &other_version, &good[..31], &good[..111], &[][..]] {
        assert_eq!(shown(bad), Marker::Unreadable, "{} bytes", bad.len());
    }
    fs::remove_file(&path).expect("ours");
    assert_eq!(disruption_marker(&path), Marker::Absent);
    assert_eq!(disruption_marker(&std::env::temp_dir()), Marker::Unreadable);
}
