//! The pulse-per-second signal of the monitor's box, watched against UTC as the sources have it.
//!
//! It never votes and never changes what is known of UTC. It can only say that something is wrong:
//! with the signal or with UTC.

use chronolease_core::clock_reader::{ClockReport, Pps, PpsEdges};
use chronolease_core::id::ReaderRun;
use chronolease_core::interval::Interval;
use chronolease_core::leap::passage::Reading;
use chronolease_core::pps::{self, EdgeVerdict, PlacedEdge, PpsChange, PpsLimits, PpsState};
use chronolease_core::time::{Bound, RawInstant};

/// Edges in a row that make a signal good.
const ROW: u32 = 5;

/// After so long without an edge, edges are missing.
const EDGE_GAP_MAX: Bound = Bound::from_millis(1_500);

/// After so long without a word on the device, nobody looks for edges any more.
const SILENCE_MAX: Bound = Bound::from_millis(3_000);

/// After so long without an edge that could be compared with UTC, a good signal is unclear.
const UNCLEAR_AFTER: Bound = Bound::from_millis(5_000);

/// By what rules the signal is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PpsRules {
    /// How far off an edge may be.
    pub limits: PpsLimits,
    /// Whether leases need a good signal.
    pub required: bool,
}

/// What the signal means for leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PpsSays {
    /// Nothing stands against a lease.
    Permits,
    /// None may be granted or renewed: the signal is not known to be good.
    Withholds,
    /// None may stand: the signal is an anomaly.
    Forbids,
}

/// Edges that did not come, and some that should not have, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Missing edges. Those of a gap count when it ends.
    pub missing: u64,
    /// Edges beyond one a second.
    pub doubled: u64,
}

/// The state machine. Reports of the clock reader go in.
#[derive(Debug)]
pub struct PpsWatch {
    rules: PpsRules,
    state: PpsState,
    /// The last report that was heard.
    heard: Option<(ReaderRun, u64)>,
    /// The last edge with a place.
    before: Option<PlacedEdge>,
    /// When the last edge came, or when waiting for the first began.
    last: Option<RawInstant>,
    /// Until when the device was looked at; kept over interruptions, or a reader that is gone for
    /// good would leave the signal waited for and never missed.
    until: Option<RawInstant>,
    /// When the last edge came that could be compared with UTC.
    compared: Option<RawInstant>,
    row: u32,
    counts: Counts,
    residual: Option<Interval>,
    jitter: Option<Interval>,
    changes: Vec<PpsChange>,
}

impl PpsWatch {
    /// Nothing was heard yet.
    #[must_use]
    pub const fn new(rules: PpsRules) -> Self {
        Self {
            rules,
            state: PpsState::Absent,
            heard: None,
            before: None,
            last: None,
            until: None,
            compared: None,
            row: 0,
            counts: Counts { missing: 0, doubled: 0 },
            residual: None,
            jitter: None,
            changes: Vec::new(),
        }
    }

    /// Takes a report of the clock reader of this box. `utc` is what is known now.
    pub fn hear(&mut self, report: &ClockReport, utc: Option<Reading>) {
        let follows = self.heard.is_some_and(|(run, sequence)| {
            run == report.run && sequence.checked_add(1) == Some(report.sequence)
        });
        if !follows {
            self.interrupted();
        }
        self.heard = Some((report.run, report.sequence));
        match &report.pps {
            Pps::Absent => self.rest(PpsState::Absent),
            // Nothing is seen of its edges, whether there are any or not.
            Pps::Failed => self.rest(PpsState::Lost),
            Pps::Read(read) => self.read(read, utc),
        }
    }

    /// Time passed.
    pub fn tick(&mut self, now: RawInstant) {
        if self.until.is_some_and(|until| now - until > SILENCE_MAX.as_span()) {
            self.rest(PpsState::Lost);
        }
    }

    /// The box did not run through, or reports are missing: what comes next cannot be compared with
    /// what was before.
    pub fn interrupted(&mut self) {
        self.forget();
        if self.state != PpsState::Absent {
            self.turn(PpsState::Acquiring, None, None);
        }
    }

    /// What the signal means for leases.
    #[must_use]
    pub const fn says(&self) -> PpsSays {
        match self.state {
            _ if !self.rules.required => PpsSays::Permits,
            PpsState::Good => PpsSays::Permits,
            state if state.is_anomaly() => PpsSays::Forbids,
            _ => PpsSays::Withholds,
        }
    }

    /// The state of the signal.
    #[must_use]
    pub const fn state(&self) -> PpsState {
        self.state
    }

    /// Its rules.
    #[must_use]
    pub const fn rules(&self) -> &PpsRules {
        &self.rules
    }

    /// What was counted since the start.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// By how much the last edge that could be compared was off the whole second of UTC.
    #[must_use]
    pub const fn residual(&self) -> Option<Interval> {
        self.residual
    }

    /// By how much the last edge was out of time with the one before it.
    #[must_use]
    pub const fn jitter(&self) -> Option<Interval> {
        self.jitter
    }

    /// The changes of the state since the last time.
    pub fn take_changes(&mut self) -> Vec<PpsChange> {
        std::mem::take(&mut self.changes)
    }

    fn read(&mut self, read: &PpsEdges, utc: Option<Reading>) {
        if self.state == PpsState::Absent {
            self.turn(PpsState::Acquiring, None, None);
        }
        self.until = Some(read.until);
        let waiting_since = *self.last.get_or_insert(read.until);
        for edge in &read.edges {
            match edge.raw {
                Some(raw) => self.edge(PlacedEdge { sequence: edge.sequence, raw }, utc),
                None => self.without_a_place(read.until),
            }
        }
        let unbroken = self.last == Some(waiting_since);
        if unbroken && read.until - waiting_since > EDGE_GAP_MAX.as_span() {
            self.row = 0;
            self.turn(PpsState::Lost, None, None);
        }
    }

    /// An edge came, and that is all that is known of it: neither missing nor compared with UTC.
    fn without_a_place(&mut self, until: RawInstant) {
        self.last = Some(until);
        let long = |compared| until - compared > UNCLEAR_AFTER.as_span();
        if self.state == PpsState::Good && self.compared.is_none_or(long) {
            self.turn(PpsState::Unclear, None, None);
        }
    }

    fn edge(&mut self, edge: PlacedEdge, utc: Option<Reading>) {
        let PpsLimits { rho, .. } = self.rules.limits;
        let verdict = pps::judge(self.before.as_ref(), &edge, utc.as_ref(), &self.rules.limits);
        self.last = Some(edge.raw.latest());
        self.jitter = self.before.and_then(|before| pps::deviation(&before, &edge, rho));
        self.residual = utc.map(|utc| pps::residual(edge.raw, &utc, rho));
        let next = match verdict {
            EdgeVerdict::Good => {
                self.row = self.row.saturating_add(1);
                self.compared = Some(edge.raw.latest());
                if self.row >= ROW { PpsState::Good } else { self.state }
            }
            EdgeVerdict::Unclear => self.unclear(&edge),
            EdgeVerdict::Shifted => PpsState::Shifted,
            EdgeVerdict::Doubled(extra) => {
                self.counts.doubled += u64::from(extra);
                PpsState::Doubled
            }
            EdgeVerdict::Missing(missing) => {
                self.counts.missing += u64::from(missing);
                PpsState::Lost
            }
            // What is doubled is out of time as well: it is not told twice a second.
            EdgeVerdict::Jittery if self.state.is_anomaly() => self.state,
            EdgeVerdict::Jittery => PpsState::Jittery,
        };
        if !matches!(verdict, EdgeVerdict::Good | EdgeVerdict::Unclear) {
            self.row = 0;
        }
        self.turn(next, Some(edge), utc);
        self.before = Some(edge);
    }

    /// A single edge that cannot be compared changes nothing, and an anomaly stays one.
    fn unclear(&self, edge: &PlacedEdge) -> PpsState {
        let long = self
            .compared
            .is_none_or(|compared| edge.raw.latest() - compared > UNCLEAR_AFTER.as_span());
        if long && !self.state.is_anomaly() { PpsState::Unclear } else { self.state }
    }

    /// There is nothing to judge.
    fn rest(&mut self, state: PpsState) {
        self.forget();
        self.until = None;
        self.turn(state, None, None);
    }

    fn forget(&mut self) {
        (self.before, self.last, self.compared) = (None, None, None);
        (self.residual, self.jitter, self.row) = (None, None, 0);
    }

    fn turn(&mut self, to: PpsState, edge: Option<PlacedEdge>, utc: Option<Reading>) {
        if to != self.state {
            let (from, limits, before) = (self.state, self.rules.limits, self.before);
            self.changes.push(PpsChange { from, to, limits, before, edge, utc });
            self.state = to;
        }
    }
}

#[cfg(test)]
mod tests;
