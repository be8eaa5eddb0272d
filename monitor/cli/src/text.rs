//! Times and bytes as text.

use chronolease_core::evidence::leaf::SourceState;
use chronolease_core::time::{GenTime, Timestamp, Utc};
use time::OffsetDateTime;

/// UTC with nine digits after the second: `2027-01-15T08:00:00.079000000Z` (RFC 3339).
#[must_use]
pub fn utc(at: Timestamp<Utc>) -> String {
    let ns = at.as_unix_nanos();
    format!("{}.{:09}Z", seconds(ns.div_euclid(1_000_000_000)), ns.rem_euclid(1_000_000_000))
}

/// A genTime in UTC, to the microsecond.
#[must_use]
pub fn gen_time(at: GenTime) -> String {
    let us = at.as_unix_nanos().div_euclid(1_000);
    format!("{}.{:06}Z", seconds(us.div_euclid(1_000_000)), us.rem_euclid(1_000_000))
}

/// Lower case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The state of a source, as the metrics name it.
#[must_use]
pub const fn source_state(state: SourceState) -> &'static str {
    match state {
        SourceState::Ok => "ok",
        SourceState::Falseticker => "falseticker",
        SourceState::Stale => "stale",
        SourceState::Unreachable => "unreachable",
        SourceState::Excluded => "excluded",
    }
}

fn seconds(unix: i64) -> String {
    // Nanoseconds in 64 bits stay within the years 1677 to 2262.
    let at = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::time::GenTimeDigits;

    #[test]
    fn times_before_and_after_1970_print_in_full() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (1_800_000_000_079_000_000, "2027-01-15T08:00:00.079000000Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        ] {
            assert_eq!(utc(Timestamp::from_unix_nanos(ns)), text);
        }
        let cut = GenTime::at(Timestamp::from_unix_nanos(-1), GenTimeDigits::Three);
        assert_eq!(gen_time(cut), "1969-12-31T23:59:59.999000Z");
    }
}
