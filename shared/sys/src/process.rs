//! Child processes.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Has the kernel send the child SIGTERM when the thread that spawned it ends, so that a lab that
/// is killed leaves nothing behind. Spawn from a thread that lives as long as the lab.
pub fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    // SAFETY: between fork and exec the closure makes async-signal-safe system calls alone (prctl,
    // getppid), allocates nothing and touches no state shared with the parent.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) != 0 {
                return Err(io::Error::last_os_error());
            }
            // A parent that died before the prctl sends no signal any more.
            if u32::try_from(libc::getppid()) == Ok(parent) {
                Ok(())
            } else {
                Err(io::Error::from_raw_os_error(libc::ESRCH))
            }
        });
    }
}

/// Asks a child to end: SIGTERM. The child must not have been waited for yet, or its id may be
/// another process's by now. One that has ended is no error.
///
/// # Errors
/// When the operating system refuses.
pub fn terminate(child_id: u32) -> io::Result<()> {
    signal(child_id, Signal::SIGTERM)
}

/// Stops a child where it stands, all its threads: SIGSTOP. As [`terminate`] otherwise.
///
/// # Errors
/// When the operating system refuses.
pub fn suspend(child_id: u32) -> io::Result<()> {
    signal(child_id, Signal::SIGSTOP)
}

/// Lets a stopped child go on: SIGCONT. As [`terminate`] otherwise.
///
/// # Errors
/// When the operating system refuses.
pub fn resume(child_id: u32) -> io::Result<()> {
    signal(child_id, Signal::SIGCONT)
}

fn signal(child_id: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(child_id).map_err(io::Error::other)?;
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(nix::Error::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
