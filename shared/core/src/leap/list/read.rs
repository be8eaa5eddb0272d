//! The parser. Bytes, not text: comments may hold anything.

use sha1::{Digest, Sha1};

use super::error::{Directive, ListError, ListHash};
use super::{BYTES_MAX, Entry, LeapList};
use crate::evidence::merkle::Hash;
use crate::leap::LeapSign;
use crate::leap::month_end::MonthEnd;
use crate::time::{Timestamp, Utc};

/// Seconds from 1900-01-01 to 1970-01-01 (RFC 5905 figure 4).
pub(super) const UNIX_EPOCH_NTP_S: u64 = 2_208_988_800;
const NANOS_PER_S: i64 = 1_000_000_000;

/// 1972-01-01, from when on UTC has leap seconds, and the value that held then.
const FIRST: (u64, u64) = (2_272_060_800, 10);

/// The newest leap second there was when this was written.
const KNOWN: (i32, u8, i32) = (2016, 12, 37);

pub(super) fn parse(file: &[u8], pin: Option<&Hash>) -> Result<LeapList, ListError> {
    if file.len() > BYTES_MAX {
        return Err(ListError::TooLong { bytes: file.len() });
    }
    let digest = Hash::of(file);
    if let Some(&pinned) = pin.filter(|&pin| *pin != digest) {
        return Err(ListError::Pin { found: digest, pinned });
    }
    let mut reader = Reader::default();
    for (index, line) in file.split(|&byte| byte == b'\n').enumerate() {
        reader.take(index + 1, line)?;
    }
    reader.finish(digest)
}

/// What was read so far. The hash runs along, in the order of the lines.
#[derive(Default)]
struct Reader {
    updated: Option<Timestamp<Utc>>,
    expires: Option<Timestamp<Utc>>,
    hash: Option<(usize, ListHash)>,
    entries: Vec<Entry>,
    sha1: Sha1,
}

impl Reader {
    fn take(&mut self, line: usize, text: &[u8]) -> Result<(), ListError> {
        match text {
            [b'#', b'$', value @ ..] => {
                let at = self.time(line, value)?;
                if self.updated.replace(at).is_some() {
                    return Err(ListError::Twice { line, directive: Directive::Updated });
                }
            }
            [b'#', b'@', value @ ..] => {
                self.updated.ok_or(ListError::Order { line, after: Directive::Updated })?;
                let at = self.time(line, value)?;
                if self.expires.replace(at).is_some() {
                    return Err(ListError::Twice { line, directive: Directive::Expires });
                }
            }
            [b'#', b'h', words @ ..] => {
                self.expires.ok_or(ListError::Order { line, after: Directive::Expires })?;
                let hash = list_hash(words).ok_or(ListError::HashForm { line })?;
                if self.hash.replace((line, hash)).is_some() {
                    return Err(ListError::Twice { line, directive: Directive::Hash });
                }
            }
            [b'#', ..] => {}
            data => self.data(line, data)?,
        }
        Ok(())
    }

    fn time(&mut self, line: usize, value: &[u8]) -> Result<Timestamp<Utc>, ListError> {
        let digits = value.trim_ascii();
        let ntp_s = number(digits).ok_or(ListError::Number { line })?;
        self.sha1.update(digits);
        utc(line, ntp_s)
    }

    fn data(&mut self, line: usize, text: &[u8]) -> Result<(), ListError> {
        let before_comment = text.split(|&byte| byte == b'#').next().unwrap_or_default();
        let columns: Vec<&[u8]> = before_comment
            .split(u8::is_ascii_whitespace)
            .filter(|column| !column.is_empty())
            .collect();
        let [time, value] = match columns[..] {
            [] => return Ok(()),
            [time, value] => [time, value],
            _ => return Err(ListError::Columns { line, columns: columns.len() }),
        };
        self.expires.ok_or(ListError::Order { line, after: Directive::Expires })?;
        if self.hash.is_some() {
            return Err(ListError::AfterHash { line });
        }
        let ntp_s = number(time).ok_or(ListError::Number { line })?;
        let tai_minus_utc = number(value).ok_or(ListError::Number { line })?;
        self.sha1.update(time);
        self.sha1.update(value);
        let entry = self.entry(line, ntp_s, tai_minus_utc)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Checks an entry against the one before.
    fn entry(&self, line: usize, ntp_s: u64, tai_minus_utc: u64) -> Result<Entry, ListError> {
        let at = utc(line, ntp_s)?;
        let Some(before) = self.entries.last() else {
            let from = MonthEnd::at(at).filter(|_| (ntp_s, tai_minus_utc) == FIRST);
            return Ok(Entry { from: from.ok_or(ListError::First { line })?, tai_minus_utc_s: 10 });
        };
        if at <= before.from.instant() {
            return Err(ListError::NotLater { line });
        }
        let from = MonthEnd::at(at).ok_or(ListError::NotMonthEnd { line })?;
        let step = ListError::Step { line, from: before.tai_minus_utc_s, to: tai_minus_utc };
        let tai_minus_utc_s = i32::try_from(tai_minus_utc).map_err(|_| step.clone())?;
        let change = tai_minus_utc_s.checked_sub(before.tai_minus_utc_s);
        match change.and_then(LeapSign::from_tai_minus_utc_change_s) {
            Some(_) => Ok(Entry { from, tai_minus_utc_s }),
            None => Err(step),
        }
    }

    fn finish(self, digest: Hash) -> Result<LeapList, ListError> {
        let updated = self.updated.ok_or(ListError::Missing(Directive::Updated))?;
        let expires = self.expires.ok_or(ListError::Missing(Directive::Expires))?;
        let (line, stated) = self.hash.ok_or(ListError::Missing(Directive::Hash))?;
        let computed = ListHash(self.sha1.finalize().into());
        if stated != computed {
            return Err(ListError::HashMismatch { line, stated, computed });
        }
        if self.entries.is_empty() {
            return Err(ListError::Empty);
        }
        if expires < updated {
            return Err(ListError::ExpiresBeforeUpdate);
        }
        let (year, month, tai_minus_utc_s) = KNOWN;
        let known = MonthEnd::of(year, month).map(|from| Entry { from, tai_minus_utc_s });
        if !self.entries.iter().any(|entry| Some(*entry) == known) {
            return Err(ListError::History);
        }
        Ok(LeapList { updated, expires, entries: self.entries, digest })
    }
}

/// A plain decimal number: digits alone, no leading zero, so that each has one spelling.
fn number(digits: &[u8]) -> Option<u64> {
    let plain = digits.iter().all(u8::is_ascii_digit) && digits.first() != Some(&b'0');
    str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

fn utc(line: usize, ntp_s: u64) -> Result<Timestamp<Utc>, ListError> {
    let unix_s = ntp_s.checked_sub(UNIX_EPOCH_NTP_S).and_then(|s| i64::try_from(s).ok());
    let unix_ns = unix_s.and_then(|s| s.checked_mul(NANOS_PER_S));
    unix_ns.map(Timestamp::from_unix_nanos).ok_or(ListError::Range { line, ntp_s })
}

/// Five words of 32 bits. Some publishers leave the leading zeros of a word away.
fn list_hash(text: &[u8]) -> Option<ListHash> {
    let mut hash = [0; 20];
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for place in hash.chunks_exact_mut(4) {
        let word = words.next()?;
        if word.len() > 8 || !word.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let word = u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok()?;
        place.copy_from_slice(&word.to_be_bytes());
    }
    words.next().is_none().then_some(ListHash(hash))
}
