//! The processors that threads run on.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The thread that calls.
const MYSELF: Pid = Pid::from_raw(0);

/// The numbers of the processors that the calling thread may run on, rising.
///
/// # Errors
/// When the operating system does not tell.
pub fn usable_processors() -> io::Result<Vec<usize>> {
    let allowed = sched_getaffinity(MYSELF)?;
    Ok((0..CpuSet::count()).filter(|&number| allowed.is_set(number).unwrap_or(false)).collect())
}

/// Keeps the calling thread on one processor, and the threads that it starts.
///
/// # Errors
/// When there is no such processor or it may not be used.
pub fn stay_on(processor: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(processor)?;
    Ok(sched_setaffinity(MYSELF, &only)?)
}

/// Has the calling thread give way to other threads: `nice` from 1 to 19, 19 being the most.
///
/// # Errors
/// When the operating system refuses.
pub fn give_way(nice: i32) -> io::Result<()> {
    // SAFETY: setpriority(2) takes numbers alone. On Linux 0 means the calling thread.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.clamp(1, 19)) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_thread_stays_where_it_was_put_and_others_are_as_free_as_before() {
        let all = usable_processors().expect("this thread runs somewhere");
        let last = *all.last().expect("this thread runs somewhere");
        let alone = thread::spawn(move || {
            stay_on(last).expect("it may run there");
            usable_processors().expect("it runs somewhere")
        });
        assert_eq!(alone.join().expect("no panic"), [last]);
        assert_eq!(usable_processors().expect("this thread runs somewhere"), all);
    }

    #[test]
    fn a_thread_gives_way_and_others_do_not() {
        // SAFETY: getpriority(2) takes numbers alone.
        let nice = || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        let before = nice();
        let more = before.max(0) + 1;
        let other = thread::spawn(move || {
            give_way(more).expect("anybody may give way");
            nice()
        });
        assert_eq!(other.join().expect("no panic"), more);
        assert_eq!(nice(), before);
    }

    #[test]
    fn there_is_no_processor_without_end() {
        assert!(stay_on(CpuSet::count()).is_err());
    }
}
