//! When a certificate is valid, and when tokens may be signed.

use chronolease_core::time::{Timestamp, Utc};
use rasn::types::UtcTime;
use rasn_pkix::{Certificate, Time};

use super::super::der::DerError;
use super::key::AlgorithmOutdated;

/// From the first to the last instant, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first instant.
    pub first: Timestamp<Utc>,
    /// The last instant.
    pub last: Timestamp<Utc>,
}

/// When the certificate in DER is valid, whatever else it says (RFC 5280 4.1.2.5).
///
/// # Errors
/// [`DerError`] when it is no certificate.
pub fn validity(certificate_der: &[u8]) -> Result<Period, DerError> {
    let certificate: Certificate =
        rasn::der::decode(certificate_der).map_err(|e| DerError::Grammar(e.to_string()))?;
    Ok(Period::of(certificate.tbs_certificate.validity))
}

impl Period {
    /// A certificate's notBefore and notAfter (RFC 5280 4.1.2.5).
    pub(super) fn of(validity: rasn_pkix::Validity) -> Self {
        let date = |time: Time| match time {
            Time::Utc(date) => timestamp(date),
            Time::General(date) => timestamp(date.to_utc()),
        };
        Self { first: date(validity.not_before), last: date(validity.not_after) }
    }

    /// Whether a certificate of this validity is good at `now`.
    ///
    /// # Errors
    /// [`NotUsable::CertificateNotYet`] or [`NotUsable::CertificateExpired`].
    pub fn includes(&self, now: Timestamp<Utc>) -> Result<(), NotUsable> {
        if now < self.first {
            Err(NotUsable::CertificateNotYet(self.first))
        } else if now > self.last {
            Err(NotUsable::CertificateExpired(self.last))
        } else {
            Ok(())
        }
    }
}

/// The certificate, its key or its algorithm may not be used at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUsable {
    /// Before the certificate's notBefore.
    #[error("the certificate is valid from {} only (RFC 5280 4.1.2.5)", date(*.0))]
    CertificateNotYet(Timestamp<Utc>),
    /// After the certificate's notAfter.
    #[error("the certificate expired at {} (RFC 5280 4.1.2.5)", date(*.0))]
    CertificateExpired(Timestamp<Utc>),
    /// Before the privateKeyUsagePeriod.
    #[error("the key may be used from {} only (EN 319 421 TIS-7.7.1-09)", date(*.0))]
    KeyNotYet(Timestamp<Utc>),
    /// After the privateKeyUsagePeriod.
    #[error("the key may not be used after {} (EN 319 421 TIS-7.7.1-09)", date(*.0))]
    KeyExpired(Timestamp<Utc>),
    /// After the planned end of the algorithm.
    #[error(transparent)]
    AlgorithmOutdated(#[from] AlgorithmOutdated),
}

/// When tokens may be signed: while the certificate is valid, its key may be used, and its algorithm
/// is held fit. Both ends are found once, so that a look at each signature costs two comparisons.
#[derive(Clone, Copy, Debug)]
pub(super) struct SigningPeriod {
    period: Period,
    too_early: NotUsable,
    too_late: NotUsable,
}

impl SigningPeriod {
    /// From the latest beginning to the earliest end. Of two that fall together the certificate's
    /// is told. A key without a period of its own has its certificate's.
    pub(super) fn new(
        certificate: Period,
        key: Period,
        algorithm_until: Option<Timestamp<Utc>>,
    ) -> Self {
        let begin = if key.first > certificate.first {
            (key.first, NotUsable::KeyNotYet(key.first))
        } else {
            (certificate.first, NotUsable::CertificateNotYet(certificate.first))
        };
        let mut end = (certificate.last, NotUsable::CertificateExpired(certificate.last));
        if key.last < end.0 {
            end = (key.last, NotUsable::KeyExpired(key.last));
        }
        if let Some(until) = algorithm_until.filter(|until| *until < end.0) {
            end = (until, AlgorithmOutdated(until).into());
        }
        let period = Period { first: begin.0, last: end.0 };
        Self { period, too_early: begin.1, too_late: end.1 }
    }

    /// Whether `now` is in it.
    ///
    /// # Errors
    /// [`NotUsable`] with what has not begun yet, or was the first to end.
    pub(super) fn includes(&self, now: Timestamp<Utc>) -> Result<(), NotUsable> {
        if now < self.period.first {
            Err(self.too_early)
        } else if now > self.period.last {
            Err(self.too_late)
        } else {
            Ok(())
        }
    }

    /// The last instant of it.
    pub(super) const fn last(&self) -> Timestamp<Utc> {
        self.period.last
    }
}

/// The last instant of a day in UTC, from its date `YYYY-MM-DD`; `None` when it is not one.
#[must_use]
pub fn parse_date(text: &str) -> Option<Timestamp<Utc>> {
    let digits = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if text.len() != 10 || !digits {
        return None;
    }
    format!("{text}T23:59:59.999999999Z").parse().ok().map(timestamp)
}

/// A date for people.
pub(super) fn date(at: Timestamp<Utc>) -> impl std::fmt::Display {
    UtcTime::from_timestamp_nanos(at.as_unix_nanos()).format("%Y-%m-%dT%H:%M:%SZ")
}

/// A date of a certificate. Dates that nanoseconds in 64 bits cannot count saturate: 9999-12-31
/// stands for "no end" (RFC 5280 4.1.2.5) and lies far behind every clock.
pub(super) fn timestamp(date: UtcTime) -> Timestamp<Utc> {
    let saturated = if date.timestamp() < 0 { i64::MIN } else { i64::MAX };
    Timestamp::from_unix_nanos(date.timestamp_nanos_opt().unwrap_or(saturated))
}
