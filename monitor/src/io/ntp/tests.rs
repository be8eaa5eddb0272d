use std::net::SocketAddr;

use chronolease_core::interval::Interval;
use chronolease_core::time::{Bound, Ppb, RawInstant, Span};

use super::*;
use crate::core::ntp::PIVOT;
use crate::core::ntp::exchange::Kiss;
use crate::core::ntp::packet::{LeapIndicator, Mode, NtpShort, Precision, RefId};
use crate::core::sources::{Rules, Source, Sources, Voters};
use crate::core::testing::guard;

/// Far longer than anything here takes: only a hang runs into it.
const PATIENCE: Duration = Duration::from_secs(30);
const RHO: Ppb = Ppb::from_ppm(100);

fn clocks() -> Clocks {
    Clocks::open().expect("this box has clocks")
}

/// UTC less RAW by the server's clock. It is RAW plus a constant, so the truth is known exactly.
fn truth() -> Span {
    Span::from_nanos(PIVOT.as_unix_nanos())
}

/// An answer of a server whose clock shows RAW plus `utc_minus_raw`.
fn answer(request: &Packet, raw: RawInstant, utc_minus_raw: Span) -> Packet {
    let utc = Timestamp::from_unix_nanos(raw.as_nanos()) + utc_minus_raw;
    Packet {
        leap: LeapIndicator::NoWarning,
        version: 4,
        mode: Mode::Server,
        stratum: 1,
        poll: 4,
        precision: Precision(-20),
        root_delay: NtpShort::from_bits(0),
        root_dispersion: NtpShort::from_bits(0),
        reference_id: RefId(*b"LAB\0"),
        reference: NtpTimestamp::from_utc(utc + Span::from_millis(-1_000)),
        origin: request.transmit,
        receive: NtpTimestamp::from_utc(utc),
        transmit: NtpTimestamp::from_utc(utc),
    }
}

/// Answers each request with the datagrams that `script` makes of it, until the test ends.
async fn respond(
    bind: &str,
    script: impl Fn(&Packet, RawInstant) -> Vec<Vec<u8>> + Send + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind(bind).await.expect("loopback");
    let address = socket.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut datagram = [0; 512];
        loop {
            let (length, client) = socket.recv_from(&mut datagram).await.expect("loopback");
            let raw = clocks().raw();
            let request = Packet::parse(&datagram[..length]).expect("a request");
            for reply in script(&request, raw) {
                socket.send_to(&reply, client).await.expect("loopback");
            }
        }
    });
    address
}

async fn respond_honestly(bind: &str) -> SocketAddr {
    respond(bind, |request, raw| vec![answer(request, raw, truth()).to_bytes().to_vec()]).await
}

fn target(address: SocketAddr) -> Target {
    let caps = Caps {
        stratum_min: 1,
        stratum_max: 3,
        root_distance_max: Bound::from_millis(50),
        delay_max: Bound::from_millis(30_000),
        reference_age_max: Bound::from_millis(60_000),
    };
    // Each test needs one poll alone; the next is an hour away.
    let poll = Duration::from_secs(3_600);
    let (name, address) = ("lab".to_owned(), address.to_string());
    Target { name, address, caps, poll, timeout: PATIENCE, nts: None }
}

async fn ask(target: &Target) -> PollResult {
    poll(target, &mut Addresses::default(), clocks(), PIVOT).await
}

#[track_caller]
fn assert_holds_the_truth(result: &PollResult) {
    let PollResult::Sample(sample) = result else { panic!("no sample: {result:?}") };
    let interval = sample.at(clocks().raw(), RHO);
    let truth = Interval::new(truth(), truth()).expect("a point");
    assert!(truth.is_inside(interval), "{interval} misses {truth}");
}

#[tokio::test]
async fn an_answer_gives_an_interval_that_holds_the_truth() {
    let server = respond_honestly("127.0.0.1:0").await;
    assert_holds_the_truth(&ask(&target(server)).await);
}

#[tokio::test]
async fn ipv6_works_alike() {
    let Ok(probe) = UdpSocket::bind("[::1]:0").await else {
        // A box without IPv6 can still show that a bracketed address is understood.
        let nowhere = Target { timeout: PATIENCE, ..target(([0; 8], 9).into()) };
        assert!(matches!(ask(&nowhere).await, PollResult::Failed(_)));
        return;
    };
    drop(probe);
    let server = respond_honestly("[::1]:0").await;
    assert_holds_the_truth(&ask(&target(server)).await);
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let first = lookup_host("localhost:0").await.expect("localhost").next().expect("an address");
    let server = respond_honestly(&first.to_string()).await;
    let named = Target { address: format!("localhost:{}", server.port()), ..target(server) };
    assert_holds_the_truth(&ask(&named).await);
}

/// A real kiss of death is told apart from a forged one by the nonce alone.
#[tokio::test]
async fn a_kiss_counts_only_when_it_gives_the_nonce_back() {
    for (code, kiss) in [(b"RATE", Kiss::Rate), (b"DENY", Kiss::Deny)] {
        let server = respond("127.0.0.1:0", move |request, raw| {
            let kiss = Packet {
                leap: LeapIndicator::Unsynchronised,
                stratum: 0,
                reference_id: RefId(*code),
                ..answer(request, raw, truth())
            };
            let forged = Packet { origin: NtpTimestamp::from_bits(1), ..kiss };
            vec![forged.to_bytes().to_vec(), kiss.to_bytes().to_vec()]
        });
        assert_eq!(ask(&target(server.await)).await, PollResult::Refused(Refused::Kiss(kiss)));
    }
}

/// Every request comes from another port: 16 in a row from one would be chance 1 in 10^70.
#[tokio::test]
async fn every_poll_has_a_port_of_its_own() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let impatient =
        Target { timeout: Duration::from_millis(5), ..target(socket.local_addr().expect("bound")) };
    let mut ports = std::collections::BTreeSet::new();
    for _ in 0..16 {
        ask(&impatient).await;
        let (_, client) = socket.recv_from(&mut [0; 64]).await.expect("a request");
        ports.insert(client.port());
    }
    assert!(ports.len() > 8, "{ports:?}");
}

/// The reading of the answer waits for a blocked task; the kernel's note of its arrival does not.
#[tokio::test]
async fn a_pause_before_the_answer_is_read_does_not_widen_the_interval() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let target = target(socket.local_addr().expect("bound"));
    let pause = Duration::from_millis(300);
    // One thread runs both tasks: while it sleeps the answer lies in the socket.
    let server = async {
        let socket = UdpSocket::from_std({
            socket.set_nonblocking(true).expect("a socket");
            socket
        })
        .expect("a socket");
        let mut datagram = [0; 512];
        let (length, client) = socket.recv_from(&mut datagram).await.expect("a request");
        let request = Packet::parse(&datagram[..length]).expect("a request");
        let reply = answer(&request, clocks().raw(), truth()).to_bytes();
        socket.send_to(&reply, client).await.expect("loopback");
        std::thread::sleep(pause);
    };
    let (result, ()) = tokio::join!(ask(&target), server);
    assert_holds_the_truth(&result);
    let PollResult::Sample(sample) = result else { panic!("no sample") };
    assert!(sample.delay < Bound::from_millis(300), "{}", sample.delay);
}

#[tokio::test]
async fn junk_and_forgeries_before_the_answer_are_passed_over() {
    let server = respond("127.0.0.1:0", |request, raw| {
        let honest = answer(request, raw, truth());
        let forged = Packet { origin: NtpTimestamp::from_bits(1), ..honest };
        let forged_deny = Packet { stratum: 0, reference_id: RefId(*b"DENY"), ..forged };
        vec![
            vec![],
            b"junk".to_vec(),
            vec![0xff; 500],
            forged.to_bytes().to_vec(),
            forged_deny.to_bytes().to_vec(),
            request.to_bytes().to_vec(),
            honest.to_bytes().to_vec(),
        ]
    });
    assert_holds_the_truth(&ask(&target(server.await)).await);
}

#[tokio::test]
async fn a_refusal_ends_the_poll() {
    let server = respond("127.0.0.1:0", |request, raw| {
        let honest = answer(request, raw, truth());
        let refusing = Packet { leap: LeapIndicator::Unsynchronised, ..honest };
        vec![refusing.to_bytes().to_vec(), honest.to_bytes().to_vec()]
    });
    let result = ask(&target(server.await)).await;
    assert_eq!(result, PollResult::Refused(Refused::Unsynchronised));
}

#[tokio::test]
async fn silence_is_no_answer() {
    let server = respond("127.0.0.1:0", |_, _| vec![]).await;
    let impatient = Target { timeout: Duration::from_millis(20), ..target(server) };
    assert_eq!(ask(&impatient).await, PollResult::NoAnswer);
}

#[tokio::test]
async fn only_forgeries_are_no_answer() {
    let server = respond("127.0.0.1:0", |request, raw| {
        let origin = NtpTimestamp::from_bits(1);
        vec![Packet { origin, ..answer(request, raw, truth()) }.to_bytes().to_vec()]
    });
    let impatient = Target { timeout: Duration::from_millis(20), ..target(server.await) };
    assert_eq!(ask(&impatient).await, PollResult::NoAnswer);
}

#[tokio::test]
async fn a_closed_port_and_a_name_that_is_none_fail() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let closed = target(socket.local_addr().expect("bound"));
    drop(socket);
    assert!(matches!(ask(&closed).await, PollResult::Failed(_)));
    let nameless = Target { address: "no port here".to_owned(), ..closed };
    assert!(matches!(ask(&nameless).await, PollResult::Failed(_)));
}

struct Running {
    tasks: JoinSet<()>,
    reports: mpsc::Receiver<Report>,
    epoch: watch::Sender<Epoch>,
    stop: CancellationToken,
}

fn run(targets: Vec<Target>) -> Running {
    let (epoch, epochs) = watch::channel(Epoch::default());
    let (sender, reports) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let pollers = Pollers {
        clocks: clocks(),
        pivot: PIVOT,
        epoch: epochs,
        reports: sender,
        stop: stop.clone(),
    };
    Running { tasks: pollers.spawn(targets), reports, epoch, stop }
}

impl Running {
    async fn report(&mut self) -> Report {
        timeout(PATIENCE, self.reports.recv()).await.expect("in time").expect("pollers run")
    }

    async fn ended(self) {
        drop((self.epoch, self.reports));
        timeout(PATIENCE, self.tasks.join_all()).await.expect("all tasks end");
    }
}

#[tokio::test]
async fn a_silent_source_delays_nobody() {
    let silent = respond("127.0.0.1:0", |_, _| vec![]).await;
    let mut running = run(vec![target(silent), target(respond_honestly("127.0.0.1:0").await)]);
    let report = running.report().await;
    assert_eq!((report.source, report.epoch), (1, Epoch::default()));
    assert_holds_the_truth(&report.result);
    running.stop.cancel();
    running.ended().await;
}

#[tokio::test]
async fn a_new_epoch_abandons_the_exchange_in_flight_and_polls_afresh() {
    let groups = Source { name: "lab".to_owned(), group: "lab".to_owned() };
    let rules = Rules {
        faults: chronolease_core::fusion::Faults(0),
        rho: RHO,
        age_max: Bound::from_millis(60_000),
        voters: Voters::All,
    };
    let mut sources = Sources::new(vec![groups], rules, &guard());
    let mut running = run(vec![target(respond_honestly("127.0.0.1:0").await)]);
    sources.handle(&running.report().await);
    assert!(sources.sample(0, clocks().raw()).is_some());

    // The next regular poll is an hour away, so this report answers the break.
    running.epoch.send_replace(sources.discard_all());
    let report = running.report().await;
    assert_eq!(report.epoch, sources.epoch());
    sources.handle(&report);
    assert!(sources.view(clocks().raw()).utc.is_ok());
    running.stop.cancel();
    running.ended().await;
}

#[tokio::test]
async fn pollers_end_when_nobody_listens() {
    let honest = target(respond_honestly("127.0.0.1:0").await);
    run(vec![honest.clone()]).ended().await;
    let eager = Target { poll: Duration::from_millis(1), ..honest };
    let Running { mut tasks, reports, epoch, stop } = run(vec![eager]);
    drop(reports);
    timeout(PATIENCE, tasks.join_next()).await.expect("ends").expect("a task").expect("no panic");
    drop((epoch, stop));
}

#[test]
fn the_first_wait_is_a_small_part_of_the_interval() {
    for poll in [Duration::from_millis(80), Duration::from_secs(64)] {
        for _ in 0..100 {
            assert!(phase(poll) < (poll / 8).min(PHASE_MAX));
        }
    }
}

/// `rsntp` was written by others from the same RFC. Asked about the same server it must agree
/// within what the two delays allow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_independent_client_agrees() {
    // The server is 3 s ahead of this box's system clock, which rsntp measures against.
    let start = clocks().sample();
    let ahead = start.real_minus_raw() + Span::from_millis(3_000);
    let server = respond("127.0.0.1:0", move |request, raw| {
        vec![answer(request, raw, ahead).to_bytes().to_vec()]
    });
    let target = target(server.await);
    let PollResult::Sample(ours) = ask(&target).await else { panic!("no sample") };
    let theirs = tokio::task::spawn_blocking(move || {
        let mut client = rsntp::SntpClient::new();
        client.set_timeout(PATIENCE);
        client.synchronize(&target.address).expect("rsntp understands the server")
    });
    let theirs = theirs.await.expect("no panic");
    let now = clocks().sample();

    let nanos = |seconds: f64| Span::from_nanos((seconds * 1e9) as i64);
    let their_offset = nanos(theirs.clock_offset().as_secs_f64());
    let our_interval = ours.at(now.raw_before, RHO);
    let our_offset = our_interval.midpoint() - now.real_minus_raw();
    let bracket = now.bracket().expect("RAW runs forwards");
    // rsntp computes in floating point from 1900 on; that costs it about a microsecond.
    let rounding = Bound::from_nanos(10_000);
    // What the system clock was slewed by in the meantime.
    let slewed = (now.real_minus_raw() - start.real_minus_raw()).magnitude();
    let their_delay = nanos(theirs.round_trip_delay().as_secs_f64()).magnitude();
    let joint = our_interval.half_width() + their_delay + bracket + rounding + slewed;
    let apart = (our_offset - their_offset).magnitude();
    assert!(apart <= joint, "{our_offset} and {their_offset} are {apart} apart, {joint} allowed");
    assert_eq!((theirs.stratum(), theirs.leap_indicator() as u8), (1, 0));
}
