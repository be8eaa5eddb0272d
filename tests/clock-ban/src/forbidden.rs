//! Every line that ends in `// banned` must be refused, and no other.

use std::time::{Instant, SystemTime};

pub(crate) fn read_clocks(earlier: Instant, then: SystemTime, timer: tokio::time::Instant) {
    let _ = Instant::now(); // banned
    let _ = earlier.elapsed(); // banned
    let _ = SystemTime::now(); // banned
    let _ = then.elapsed(); // banned
    let _ = tokio::time::Instant::now(); // banned
    let _ = timer.elapsed(); // banned
    let _ = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME); // banned
    let _ = nix::time::ClockId::CLOCK_REALTIME.now(); // banned
    let _ = time::OffsetDateTime::now_utc(); // banned
    let _ = Some(0).map(|_: i32| Instant::now()); // banned
    let read: fn() -> SystemTime = SystemTime::now; // banned
    let _ = read();
    // Comparing readings that came in as arguments is what everybody else does.
    let _ = earlier.duration_since(earlier);
}
