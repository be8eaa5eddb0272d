//! What the pulse-per-second signal of the monitor's box means for a lease.

use chronolease_core::lease::EndingCause;

use super::{Action, Context, Ward};
use crate::core::pps::PpsSays;

impl Ward {
    /// No lease stands beside an anomaly of a signal that leases need, and no good run does. A
    /// signal of which too little is known only lets nothing be granted: the lease lapses.
    pub(super) fn heed_pps(&mut self, context: &Context, out: &mut Vec<Action>) {
        if context.pps != PpsSays::Forbids {
            return;
        }
        self.run.broken();
        if self.leases.live().is_some() {
            self.end(context, EndingCause::PpsAnomaly, out);
        }
    }
}
