//! The witness: whether a batch of tokens may be released (design 5.5).

use chronolease_core::broken::{Condition, kept};
use chronolease_core::confirmation::{self, Batch, Confirmation, GenTimes, NotConfirmed};
use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::proof::{ProofError, verify_consistency};
use chronolease_core::interval::Interval;
use chronolease_core::lease::EndingCause;
use chronolease_core::time::{Bound, GenTime, Span, Timestamp, Utc};
use chronolease_core::wire::{Confirm, ToTsu};

use super::{Action, ConnId, Context, Ward};

impl Ward {
    /// Judges a batch. `context.now` was read after it was in.
    pub(super) fn confirm(
        &mut self,
        context: &Context,
        conn: ConnId,
        confirm: &Confirm,
        out: &mut Vec<Action>,
    ) {
        let batch = confirm.batch;
        // A connection that does not speak for the TSU gets no answer: its batches are burnt.
        let Some(link) = self.connections.current_mut(conn) else { return };
        if kept(Condition::NextBatch) && batch.sequence != link.next_batch {
            // Frames keep their order, so somebody else wrote this, or a restored TSU did.
            out.push(Action::Close(conn));
            return self.connections.closed(conn);
        }
        let Some(next) = batch.sequence.next() else { return };
        link.next_batch = next;
        let (incarnation, channel) = (link.hello.incarnation, link.channel);
        if !self.shows(conn, &confirm.log, &confirm.since_shown, context, out) {
            return;
        }
        out.push(match self.judge_batch(context, &batch) {
            Err(why) => Action::Send(conn, ToTsu::NotConfirmed(batch.sequence, why)),
            Ok((utc, half_width)) => {
                self.confirmed = confirm.log;
                let tsu = self.rules.tsu.clone();
                let log = confirm.log;
                let confirmation =
                    Confirmation { tsu, incarnation, channel, batch, log, utc, half_width };
                Action::Confirm(conn, confirmation)
            }
        });
    }

    fn judge_batch(
        &self,
        context: &Context,
        batch: &Batch,
    ) -> Result<(Timestamp<Utc>, Bound), NotConfirmed> {
        let utc_now = context.utc_now();
        let meets = |utc| context.boundaries.cover(utc);
        let reading = kept(Condition::ReadingBlackout) && utc_now.is_some_and(meets);
        let gen_times = kept(Condition::GenTimeBlackout) && meets(span_of(batch.gen_times));
        if reading || gen_times {
            return Err(NotConfirmed::Blackout);
        }
        let latched = kept(Condition::Unlatched) && self.record.latch.is_some();
        let live = self.leases.covers(batch.lease, context.now) || !kept(Condition::LiveLease);
        if latched || !live {
            return Err(NotConfirmed::NoLease);
        }
        if !context.recordable {
            return Err(NotConfirmed::NoRecord);
        }
        let utc_minus_raw = context.utc.map_err(|_| NotConfirmed::NoUtc)?;
        let (utc, half_width) = confirmation::reading(utc_minus_raw, context.now);
        confirmation::judge(batch.gen_times, utc, half_width, &self.rules.witness)?;
        Ok((utc, half_width))
    }

    /// Whether the TSU's log, as it shows it, continues all that it showed on this connection. If
    /// not, the lease ends and latches. `false` too for a connection that does not speak for it.
    pub(super) fn shows(
        &mut self,
        conn: ConnId,
        tree: &TreeHead,
        since_shown: &[Hash],
        context: &Context,
        out: &mut Vec<Action>,
    ) -> bool {
        let Some(link) = self.connections.current_mut(conn) else { return false };
        match continues(&link.shown, tree, since_shown) {
            Ok(()) => {
                link.shown = *tree;
                true
            }
            Err(cause) => {
                self.end(context, cause, out);
                false
            }
        }
    }

    /// Whether this tree continues all that the TSU showed on the connection that speaks for it,
    /// and all that was confirmed before.
    ///
    /// # Errors
    /// What it is when it does not.
    pub fn continues(
        &self,
        conn: ConnId,
        tree: &TreeHead,
        since_shown: &[Hash],
    ) -> Result<(), EndingCause> {
        let link = self.connections.current().filter(|link| link.conn == conn);
        link.map_or(Ok(()), |link| continues(&link.shown, tree, since_shown))
    }
}

/// Whether `tree` continues `shown`.
fn continues(shown: &TreeHead, tree: &TreeHead, proof: &[Hash]) -> Result<(), EndingCause> {
    match verify_consistency(shown, tree, proof) {
        continues if continues.is_ok() || !kept(Condition::LogContinues) => Ok(()),
        Err(ProofError::Shrunk { .. }) => Err(EndingCause::Rollback),
        Ok(()) | Err(_) => Err(EndingCause::Fork),
    }
}

/// From the earliest genTime to the latest: an interval of spans since 1970.
fn span_of(gen_times: GenTimes) -> Interval {
    let span = |gen_time: GenTime| Span::from_nanos(gen_time.as_unix_nanos());
    Interval::new(span(gen_times.min()), span(gen_times.max())).expect("GenTimes are in order")
}
