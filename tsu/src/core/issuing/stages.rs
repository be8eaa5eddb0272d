//! The stages of a batch, each from one type to the next.

use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::leaf::{Intent, IssuedToken};
use chronolease_core::id::BatchSeq;
use chronolease_core::judge::JudgedSample;
use chronolease_core::token::{Draft, Judged, Logged, Permission, Releasable, Signed, Witnessed};

use super::{Content, Pending, RequestId, Unsigned};
use crate::core::holder::Holder;

/// A batch that is on its way into the evidence log.
pub(super) type Unlogged = Vec<(RequestId, Judged<Content>)>;

/// A batch that is on record and waits for the monitor.
pub(super) type Unwitnessed = Vec<(RequestId, Logged<Content>)>;

/// Gives every draft the judged sample and its serial number.
pub(super) fn judge(
    drafts: impl Iterator<Item = (RequestId, Draft<Pending>)>,
    judged: &JudgedSample,
    mut numbered: impl FnMut(Pending) -> Content,
) -> Unlogged {
    drafts
        .map(|(id, draft)| (id, Draft::new(numbered(draft.into_content())).judged(*judged)))
        .collect()
}

/// What the evidence log must hold before a batch is signed.
pub(super) fn intents(batch: &Unlogged) -> Vec<Intent> {
    let intent = |(_, token): &(RequestId, Judged<Content>)| {
        let (content, judged) = (token.content(), token.judged());
        Intent {
            serial: content.serial,
            imprint: *content.request.hash(),
            tst_info_digest: content.tst_info_digest,
            sample: *judged.sample(),
            lease: judged.lease(),
            gen_time: judged.gen_time(),
        }
    };
    batch.iter().map(intent).collect()
}

/// The Log stage: the intents of the batch are durable, from leaf `first` on.
pub(super) fn log(batch: Unlogged, first: LeafIndex) -> Unwitnessed {
    let leaves = (first.as_u64()..).map(LeafIndex::new);
    batch.into_iter().zip(leaves).map(|((id, token), leaf)| (id, token.logged(leaf))).collect()
}

/// The Witness stage: the monitor confirmed the batch, or in leased mode the lease alone permits the
/// release.
pub(super) fn witness(batch: Unwitnessed, confirmed: Option<BatchSeq>) -> Unsigned {
    let witnessed = |token: Logged<Content>| -> Witnessed<Content> {
        let lease = token.judged().lease();
        token.witnessed(confirmed.map_or(Permission::Lease(lease), Permission::Witness))
    };
    batch.into_iter().map(|(id, token)| (id, witnessed(token))).collect()
}

/// Lets a token go unless its lease was withdrawn, with what is recorded of it. `recorded` is the
/// batch whose confirmation is durable.
pub(super) fn release(
    token: Signed<Content>,
    holder: &Holder,
    recorded: Option<BatchSeq>,
) -> Option<(Releasable, IssuedToken)> {
    let permit = holder.permit(token.judged().lease())?;
    let permit = match recorded {
        Some(batch) => permit.recorded(batch),
        None => permit,
    };
    let serial = token.content().serial;
    let signature_digest = *token.signature_digest();
    let released = token.release(&permit).ok()?;
    Some((released, IssuedToken { serial, signature_digest }))
}
