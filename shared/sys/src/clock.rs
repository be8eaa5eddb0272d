//! Bracketed clock reads.

use std::fs;
use std::io;

use chronolease_core::id::BootId;
use chronolease_core::sample::Sample;
use chronolease_core::time::{Bound, RawInstant, Span, Timestamp, Utc};
use nix::time::ClockId;

const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// How often [`Clocks::sample_within`] reads before it hands out a wide sample.
const ATTEMPTS_MAX: usize = 8;

/// The clocks of this box, bound to its boot. Cheap to copy; every read is a fresh one.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    boot_id: BootId,
}

/// Why the clocks cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClocksError {
    /// The kernel's boot id cannot be read.
    #[error("cannot read {BOOT_ID_FILE}: {0}")]
    BootIdUnreadable(#[from] io::Error),
    /// The kernel's boot id is not a UUID.
    #[error("{BOOT_ID_FILE} holds no boot id: {0:?}")]
    BootIdMalformed(String),
    /// The kernel lacks one of the clocks.
    #[error("the kernel has no {clock}: {source}")]
    NoClock {
        /// The clock's name.
        clock: &'static str,
        /// What the kernel said.
        source: nix::Error,
    },
}

impl Clocks {
    /// Looks up the boot id and tries every clock once.
    ///
    /// # Errors
    /// [`ClocksError`] when the boot id cannot be read or a clock is missing.
    pub fn open() -> Result<Self, ClocksError> {
        let text = fs::read_to_string(BOOT_ID_FILE)?;
        let digits: String = text.trim().chars().filter(|&c| c != '-').collect();
        let boot_id = BootId::from_hex(&digits).ok_or(ClocksError::BootIdMalformed(text))?;
        for (clock, id) in [
            ("CLOCK_REALTIME", ClockId::CLOCK_REALTIME),
            ("CLOCK_MONOTONIC", ClockId::CLOCK_MONOTONIC),
            ("CLOCK_MONOTONIC_RAW", ClockId::CLOCK_MONOTONIC_RAW),
            ("CLOCK_BOOTTIME", ClockId::CLOCK_BOOTTIME),
        ] {
            gettime(id).map_err(|source| ClocksError::NoClock { clock, source })?;
        }
        Ok(Self { boot_id })
    }

    /// The boot these clocks belong to.
    #[must_use]
    pub const fn boot_id(&self) -> BootId {
        self.boot_id
    }

    /// The oscillator now.
    #[must_use]
    pub fn raw(&self) -> RawInstant {
        RawInstant::from_nanos(read(ClockId::CLOCK_MONOTONIC_RAW))
    }

    /// The system's idea of UTC now. Never a ground for a judgement by itself.
    #[must_use]
    pub fn real(&self) -> Timestamp<Utc> {
        Timestamp::from_unix_nanos(read(ClockId::CLOCK_REALTIME))
    }

    /// All clocks, bracketed by the oscillator. A pause in between widens the bracket.
    #[must_use]
    pub fn sample(&self) -> Sample {
        let raw_before = self.raw();
        let mono = read(ClockId::CLOCK_MONOTONIC);
        let boot = read(ClockId::CLOCK_BOOTTIME);
        let real = self.real();
        let raw_after = self.raw();
        let boot_minus_mono = Span::from_nanos(boot) - Span::from_nanos(mono);
        Sample { raw_before, real, raw_after, boot_minus_mono, boot_id: self.boot_id }
    }

    /// A sample whose bracket is at most `bracket`, trying a few times. When every try was paused,
    /// the last one comes back as it is, for the judge to refuse.
    #[must_use]
    pub fn sample_within(&self, bracket: Bound) -> Sample {
        let mut sample = self.sample();
        for _ in 1..ATTEMPTS_MAX {
            if sample.bracket().is_some_and(|length| length <= bracket) {
                break;
            }
            sample = self.sample();
        }
        sample
    }
}

/// The processor time that this process has used so far: all its threads, user and system. For
/// measuring cost, never for telling time.
///
/// # Errors
/// When the kernel lacks this clock.
pub fn cpu_time() -> io::Result<Bound> {
    let used = gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(nanos(used).magnitude())
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads clocks")]
fn gettime(id: ClockId) -> nix::Result<nix::sys::time::TimeSpec> {
    nix::time::clock_gettime(id)
}

/// Nanoseconds on the clock. Every clock was tried in [`Clocks::open`], so it exists.
fn read(id: ClockId) -> i64 {
    nanos(gettime(id).expect("a clock that was there at the start")).as_nanos()
}

pub(crate) fn nanos(reading: nix::sys::time::TimeSpec) -> Span {
    #[allow(clippy::useless_conversion, reason = "the width of these fields varies by target")]
    let (seconds, nanos) = (i64::from(reading.tv_sec()), i64::from(reading.tv_nsec()));
    Span::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_advance_and_are_bracketed() {
        let clocks = Clocks::open().expect("this box has clocks");
        let (first, second) = (clocks.sample(), clocks.sample());
        assert!(first.bracket().is_some());
        assert!(first.raw_after <= second.raw_before);
        assert_eq!(first.boot_id, second.boot_id);
        assert_eq!(first.boot_id, clocks.boot_id());
    }

    #[test]
    fn a_narrow_limit_still_yields_a_sample() {
        let clocks = Clocks::open().expect("this box has clocks");
        let sample = clocks.sample_within(Bound::ZERO);
        assert!(sample.bracket().is_some());
    }

    #[test]
    fn processor_time_grows_with_work() {
        let before = cpu_time().expect("this box counts it");
        let work = (0..1_000_000u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        std::hint::black_box(work);
        assert!(cpu_time().expect("this box counts it") > before);
    }
}
