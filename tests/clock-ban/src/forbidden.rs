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

/// `unsafe` would be refused before clippy looks, so these are named, not called.
pub(crate) fn ask_the_kernel() {
    let _ = chronolease_sys::kernel_clock(); // banned
    let _ = chronolease_sys::StepTimer::arm(); // banned
    let pps = std::path::Path::new("/dev/pps0");
    let _ = chronolease_sys::PpsDevice::open(pps, chronolease_sys::PpsEvent::Assert); // banned
    let _ = libc::adjtimex; // banned
    let _ = libc::ntp_adjtime; // banned
    let _ = libc::clock_adjtime; // banned
    let _ = libc::timerfd_create; // banned
    let clock = nix::sys::timerfd::ClockId::CLOCK_REALTIME;
    let _ = nix::sys::timerfd::TimerFd::new(clock, nix::sys::timerfd::TimerFlags::empty()); // banned
    // Whoever was handed what chronolease-clock reads may look at it.
    let _ = chronolease_sys::machine();
}

pub(crate) fn set_the_clock(time: nix::sys::time::TimeSpec) {
    let _ = libc::clock_settime; // banned
    let _ = libc::settimeofday; // banned
    let _ = libc::adjtime; // banned
    let _ = nix::time::clock_settime(nix::time::ClockId::CLOCK_REALTIME, time); // banned
}
