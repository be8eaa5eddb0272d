//! The kernel's own account of its clock. Nothing here can set one.

use std::io;

use chronolease_core::clock_reader::KernelReading;
use libc::timex;

/// The flags that tell adjtimex(2) what to change.
const CHANGE_NOTHING: libc::c_uint = 0;

/// Asks adjtimex(2), with no flag that would change anything. Needs no privilege.
///
/// # Errors
/// When the kernel refuses.
pub fn kernel_clock() -> io::Result<KernelReading> {
    // SAFETY: timex holds integers alone, for which zero is a value.
    let mut buffer: timex = unsafe { std::mem::zeroed() };
    buffer.modes = CHANGE_NOTHING;
    #[expect(clippy::disallowed_methods, reason = "the one place that calls adjtimex")]
    // SAFETY: the kernel reads and writes one timex, which lives through the call.
    let state = unsafe { libc::adjtimex(&raw mut buffer) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    #[allow(clippy::useless_conversion, reason = "the width of these fields varies by target")]
    Ok(KernelReading {
        state,
        status: buffer.status,
        max_error_us: buffer.maxerror.into(),
        estimated_error_us: buffer.esterror.into(),
        offset: buffer.offset.into(),
        frequency: buffer.freq.into(),
        tai_offset_s: buffer.tai,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test of the call itself")]
    fn this_box_has_a_clock_in_its_ranges() {
        // One odd reading is no verdict, so a few are asked for.
        let readings = (0..5).map(|_| kernel_clock().expect("reading needs no privilege"));
        assert!(readings.into_iter().any(|reading| reading.checked().is_ok()));
    }
}
