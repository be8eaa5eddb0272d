//! The writer: for labs and tests, which need lists of leap seconds that nobody has announced.

use core::fmt::Write;

use sha1::{Digest, Sha1};

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

fn ntp_s(at: Timestamp<Utc>) -> u64 {
    let unix_s = at.as_unix_nanos().div_euclid(1_000_000_000);
    UNIX_EPOCH_NTP_S.saturating_add_signed(unix_s)
}
