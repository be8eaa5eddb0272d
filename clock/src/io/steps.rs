//! Waiting for the kernel's notices.

use std::io;
use std::os::fd::OwnedFd;

use chronolease_sys::{is_step_notice, take_step_notice};
use tokio::net::unix::pipe::Receiver;

/// The notices that somebody set the clock.
#[derive(Debug)]
pub struct StepNotices {
    /// The runtime waits for the timer as for a pipe: to both it is a descriptor that becomes
    /// readable and is read.
    timer: Receiver,
}

impl StepNotices {
    /// Watches the descriptor of a [`chronolease_sys::StepTimer`]; in a test, the reading end of a
    /// pipe, where each read is a notice. It must not block. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the descriptor cannot be waited for.
    pub fn new(timer: OwnedFd) -> io::Result<Self> {
        Ok(Self { timer: Receiver::from_owned_fd_unchecked(timer)? })
    }

    /// Waits for a notice and takes it. Cancel-safe.
    ///
    /// # Errors
    /// When the descriptor fails; nobody watches the clock then.
    pub async fn next(&self) -> io::Result<()> {
        loop {
            self.timer.readable().await?;
            if is_step_notice(self.timer.try_read(&mut [0; 8]))? {
                return Ok(());
            }
        }
    }

    /// Takes the notice that is there, without waiting and past the runtime, which may not know of
    /// it yet. Whether there was one.
    ///
    /// # Errors
    /// When the descriptor fails; nobody watches the clock then.
    pub fn take(&self) -> io::Result<bool> {
        take_step_notice(&self.timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn each_notice_is_taken_once_waiting_or_not() {
        let (timer, mut kernel) = std::io::pipe().expect("a pipe");
        let timer = Receiver::from_owned_fd(timer.into()).expect("a pipe");
        let notices = StepNotices { timer };
        assert!(!notices.take().expect("it is open"));
        kernel.write_all(&[0; 8]).expect("it is open");
        assert!(notices.take().expect("it is open"));
        assert!(!notices.take().expect("it is open"));
        kernel.write_all(&[0; 8]).expect("it is open");
        notices.next().await.expect("it is open");
        assert!(!notices.take().expect("it is open"));
        drop(kernel);
        assert!(notices.next().await.is_err());
        assert!(notices.take().is_err());
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "this is the process that watches")]
    async fn the_timer_of_the_kernel_can_be_waited_for() {
        let timer = chronolease_sys::StepTimer::arm().expect("the kernel has timers");
        let notices = StepNotices::new(timer.into()).expect("it can be waited for");
        assert!(!notices.take().expect("it is open"));
        let waiting = std::pin::pin!(notices.next());
        tokio::select! {
            biased;
            noticed = waiting => panic!("nobody may set the clock of a test box: {noticed:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
}
