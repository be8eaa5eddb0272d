//! Waiting for a condition.

use std::time::Duration;

use chronolease_core::time::{Bound, Span};
use chronolease_sys::Clocks;

/// From one look at a condition to the next.
const PAUSE: Duration = Duration::from_millis(25);

/// Longer than anything here takes on a machine that is busy with something else. It only tells a
/// hang from a slow machine.
pub const PATIENCE: Bound = Bound::from_millis(90_000);

/// Looks until the condition holds and answers what it saw, or panics after [`PATIENCE`] with
/// `what` and the last thing seen: the probe answers `Err` with what it sees instead.
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Result<T, String>) -> T {
    poll(PATIENCE, probe)
        .unwrap_or_else(|last| panic!("not within {PATIENCE}: {what}; last seen: {last}"))
}

/// Looks until the condition holds, for at least `patience`.
///
/// # Errors
/// The last thing seen.
pub fn poll<T>(patience: Bound, mut probe: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let clocks = Clocks::open().expect("this box has clocks");
    let start = clocks.raw();
    loop {
        let late = clocks.raw() - start > patience.as_span();
        match probe() {
            Ok(seen) => return Ok(seen),
            Err(last) if late => return Err(last),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Does something over and over for `length` of oscillator time. For load, never for a wait.
pub fn during(length: Bound, mut act: impl FnMut()) {
    let clocks = Clocks::open().expect("this box has clocks");
    let start = clocks.raw();
    while clocks.raw() - start < length.as_span().max(Span::ZERO) {
        act();
    }
}
