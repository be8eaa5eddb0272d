//! A server over its socket, told to lie in every way it can.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chronolease_core::time::{RawInstant, Span, Timestamp, Utc};
use chronolease_sys::Clocks;
use serde_json::{Map, Value, json};
use tokio::net::UdpSocket;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;

/// What cutting a time to the packet's fraction and back may take away.
const CUT: Span = Span::from_nanos(2);

/// Ends a test that would otherwise hang.
const PATIENCE: Duration = Duration::from_secs(30);

struct Client {
    socket: UdpSocket,
    clocks: Clocks,
    source: Source,
    queries: u64,
    _stop: DropGuard,
}

/// An answer, and when it was asked for and received.
struct Answer {
    packet: [u8; 48],
    t1: Timestamp<Utc>,
    t4: Timestamp<Utc>,
    raw1: RawInstant,
    raw4: RawInstant,
}

impl Client {
    async fn of_a_new_server() -> Self {
        let clocks = Clocks::open().expect("this box has clocks");
        let source = Source::honest("ptb", clocks);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::bind(any, source.clone()).await.expect("a free port");
        let socket = UdpSocket::bind(any).await.expect("a free port");
        socket.connect(server.address()).await.expect("loopback");
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone()));
        Self { socket, clocks, source, queries: 0, _stop: stop.drop_guard() }
    }

    fn turn(&self, changes: Value) {
        self.source.turn(&object(changes)).expect("a change that fits");
    }

    /// Sends a request with a transmit timestamp of its own and answers that.
    async fn send(&mut self) -> [u8; 8] {
        self.queries += 1;
        let transmit = self.queries.to_be_bytes();
        let mut request = [0; 48];
        request[0] = 0x23;
        request[2] = 6;
        request[40..].copy_from_slice(&transmit);
        self.socket.send(&request).await.expect("loopback");
        transmit
    }

    async fn receive(&self) -> [u8; 48] {
        let mut buffer = [0; 96];
        let received = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer)).await;
        assert_eq!(received.expect("an answer").expect("loopback"), 48);
        *buffer.first_chunk().expect("it is longer")
    }

    /// Sends one request under the first knobs and one under the second, until the first is passed
    /// over. A server reads its knobs as a request comes in, so that takes a round in which it has
    /// run between the two; each round lets it run longer.
    async fn ask_until_only_the_second_is_answered(&mut self, knobs: (Value, Value)) {
        let rounds = async {
            for round in 0.. {
                self.turn(knobs.0.clone());
                self.send().await;
                for _ in 0..round {
                    tokio::task::yield_now().await;
                }
                self.turn(knobs.1.clone());
                let second = self.send().await;
                if self.receive().await[24..32] == second {
                    return;
                }
                assert_eq!(self.receive().await[24..32], second);
            }
        };
        tokio::time::timeout(PATIENCE, rounds).await.expect("one of them is passed over");
    }

    async fn ask(&mut self) -> Answer {
        let (raw1, t1) = (self.clocks.raw(), self.clocks.real());
        self.send().await;
        let packet = self.receive().await;
        let (t4, raw4) = (self.clocks.real(), self.clocks.raw());
        Answer { packet, t1, t4, raw1, raw4 }
    }
}

impl Answer {
    fn time_at(&self, offset: usize) -> Timestamp<Utc> {
        let word = |at: usize| {
            u32::from_be_bytes(*self.packet[at..].first_chunk().expect("it lies in the packet"))
        };
        let seconds = i64::from(word(offset).wrapping_sub(2_208_988_800));
        let fraction_ns = (u64::from(word(offset + 4)) * 1_000_000_000) >> 32;
        let ns = seconds * 1_000_000_000 + i64::try_from(fraction_ns).expect("below a second");
        Timestamp::from_unix_nanos(ns)
    }

    fn t2(&self) -> Timestamp<Utc> {
        self.time_at(32)
    }

    fn t3(&self) -> Timestamp<Utc> {
        self.time_at(40)
    }

    fn origin(&self) -> [u8; 8] {
        *self.packet[24..].first_chunk().expect("it lies in the packet")
    }

    /// That the server's clock was ahead of ours by `ahead`, as well as the exchange can show.
    fn assert_ahead(&self, ahead: Span) {
        let earliest = self.t1 + ahead + -CUT;
        let latest = self.t4 + ahead;
        assert!(earliest <= self.t2(), "{:?} {:?} {ahead}", self.t1, self.t2());
        assert!(self.t2() <= self.t3() + CUT);
        assert!(self.t3() <= latest, "{:?} {:?} {ahead}", self.t3(), self.t4);
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("no object: {other}"),
    }
}

#[tokio::test]
async fn an_honest_server_tells_the_truth() {
    let mut client = Client::of_a_new_server().await;
    let answer = client.ask().await;
    answer.assert_ahead(Span::ZERO);
    assert_eq!(answer.origin(), 1u64.to_be_bytes());
    // No leap, version 4, mode 4; stratum 1; the request's poll; 2^-20 s.
    assert_eq!(answer.packet[..4], [0x24, 1, 6, 0xec]);
    // A tenth of a millisecond, twice, in 1/65536 s.
    assert_eq!(answer.packet[4..12], [0, 0, 0, 7, 0, 0, 0, 7]);
    assert_eq!(&answer.packet[12..16], b"PTB\0");
    assert_eq!(answer.t3() - answer.time_at(16), Span::from_millis(3_000));
}

#[tokio::test]
async fn offsets_shift_both_of_its_timestamps() {
    let mut client = Client::of_a_new_server().await;
    for (offset_ms, ahead) in [
        (json!(500), Span::from_millis(500)),
        (json!(-2000), Span::from_millis(-2_000)),
        (json!(0.25), Span::from_nanos(250_000)),
        (json!(3_600_000), Span::from_millis(3_600_000)),
        (json!(0), Span::ZERO),
    ] {
        client.turn(json!({ "offset_ms": offset_ms }));
        client.ask().await.assert_ahead(ahead);
    }
}

#[tokio::test]
async fn drift_grows_from_the_moment_it_is_set() {
    let mut client = Client::of_a_new_server().await;
    let before = client.clocks.raw();
    // A second per second: what has accumulated is the time that went by.
    client.turn(json!({ "drift_ppm": 1_000_000 }));
    let after = client.clocks.raw();
    for _ in 0..3 {
        let answer = client.ask().await;
        let (least, most) = (answer.raw1 - after, answer.raw4 - before);
        assert!(answer.t1 + least + -CUT <= answer.t2());
        assert!(answer.t3() <= answer.t4 + most);
    }
    client.turn(json!({ "drift_ppm": 0 }));
    client.ask().await.assert_ahead(Span::ZERO);
}

#[tokio::test]
async fn an_offset_leaves_a_drift_running() {
    let mut client = Client::of_a_new_server().await;
    client.turn(json!({ "drift_ppm": 1_000_000 }));
    let after = client.clocks.raw();
    let first = client.ask().await;
    client.turn(json!({ "offset_ms": 1_000 }));
    let answer = client.ask().await;
    let least = answer.raw1 - after + Span::from_millis(1_000);
    assert!(first.raw4 <= answer.raw1);
    assert!(answer.t1 + least + -CUT <= answer.t2());
}

#[tokio::test]
async fn header_fields_say_what_they_are_told_to() {
    let mut client = Client::of_a_new_server().await;
    for (leap, bits) in [("insert", 0x64), ("delete", 0xa4), ("unsynchronised", 0xe4)] {
        client.turn(json!({ "leap": leap }));
        assert_eq!(client.ask().await.packet[0], bits, "{leap}");
    }
    client.turn(json!({
        "leap": "none", "mode": 5, "stratum": 16, "refid": "192.0.2.7",
        "root_delay_ms": 1_000, "root_dispersion_ms": 500,
    }));
    let packet = client.ask().await.packet;
    assert_eq!(packet[..2], [0x25, 16]);
    assert_eq!(packet[4..16], [0, 1, 0, 0, 0, 0, 0x80, 0, 192, 0, 2, 7]);
    client.turn(json!({ "refid": "DENY" }));
    assert_eq!(&client.ask().await.packet[12..16], b"DENY");
}

#[tokio::test]
async fn the_forward_delay_comes_before_t2_and_the_return_delay_after_t3() {
    let held = Span::from_millis(50);
    let mut client = Client::of_a_new_server().await;
    client.turn(json!({ "forward_delay_ms": 50 }));
    let forward = client.ask().await;
    forward.assert_ahead(Span::ZERO);
    assert!(forward.t2() - forward.t1 >= held + -CUT);
    client.turn(json!({ "forward_delay_ms": 0, "return_delay_ms": 50 }));
    let back = client.ask().await;
    back.assert_ahead(Span::ZERO);
    assert!(back.t4 - back.t3() >= held);
}

#[tokio::test]
async fn a_held_answer_holds_back_no_other() {
    let mut client = Client::of_a_new_server().await;
    let held = (json!({ "return_delay_ms": 60_000 }), json!({ "return_delay_ms": 0 }));
    client.ask_until_only_the_second_is_answered(held).await;
    let held = (json!({ "forward_delay_ms": 60_000 }), json!({ "forward_delay_ms": 0 }));
    client.ask_until_only_the_second_is_answered(held).await;
}

#[tokio::test]
async fn a_silent_server_answers_nothing() {
    let mut client = Client::of_a_new_server().await;
    let silent = (json!({ "drop": true }), json!({ "drop": false }));
    client.ask_until_only_the_second_is_answered(silent).await;
}

#[tokio::test]
async fn a_wrong_origin_is_not_what_was_sent() {
    let mut client = Client::of_a_new_server().await;
    client.turn(json!({ "wrong_origin": true }));
    assert_ne!(client.ask().await.origin(), 1u64.to_be_bytes());
    client.turn(json!({ "wrong_origin": false }));
    assert_eq!(client.ask().await.origin(), 2u64.to_be_bytes());
}

#[tokio::test]
async fn what_is_no_request_gets_no_answer() {
    let mut client = Client::of_a_new_server().await;
    for garbage in [&[][..], &[0x23; 47], &[0x24; 48], &[0xff; 200]] {
        client.socket.send(garbage).await.expect("loopback");
    }
    let answer = client.ask().await;
    assert_eq!(answer.origin(), 1u64.to_be_bytes(), "the first answer is to the first request");
}

#[test]
fn a_change_that_does_not_fit_names_its_field() {
    let knobs = Knobs::honest("ptb");
    for (field, value) in [
        ("ofset_ms", json!(1)),
        ("offset_ms", json!("1")),
        ("offset_ms", json!(null)),
        ("offset_ms", json!(1e18)),
        ("drift_ppm", json!(1_000_001)),
        ("leap", json!("maybe")),
        ("stratum", json!(256)),
        ("stratum", json!(1.5)),
        ("refid", json!("")),
        ("refid", json!("METAS")),
        ("refid", json!("Ü")),
        ("mode", json!(8)),
        ("root_delay_ms", json!(-1)),
        ("root_dispersion_ms", json!(65_535_001)),
        ("forward_delay_ms", json!(-0.1)),
        ("return_delay_ms", json!(60_001)),
        ("drop", json!(1)),
        ("wrong_origin", json!("yes")),
    ] {
        let error = knobs.with(&object(json!({ field: value }))).expect_err(field);
        assert_eq!(error.field, field, "{error}");
    }
}

#[test]
fn a_change_takes_effect_whole_or_not_at_all() {
    let source = Source::honest("ptb", Clocks::open().expect("this box has clocks"));
    let refused = source.turn(&object(json!({ "drop": true, "offset_ms": 5, "stratum": -1 })));
    assert_eq!(refused.expect_err("no such stratum").field, "stratum");
    assert_eq!(source.knobs(), Knobs::honest("ptb"));
    let turned = source.turn(&object(json!({ "drop": true, "offset_ms": 5 }))).expect("it fits");
    assert!(turned.drop);
    assert_eq!(turned, source.knobs());
}

#[test]
fn knobs_print_as_they_are_set() {
    let knobs = Knobs::honest("inrim");
    let printed = serde_json::to_value(&knobs).expect("plain values");
    assert_eq!(printed["refid"], json!("INRI"));
    let names: Vec<_> = printed.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(
        names,
        [
            "drift_ppm",
            "drop",
            "forward_delay_ms",
            "leap",
            "mode",
            "offset_ms",
            "refid",
            "return_delay_ms",
            "root_delay_ms",
            "root_dispersion_ms",
            "stratum",
            "wrong_origin"
        ]
    );
    assert_eq!(knobs.with(&object(printed)).expect("its own state fits"), knobs);
}
