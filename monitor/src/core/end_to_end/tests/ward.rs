//! A ward with a lease.

use chronolease_core::evidence::TreeHead;
use chronolease_core::id::{BootId, ChannelBinding, Incarnation, Nonce};
use chronolease_core::sample::Sample;
use chronolease_core::time::Span;
use chronolease_core::wire::{Hello, PROTOCOL_VERSION, ProbeAnswer};

use super::{ASKED_MS, MS, OFFSET, Timestamp, Ward, context, raw, rules};
use crate::core::authority::{ConnId, Event, Record, ShownLog};
use crate::core::testing::QUIET;

/// A ward whose TSU holds its second lease while the question is out.
pub(super) fn granted_and_renewed() -> Ward {
    let mut ward = Ward::new(rules(), Record::default(), raw(0));
    let mut out = Vec::new();
    let (conn, boot_id) = (ConnId(1), BootId::from_bytes([3; 16]));
    let hello = Hello {
        version: PROTOCOL_VERSION,
        tsu: rules().tsu,
        incarnation: Incarnation::from_bytes([1; 16]),
        boot_id,
        held: TreeHead::empty(),
    };
    let channel = ChannelBinding::from_bytes([4; 32]);
    let connected = Event::Connected { conn, hello, channel };
    ward.handle(context(ASKED_MS - 2_000), connected, &mut out);
    for ms in [ASKED_MS - 2_000, ASKED_MS - 900] {
        ward.handle(context(ms), Event::Tick, &mut out);
        let sample = Sample {
            raw_before: raw(ms),
            real: Timestamp::from_unix_nanos(OFFSET + ms * MS),
            raw_after: raw(ms),
            boot_minus_mono: Span::ZERO,
            boot_id,
        };
        let nonce = Nonce::from_bytes([1; 32]);
        let answer = ProbeAnswer { nonce, sample, reader: QUIET, ended: None, log: None };
        let log = Some(ShownLog { tree: TreeHead::empty(), since_shown: vec![], vouched: true });
        ward.handle(
            context(ms),
            Event::Answered { conn, answer, received: raw(ms), log },
            &mut out,
        );
    }
    assert!(ward.held_lease().is_some(), "{out:?}");
    ward
}
