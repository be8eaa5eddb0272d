//! What was confirmed before this start, from the monitor's own evidence log.

use chronolease_core::evidence::TreeHead;
use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::leaf;
use chronolease_core::evidence::note::{KeyName, Note};
use chronolease_core::wire;
use chronolease_net::daemon::DaemonError;
use chronolease_net::recorder::Evidence;

use crate::config;

/// The tree of the TSU's log that the last batch was confirmed with, as far as it may be newer than
/// what the monitor has `vouched` for: whatever that continues need not be known.
pub(super) fn last_confirmed(
    evidence: &Evidence,
    ward: &config::Ward,
    vouched: TreeHead,
) -> Result<TreeHead, DaemonError> {
    if vouched == TreeHead::empty() {
        // No lease without a checkpoint, and no confirmation without a lease.
        return Ok(vouched);
    }
    let found = || evidence.last(|event| confirmed_or_older(event, ward));
    let found = tokio::task::block_in_place(found);
    let found = found.map_err(|why| DaemonError::failed(format!("the evidence log: {why}")))?;
    Ok(found.unwrap_or_else(TreeHead::empty))
}

/// The tree in a confirmation for this ward; the empty one where nothing older matters: it vouched
/// for a checkpoint, or for another log from there on.
fn confirmed_or_older(event: &leaf::Event, ward: &config::Ward) -> Option<TreeHead> {
    let ours = |origin: &KeyName| *origin == ward.evidence_origin;
    match event {
        leaf::Event::Confirmed(signed) => {
            let confirmation = wire::decode_confirmation(&signed.der).ok()?;
            (confirmation.tsu == ward.rules.tsu).then_some(confirmation.log)
        }
        leaf::Event::PeerCheckpoint(note) => {
            let note = Note::parse(note).ok()?;
            let checkpoint = Checkpoint::parse(note.text()).ok()?;
            ours(&checkpoint.origin).then(TreeHead::empty)
        }
        leaf::Event::PeerEpoch(epoch) => ours(&epoch.origin).then(TreeHead::empty),
        _ => None,
    }
}
