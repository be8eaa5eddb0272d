use super::*;
use crate::scratch::Scratch;
use chronolease_sys::Clocks;

fn at(ms: i64) -> RawInstant {
    RawInstant::from_nanos(ms * 1_000_000)
}

/// What has arrived.
fn heard(socket: &UnixDatagram) -> Vec<String> {
    let mut buffer = [0; 64];
    let next = std::iter::from_fn(|| {
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    });
    next.collect()
}

#[test]
fn the_service_manager_hears_of_turns_and_of_nothing_else() {
    let folder = Scratch::new();
    let path = folder.path("notify");
    let manager = UnixDatagram::bind(&path).expect("a new file");
    manager.set_nonblocking(true).expect("a socket");
    let notifier = Notifier::new(Some(path.into()), Some(1_000_000)).expect("it is there");
    notifier.ready();
    assert_eq!(heard(&manager), ["READY=1"]);
    assert!(heard(&manager).is_empty(), "without a turn nothing is said");
    // At most twice in the second that the manager waits.
    for ms in [0, 100, 499, 500, 999, 1_000] {
        notifier.turned(at(ms));
    }
    assert_eq!(heard(&manager), ["WATCHDOG=1"; 3]);
    notifier.stopping();
    assert_eq!(heard(&manager), ["STOPPING=1"]);
}

#[test]
fn an_abstract_socket_will_do_and_without_one_nobody_is_told() {
    let name = format!("chronolease-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let manager = UnixDatagram::bind_addr(&address).expect("a new name");
    manager.set_nonblocking(true).expect("a socket");
    let notifier = Notifier::new(Some(format!("@{name}").into()), None).expect("it is there");
    notifier.turned(at(0));
    notifier.ready();
    assert_eq!(heard(&manager), ["READY=1"], "the manager wants no watchdog");
    Notifier::new(None, Some(1_000_000)).expect("nobody").turned(at(0));
    let missing = Scratch::new().path("gone");
    assert!(Notifier::new(Some(missing.into()), None).is_err());
}

#[test]
fn a_loop_that_stands_still_is_found_and_one_that_turns_is_not() {
    let clocks = Clocks::open().expect("clocks");
    let limit = Bound::from_millis(200);
    let health = || Health::new(clocks, Bound::from_millis(5_000));
    let (turning, still) = (health(), health());
    let (alarm, fired) = mpsc::channel();
    let detector = |health: &Health, name: &'static str| {
        let alarm = alarm.clone();
        let stalled = move || alarm.send(name).expect("the test waits");
        StallDetector::start(health, limit, stalled).expect("a thread")
    };
    let _of_turning = detector(&turning, "turning");
    let _of_still = detector(&still, "still");
    loop {
        turning.progress(clocks.raw());
        match fired.recv_timeout(Duration::from_millis(1)) {
            Ok(name) => break assert_eq!(name, "still"),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the alarm is here"),
        }
    }
}
