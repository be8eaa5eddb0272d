//! Notices of the kernel that somebody set `CLOCK_REALTIME`.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// When the timer would go off by itself, in seconds since 1970: in the year 2255.
const FAR_FUTURE_S: i64 = 9_000_000_000;

/// A timer on `CLOCK_REALTIME` that never goes off by itself, and that the kernel cancels when the
/// clock is set: stepped, set to the very same time, a leap second, resumed after a suspension. A
/// slew does not cancel it. Reading it sets no clock.
#[derive(Debug)]
pub struct StepTimer(OwnedFd);

impl StepTimer {
    /// Starts watching. What happens to the clock from here on is noticed.
    ///
    /// # Errors
    /// When the kernel has no such timer to give.
    pub fn arm() -> io::Result<Self> {
        arm_until(FAR_FUTURE_S)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that makes a timerfd")]
fn arm_until(unix_s: i64) -> io::Result<StepTimer> {
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    let timer = TimerFd::new(ClockId::CLOCK_REALTIME, flags)?;
    let when = Expiration::OneShot(TimeSpec::new(unix_s, 0));
    let set = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    timer.set(when, set)?;
    Ok(StepTimer(timer.into()))
}

impl From<StepTimer> for OwnedFd {
    fn from(timer: StepTimer) -> Self {
        timer.0
    }
}

/// Takes one notice from the descriptor of a [`StepTimer`], without waiting. Whether there was one.
///
/// # Errors
/// As [`is_step_notice`].
pub fn take_step_notice(timer: &impl AsFd) -> io::Result<bool> {
    // TimerFd::wait of nix takes ECANCELED for an ordinary expiry, so the descriptor is read here.
    let read = nix::unistd::read(timer, &mut [0; 8]);
    is_step_notice(read.map_err(io::Error::from))
}

/// Whether the result of reading the descriptor of a [`StepTimer`] is a notice. A cancelled timer
/// is one, and so is whatever can be read: a timer that went off by itself says that the clock
/// shows the year 2255. So a test may put the reading end of a pipe in its place.
///
/// # Errors
/// Whatever says neither that there is a notice nor that there is none, the end of the file
/// included: nobody watches the clock then.
pub fn is_step_notice(read: io::Result<usize>) -> io::Result<bool> {
    match read {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test of the call itself")]
    fn a_clock_that_nobody_sets_gives_no_notice() {
        let timer = OwnedFd::from(StepTimer::arm().expect("the kernel has timers"));
        let noticed = take_step_notice(&timer).expect("it can be read");
        assert!(!noticed, "nobody may set the clock of a test box");
    }

    #[test]
    fn a_timer_that_went_off_is_a_notice_once() {
        let timer = OwnedFd::from(arm_until(1).expect("the kernel has timers"));
        assert!(take_step_notice(&timer).expect("1970 is over"));
        assert!(!take_step_notice(&timer).expect("it goes off once"));
    }

    /// A cancelled timer cannot be had without setting a clock, so its result is put in by hand.
    #[test]
    fn a_cancelled_timer_is_a_notice_and_no_failure_is_hidden() {
        let read = |errno| is_step_notice(Err(io::Error::from_raw_os_error(errno)));
        assert!(read(libc::ECANCELED).expect("a notice"));
        assert!(!read(libc::EAGAIN).expect("no notice"));
        assert!(!read(libc::EINTR).expect("no notice yet"));
        for errno in [libc::EBADF, libc::EIO, libc::EINVAL] {
            assert_eq!(read(errno).expect_err("a failure").raw_os_error(), Some(errno));
        }
        assert!(is_step_notice(Ok(0)).is_err());
    }
}
