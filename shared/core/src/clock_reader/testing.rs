//! What a reader may say, for tests of whatever carries its word.

use proptest::prelude::*;

use super::{
    Account, KernelState, KernelStatus, LostKind, Marker, OddReading, ReaderWord, TimeState,
};
use crate::time::{Bound, Span};

pub(crate) fn kernel() -> impl Strategy<Value = Result<KernelState, OddReading>> {
    let errors = (0..=16_000_000_000u64, 0..=16_000_000_000u64);
    let state = prop::sample::select(TimeState::ALL);
    let rest = (-500_000_000..=500_000_000i64, -500_000..=500_000i32, -100_000..=100_000i32);
    let sound = (state, any::<u16>(), errors, rest).prop_map(
        |(state, bits, (max_error, estimated_error), (offset, frequency_ppb, tai_offset_s))| {
            Ok(KernelState {
                state,
                status: KernelStatus::from_bits(bits),
                max_error: Bound::from_nanos(max_error),
                estimated_error: Bound::from_nanos(estimated_error),
                offset: Span::from_nanos(offset),
                frequency_ppb,
                tai_offset_s,
            })
        },
    );
    prop_oneof![sound, prop::sample::select(OddReading::ALL).prop_map(Err)]
}

pub(crate) fn marker() -> impl Strategy<Value = Marker> {
    let shown = any::<(u64, Option<u64>)>()
        .prop_map(|(disruption, generation)| Marker::Shown { disruption, generation });
    prop_oneof![Just(Marker::Absent), Just(Marker::Unreadable), shown]
}

pub(crate) fn word() -> impl Strategy<Value = ReaderWord> {
    let alive = (kernel(), marker()).prop_map(|(kernel, marker)| Ok(Account { kernel, marker }));
    let heard = prop_oneof![alive, prop::sample::select(LostKind::ALL).prop_map(Err)];
    (any::<(u64, u64)>(), heard).prop_map(|((steps, disruptions), heard)| ReaderWord {
        steps,
        disruptions,
        heard,
    })
}
