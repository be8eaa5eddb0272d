//! One request, one answer, and what the answer is worth.
//!
//! The order of the checks matters. First whether the packet answers our request at all: whatever
//! does not may come from anybody, so it must change nothing, not even by a kiss of death. Then
//! whether the server believes its own clock. Only then what the timestamps say.

use chronolease_core::interval::Interval;
use chronolease_core::time::{Bound, Ppb, RawInstant, Span, Timestamp, Utc};

use super::packet::{LeapIndicator, Mode, NtpTimestamp, Packet, RefId, TooShort};

/// What is asked of a source; anything beyond it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The lowest stratum taken. 0 never passes, whatever stands here.
    pub stratum_min: u8,
    /// The highest stratum taken. 16 and more never pass, whatever stands here.
    pub stratum_max: u8,
    /// The most for root delay / 2 + root dispersion + precision.
    pub root_distance_max: Bound,
    /// The most for the round trip less the server's residence. Half of it is what an attacker on
    /// the path can shift a sample by.
    pub delay_max: Bound,
    /// How far the reference timestamp may lie from T3.
    pub reference_age_max: Bound,
}

/// What one exchange says about UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceSample {
    /// Holds UTC (nanoseconds since 1970) less RAW (nanoseconds) if the source is right:
    /// `[T3 - T4, T2 - T1]` widened by the root distance. True of the time of the exchange; see
    /// [`SourceSample::at`] for any other.
    pub utc_minus_raw: Interval,
    /// T1: the oscillator just before the request went out.
    pub sent: RawInstant,
    /// T4: the oscillator just after the answer came in. The sample's age counts from here.
    pub received: RawInstant,
    /// The round trip less the server's residence.
    pub delay: Bound,
    /// Root delay / 2 + root dispersion + precision.
    pub root_distance: Bound,
    /// The server's stratum.
    pub stratum: u8,
    /// What the server announces for the end of the month.
    pub leap: LeapIndicator,
    /// What the server is synchronised to.
    pub reference_id: RefId,
    /// Whether the answer proved who gave it (NTS, RFC 8915). A plain one may be anybody's.
    pub authenticated: bool,
}

impl SourceSample {
    /// UTC less RAW at `now`, when the oscillator is off by at most `rho`. The server may have
    /// read its clock at any instant of the exchange, so the drift counts from its far end.
    #[must_use]
    pub fn at(&self, now: RawInstant, rho: Ppb) -> Interval {
        let since_sent = (now - self.sent).magnitude();
        let since_received = (now - self.received).magnitude();
        self.utc_minus_raw.widened(rho.over(since_sent.max(since_received)))
    }

    /// Both samples of one source as one that says no more than either: all that one of them holds,
    /// from an exchange that began with the older one. For the rest it is the newer.
    #[must_use]
    pub fn joined(&self, newer: &Self) -> Self {
        let utc_minus_raw = self.utc_minus_raw.hull(newer.utc_minus_raw);
        let authenticated = self.authenticated && newer.authenticated;
        Self { utc_minus_raw, sent: self.sent, authenticated, ..*newer }
    }
}

/// A kiss of death that this client knows (RFC 5905 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kiss {
    /// `RATE`: ask less often.
    Rate,
    /// `DENY`: go away. Without authentication it is reported, not obeyed.
    Deny,
    /// `RSTR`: go away. Without authentication it is reported, not obeyed.
    Restrict,
}

/// Why an answer gives no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No NTP packet at all.
    #[error(transparent)]
    Short(#[from] TooShort),
    /// It does not give our nonce back: not an answer to this request.
    #[error("wrong origin timestamp: not an answer to this request")]
    WrongOrigin,
    /// A version other than 3 and 4.
    #[error("NTP version {0}, not 3 or 4")]
    Version(u8),
    /// A mode other than 4.
    #[error("mode {0:?}, not an answer of a server")]
    Mode(Mode),
    /// A kiss of death.
    #[error("kiss of death {0:?}")]
    Kiss(Kiss),
    /// LI = 3: the server says that it is not synchronised.
    #[error("the server is not synchronised")]
    Unsynchronised,
    /// A stratum outside the range.
    #[error("stratum {stratum} outside the range")]
    Stratum {
        /// What it said.
        stratum: u8,
    },
    /// A reference id of a server that smears leap seconds.
    #[error("the server smears leap seconds (reference id {0})")]
    Smear(RefId),
    /// T2 or T3 is zero.
    #[error("T2 or T3 is zero")]
    NoTimestamps,
    /// The reference timestamp is zero: the clock was never set.
    #[error("no reference time")]
    NoReferenceTime,
    /// The clock was last set too long before T3, or after it.
    #[error("reference time {away} away from T3, at most {max} allowed")]
    StaleReferenceTime {
        /// How far from T3, either way.
        away: Bound,
        /// The cap.
        max: Bound,
    },
    /// The server is too far from its reference clock.
    #[error("root distance {distance}, at most {max} allowed")]
    RootDistance {
        /// Root delay / 2 + root dispersion + precision.
        distance: Bound,
        /// The cap.
        max: Bound,
    },
    /// The server claims to have held the packet for longer than the whole exchange took.
    #[error("negative delay: off by {by}")]
    NegativeDelay {
        /// By how much longer.
        by: Bound,
    },
    /// Nothing was asked: the key exchange was refused (NTS).
    #[error("no keys: the key exchange was refused")]
    KeyExchange,
    /// Nothing was asked: the source's certificate is not valid at the fused time (NTS).
    #[error("its certificate is not valid at the fused time")]
    Certificate,
    /// The path was too slow for a useful sample.
    #[error("delay {delay}, at most {max} allowed")]
    Delay {
        /// The round trip less the server's residence.
        delay: Bound,
        /// The cap.
        max: Bound,
    },
}

/// What a refused packet means for what was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Nobody knows who sent it: go on waiting for the answer.
    Ignored,
    /// An answer that says nothing about the server's clock: no new sample, but the earlier one
    /// still holds.
    NoSample,
    /// An answer by which the source disqualifies itself: its earlier sample goes too.
    Withdrawn,
}

impl Refused {
    /// What the refusal means for what was known before.
    #[must_use]
    pub const fn meaning(&self) -> Meaning {
        match self {
            Self::Short(_) | Self::WrongOrigin => Meaning::Ignored,
            // A kiss is about manners and a slow path about the network, or a pause of this box.
            Self::Kiss(_) | Self::Delay { .. } | Self::KeyExchange => Meaning::NoSample,
            Self::Version(_)
            | Self::Mode(_)
            | Self::Unsynchronised
            | Self::Stratum { .. }
            | Self::Smear(_)
            | Self::NoTimestamps
            | Self::NoReferenceTime
            | Self::StaleReferenceTime { .. }
            | Self::RootDistance { .. }
            | Self::Certificate
            | Self::NegativeDelay { .. } => Meaning::Withdrawn,
        }
    }

    /// A name for logs and metric labels.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Short(_) => "short",
            Self::WrongOrigin => "wrong-origin",
            Self::Version(_) => "version",
            Self::Mode(_) => "mode",
            Self::Kiss(Kiss::Rate) => "kiss-rate",
            Self::Kiss(Kiss::Deny) => "kiss-deny",
            Self::Kiss(Kiss::Restrict) => "kiss-rstr",
            Self::Unsynchronised => "unsynchronised",
            Self::Stratum { .. } => "stratum",
            Self::Smear(_) => "smear",
            Self::NoTimestamps => "no-timestamps",
            Self::NoReferenceTime => "no-reference-time",
            Self::StaleReferenceTime { .. } => "stale-reference-time",
            Self::RootDistance { .. } => "root-distance",
            Self::NegativeDelay { .. } => "negative-delay",
            Self::KeyExchange => "key-exchange",
            Self::Certificate => "certificate",
            Self::Delay { .. } => "delay",
        }
    }
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    nonce: NtpTimestamp,
    sent: RawInstant,
}

impl Exchange {
    /// The request with this random transmit timestamp, sent at `sent` (T1).
    #[must_use]
    pub const fn new(nonce: NtpTimestamp, sent: RawInstant) -> Self {
        Self { nonce, sent }
    }

    /// Judges a datagram that came in at `received` (T4). `pivot` settles the NTP era. After
    /// anything but a [`Meaning::Ignored`] the exchange is over; a second answer is not asked for.
    ///
    /// # Errors
    /// [`Refused`] when it gives no sample.
    pub fn complete(
        &self,
        datagram: &[u8],
        received: RawInstant,
        caps: &Caps,
        pivot: Timestamp<Utc>,
    ) -> Result<SourceSample, Refused> {
        let packet = Packet::parse(datagram)?;
        self.check_answers(&packet)?;
        let root_distance = check_server(&packet, caps)?;

        // `to_utc` cuts, so T3 is never overstated; T2 gets 1 ns, so it is never understated. T2
        // is the pivot of T3: however far off the server is, both lie in one era or adjoining.
        let t2 = packet.receive.to_utc(pivot);
        let t3 = packet.transmit.to_utc(t2);
        let lo = utc_minus_raw(t3, received);
        let hi = utc_minus_raw(t2, self.sent) + Span::from_nanos(1);
        let bounds =
            Interval::new(lo, hi).ok_or(Refused::NegativeDelay { by: (lo - hi).magnitude() })?;
        let delay = bounds.width();
        if delay > caps.delay_max {
            return Err(Refused::Delay { delay, max: caps.delay_max });
        }
        Ok(SourceSample {
            utc_minus_raw: bounds.widened(root_distance),
            sent: self.sent,
            received,
            delay,
            root_distance,
            stratum: packet.stratum,
            leap: packet.leap,
            reference_id: packet.reference_id,
            authenticated: false,
        })
    }

    /// Whether it is a server's answer to this request, and no kiss.
    fn check_answers(&self, packet: &Packet) -> Result<(), Refused> {
        if packet.origin != self.nonce {
            return Err(Refused::WrongOrigin);
        }
        if !matches!(packet.version, 3 | 4) {
            return Err(Refused::Version(packet.version));
        }
        if packet.mode != Mode::Server {
            return Err(Refused::Mode(packet.mode));
        }
        // Other codes, such as INIT and STEP, do speak of the clock. So does a reference id of
        // zero, by which chrony says that it is not synchronised.
        match (packet.stratum, &packet.reference_id.0) {
            (0, b"RATE") => Err(Refused::Kiss(Kiss::Rate)),
            (0, b"DENY") => Err(Refused::Kiss(Kiss::Deny)),
            (0, b"RSTR") => Err(Refused::Kiss(Kiss::Restrict)),
            _ => Ok(()),
        }
    }
}

fn utc_minus_raw(utc: Timestamp<Utc>, raw: RawInstant) -> Span {
    Span::from_nanos(utc.as_unix_nanos()) - Span::from_nanos(raw.as_nanos())
}

/// Whether the server's own account of its clock is good enough. Gives the root distance.
fn check_server(packet: &Packet, caps: &Caps) -> Result<Bound, Refused> {
    let stratum = packet.stratum;
    if packet.leap == LeapIndicator::Unsynchronised {
        return Err(Refused::Unsynchronised);
    }
    if !(1..16).contains(&stratum) || !(caps.stratum_min..=caps.stratum_max).contains(&stratum) {
        return Err(Refused::Stratum { stratum });
    }
    if packet.reference_id.is_smear_marker() {
        return Err(Refused::Smear(packet.reference_id));
    }
    if packet.receive.is_zero() || packet.transmit.is_zero() {
        return Err(Refused::NoTimestamps);
    }
    if packet.reference.is_zero() {
        return Err(Refused::NoReferenceTime);
    }
    let (away, max) = (packet.transmit.since(packet.reference).magnitude(), caps.reference_age_max);
    if away > max {
        return Err(Refused::StaleReferenceTime { away, max });
    }
    let half_delay = Bound::from_nanos(packet.root_delay.as_bound().as_nanos().div_ceil(2));
    let distance = half_delay + packet.root_dispersion.as_bound() + packet.precision.as_bound();
    if distance > caps.root_distance_max {
        return Err(Refused::RootDistance { distance, max: caps.root_distance_max });
    }
    Ok(distance)
}

#[cfg(test)]
mod tests;
