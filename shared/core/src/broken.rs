//! The conditions of the cores, each with a name by which the simulator can leave it out.
//!
//! A simulator that finds nothing proves something only if it finds what is wrong when a condition
//! is missing. Where a core asks for one it says `kept(Condition::X)`. That is the constant `true`
//! unless the crate is built with the feature `broken`, which no shipped program has; and then it
//! is `true` all the same, until a thread leaves a condition out for itself.

/// A condition that a token, a batch, a lease or a box must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Judge: the sample is of the boot that the lease names.
    SameBoot,
    /// Judge: the lease is for this run of the TSU.
    SameIncarnation,
    /// Judge: the sample's bracket is within beta.
    Bracket,
    /// Judge: the lease has not run out.
    Ttl,
    /// Judge: the clock did not leave the oscillator.
    Guard,
    /// Judge: the box was not suspended.
    Suspension,
    /// Judge: the blackout that the lease names has not begun.
    LeaseBlackout,
    /// Judge: no genTime below one that was used.
    HighWater,
    /// Holder: the lease names this TSU, run and boot.
    GrantIsMine,
    /// Holder: the lease came over the connection that it names.
    GrantChannel,
    /// Holder: the lease is on the sample that was answered last.
    GrantSample,
    /// Holder: the monitor's log was vouched for since the last answer.
    GrantVouched,
    /// Holder: the lease is newer than any before.
    GrantNewer,
    /// Holder: a revocation withdraws the leases that it names.
    Revocation,
    /// Issuer: nothing of a withdrawn lease is released, whatever was said before.
    ReleasePermit,
    /// Issuer: the confirmation is about the batch that was asked.
    AboutThisBatch,
    /// Issuer: the confirmation is of the connection that it was asked over.
    AboutThisConnection,
    /// Issuer: the confirmation is young when the token leaves.
    ConfirmationAge,
    /// Issuer: the confirmation is durable before the token leaves.
    ConfirmationDurable,
    /// Issuer: a batch whose sample is old is not asked about.
    QueueMax,
    /// Fusion: 2f + 1 laboratories, and m - f of them at one point.
    Consensus,
    /// Assessment: a lease only for a clock that is provably within E0.
    Verdict,
    /// Witness: the lease that the batch names is live and not revoked.
    LiveLease,
    /// Witness: the ward is not latched.
    Unlatched,
    /// Witness: the reading of UTC is within e_max.
    HalfWidth,
    /// Witness: no genTime further in the past than the accuracy.
    LowerEdge,
    /// Witness: no genTime further in the future than the accuracy.
    UpperEdge,
    /// Witness: the reading lies in no blackout.
    ReadingBlackout,
    /// Witness: no genTime lies in a blackout.
    GenTimeBlackout,
    /// Witness: the batch is the next one on its connection.
    NextBatch,
    /// Witness and authority: the TSU's log continues what it showed.
    LogContinues,
    /// Authority: the lease ends where the blackout begins, and comes back after good rounds.
    Crossing,
    /// Authority: another run waits until the lease of the one before has run out.
    IncarnationWait,
    /// Authority: the same after a restart, for a lease from before it.
    RestartWait,
    /// Authority: a second connection challenges the first.
    Challenge,
    /// Authority: K good probes over the hold before a lease.
    Hold,
    /// Authority: a latched ward rests until persons reset it.
    LatchRests,
    /// Judge: nobody set the clock since the lease's sample, as far as the clock reader tells.
    Untouched,
    /// Judge: no hypervisor disrupted the box since then.
    Undisrupted,
    /// Judge: the clock reader was heard without a gap since then.
    Watched,
    /// Authority: no lease on an answer whose clock reader is lost.
    WardWatched,
    /// Authority: a set clock or a disruption that the TSU's clock reader tells of latches.
    WardUntouched,
    /// Continuity: a set clock or a disruption of box B is a break.
    MonitorUntouched,
    /// Continuity: so is a loss of box B's clock reader, and nothing is granted meanwhile.
    MonitorWatched,
}

/// Whether this condition is asked for.
#[cfg(not(feature = "broken"))]
#[must_use]
pub const fn kept(_: Condition) -> bool {
    true
}

#[cfg(feature = "broken")]
pub use switch::{MARK, kept, leave_out};

#[cfg(feature = "broken")]
mod switch {
    use core::cell::Cell;

    use super::Condition;

    /// Stands in every program that is built with the feature, so that it can be told.
    pub static MARK: &str = "chronolease: conditions of the cores can be left out in this build";

    std::thread_local! {
        static LEFT_OUT: Cell<u64> = const { Cell::new(0) };
    }

    /// Whether this condition is asked for on this thread.
    #[must_use]
    pub fn kept(condition: Condition) -> bool {
        // Wherever a condition is asked for, the mark is in the program.
        core::hint::black_box(MARK);
        LEFT_OUT.get() & bit(condition) == 0
    }

    /// From now on these conditions, and no others, are left out on this thread.
    pub fn leave_out(conditions: &[Condition]) {
        LEFT_OUT.set(conditions.iter().map(|condition| bit(*condition)).fold(0, |a, b| a | b));
    }

    const fn bit(condition: Condition) -> u64 {
        1 << condition as u64
    }
}
