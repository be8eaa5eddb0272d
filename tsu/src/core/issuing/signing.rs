//! The last stages: signing, verifying, release.

use chronolease_core::broken::{Condition, kept};
use chronolease_core::evidence::leaf;
use chronolease_core::id::BatchSeq;
use chronolease_core::stamped::Reading;
use chronolease_core::time::{Bound, RawInstant};
use chronolease_core::token::Signed;

use super::{
    Action, Content, Finished, Issuer, LaneId, NO_KEY, NO_RECORD, NO_SIGNATURE, NO_TIME,
    NotRecorded, RequestId, Unsigned, stages,
};

/// How long after its confirmation a token may be released. The promise does not need it; a token
/// that took longer would surprise its requester.
const CONFIRMATION_AGE_MAX: Bound = Bound::from_millis(3_000);

/// A batch at the signing threads.
#[derive(Debug)]
pub(super) struct Signing {
    left: usize,
    confirmation: Stands,
    /// Signed tokens that wait for the confirmation to be on record.
    held: Vec<(RequestId, Option<Signed<Content>>)>,
}

impl Signing {
    /// How many tokens are still to be signed.
    pub(super) const fn left(&self) -> usize {
        self.left
    }
}

/// Where the confirmation of a batch stands.
#[derive(Clone, Copy, Debug)]
enum Stands {
    /// None is needed.
    Leased,
    /// It came at this instant and is on its way to the disk.
    Writing(BatchSeq, RawInstant),
    /// It came at this instant and is durable.
    Durable(BatchSeq, RawInstant),
    /// It could not be written.
    Lost,
}

impl Issuer {
    /// Sends a batch to be signed. `confirmed` names its confirmation and when that came.
    pub(super) fn sign(
        &mut self,
        lane: LaneId,
        batch: Unsigned,
        confirmed: Option<(BatchSeq, RawInstant)>,
        out: &mut Vec<Action>,
    ) {
        let confirmation = match confirmed {
            Some((sequence, at)) => Stands::Writing(sequence, at),
            None => Stands::Leased,
        };
        let signing = Signing { left: batch.len(), confirmation, held: Vec::new() };
        self.signing.insert(lane, signing);
        out.push(Action::Sign(lane, batch));
    }

    /// A token is signed: it leaves, unless the confirmation is not on record yet.
    pub(super) fn finished(&mut self, now: &Reading, finished: Finished, out: &mut Vec<Action>) {
        let Finished { lane, id, took, token } = finished;
        self.signature = took;
        let Some(signing) = self.signing.get_mut(&lane) else { return };
        signing.left = signing.left.saturating_sub(1);
        signing.held.push((id, token));
        self.settle(now, lane, out);
    }

    /// The confirmation of the batch in this lane is durable, or it is not.
    pub(super) fn confirmation_logged(
        &mut self,
        now: &Reading,
        lane: LaneId,
        recorded: Result<(), NotRecorded>,
        out: &mut Vec<Action>,
    ) {
        if recorded == Err(NotRecorded::ForGood) {
            self.holder.evidence_lost();
        }
        let Some(signing) = self.signing.get_mut(&lane) else { return };
        if let Stands::Writing(sequence, at) = signing.confirmation {
            signing.confirmation = match recorded {
                Ok(()) => Stands::Durable(sequence, at),
                Err(_) => Stands::Lost,
            };
        }
        self.settle(now, lane, out);
    }

    /// Releases what may leave; with the last token of its batch the lane is free.
    fn settle(&mut self, now: &Reading, lane: LaneId, out: &mut Vec<Action>) {
        let Some(signing) = self.signing.get_mut(&lane) else { return };
        let confirmation = signing.confirmation;
        if kept(Condition::ConfirmationDurable) && matches!(confirmation, Stands::Writing(..)) {
            return;
        }
        let held = std::mem::take(&mut signing.held);
        if signing.left == 0 {
            self.signing.remove(&lane);
            self.free.push(lane);
        }
        for (id, token) in held {
            self.release(now, id, token, confirmation, out);
        }
    }

    /// Before release: the key and the certificate still good, the clock still sound, the lease
    /// not withdrawn, the confirmation on record and fresh. A lease that ran out meanwhile is no
    /// reason to hold back what was sampled in time.
    fn release(
        &mut self,
        now: &Reading,
        id: RequestId,
        token: Option<Signed<Content>>,
        confirmation: Stands,
        out: &mut Vec<Action>,
    ) {
        // A step since the sample does not falsify this token, but it ends the lease, and what a
        // dead lease covers stays inside.
        let _ = self.holder.judge(now);
        let usable = self.may_sign(now, out);
        let fresh = |at: RawInstant| {
            !kept(Condition::ConfirmationAge)
                || (now.sample.raw_after - at).magnitude() <= CONFIRMATION_AGE_MAX
        };
        let recorded = match confirmation {
            Stands::Durable(sequence, at) if fresh(at) => Ok(Some(sequence)),
            Stands::Leased => Ok(None),
            Stands::Writing(sequence, _) if !kept(Condition::ConfirmationDurable) => {
                Ok(Some(sequence))
            }
            Stands::Durable(..) | Stands::Writing(..) => Err(NO_TIME),
            Stands::Lost => Err(NO_RECORD),
        };
        let reply = match (token, recorded) {
            (None, _) => Err(NO_SIGNATURE),
            (Some(_), Err(rejection)) => Err(rejection),
            (Some(_), _) if !usable => Err(NO_KEY),
            (Some(token), Ok(recorded)) => match stages::release(token, &self.holder, recorded) {
                None => Err(NO_TIME),
                Some((released, record)) => {
                    out.push(Action::Record(leaf::Event::Issued(vec![record])));
                    Ok(released)
                }
            },
        };
        out.push(Action::Reply(id, reply));
    }
}
