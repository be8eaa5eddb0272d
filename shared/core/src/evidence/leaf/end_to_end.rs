//! The monitor asked a TSU's public endpoint for a token, as any client would.

use crate::coded::coded;
use crate::id::TsuId;
use crate::interval::Interval;
use crate::time::RawInstant;

/// What was asked, what came back, and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndToEnd {
    /// Who was asked.
    pub tsu: TsuId,
    /// The monitor's oscillator before the request was sent.
    pub asked: RawInstant,
    /// The monitor's oscillator after the answer was in, or was given up.
    pub answered: RawInstant,
    /// The instant that `utc_minus_raw` holds for.
    pub judged_at: RawInstant,
    /// UTC less the monitor's RAW, if it was known.
    pub utc_minus_raw: Option<Interval>,
    /// Whether from asking to answering no lease of this TSU could be alive.
    pub without_lease: bool,
    /// The TimeStampReq in DER.
    pub request: Vec<u8>,
    /// The body of the answer, if there was one.
    pub response: Option<Vec<u8>>,
    /// What it shows.
    pub result: EndToEndResult,
}

coded! {
    /// What a token from the public endpoint shows, or its absence.
    pub enum EndToEndResult {
        /// A token of the TSU whose time is provably right: P1 holds whatever UTC was.
        Good = 1, "good";
        /// A token of the TSU whose time is neither provably right nor provably wrong.
        Unclear = 2, "unclear";
        /// A token of the TSU, while UTC is not known.
        NoUtc = 3, "no-utc";
        /// A refusal for want of a lease, and indeed none need be held.
        NoLease = 4, "no-lease";
        /// A refusal although a lease is held, or for another reason.
        Refused = 5, "refused";
        /// No answer.
        Unreachable = 6, "unreachable";
        /// What came is not the token that was asked for.
        Unverifiable = 7, "unverifiable";
        /// A token of the TSU whose time is provably wrong: P1 is broken.
        WrongTime = 8, "wrong-time";
        /// A token of the TSU, made while it cannot hold a lease.
        WithoutLease = 9, "without-lease";
    }
}

impl EndToEndResult {
    /// Whether it proves that a promise is broken: whatever lease there is ends, latched.
    #[must_use]
    pub const fn is_grave(self) -> bool {
        matches!(self, Self::WrongTime | Self::WithoutLease)
    }

    /// Whether somebody should look: everything but what is expected.
    #[must_use]
    pub const fn is_alarming(self) -> bool {
        !matches!(self, Self::Good | Self::NoUtc | Self::NoLease)
    }
}
