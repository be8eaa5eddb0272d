//! The stages of a batch, each from one type to the next.

use chronolease_core::judge::JudgedSample;
use chronolease_core::token::{
    Draft, Judged, Logged, Permission, Record, Releasable, Signed, Witnessed,
};

use super::{Content, Pending, RequestId, Unsigned};
use crate::core::holder::Holder;

/// Gives every draft the judged sample and its serial number.
pub(super) fn judge(
    drafts: impl Iterator<Item = (RequestId, Draft<Pending>)>,
    judged: &JudgedSample,
    mut numbered: impl FnMut(Pending) -> Content,
) -> Vec<(RequestId, Judged<Content>)> {
    drafts
        .map(|(id, draft)| (id, Draft::new(numbered(draft.into_content())).judged(*judged)))
        .collect()
}

/// The Log stage. There is no evidence log yet, so nothing is recorded, and the tokens say so.
pub(super) fn log(batch: Vec<(RequestId, Judged<Content>)>) -> Vec<(RequestId, Logged<Content>)> {
    batch.into_iter().map(|(id, token)| (id, token.logged(Record::Unlogged))).collect()
}

/// The Witness stage. There is no witness yet: the lease alone permits the release.
pub(super) fn witness(batch: Vec<(RequestId, Logged<Content>)>) -> Unsigned {
    let by_lease = |token: Logged<Content>| -> Witnessed<Content> {
        let lease = token.judged().lease();
        token.witnessed(Permission::Lease(lease))
    };
    batch.into_iter().map(|(id, token)| (id, by_lease(token))).collect()
}

/// Lets a token go unless its lease was withdrawn.
pub(super) fn release(token: Signed<Content>, holder: &Holder) -> Option<Releasable> {
    let permit = holder.permit(token.judged().lease())?;
    token.release(&permit).ok()
}
