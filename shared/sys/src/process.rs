//! Child processes.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the kernel send the child SIGTERM when the thread that spawned it ends, so that a lab that
/// is killed leaves nothing behind. Spawn from a thread that lives as long as the lab.
pub fn die_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes one async-signal-safe system call (prctl),
    // allocates nothing and touches no state shared with the parent.
    unsafe {
        command.pre_exec(|| {
            let result = libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
    }
}
