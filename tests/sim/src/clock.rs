//! Time in the simulated world: the truth, and what the clocks of a box make of it.

use chronolease_core::id::BootId;
use chronolease_core::sample::Sample;
use chronolease_core::time::{RawInstant, Span, Timestamp};

/// True time: nanoseconds since the world began.
pub type Instant = i64;

/// A millisecond.
pub const MS: i64 = 1_000_000;

/// What UTC is, which nobody in the world is told.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    /// UTC in nanoseconds since 1970 when the world begins.
    pub begins_at: i64,
    /// A leap second: when it happens, and by how much UTC goes on differently from there.
    pub leap: Option<(Instant, i64)>,
}

impl Truth {
    /// UTC in nanoseconds since 1970.
    #[must_use]
    pub fn utc(&self, at: Instant) -> i64 {
        let leapt = self.leap.filter(|(from, _)| at >= *from).map_or(0, |(_, by)| by);
        self.begins_at + at + leapt
    }
}

/// The clocks of one box.
#[derive(Clone, Debug)]
pub struct HostClock {
    /// The boot that they belong to.
    pub boot_id: BootId,
    /// When they were last brought forward.
    at: Instant,
    raw_ns: i64,
    real_ns: i64,
    boot_minus_mono_ns: i64,
    /// How much faster than true time the oscillator is.
    pub raw_ppb: i64,
    /// How much faster than the oscillator `CLOCK_REALTIME` is.
    pub slew_ppb: i64,
    /// Neither advances.
    stopped: bool,
    /// Fractions of nanoseconds that are not shown yet, in ns * 10^-9.
    rest: (i64, i64),
}

const BILLION: i64 = 1_000_000_000;

impl HostClock {
    /// Clocks that show `real_ns` and `raw_ns` when the world begins.
    #[must_use]
    pub const fn new(boot_id: BootId, raw_ns: i64, real_ns: i64, raw_ppb: i64) -> Self {
        let boot_minus_mono_ns = 40 * MS;
        Self {
            boot_id,
            at: 0,
            raw_ns,
            real_ns,
            boot_minus_mono_ns,
            raw_ppb,
            slew_ppb: 0,
            stopped: false,
            rest: (0, 0),
        }
    }

    /// Brings the clocks forward to `now`. Before anything about them is changed or read.
    pub fn advance(&mut self, now: Instant) {
        let passed = now - self.at;
        self.at = now;
        if self.stopped || passed <= 0 {
            return;
        }
        let (raw, rest) = scaled(passed, self.raw_ppb, self.rest.0);
        self.raw_ns += raw;
        self.rest.0 = rest;
        let (real, rest) = scaled(raw, self.slew_ppb, self.rest.1);
        self.real_ns += real;
        self.rest.1 = rest;
    }

    /// `CLOCK_MONOTONIC_RAW`.
    pub fn raw(&mut self, now: Instant) -> i64 {
        self.advance(now);
        self.raw_ns
    }

    /// `CLOCK_REALTIME`.
    pub fn real(&mut self, now: Instant) -> i64 {
        self.advance(now);
        self.real_ns
    }

    /// A reading without a pause.
    pub fn sample(&mut self, now: Instant) -> Sample {
        self.advance(now);
        Sample {
            raw_before: RawInstant::from_nanos(self.raw_ns),
            real: Timestamp::from_unix_nanos(self.real_ns),
            raw_after: RawInstant::from_nanos(self.raw_ns),
            boot_minus_mono: Span::from_nanos(self.boot_minus_mono_ns),
            boot_id: self.boot_id,
        }
    }

    /// Somebody sets `CLOCK_REALTIME`.
    pub fn step(&mut self, now: Instant, by_ns: i64) {
        self.advance(now);
        self.real_ns += by_ns;
    }

    /// A hypervisor moves every clock alike, so that none of them shows it.
    pub fn jump(&mut self, now: Instant, by_ns: i64) {
        self.advance(now);
        self.raw_ns += by_ns;
        self.real_ns += by_ns;
    }

    /// The box is frozen or suspended: its clocks stand still.
    pub fn stop(&mut self, now: Instant) {
        self.advance(now);
        self.stopped = true;
    }

    /// Whether it stands still.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// It goes on. After a suspension of `suspended_ns`, BOOT - MONO has grown by that, and so has
    /// REALTIME when the clock on the board was right.
    pub fn go_on(&mut self, now: Instant, suspended_ns: i64, board_clock: bool) {
        self.advance(now);
        self.stopped = false;
        self.boot_minus_mono_ns += suspended_ns;
        self.real_ns += if board_clock { suspended_ns } else { 0 };
    }

    /// Another boot: RAW begins again.
    pub fn reboot(&mut self, now: Instant, boot_id: BootId) {
        self.advance(now);
        self.boot_id = boot_id;
        self.raw_ns = 20_000 * MS;
        self.boot_minus_mono_ns = 10 * MS;
        self.stopped = false;
    }
}

/// `ns` at a rate that is `ppb` faster, and what is left over.
fn scaled(ns: i64, ppb: i64, rest: i64) -> (i64, i64) {
    let exact = i128::from(ns) * i128::from(BILLION + ppb) + i128::from(rest);
    let whole = exact.div_euclid(i128::from(BILLION));
    let left = exact.rem_euclid(i128::from(BILLION));
    // Spans of hours at rates near 1: both fit.
    (i64::try_from(whole).unwrap_or(i64::MAX), i64::try_from(left).unwrap_or(0))
}
