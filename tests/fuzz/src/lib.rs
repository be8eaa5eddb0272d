//! What the fuzzers run: one function for each kind of bytes that come from outside. Each takes any
//! bytes, and panics when the code breaks a promise.
//!
//! `libfuzzer/` feeds them for long on nightly (`make fuzz`); `tests/replay.rs` feeds them the
//! committed corpora on stable. To add one: a function here and in [`TARGETS`], a file in
//! `libfuzzer/targets` with its entry in `libfuzzer/Cargo.toml`, and a folder of that name with a
//! few inputs in `corpus`.

mod leap;
mod ntp;
mod nts;
mod tsp;

pub use leap::leap_list;
pub use ntp::ntp_packet;
pub use nts::{nts_extension_fields, nts_ke_records};
pub use tsp::{timestamp_request, token_round_trip};

/// A function that fuzzers feed.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its corpus too.
pub const TARGETS: &[(&str, Target)] = &[
    ("leap_list", leap_list),
    ("ntp_packet", ntp_packet),
    ("nts_extension_fields", nts_extension_fields),
    ("nts_ke_records", nts_ke_records),
    ("timestamp_request", timestamp_request),
    ("token_round_trip", token_round_trip),
];
