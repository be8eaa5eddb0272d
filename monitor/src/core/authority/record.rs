//! What must survive a crash of the monitor, one small text per ward.
//!
//! It stands in until the evidence log takes over. The form is lines of `key value`, in this
//! order, each exactly once; anything else is refused, so a damaged record is found.
//!
//! ```text
//! chronolease-ward 1
//! incarnation 000102030405060708090a0b0c0d0e0f
//! sequence 42
//! reported 41
//! ttl_ns 3000000000
//! latch deviation
//! ```

use chronolease_core::id::{Incarnation, LeaseSeq};
use chronolease_core::lease::EndingCause;
use chronolease_core::time::Bound;

const HEADER: &str = "chronolease-ward 1";
const NOTHING: &str = "-";

/// The durable state of a ward.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Record {
    /// The incarnation that was granted the newest lease.
    pub incarnation: Option<Incarnation>,
    /// The newest lease ever granted.
    pub sequence: LeaseSeq,
    /// The newest lease that its TSU reported to have ended by itself.
    pub reported: LeaseSeq,
    /// How long the newest lease lasts.
    pub ttl: Bound,
    /// The cause that latched the ward.
    pub latch: Option<EndingCause>,
}

/// Why a text is not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A line is missing, out of order or malformed.
    #[error("line {line}: expected \"{expected}\", found \"{found}\"")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// It reads well, but was not written by this program: a leading zero, or something after the
    /// last line.
    #[error("not in the form in which records are written")]
    NotCanonical,
}

impl Record {
    /// The record as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let incarnation = self.incarnation.map_or_else(|| NOTHING.to_owned(), |i| i.to_string());
        let latch = self.latch.map_or(NOTHING, EndingCause::label);
        format!(
            "{HEADER}\nincarnation {incarnation}\nsequence {}\nreported {}\nttl_ns {}\nlatch {latch}\n",
            self.sequence,
            self.reported,
            self.ttl.as_nanos(),
        )
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`] for anything but what [`Record::to_text`] writes.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let mut lines = Lines { rest: text.split('\n'), line: 0 };
        lines.next(HEADER, |line| (line == HEADER).then_some(()))?;
        let record = Self {
            incarnation: lines.value("incarnation", |v| optional(v, Incarnation::from_hex))?,
            sequence: LeaseSeq::new(lines.value("sequence", |v| v.parse().ok())?),
            reported: LeaseSeq::new(lines.value("reported", |v| v.parse().ok())?),
            ttl: Bound::from_nanos(lines.value("ttl_ns", |v| v.parse().ok())?),
            latch: lines.value("latch", |v| optional(v, EndingCause::from_label))?,
        };
        // Comparing with what would be written leaves no second form.
        if record.to_text() == text { Ok(record) } else { Err(RecordError::NotCanonical) }
    }
}

fn optional<T>(value: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if value == NOTHING { Some(None) } else { parse(value).map(Some) }
}

struct Lines<'a> {
    rest: core::str::Split<'a, char>,
    line: usize,
}

impl<'a> Lines<'a> {
    fn next<T>(
        &mut self,
        expected: &'static str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, RecordError> {
        self.line += 1;
        let found = self.rest.next().unwrap_or_default();
        parse(found).ok_or_else(|| RecordError::Line {
            line: self.line,
            expected,
            found: found.to_owned(),
        })
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, RecordError> {
        self.next(key, |line| parse(line.strip_prefix(key)?.strip_prefix(' ')?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            incarnation: Some(Incarnation::from_bytes([0xab; 16])),
            sequence: LeaseSeq::new(42),
            reported: LeaseSeq::new(41),
            ttl: Bound::from_millis(3_000),
            latch: Some(EndingCause::Deviation),
        }
    }

    #[test]
    fn records_round_trip() {
        for record in [record(), Record::default()] {
            assert_eq!(Record::parse(&record.to_text()), Ok(record));
        }
    }

    #[test]
    fn every_truncation_and_every_lost_line_is_refused() {
        let text = record().to_text();
        for end in 0..text.len() {
            assert!(Record::parse(&text[..end]).is_err(), "{end}");
        }
        for skipped in 0..text.lines().count() {
            let kept = text.lines().enumerate().filter(|(i, _)| *i != skipped);
            let damaged: String = kept.map(|(_, line)| format!("{line}\n")).collect();
            assert!(Record::parse(&damaged).is_err(), "{damaged}");
        }
        assert_eq!(Record::parse(&format!("{text}\n")), Err(RecordError::NotCanonical));
    }

    #[test]
    fn an_error_names_the_line() {
        let text = record().to_text().replace("sequence 42", "sequence many");
        let error = Record::parse(&text).expect_err("not a number").to_string();
        assert_eq!(error, "line 3: expected \"sequence\", found \"sequence many\"");
    }
}
