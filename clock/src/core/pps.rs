//! Edges of the pulse-per-second signal on their way into reports.

use chronolease_core::clock_reader::{Pps, PpsEdge, PpsEdges};
use chronolease_core::sample::Sample;
use chronolease_core::time::{RawInstant, Timestamp, Utc};

/// What came from the device since the last report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PpsLook {
    /// No device is configured.
    Absent,
    /// It cannot be read.
    Failed,
    /// It was looked at.
    Seen {
        /// Read before the last look began.
        until: RawInstant,
        /// New edges, oldest first.
        edges: Vec<Fetched>,
    },
}

/// An edge as it was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The kernel's count of edges.
    pub sequence: u32,
    /// The kernel's `CLOCK_REALTIME` at the edge.
    pub real: Timestamp<Utc>,
    /// An instant before the edge: the kernel did not have it yet.
    pub since: RawInstant,
    /// Read directly after the edge was fetched.
    pub read: Sample,
}

/// Keeps edges back for one report, because the kernel's notice that the clock was set may come a
/// little after the step. An edge with a step between it and its reading loses its place on the
/// oscillator.
#[derive(Debug)]
pub(super) struct PpsHold {
    waiting: Pps,
    /// The clock was last set before this instant.
    set_before: Option<RawInstant>,
}

impl PpsHold {
    /// Nothing came from the device yet; `start` is the beginning of the run.
    pub(super) const fn new(start: RawInstant) -> Self {
        Self { waiting: Pps::Read(PpsEdges { until: start, edges: Vec::new() }), set_before: None }
    }

    /// What goes into the report with `sample`. The kernel was asked for notices after the last of
    /// `look`'s edges was read, and `noticed` says whether there were any since the last report.
    pub(super) fn take(&mut self, look: PpsLook, noticed: bool, sample: &Sample) -> Pps {
        if noticed {
            self.set_before = Some(sample.raw_after);
        }
        let new = match look {
            PpsLook::Absent => Pps::Absent,
            PpsLook::Failed => Pps::Failed,
            PpsLook::Seen { until, edges } => {
                let too_many = edges.len().saturating_sub(PpsEdges::MAX);
                let edges = edges[too_many..].iter().map(|edge| self.placed(edge)).collect();
                Pps::Read(PpsEdges { until, edges })
            }
        };
        let mut told = std::mem::replace(&mut self.waiting, new);
        if let Pps::Read(read) = &mut told
            && noticed
        {
            read.edges.iter_mut().for_each(|edge| edge.raw = None);
        }
        told
    }

    fn placed(&self, edge: &Fetched) -> PpsEdge {
        let Fetched { sequence, real, since, read } = edge;
        let undisturbed = self.set_before.is_none_or(|set| set < *since);
        let raw = PpsEdge::placed(*real, read).filter(|_| undisturbed);
        PpsEdge { sequence: *sequence, real: *real, raw }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::id::BootId;
    use chronolease_core::time::Span;

    fn at(ms: i64) -> RawInstant {
        RawInstant::from_nanos(ms * 1_000_000)
    }

    fn sample(ms: i64) -> Sample {
        Sample {
            raw_before: at(ms),
            real: Timestamp::from_unix_nanos(ms * 1_000_000),
            raw_after: at(ms),
            boot_minus_mono: Span::ZERO,
            boot_id: BootId::from_bytes([1; 16]),
        }
    }

    /// Edge `sequence` came at its own second, and was fetched at once.
    fn edge(sequence: u32) -> Fetched {
        let ms = i64::from(sequence) * 1_000;
        let real = Timestamp::from_unix_nanos(ms * 1_000_000);
        Fetched { sequence, real, since: at(ms - 200), read: sample(ms) }
    }

    fn seen(ms: i64, edges: &[Fetched]) -> PpsLook {
        PpsLook::Seen { until: at(ms), edges: edges.to_vec() }
    }

    /// The sequence numbers that were told, and whether each has a place.
    fn told(pps: Pps) -> Vec<(u32, bool)> {
        let Pps::Read(read) = pps else { panic!("{pps:?}") };
        read.edges.iter().map(|edge| (edge.sequence, edge.raw.is_some())).collect()
    }

    #[test]
    fn an_edge_is_told_once_in_the_next_report() {
        let mut hold = PpsHold::new(at(0));
        assert_eq!(told(hold.take(seen(1_000, &[edge(1)]), false, &sample(1_050))), []);
        assert_eq!(told(hold.take(seen(1_100, &[]), false, &sample(1_150))), [(1, true)]);
        assert_eq!(told(hold.take(seen(1_200, &[]), false, &sample(1_250))), []);
    }

    /// A step is noticed at 1.15 s: after edge 1 was read or before, whoever knows.
    #[test]
    fn a_step_around_the_reading_takes_an_edge_its_place() {
        for (first, second) in [(true, false), (false, true)] {
            let mut hold = PpsHold::new(at(0));
            hold.take(seen(1_000, &[edge(1)]), first, &sample(1_050));
            let next = told(hold.take(seen(1_100, &[]), second, &sample(1_150)));
            assert_eq!(next, [(1, false)], "{first} {second}");
        }
    }

    #[test]
    fn a_step_before_the_reading_of_a_late_edge_takes_its_place_and_later_edges_keep_theirs() {
        let mut hold = PpsHold::new(at(0));
        hold.take(seen(900, &[]), true, &sample(950));
        hold.take(seen(1_000, &[edge(1), edge(2)]), false, &sample(2_050));
        // It was known to be missing at 0.8 s; the step came between that and 0.95 s.
        let both = told(hold.take(seen(2_100, &[]), false, &sample(2_150)));
        assert_eq!(both, [(1, false), (2, true)]);
    }

    #[test]
    fn the_newest_edges_are_told_when_there_are_too_many() {
        let mut hold = PpsHold::new(at(0));
        let edges: Vec<_> = (1..=10).map(edge).collect();
        hold.take(seen(10_000, &edges), false, &sample(10_050));
        let told = told(hold.take(seen(10_100, &[]), false, &sample(10_150)));
        assert_eq!((told.len(), told[0].0), (PpsEdges::MAX, 3));
    }

    #[test]
    fn what_the_device_does_is_told_too() {
        let mut hold = PpsHold::new(at(0));
        hold.take(PpsLook::Failed, false, &sample(1));
        assert_eq!(hold.take(PpsLook::Absent, false, &sample(2)), Pps::Failed);
        assert_eq!(hold.take(PpsLook::Absent, false, &sample(3)), Pps::Absent);
    }
}
