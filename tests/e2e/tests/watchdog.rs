//! The watchdog: a daemon whose loop hangs tells the service manager nothing more, and ends itself.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use chronolease_e2e::failing_disk::FailingDisk;
use chronolease_e2e::{Options, Rig};

/// SIGABRT.
const ABORTED: i32 = 6;

/// Three notifications must be missing to be sure that there are none.
const SILENCE: Duration = Duration::from_millis(1_500);

fn next(manager: &UnixDatagram) -> Option<String> {
    let mut buffer = [0; 64];
    match manager.recv(&mut buffer) {
        Ok(length) => Some(String::from_utf8_lossy(&buffer[..length]).into_owned()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_monitor_whose_loop_hangs_in_its_disk_falls_silent_and_ends_itself() {
    let overlay = Some("[watchdog]\nstall_max = \"4s\"\n".to_owned());
    let mut rig = Rig::prepared(&Options { monitor_overlay: overlay, ..Options::default() });
    let socket = rig.layout().dir().join("notify.sock");
    let manager = UnixDatagram::bind(&socket).expect("the folder is ours");
    manager.set_read_timeout(Some(SILENCE)).expect("a socket");
    let disk = FailingDisk::new(rig.layout().dir());
    let mut environment = disk.environment();
    let told = socket.to_str().expect("plain names").to_owned();
    environment.push(("NOTIFY_SOCKET".to_owned(), told));
    environment.push(("WATCHDOG_USEC".to_owned(), "1000000".to_owned()));
    rig.monitor.set_env(&environment);
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    assert_eq!(next(&manager).as_deref(), Some("READY=1"));
    assert_eq!(next(&manager).as_deref(), Some("WATCHDOG=1"));
    rig.wait_for_lease();

    disk.stall();
    while let Some(said) = next(&manager) {
        assert_eq!(said, "WATCHDOG=1");
    }
    let status = rig.monitor.wait("its loop hangs");
    assert_eq!(status.signal(), Some(ABORTED), "{status}\n{}", rig.monitor.tail());
    assert!(rig.monitor.log().contains("the core loop stands still"), "{}", rig.monitor.tail());
}
