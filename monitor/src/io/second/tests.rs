use std::sync::atomic::{AtomicI64, Ordering};

use chronolease_core::time::Bound;
use tokio::net::UdpSocket;

use super::*;
use crate::core::ntp::PIVOT;
use crate::core::ntp::exchange::Caps;
use crate::core::ntp::packet::{
    LeapIndicator, Mode, NtpShort, NtpTimestamp, Packet, Precision, RefId,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn clocks() -> Clocks {
    Clocks::open().expect("this box has clocks")
}

/// A server three seconds ahead of the system clock. The answers to whoever sends the time of day in
/// its request, as `rsntp` does, are off by so many milliseconds more.
async fn server(off_ms: i64) -> Target {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let address = socket.local_addr().expect("bound").to_string();
    let off = AtomicI64::new(off_ms);
    tokio::spawn(async move {
        let mut datagram = [0; 512];
        loop {
            let (length, client) = socket.recv_from(&mut datagram).await.expect("loopback");
            let request = Packet::parse(&datagram[..length]).expect("a request");
            let now = clocks().real() + Span::from_millis(3_000);
            let names_the_day = request.transmit.since(NtpTimestamp::from_utc(now)).magnitude()
                < Bound::from_millis(60_000);
            let off = if names_the_day { off.load(Ordering::Relaxed) } else { 0 };
            let shown = NtpTimestamp::from_utc(now + Span::from_millis(off));
            let answer = Packet {
                leap: LeapIndicator::NoWarning,
                version: 4,
                mode: Mode::Server,
                stratum: 1,
                poll: 4,
                precision: Precision(-20),
                root_delay: NtpShort::default(),
                root_dispersion: NtpShort::default(),
                reference_id: RefId(*b"LAB\0"),
                reference: shown,
                origin: request.transmit,
                receive: shown,
                transmit: shown,
            };
            socket.send_to(&answer.to_bytes(), client).await.expect("loopback");
        }
    });
    let caps = Caps {
        stratum_min: 1,
        stratum_max: 3,
        root_distance_max: Bound::from_millis(50),
        delay_max: Bound::from_millis(30_000),
        reference_age_max: Bound::from_millis(60_000),
    };
    Target { name: "lab".to_owned(), address, caps, poll: PATIENCE, timeout: PATIENCE, nts: None }
}

fn checks() -> Checks {
    Checks { clocks: clocks(), pivot: PIVOT, rho: Ppb::from_ppm(100) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_agree_about_a_sound_server() {
    let asked = checks().ask(&server(0).await, &mut Addresses::default()).await;
    let comparison = asked.comparison.unwrap_or_else(|| panic!("{asked:?}"));
    assert!(comparison.agree(), "{comparison:?}");
    let ahead = comparison.ours.shifted(Span::from_millis(-3_000));
    assert!(ahead.lo() <= Span::ZERO && Span::ZERO <= ahead.hi(), "{ahead}");
}

/// What one of the two gets wrong shows, and is reported with the source's position.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_wrong_is_found_in_service() {
    let targets = vec![server(0).await, server(60_000).await];
    let (sender, mut reports) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let every = Duration::from_millis(20);
    let running = tokio::spawn(checks().run(targets, every, sender, stop.clone()));
    for expected in [(0, true), (1, false), (0, true)] {
        let report = reports.recv().await.expect("it runs");
        let Input::SecondOpinion { source, comparison } = report else { panic!("{report:?}") };
        let agree = comparison.expect("both answer").agree();
        assert_eq!((source, agree), expected, "{comparison:?}");
    }
    stop.cancel();
    running.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_answer_there_is_nothing_to_compare() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let silent = Target {
        address: socket.local_addr().expect("bound").to_string(),
        timeout: Duration::from_millis(20),
        ..server(0).await
    };
    let asked = checks().ask(&silent, &mut Addresses::default()).await;
    assert_eq!((asked.comparison, asked.ours), (None, PollResult::NoAnswer));
    assert!(asked.theirs.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ipv6_works_alike() {
    let Ok(probe) = UdpSocket::bind("[::1]:0").await else { return };
    let nobody = probe.local_addr().expect("bound");
    // Only whether a request can be sent at all: the system says so at once, and no timeout is due.
    let said = rsntp(nobody, Duration::from_millis(20)).await.expect_err("nobody answers");
    assert!(!said.to_lowercase().contains("address family"), "{said}");
}
