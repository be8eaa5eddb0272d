//! When a ward without a lease has behaved well for long enough.

use chronolease_core::broken::{Condition, kept};
use chronolease_core::time::{Bound, RawInstant, Span};

/// Good probes in a row, and how long that row must last.
#[derive(Debug)]
pub(super) struct GoodRun {
    hold: Bound,
    row: Option<Row>,
}

#[derive(Debug)]
struct Row {
    first: RawInstant,
    last: RawInstant,
    count: u32,
}

impl GoodRun {
    pub(super) const fn needing(hold: Bound) -> Self {
        Self { hold, row: None }
    }

    pub(super) fn needs(&mut self, hold: Bound) {
        self.hold = hold;
    }

    pub(super) const fn hold(&self) -> Bound {
        self.hold
    }

    pub(super) fn good(&mut self, now: RawInstant) {
        let row = self.row.get_or_insert(Row { first: now, last: now, count: 0 });
        row.last = now;
        row.count = row.count.saturating_add(1);
    }

    pub(super) fn broken(&mut self) {
        self.row = None;
    }

    pub(super) const fn is_running(&self) -> bool {
        self.row.is_some()
    }

    pub(super) fn is_enough(&self, good_probes: u32) -> bool {
        self.row.as_ref().is_some_and(|row| {
            let lasted = row.last - row.first;
            !kept(Condition::Hold)
                || row.count >= good_probes
                    && lasted >= Span::ZERO
                    && lasted.magnitude() >= self.hold
        })
    }
}
