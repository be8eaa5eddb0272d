use proptest::prelude::*;

use super::testing::{kernel, marker};
use super::*;
use crate::id::BootId;
use crate::time::{RawInstant, Span, Timestamp};
use crate::wire::MESSAGE_BYTES_MAX;

fn sample() -> impl Strategy<Value = Sample> {
    any::<(i64, i64, i64, i64, [u8; 16])>().prop_map(|(before, real, after, boot, id)| Sample {
        raw_before: RawInstant::from_nanos(before),
        real: Timestamp::from_unix_nanos(real),
        raw_after: RawInstant::from_nanos(after),
        boot_minus_mono: Span::from_nanos(boot),
        boot_id: BootId::from_bytes(id),
    })
}

fn steps() -> impl Strategy<Value = Steps> {
    (1u64.., sample(), sample()).prop_map(|(count, before, after)| Steps {
        count: NonZeroU64::new(count).expect("from 1 on"),
        last: StepNotice { before, after },
    })
}

fn machine() -> impl Strategy<Value = Machine> {
    let named = "[ -~]{1,64}".prop_map(|name| HypervisorName::new(&name).expect("it fits"));
    prop_oneof![Just(Machine::Physical), Just(Machine::Unknown), named.prop_map(Machine::Virtual)]
}

fn pps() -> impl Strategy<Value = Pps> {
    let window = any::<(i64, i64)>().prop_map(|(a, b)| {
        let (earliest, latest) =
            (RawInstant::from_nanos(a.min(b)), RawInstant::from_nanos(a.max(b)));
        RawWindow::new(earliest, latest).expect("in order")
    });
    let edge =
        (any::<(u32, i64)>(), prop::option::of(window)).prop_map(|((sequence, real), raw)| {
            PpsEdge { sequence, real: Timestamp::from_unix_nanos(real), raw }
        });
    let edges = prop::collection::vec(edge, 0..=PpsEdges::MAX);
    let read = (any::<i64>(), edges).prop_map(|(until, edges)| {
        Pps::Read(PpsEdges { until: RawInstant::from_nanos(until), edges })
    });
    prop_oneof![Just(Pps::Absent), Just(Pps::Failed), read]
}

fn report() -> impl Strategy<Value = ClockReport> {
    let own = (any::<([u8; 16], u64)>(), sample(), kernel());
    (own, prop::option::of(steps()), (machine(), marker(), pps())).prop_map(
        |(((run, sequence), sample, kernel), steps, (machine, marker, pps))| ClockReport {
            run: ReaderRun::from_bytes(run),
            sequence,
            sample,
            kernel,
            steps,
            machine,
            marker,
            pps,
        },
    )
}

proptest! {
    #[test]
    fn reports_round_trip_in_few_bytes(report in report()) {
        let der = encode(&report);
        prop_assert!(der.len() <= MESSAGE_BYTES_MAX / 16, "{} bytes", der.len());
        prop_assert_eq!(decode(&der), Ok(report));
    }

    /// One meaning, one encoding: whatever bytes decode, they are the bytes we would have written.
    #[test]
    fn a_changed_report_is_refused_or_means_something_else(
        report in report(), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let mut der = encode(&report);
        let at = at.index(der.len());
        der[at] ^= 1 << bit;
        if let Ok(other) = decode(&der) {
            prop_assert_eq!(encode(&other), der);
            prop_assert_ne!(other, report);
        }
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode(&bytes);
    }
}

/// A report with small figures throughout, and none that is optional.
fn small() -> ClockReport {
    ClockReport {
        run: ReaderRun::from_bytes([0x11; 16]),
        sequence: 7,
        sample: Sample {
            raw_before: RawInstant::from_nanos(1),
            real: Timestamp::from_unix_nanos(2),
            raw_after: RawInstant::from_nanos(3),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([0x22; 16]),
        },
        kernel: Err(OddReading::Offset),
        steps: None,
        machine: Machine::Physical,
        marker: Marker::Absent,
        pps: Pps::Absent,
    }
}

/// The bytes that `docs/clock.md` explains.
#[test]
fn the_documented_bytes_are_what_is_sent() {
    let mut expected = vec![0x30, 0x41, 2, 1, 2, 4, 0x10];
    expected.extend([0x11; 16]);
    expected.extend([2, 1, 7, 0x30, 0x1e, 2, 1, 1, 2, 1, 2, 2, 1, 3, 2, 1, 0, 4, 0x10]);
    expected.extend([0x22; 16]);
    expected.extend([0x81, 1, 6, 0x80, 0, 0x80, 0, 0x80, 0]);
    assert_eq!(encode(&small()), expected);
}

#[test]
fn other_versions_and_figures_out_of_range_are_refused() {
    let der = encode(&small());
    let change = |at: usize, byte: u8| {
        let mut changed = der.clone();
        changed[at] = byte;
        decode(&changed)
    };
    assert_eq!(change(4, 1), Err(WireError::Range("version")));
    let odd = der.len() - 7;
    assert_eq!(change(odd, 0), Err(WireError::Range("odd")));
    assert_eq!(change(odd, 9), Err(WireError::Range("odd")));
    assert!(change(odd, 1).is_ok());
    assert_eq!(decode(&[der.as_slice(), &[0]].concat()).ok(), None, "trailing bytes");

    // The grammar has room for what the kernel cannot mean; the decoder has not.
    let kernel = KernelReading {
        state: 0,
        status: 0x2000,
        max_error_us: 0,
        estimated_error_us: 0,
        offset: 0,
        frequency: 0,
        tai_offset_s: 0,
    };
    let state = kernel.checked().expect("it is plausible");
    let beyond = KernelState { offset: Span::from_nanos(1 << 32), ..state };
    let report = ClockReport { kernel: Ok(beyond), ..small() };
    assert_eq!(decode(&encode(&report)), Err(WireError::Range("kernel")));
}

/// A report with one edge, and its bytes from the signal on, as `docs/clock.md` explains them.
#[test]
fn the_documented_edge_is_what_is_sent() {
    let edge = PpsEdge {
        sequence: 9,
        real: Timestamp::from_unix_nanos(5),
        raw: RawWindow::new(RawInstant::from_nanos(3), RawInstant::from_nanos(4)),
    };
    let edges = PpsEdges { until: RawInstant::from_nanos(6), edges: vec![edge] };
    let der = encode(&ClockReport { pps: Pps::Read(edges), ..small() });
    let tail =
        [0xa2, 0x15, 2, 1, 6, 0x30, 0x10, 0x30, 0x0e, 2, 1, 9, 2, 1, 5, 0x30, 6, 2, 1, 3, 2, 1, 4];
    assert!(der.ends_with(&tail), "{der:02x?}");
    let mut empty_window = der;
    *empty_window.last_mut().expect("the latest") = 2;
    assert_eq!(decode(&empty_window), Err(WireError::Range("raw")));
}

#[test]
fn more_edges_than_a_report_holds_are_refused() {
    let edge = PpsEdge { sequence: 1, real: Timestamp::from_unix_nanos(0), raw: None };
    let told = |count| {
        let edges = PpsEdges { until: RawInstant::from_nanos(0), edges: vec![edge; count] };
        decode(&encode(&ClockReport { pps: Pps::Read(edges), ..small() }))
    };
    assert!(told(PpsEdges::MAX).is_ok());
    assert_eq!(told(PpsEdges::MAX + 1), Err(WireError::Range("edges")));
}
