//! The Witness stage: batches that are on record wait for the monitor's word.

use std::collections::BTreeMap;

use chronolease_core::broken::{Condition, kept};
use chronolease_core::confirmation::{
    self, Batch, Confirmation, GenTimes, NotConfirmed, SignedConfirmation,
};
use chronolease_core::id::{BatchSeq, ChannelBinding};
use chronolease_core::stamped::Reading;
use chronolease_core::time::{Bound, RawInstant};
use chronolease_core::token::Draft;

use super::stages::{self, Unwitnessed};
use super::{Action, Content, Issuer, LaneId, NO_KEY, NO_TIME, Note, Pending, RequestId, ToLink};
use crate::core::holder::Mode;
use crate::core::rfc3161::Rejection;

/// What was asked on the present connection and not answered yet. What was asked on an earlier one
/// is burnt.
#[derive(Debug, Default)]
pub(super) struct Asking {
    channel: Option<ChannelBinding>,
    /// The batch that comes next; none before the monitor's welcome.
    next: Option<BatchSeq>,
    open: BTreeMap<BatchSeq, Asked>,
}

/// A batch that waits for its answer.
#[derive(Debug)]
struct Asked {
    lane: LaneId,
    tokens: Unwitnessed,
    batch: Batch,
    at: RawInstant,
}

impl Asking {
    /// A connection stands. Nothing may be asked before the welcome.
    pub(super) const fn connected(&mut self, channel: ChannelBinding) {
        self.channel = Some(channel);
        self.next = None;
    }

    /// The monitor listens.
    pub(super) const fn welcomed(&mut self) {
        self.next = Some(BatchSeq::new(1));
    }

    /// The connection is gone.
    pub(super) const fn disconnected(&mut self) {
        self.channel = None;
        self.next = None;
    }

    /// Whether there is somebody to ask.
    pub(super) const fn is_open(&self) -> bool {
        self.next.is_some()
    }

    /// Whether nothing waits for an answer.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    fn fits(&self, confirmation: &Confirmation, asked: &Asked) -> bool {
        let here = self.channel == Some(confirmation.channel);
        let this = confirmation.batch == asked.batch;
        (here || !kept(Condition::AboutThisConnection))
            && (this || !kept(Condition::AboutThisBatch))
    }
}

impl Issuer {
    /// Asks about a batch whose intents are durable. One whose sample is too old by now, or that
    /// nobody can be asked about, gets a fresh one.
    pub(super) fn ask(
        &mut self,
        now: &Reading,
        lane: LaneId,
        tokens: Unwitnessed,
        queue_max: Bound,
        out: &mut Vec<Action>,
    ) {
        let sample = tokens.first().map(|(_, token)| *token.judged());
        let gen_times = GenTimes::of(tokens.iter().map(|(_, token)| token.judged().gen_time()));
        let (Some(judged), Some(gen_times), Some(sequence)) = (sample, gen_times, self.asking.next)
        else {
            self.free.push(lane);
            return self.retry(tokens, out);
        };
        let age = now.sample.raw_before - judged.sample().raw_before;
        if kept(Condition::QueueMax) && age.magnitude() > queue_max {
            self.free.push(lane);
            return self.retry(tokens, out);
        }
        let digests = tokens.iter().map(|(_, token)| &token.content().tst_info_digest);
        let batch =
            Batch { sequence, lease: judged.lease(), root: confirmation::root(digests), gen_times };
        self.asking.next = sequence.next();
        let asked = Asked { lane, tokens, batch, at: now.sample.raw_after };
        self.asking.open.insert(sequence, asked);
        out.push(Action::Send(ToLink::Confirm(batch)));
    }

    /// The monitor confirmed a batch. Its tokens are signed while the confirmation goes on record;
    /// both must be done before one of them leaves.
    pub(super) fn confirmed(
        &mut self,
        now: &Reading,
        signed: SignedConfirmation,
        confirmation: &Confirmation,
        out: &mut Vec<Action>,
    ) {
        let sequence = confirmation.batch.sequence;
        // Burnt meanwhile: its requests got another sample.
        let Some(asked) = self.asking.open.remove(&sequence) else { return };
        let _ = self.holder.judge(now);
        let me = self.holder.me();
        let mine = me.tsu == confirmation.tsu && me.incarnation == confirmation.incarnation;
        let stands = self.holder.permit(asked.batch.lease).is_some();
        let rejection = if !mine || !self.asking.fits(confirmation, &asked) {
            out.push(Action::Note(Note::OtherConfirmed(sequence)));
            NO_TIME
        } else if !stands {
            NO_TIME
        } else if !self.may_sign(now, out) {
            NO_KEY
        } else {
            let batch = stages::witness(asked.tokens, Some(sequence));
            self.sign(asked.lane, batch, Some((sequence, now.sample.raw_after)), out);
            return out.push(Action::LogConfirmation(asked.lane, signed));
        };
        self.free.push(asked.lane);
        reject(asked.tokens, rejection, out);
    }

    /// The monitor did not confirm a batch. One that came late gets a fresh sample.
    pub(super) fn not_confirmed(
        &mut self,
        sequence: BatchSeq,
        why: NotConfirmed,
        out: &mut Vec<Action>,
    ) {
        let Some(asked) = self.asking.open.remove(&sequence) else { return };
        out.push(Action::Note(Note::NotConfirmed(why)));
        self.free.push(asked.lane);
        match why {
            NotConfirmed::TooEarly => self.retry(asked.tokens, out),
            NotConfirmed::NoLease
            | NotConfirmed::NoUtc
            | NotConfirmed::Wide
            | NotConfirmed::TooLate
            | NotConfirmed::NoRecord
            | NotConfirmed::Blackout => reject(asked.tokens, NO_TIME, out),
        }
    }

    /// Burns what was asked on a connection that is gone, and what was not answered for `limit`.
    pub(super) fn burn_unanswered(&mut self, now: &Reading, out: &mut Vec<Action>) {
        let limit = match self.holder.lease() {
            Some(lease) if self.asking.is_open() => lease.ttl,
            _ => Bound::ZERO,
        };
        // The oldest first: the numbers are given in order.
        let is_fresh = |asked: &Asked| {
            limit > Bound::ZERO && (now.sample.raw_after - asked.at).magnitude() <= limit
        };
        while self.asking.open.first_key_value().is_some_and(|(_, asked)| !is_fresh(asked)) {
            let Some((sequence, asked)) = self.asking.open.pop_first() else { return };
            out.push(Action::Note(Note::Unanswered(sequence)));
            self.free.push(asked.lane);
            self.retry(asked.tokens, out);
        }
    }

    /// Once more with a fresh sample and fresh serials; who had that already is told.
    fn retry(&mut self, tokens: Unwitnessed, out: &mut Vec<Action>) {
        for (id, token) in tokens.into_iter().rev() {
            let Content { request, randomness, retried, .. } = token.into_content();
            if retried {
                out.push(Action::Reply(id, Err(NO_TIME)));
            } else {
                let pending = Pending { request, randomness, retried: true };
                self.waiting.push_front((id, Draft::new(pending)));
            }
        }
    }
}

fn reject(tokens: Unwitnessed, rejection: Rejection, out: &mut Vec<Action>) {
    let ids = tokens.into_iter().map(|(id, _): (RequestId, _)| id);
    out.extend(ids.map(|id| Action::Reply(id, Err(rejection))));
}

impl Issuer {
    /// By what right tokens are released.
    pub(super) const fn mode(&self) -> Mode {
        self.holder.me().mode
    }
}
