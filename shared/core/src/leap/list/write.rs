//! The writer: for labs and tests, which need lists of leap seconds that nobody has announced.

use core::fmt::Write;

use sha1::{Digest, Sha1};

use super::super::month_end::MonthEnd;
use super::Entry;
use super::read::UNIX_EPOCH_NTP_S;
use crate::time::{Timestamp, Utc};

/// Writes a list in the published format, with its hash. It checks nothing: whether the list makes
/// sense is for [`super::LeapList::parse`] to judge. Times are cut to whole seconds; any before
/// 1900 become 1900.
#[must_use]
pub fn write_list(updated: Timestamp<Utc>, expires: Timestamp<Utc>, entries: &[Entry]) -> String {
    let (updated, expires) = (ntp_s(updated), ntp_s(expires));
    let mut sha1 = Sha1::new().chain_update(format!("{updated}{expires}"));
    let mut text = format!("#$\t{updated}\n#@\t{expires}\n");
    for entry in entries {
        let (from, value) = (ntp_s(entry.from.instant()), entry.tai_minus_utc_s);
        sha1.update(format!("{from}{value}"));
        let _ = writeln!(text, "{from}\t{value}\t# after {}", entry.from);
    }
    text.push_str("#h\t");
    let hash: [u8; 20] = sha1.finalize().into();
    let words: Vec<String> = hash
        .chunks_exact(4)
        .map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    text.push_str(&words.join(" "));
    text.push('\n');
    text
}

/// Every value of TAI - UTC from 1972 to 2017: what lists of the lab and of tests begin with.
///
/// # Panics
/// Never: the months are months.
#[must_use]
pub fn history() -> Vec<Entry> {
    let entry = |(before, &(year, month)): (i32, &(i32, u8))| Entry {
        from: MonthEnd::of(year, month).expect("a month"),
        tai_minus_utc_s: 10 + before,
    };
    (0..).zip(&HISTORY).map(entry).collect()
}

/// The months at whose ends TAI - UTC became 10 s, 11 s, ... 37 s.
const HISTORY: [(i32, u8); 28] = [
    (1971, 12),
    (1972, 6),
    (1972, 12),
    (1973, 12),
    (1974, 12),
    (1975, 12),
    (1976, 12),
    (1977, 12),
    (1978, 12),
    (1979, 12),
    (1981, 6),
    (1982, 6),
    (1983, 6),
    (1985, 6),
    (1987, 12),
    (1989, 12),
    (1990, 12),
    (1992, 6),
    (1993, 6),
    (1994, 6),
    (1995, 12),
    (1997, 6),
    (1998, 12),
    (2005, 12),
    (2008, 12),
    (2012, 6),
    (2015, 6),
    (2016, 12),
];

fn ntp_s(at: Timestamp<Utc>) -> u64 {
    let unix_s = at.as_unix_nanos().div_euclid(1_000_000_000);
    UNIX_EPOCH_NTP_S.saturating_add_signed(unix_s)
}
