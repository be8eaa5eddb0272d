//! The watchdog: a daemon whose loop hangs tells the service manager nothing more, and ends itself.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use chronolease_e2e::failing_disk::FailingDisk;
use chronolease_e2e::process::Process;
use chronolease_e2e::stopping::Stopping;
use chronolease_e2e::tsp::Outcome;
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

/// What a service manager would listen to, and the environment of its daemon.
fn manager(folder: &Path) -> (UnixDatagram, [(String, String); 2]) {
    let socket = folder.join("notify.sock");
    let manager = UnixDatagram::bind(&socket).expect("the folder is ours");
    manager.set_read_timeout(Some(SILENCE)).expect("a socket");
    let told = socket.to_str().expect("plain names").to_owned();
    let environment =
        [("NOTIFY_SOCKET".to_owned(), told), ("WATCHDOG_USEC".to_owned(), "1000000".to_owned())];
    (manager, environment)
}

fn is_told_that_it_turns(manager: &UnixDatagram) {
    assert_eq!(next(manager).as_deref(), Some("READY=1"));
    assert_eq!(next(manager).as_deref(), Some("WATCHDOG=1"));
}

/// What was said before is heard; then nothing more, and the process is gone by itself.
fn falls_silent_and_ends_itself(manager: &UnixDatagram, daemon: &mut Process) {
    while let Some(said) = next(manager) {
        assert_eq!(said, "WATCHDOG=1");
    }
    let status = daemon.wait("its loop hangs");
    assert_eq!(status.signal(), Some(ABORTED), "{status}\n{}", daemon.tail());
    assert!(daemon.log().contains("the core loop stands still"), "{}", daemon.tail());
    assert_eq!(next(manager), None, "not a word since");
}

fn overlay() -> Option<String> {
    Some("[watchdog]\nstall_max = \"4s\"\n".to_owned())
}

#[test]
fn a_monitor_whose_loop_hangs_in_its_disk_falls_silent_and_ends_itself() {
    let mut rig = Rig::prepared(&Options { monitor_overlay: overlay(), ..Options::default() });
    let (manager, environment) = manager(rig.layout().dir());
    let disk = FailingDisk::new(rig.layout().dir());
    rig.monitor.set_env(&[&disk.environment()[..], &environment].concat());
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    is_told_that_it_turns(&manager);
    rig.wait_for_lease();
    disk.stall();
    falls_silent_and_ends_itself(&manager, &mut rig.monitor);
}

/// The thread of the core loop alone hangs, while it reads its clocks for a request; those of the
/// link, the HTTP server and the disk go on.
#[test]
fn a_tsu_whose_loop_hangs_falls_silent_and_ends_itself() {
    let mut rig = Rig::prepared(&Options { tsu_overlay: overlay(), ..Options::default() });
    let (manager, environment) = manager(rig.layout().dir());
    let switch = Stopping::new(rig.layout().dir(), rig.ports());
    rig.tsu.set_env(&[&switch.environment()[..], &environment].concat());
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    is_told_that_it_turns(&manager);
    rig.wait_for_lease();
    assert!(rig.client().ask().token().is_some(), "it issues");
    let mut client = rig.client();
    switch.arm_to_hang("qm");
    let asks = thread::spawn(move || client.ask());
    rig.eventually("the loop hangs", || match switch.is_through("qm") {
        true => Ok(()),
        false => Err(rig.tsu.tail()),
    });
    falls_silent_and_ends_itself(&manager, &mut rig.tsu);
    let answer = asks.join().expect("the client goes on");
    assert!(matches!(answer.outcome, Outcome::Unanswered(_)), "{answer:?}");
}
