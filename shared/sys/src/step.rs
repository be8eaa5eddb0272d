//! Notices of the kernel that somebody set `CLOCK_REALTIME`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
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

impl AsFd for StepTimer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for StepTimer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Takes one notice from a [`StepTimer`], without waiting. Whatever can be read there is a notice:
/// a timer that went off by itself says that the clock shows the year 2255. So a test may hand in
/// the reading end of a pipe.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when there is no notice; whatever else the kernel reports, the
/// end of the file included.
pub fn take_step_notice(timer: &impl AsFd) -> io::Result<()> {
    // TimerFd::wait of nix takes ECANCELED for an ordinary expiry, so the descriptor is read here.
    let mut ticks = [0u8; 8];
    loop {
        let read = nix::unistd::read(timer, &mut ticks);
        if read != Err(Errno::EINTR) {
            return notice(read);
        }
    }
}

fn notice(read: nix::Result<usize>) -> io::Result<()> {
    match read {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) | Err(Errno::ECANCELED) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test of the call itself")]
    fn a_clock_that_nobody_sets_gives_no_notice() {
        let timer = StepTimer::arm().expect("the kernel has timers");
        let error = take_step_notice(&timer).expect_err("nobody may set the clock of a test box");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_timer_that_went_off_is_a_notice() {
        let timer = arm_until(1).expect("the kernel has timers");
        take_step_notice(&timer).expect("1970 is over");
        let error = take_step_notice(&timer).expect_err("it goes off once");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    /// A cancelled timer cannot be had without setting a clock, so its result is put in by hand.
    #[test]
    fn a_cancelled_timer_is_a_notice_and_nothing_else_is_hidden() {
        assert!(notice(Err(Errno::ECANCELED)).is_ok());
        for errno in [Errno::EAGAIN, Errno::EBADF, Errno::EIO] {
            let error = notice(Err(errno)).expect_err("no notice");
            assert_eq!(error.raw_os_error(), Some(errno as i32));
        }
        assert!(notice(Ok(0)).is_err());
    }
}
