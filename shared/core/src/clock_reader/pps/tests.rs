use proptest::prelude::*;

use super::*;
use crate::id::BootId;

fn sample(before: i64, real: i64, after: i64) -> Sample {
    Sample {
        raw_before: RawInstant::from_nanos(before),
        real: Timestamp::from_unix_nanos(real),
        raw_after: RawInstant::from_nanos(after),
        boot_minus_mono: Span::ZERO,
        boot_id: BootId::from_bytes([1; 16]),
    }
}

proptest! {
    /// Whatever adjtimex does to the clock's rate, the edge is inside its window.
    #[test]
    fn an_edge_is_inside_its_window(
        edge_raw in 0..1_000_000_000_000_000i64,
        edge_real in 0..2_000_000_000_000_000_000i64,
        waited in 0..3_000_000_000i64,
        ppm in -101_000..=101_000i64,
        (before, after) in (0..2_000_000i64, 0..2_000_000i64),
    ) {
        let read_raw = edge_raw + waited;
        // Rounded away from the truth by less than a nanosecond, as the kernel's own figures are.
        let real = edge_real + waited + waited * ppm / 1_000_000;
        let read = sample(read_raw - before, real, read_raw + after);
        let window = PpsEdge::placed(Timestamp::from_unix_nanos(edge_real), &read).expect("later");
        prop_assert!(window.earliest().as_nanos() <= edge_raw);
        prop_assert!(edge_raw <= window.latest().as_nanos());
        let width = window.latest() - window.earliest();
        prop_assert!(width.as_nanos() <= before + after + waited * 28 / 100 + 2);
    }
}

#[test]
fn an_edge_after_its_reading_has_no_place() {
    let read = sample(10, 1_000, 20);
    assert_eq!(PpsEdge::placed(Timestamp::from_unix_nanos(1_001), &read), None);
    let window = PpsEdge::placed(Timestamp::from_unix_nanos(1_000), &read).expect("the same");
    assert_eq!((window.earliest().as_nanos(), window.latest().as_nanos()), (10, 20));
}

#[test]
fn a_sample_that_runs_backwards_places_nothing() {
    assert_eq!(PpsEdge::placed(Timestamp::from_unix_nanos(0), &sample(20, 0, 10)), None);
}
