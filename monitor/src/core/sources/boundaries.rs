//! Samples and the ends of months.

use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::time::{RawInstant, Timestamp, Utc};

use super::Sources;
use crate::core::leap::{is_spoilt, life};

impl Sources {
    /// Forgets every sample that one of these boundaries has spoilt by `now`. It is gone for good:
    /// what was measured on one side means nothing on the other. Whether there was one.
    pub fn discard_spoilt(&mut self, ends: &[MonthEnd], now: RawInstant) -> bool {
        let rho = self.rules.rho;
        let mut any = false;
        for tracked in &mut self.tracked {
            let spoilt = |sample: &mut _| ends.iter().any(|&end| is_spoilt(sample, end, now, rho));
            any |= tracked.sample.take_if(spoilt).is_some();
        }
        any
    }

    /// The earliest UTC at which an exchange began whose sample is used at `now`, by the samples'
    /// own account.
    #[must_use]
    pub fn oldest(&self, now: RawInstant) -> Option<Timestamp<Utc>> {
        let used = (0..self.tracked.len()).filter_map(|source| self.sample(source, now));
        let began = used.map(|sample| life(sample, now, self.rules.rho).lo()).min()?;
        Some(Timestamp::from_unix_nanos(began.as_nanos()))
    }
}
