//! Daemons that are killed, stopped and started again, and what the monitor tells its auditor.

use std::fs;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use chronolease_core::time::{Bound, Span, Timestamp, Utc};
use chronolease_e2e::rig::TSU;
use chronolease_e2e::tools::said;
use chronolease_e2e::{Options, Rig, tsp};
use chronolease_sys::Clocks;

/// What a lab claims.
const ACCURACY: Bound = Bound::from_millis(500);
/// How long a lab's lease lasts.
const TTL: Bound = Bound::from_millis(3_000);
/// How far a lab's TSU lets its clock move against the oscillator under one lease.
const GUARD: Bound = Bound::from_millis(5);
/// Until a lab's TSU is back after a latched cause.
const HOLD_LATCHED: Bound = Bound::from_millis(5_000);

/// How curl says that the other side broke off: TLS 1.3 refuses a client after its handshake.
const CURL_REFUSED: i32 = 56;

fn ward_file(rig: &Rig) -> std::path::PathBuf {
    rig.layout().state().join("monitor").join(format!("{TSU}.ward"))
}

fn recorded_sequence(rig: &Rig) -> u64 {
    rig.recorded("sequence").parse().expect("a number")
}

fn wait_for_state(rig: &Rig, state: &str) {
    let family = "chronolease_monitor_lease_state";
    rig.eventually(&format!("the lease is {state}"), || {
        let metrics = rig.monitor_metrics();
        match metrics.get(family, &[("tsu", TSU), ("state", state)]) {
            Some(1.0) => Ok(()),
            _ => Err(metrics.shown(family)),
        }
    });
}

fn now() -> Timestamp<Utc> {
    Clocks::open().expect("this box has clocks").real()
}

#[test]
fn a_killed_monitor_stops_the_tsu_and_a_new_one_grants_anew() {
    let mut rig = Rig::with_lease(&Options::default());
    tokens_end_after_the_monitor(&mut rig, Mode::Witnessed);
    let last = recorded_sequence(&rig);
    rig.start_monitor();
    rig.wait_for_lease();
    let tsu = &rig.status()["tsus"][0];
    assert!(tsu["lease_sequence"].as_u64() > Some(last), "{tsu} after lease {last}");
    let answer = rig.client().ask();
    assert!(answer.off_by().is_some_and(|off| off <= ACCURACY), "{answer:?}");
    a_killed_tsu_starts_without_a_lease(&mut rig);
}

#[test]
fn in_leased_mode_tokens_go_on_as_long_as_the_last_lease() {
    let leased = "[tsu]\nmode = \"leased\"\n".to_owned();
    let mut rig = Rig::with_lease(&Options { tsu_overlay: Some(leased), ..Options::default() });
    tokens_end_after_the_monitor(&mut rig, Mode::Leased);
}

/// By what right the tokens of a rig are released.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Leased,
    Witnessed,
}

/// Clients ask all the time, from before the kill until long after the lease.
fn tokens_end_after_the_monitor(rig: &mut Rig, mode: Mode) {
    let (asked, stop_at) = (AtomicUsize::new(0), AtomicI64::new(i64::MAX));
    let address = rig.ports().tsu_http();
    let (killed, answers) = std::thread::scope(|scope| {
        let ask = || {
            let mut client = tsp::Client::new(address);
            let mut answers = Vec::new();
            while now().as_unix_nanos() < stop_at.load(Ordering::Relaxed) {
                answers.push(client.ask());
                asked.fetch_add(1, Ordering::Relaxed);
            }
            answers
        };
        let threads = [scope.spawn(ask), scope.spawn(ask)];
        rig.eventually("the clients are at it", || match asked.load(Ordering::Relaxed) {
            asked @ ..100 => Err(format!("asked {asked} times")),
            _ => Ok(()),
        });
        rig.monitor.sigkill();
        let killed = now();
        let long_after = killed + TTL.times(2).as_span();
        stop_at.store(long_after.as_unix_nanos(), Ordering::Relaxed);
        (killed, threads.map(|thread| thread.join().expect("it asks")))
    });
    // The sample of the last lease is older than the kill, and so is the last word of the witness.
    // The guard bounds what the clock may gain on the oscillator under one lease.
    let latest = match mode {
        Mode::Leased => killed + TTL.as_span() + GUARD.as_span(),
        Mode::Witnessed => killed + GUARD.as_span(),
    };
    for connection in &answers {
        let tokens: Vec<_> = connection.iter().filter_map(|a| Some((a, a.token()?))).collect();
        for (answer, token) in &tokens {
            assert!(token.gen_time <= latest, "{answer:?} after {latest:?}");
            assert!(answer.off_by() <= Some(ACCURACY), "{answer:?}");
        }
        let went_on = tokens.iter().any(|(answer, _)| answer.sent - killed > Span::ZERO);
        assert_eq!(went_on, mode == Mode::Leased, "the last lease lasted beyond the kill");
        let refused = &connection[tokens.len()..];
        assert!(!refused.is_empty(), "it was asked for longer than the lease");
        assert!(refused.iter().all(tsp::Answer::is_time_not_available), "a token after a refusal");
    }
    assert!(!rig.is_ready());
}

fn a_killed_tsu_starts_without_a_lease(rig: &mut Rig) {
    let refused = [("result", "time_not_available")];
    let clocks = Clocks::open().expect("this box has clocks");
    rig.tsu.sigkill();
    let started = clocks.raw();
    rig.start_tsu();
    let first = rig.client().ask();
    // Four seconds lie between five good probes, so only a machine that stood still is excused.
    let stood_still = clocks.raw() - started >= Span::from_millis(4_000);
    assert!(first.is_time_not_available() || stood_still, "{first:?}");
    rig.wait_for_lease();
    let endings = rig.endings("restarted") + rig.endings("link-lost");
    assert!(endings >= 1.0, "{}", rig.monitor.tail());
    let answer = rig.client().ask();
    assert!(answer.off_by().is_some_and(|off| off <= ACCURACY), "{answer:?}");
    let counted = rig.tsu_metrics().get("chronolease_tsu_requests_total", &refused);
    assert!(counted >= Some(1.0) || stood_still, "{counted:?}");
}

#[test]
fn a_latch_survives_the_monitor_and_needs_the_longer_hold() {
    let mut rig = Rig::prepared(&Options::default());
    let file = ward_file(&rig);
    let lost = fs::read(&file).expect("init wrote the first record");
    fs::remove_file(&file).expect("the directory is ours");
    rig.monitor.start();
    assert_eq!(rig.monitor.wait("its record is gone").code(), Some(1));
    assert!(rig.monitor.log().contains("there is no record"), "{}", rig.monitor.log());
    fs::write(&file, lost).expect("the directory is ours");

    let record = "chronolease-ward 1\nincarnation 000102030405060708090a0b0c0d0e0f\n\
                  sequence 41\nreported 41\nttl_ns 3000000000\nlatch deviation\n";

    fs::write(&file, record.replace("latch", "lat\u{0}ch")).expect("the directory is ours");
    rig.monitor.start();
    let status_of_damaged = rig.monitor.wait("its record is damaged");
    assert_eq!(status_of_damaged.code(), Some(1));
    let log = rig.monitor.log();
    assert!(log.contains(&format!("{}: damaged (line 6: ", file.display())), "{log}");

    fs::write(&file, record).expect("the directory is ours");
    rig.start_sources();
    rig.start_monitor();
    wait_for_state(&rig, "latched");
    rig.monitor.sigkill();
    let clocks = Clocks::open().expect("this box has clocks");
    let before = clocks.raw();
    rig.start_monitor();
    wait_for_state(&rig, "latched");
    assert_eq!(rig.status()["tsus"][0]["latched_by"], "deviation");
    rig.start_tsu();
    rig.wait_for_lease();
    let waited = clocks.raw() - before;
    assert!(waited >= HOLD_LATCHED.as_span(), "back after {waited}");
    wait_for_state(&rig, "granted");
    assert_eq!(rig.recorded("latch"), "-");
    assert!(recorded_sequence(&rig) > 41);
}

#[test]
fn both_stop_in_good_order_and_only_persons_read_the_status() {
    let mut rig = Rig::with_lease(&Options::default());
    the_admin_listener_knows_its_persons(&rig);

    assert_eq!(rig.monitor.sigterm().code(), Some(0), "{}", rig.monitor.tail());
    rig.wait_until_unready();
    let answer = rig.client().ask();
    assert!(answer.is_time_not_available(), "{answer:?}");
    let told = rig.tsu.log();
    assert!(told.contains("the monitor revoked the lease"), "it did not just run out: {told}");
    assert!(told.contains("monitor-stopped"), "{told}");

    assert_eq!(rig.tsu.sigterm().code(), Some(0), "{}", rig.tsu.tail());
    assert_eq!(rig.sources.sigterm().code(), Some(0), "{}", rig.sources.tail());
}

fn the_admin_listener_knows_its_persons(rig: &Rig) {
    let read = rig.status();
    assert_eq!(read["tsus"][0]["state"], "granted", "{read}");
    assert_eq!(read["utc"]["known"], true, "{read}");
    for (who, method, path, answer) in [
        ("persons/operator", "GET", "/v1/status", "200"),
        ("persons/auditor", "POST", "/v1/status", "405"),
        ("persons/auditor", "GET", "/v1/keys", "404"),
    ] {
        let output = rig.admin(Some(who), method, path);
        assert!(said(&output).ends_with(&format!("\n{answer}")), "{}", said(&output));
    }
    // A node's key is known to the monitor, but not as a person's.
    for who in [None, Some("nodes/tsu"), Some("nodes/monitor")] {
        let output = rig.admin(who, "GET", "/v1/status");
        let told = said(&output);
        assert_eq!(output.status.code(), Some(CURL_REFUSED), "{who:?}: {told}");
        assert!(!told.contains("lease_sequence"), "{who:?}: {told}");
    }
}
