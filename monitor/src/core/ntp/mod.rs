//! NTP as a client speaks it: the 48-byte header, and one exchange judged.

pub mod arrival;
pub mod comparison;
pub mod exchange;
pub mod packet;

use chronolease_core::time::{Timestamp, Utc};

/// 2026-01-01 00:00:00 UTC. The seconds of an NTP timestamp wrap every 136 years; the era nearest
/// to this instant is meant (1957 to 2094), so no local clock has to be trusted for it.
pub const PIVOT: Timestamp<Utc> = Timestamp::from_unix_nanos(1_767_225_600_000_000_000);
