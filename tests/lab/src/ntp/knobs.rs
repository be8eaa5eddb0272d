//! The knobs of a server.
//!
//! Lengths are milliseconds with a fraction, as a person types them. Floating point is at home
//! here: nothing in the lab judges.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A number between `MIN` and `MAX`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Within<const MIN: i64, const MAX: i64>(f64);

impl<const MIN: i64, const MAX: i64> Within<MIN, MAX> {
    /// The number itself.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The number taken as milliseconds, in nanoseconds.
    #[must_use]
    pub const fn ms_as_nanos(self) -> i64 {
        (self.0 * 1e6).round() as i64
    }
}

impl<const MIN: i64, const MAX: i64> TryFrom<f64> for Within<MIN, MAX> {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        if (MIN as f64..=MAX as f64).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("{number} does not lie in {MIN}..={MAX}"))
        }
    }
}

impl<const MIN: i64, const MAX: i64> From<Within<MIN, MAX>> for f64 {
    fn from(number: Within<MIN, MAX>) -> Self {
        number.0
    }
}

/// The leap indicator (RFC 5905 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leap {
    /// 0: none is near.
    None,
    /// 1: the last minute of the day has 61 seconds.
    Insert,
    /// 2: the last minute of the day has 59 seconds.
    Delete,
    /// 3: the server's clock follows nothing.
    Unsynchronised,
}

/// An association mode, 0 to 7 (RFC 5905 7.3). A server answers with 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Mode(u8);

impl Mode {
    /// What a server answers with.
    pub const SERVER: Self = Self(4);
}

impl TryFrom<u8> for Mode {
    type Error = String;

    fn try_from(mode: u8) -> Result<Self, String> {
        if mode < 8 { Ok(Self(mode)) } else { Err(format!("{mode} does not lie in 0..=7")) }
    }
}

impl From<Mode> for u8 {
    fn from(mode: Mode) -> Self {
        mode.0
    }
}

/// A reference id: one to four printable ASCII characters, filled up with zeros, or a dotted quad.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefId {
    text: String,
    octets: [u8; 4],
}

impl RefId {
    /// The four octets of the packet.
    #[must_use]
    pub const fn octets(&self) -> [u8; 4] {
        self.octets
    }

    /// The name of a source in capitals, cut to four characters: what a stratum 1 server of that
    /// laboratory might say.
    #[must_use]
    pub fn of_source(name: &str) -> Self {
        let text: String =
            name.chars().filter(char::is_ascii_alphanumeric).take(4).collect::<String>();
        Self::try_from(text.to_ascii_uppercase())
            .unwrap_or_else(|_| Self { text: "LAB".to_owned(), octets: *b"LAB\0" })
    }
}

impl TryFrom<String> for RefId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self { text, octets: address.octets() });
        }
        let mut octets = [0; 4];
        let printable = text.bytes().all(|b| matches!(b, b' '..=b'~'));
        match octets.get_mut(..text.len()) {
            Some(room) if printable && !text.is_empty() => room.copy_from_slice(text.as_bytes()),
            _ => {
                return Err(format!(
                    "{text:?} is neither one to four ASCII characters nor a dotted quad"
                ));
            }
        }
        Ok(Self { text, octets })
    }
}

impl From<RefId> for String {
    fn from(id: RefId) -> Self {
        id.text
    }
}

/// A century in milliseconds.
const CENTURY_MS: i64 = 3_155_760_000_000;

/// A minute in milliseconds: no client waits longer for a delayed answer.
const MINUTE_MS: i64 = 60_000;

/// What the short format of NTP holds, in milliseconds: 65535 whole seconds.
const SHORT_MS: i64 = 65_535_000;

/// The state of one server's knobs, as the control listener shows it and takes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knobs {
    /// How far the server's clock is ahead of the truth.
    pub offset_ms: Within<{ -CENTURY_MS }, CENTURY_MS>,
    /// How much the server's clock gains on the truth, on top, from the moment this is set.
    pub drift_ppm: Within<-1_000_000, 1_000_000>,
    /// What it says of leap seconds.
    pub leap: Leap,
    /// How many servers away its reference is.
    pub stratum: u8,
    /// What its reference is.
    pub refid: RefId,
    /// In what role it claims to answer.
    pub mode: Mode,
    /// The round trip to its reference that it claims.
    pub root_delay_ms: Within<0, SHORT_MS>,
    /// The error against its reference that it claims.
    pub root_dispersion_ms: Within<0, SHORT_MS>,
    /// How long a request is held back before its arrival is stamped (T2).
    pub forward_delay_ms: Within<0, MINUTE_MS>,
    /// How long an answer is held back after its departure is stamped (T3).
    pub return_delay_ms: Within<0, MINUTE_MS>,
    /// Whether it stays silent.
    pub drop: bool,
    /// Whether it returns another origin timestamp than the client sent.
    pub wrong_origin: bool,
}

/// Which field of a change is wrong, and why.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct KnobError {
    /// The field's name, as sent.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

impl Knobs {
    /// An honest stratum 1 server named `source`.
    #[must_use]
    pub fn honest(source: &str) -> Self {
        Self {
            offset_ms: Within(0.0),
            drift_ppm: Within(0.0),
            leap: Leap::None,
            stratum: 1,
            refid: RefId::of_source(source),
            mode: Mode::SERVER,
            root_delay_ms: Within(0.1),
            root_dispersion_ms: Within(0.1),
            forward_delay_ms: Within(0.0),
            return_delay_ms: Within(0.0),
            drop: false,
            wrong_origin: false,
        }
    }

    /// These knobs with every field of `changes` set, or the first field that does not fit.
    ///
    /// # Errors
    /// [`KnobError`] names a field that does not exist or whose value no knob can take.
    pub fn with(&self, changes: &Map<String, Value>) -> Result<Self, KnobError> {
        let mut knobs = self.clone();
        for (field, value) in changes {
            let error = |source: serde_json::Error| KnobError {
                field: field.clone(),
                why: source.to_string(),
            };
            let mut fields = serde_json::to_value(&knobs).map_err(error)?;
            fields[field] = value.clone();
            knobs = serde_json::from_value(fields).map_err(error)?;
        }
        Ok(knobs)
    }
}
