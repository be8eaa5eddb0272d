//! The kernel's own account of its clock, as adjtimex(2) tells it.

use crate::coded::coded;
use crate::time::{Bound, Span};

/// What adjtimex(2) returned, in the kernel's own units. Nothing in it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelReading {
    /// The result of the call: the state of the leap second machine.
    pub state: i32,
    /// The `STA_` flags.
    pub status: i32,
    /// `maxerror`, in microseconds.
    pub max_error_us: i64,
    /// `esterror`, in microseconds.
    pub estimated_error_us: i64,
    /// `offset`: nanoseconds when the status has `STA_NANO`, otherwise microseconds.
    pub offset: i64,
    /// `freq`, in 1/65536 of a part per million.
    pub frequency: i64,
    /// `tai`: TAI - UTC in whole seconds, 0 when nobody told the kernel.
    pub tai_offset_s: i32,
}

/// A reading that the kernel can have meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelState {
    /// Where the leap second machine stands.
    pub state: TimeState,
    /// The flags.
    pub status: KernelStatus,
    /// The largest error that whoever keeps the clock admits; it grows by itself.
    pub max_error: Bound,
    /// The error that whoever keeps the clock estimates.
    pub estimated_error: Bound,
    /// What is still to be slewed.
    pub offset: Span,
    /// The correction of the rate, in parts per billion, cut towards zero.
    pub frequency_ppb: i32,
    /// TAI - UTC in whole seconds; 0 when nobody told the kernel.
    pub tai_offset_s: i32,
}

/// Why one reading is worth nothing. It says nothing about the clock: under KVM the kernel is known
/// to report an offset of 2^32 ns now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum OddReading {
    /// The kernel refused to answer.
    #[error("the kernel does not tell")]
    Refused,
    /// No state of the leap second machine.
    #[error("no such state")]
    State,
    /// Flags that do not exist.
    #[error("no such status")]
    Status,
    /// Above 16 s, where the kernel stops counting, or negative.
    #[error("the maximum error is out of range")]
    MaxError,
    /// Above 16 s or negative.
    #[error("the estimated error is out of range")]
    EstimatedError,
    /// Beyond 0.5 s, the most that the kernel slews.
    #[error("the offset is out of range")]
    Offset,
    /// Beyond 500 ppm, the most that the kernel corrects.
    #[error("the frequency is out of range")]
    Frequency,
    /// Beyond 100,000 s, the most that the kernel takes.
    #[error("the TAI offset is out of range")]
    TaiOffset,
}

/// Where the kernel's leap second machine stands (`TIME_` of `linux/timex.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeState {
    /// Synchronised, no leap second near.
    Ok,
    /// A second will be inserted at the end of the UTC day.
    Insert,
    /// A second will be left out at the end of the UTC day.
    Delete,
    /// The inserted second is passing.
    InProgress,
    /// A leap second is over and its flag not yet cleared.
    Wait,
    /// Not synchronised. It hides all other states, so look at the flags too.
    Error,
}

/// The `STA_` flags of `linux/timex.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelStatus(u16);

impl KernelStatus {
    const INSERT: u16 = 0x0010;
    const DELETE: u16 = 0x0020;
    const UNSYNCHRONISED: u16 = 0x0040;
    const NANO: u16 = 0x2000;

    /// These flags.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The flags as the kernel numbers them.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whoever keeps the clock says that it is not synchronised (`STA_UNSYNC`).
    #[must_use]
    pub const fn is_unsynchronised(self) -> bool {
        self.0 & Self::UNSYNCHRONISED != 0
    }

    /// A second is to be inserted (`STA_INS`).
    #[must_use]
    pub const fn inserts(self) -> bool {
        self.0 & Self::INSERT != 0
    }

    /// A second is to be left out (`STA_DEL`).
    #[must_use]
    pub const fn deletes(self) -> bool {
        self.0 & Self::DELETE != 0
    }

    const fn counts_nanos(self) -> bool {
        self.0 & Self::NANO != 0
    }
}

// The numbers of `linux/timex.h`.
coded!(TimeState { Ok = 0, Insert = 1, Delete = 2, InProgress = 3, Wait = 4, Error = 5 });
coded!(OddReading {
    Refused = 1, State = 2, Status = 3, MaxError = 4, EstimatedError = 5, Offset = 6,
    Frequency = 7, TaiOffset = 8
});

impl KernelReading {
    /// What the kernel can have meant, in our units.
    ///
    /// # Errors
    /// The first [`OddReading`] that applies.
    pub fn checked(&self) -> Result<KernelState, OddReading> {
        let code = u8::try_from(self.state).ok();
        let state = code.and_then(TimeState::from_code).ok_or(OddReading::State)?;
        let status = u16::try_from(self.status).map_err(|_| OddReading::Status)?;
        let status = KernelStatus::from_bits(status);
        let bound = |us: i64| u64::try_from(us).ok()?.checked_mul(1_000).map(Bound::from_nanos);
        let unit_ns = if status.counts_nanos() { 1 } else { 1_000 };
        let ppb = i128::from(self.frequency) * 1_000 / 65_536;
        KernelState {
            state,
            status,
            max_error: bound(self.max_error_us).ok_or(OddReading::MaxError)?,
            estimated_error: bound(self.estimated_error_us).ok_or(OddReading::EstimatedError)?,
            offset: Span::from_nanos(self.offset.saturating_mul(unit_ns)),
            frequency_ppb: i32::try_from(ppb).map_err(|_| OddReading::Frequency)?,
            tai_offset_s: self.tai_offset_s,
        }
        .checked()
    }
}

impl KernelState {
    /// Where the kernel stops counting an error (`NTP_PHASE_LIMIT`).
    const ERROR_MAX: Bound = Bound::from_millis(16_000);
    /// The most that the kernel slews (`MAXPHASE`).
    const OFFSET_MAX: Bound = Bound::from_millis(500);
    /// The most that the kernel corrects a rate (`MAXFREQ`).
    const FREQUENCY_PPB_MAX: u32 = 500_000;
    /// The most that the kernel takes (`MAX_TAI_OFFSET`).
    const TAI_OFFSET_S_MAX: u32 = 100_000;

    /// The kernel does not hold its clock to be synchronised.
    #[must_use]
    pub fn is_unsynchronised(&self) -> bool {
        self.status.is_unsynchronised() || self.state == TimeState::Error
    }

    /// Itself, when every field is in its range.
    pub(super) fn checked(self) -> Result<Self, OddReading> {
        let broken = [
            (self.max_error > Self::ERROR_MAX, OddReading::MaxError),
            (self.estimated_error > Self::ERROR_MAX, OddReading::EstimatedError),
            (self.offset.magnitude() > Self::OFFSET_MAX, OddReading::Offset),
            (self.frequency_ppb.unsigned_abs() > Self::FREQUENCY_PPB_MAX, OddReading::Frequency),
            (self.tai_offset_s.unsigned_abs() > Self::TAI_OFFSET_S_MAX, OddReading::TaiOffset),
        ];
        broken.iter().find(|(odd, _)| *odd).map_or(Ok(self), |(_, why)| Err(*why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an unsynchronised box reports.
    const READING: KernelReading = KernelReading {
        state: 5,
        status: 64,
        max_error_us: 16_000_000,
        estimated_error_us: 16_000_000,
        offset: -3,
        frequency: 65_536,
        tai_offset_s: 37,
    };

    #[test]
    fn units_become_ours() {
        let state = READING.checked().expect("it is plausible");
        assert_eq!(state.state, TimeState::Error);
        assert!(state.status.is_unsynchronised() && !state.status.inserts());
        assert_eq!(state.max_error, Bound::from_millis(16_000));
        assert_eq!(state.offset, Span::from_nanos(-3_000));
        assert_eq!((state.frequency_ppb, state.tai_offset_s), (1_000, 37));

        let nano = KernelReading { status: 0x2001, ..READING }.checked().expect("plausible");
        assert_eq!(nano.offset, Span::from_nanos(-3));
        let leap = KernelReading { status: 0x0031, ..READING }.checked().expect("plausible").status;
        assert!(leap.inserts() && leap.deletes() && !leap.is_unsynchronised());
    }

    #[test]
    fn what_the_kernel_cannot_have_meant_is_odd() {
        let good = READING;
        let nanos = KernelReading { status: 0x2001, ..good };
        for (reading, why) in [
            (KernelReading { state: 6, ..good }, OddReading::State),
            (KernelReading { state: -1, ..good }, OddReading::State),
            (KernelReading { status: -1, ..good }, OddReading::Status),
            (KernelReading { status: 0x1_0000, ..good }, OddReading::Status),
            (KernelReading { max_error_us: 16_000_001, ..good }, OddReading::MaxError),
            (KernelReading { max_error_us: -1, ..good }, OddReading::MaxError),
            (KernelReading { max_error_us: i64::MAX, ..good }, OddReading::MaxError),
            (KernelReading { estimated_error_us: -1, ..good }, OddReading::EstimatedError),
            // The one that KVM guests are known for.
            (KernelReading { offset: 1 << 32, ..nanos }, OddReading::Offset),
            (KernelReading { offset: i64::MIN, ..good }, OddReading::Offset),
            (KernelReading { frequency: 501 << 16, ..good }, OddReading::Frequency),
            (KernelReading { frequency: i64::MIN, ..good }, OddReading::Frequency),
            (KernelReading { tai_offset_s: 100_001, ..good }, OddReading::TaiOffset),
        ] {
            assert_eq!(reading.checked(), Err(why), "{reading:?}");
        }
        // The edges themselves are not odd.
        let edge = KernelReading { offset: 500_000_000, frequency: -(500 << 16), ..nanos };
        assert!(edge.checked().is_ok());
    }

    #[test]
    fn codes_name_one_meaning_each() {
        for &state in TimeState::ALL {
            assert_eq!(TimeState::from_code(state.code()), Some(state));
        }
        for &odd in OddReading::ALL {
            assert_eq!(OddReading::from_code(odd.code()), Some(odd));
        }
        assert_eq!((TimeState::from_code(6), OddReading::from_code(0)), (None, None));
    }
}
