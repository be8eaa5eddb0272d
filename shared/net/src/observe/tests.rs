use std::net::Ipv4Addr;

use chronolease_core::time::{Bound, RawInstant};
use chronolease_sys::Clocks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// So long that no test is ever that slow.
const STALL_LIMIT: Bound = Bound::from_millis(3_600_000);

struct Running {
    addr: SocketAddr,
    clocks: Clocks,
    health: Health,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn running() -> Running {
    let clocks = Clocks::open().expect("this box has clocks");
    let health = Health::new(clocks, STALL_LIMIT);
    let shutdown = CancellationToken::new();
    let observer = Observer::bind(LOCALHOST).await.expect("a free port");
    let addr = observer.local_addr().expect("bound");
    let metrics = Metrics::new("chronolease_test").expect("a fresh registry");
    let task = tokio::spawn(observer.run(metrics.registry(), health.clone(), shutdown.clone()));
    Running { addr, clocks, health, shutdown, task }
}

impl Running {
    /// The status, the header lines and the body.
    async fn ask(&self, method: &str, path: &str) -> (u16, String, String) {
        let mut tcp = TcpStream::connect(self.addr).await.expect("it listens");
        let request = format!("{method} {path} HTTP/1.1\r\nHost: box.test\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.expect("open");
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, head.to_owned(), body.to_owned())
    }

    async fn verdict(&self, path: &str) -> (u16, serde_json::Value) {
        let (status, _, body) = self.ask("GET", path).await;
        (status, serde_json::from_str(&body).expect("JSON"))
    }
}

#[tokio::test]
async fn metrics_come_in_the_text_format() {
    let running = running().await;
    let (status, head, body) = running.ask("GET", "/metrics").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("# HELP chronolease_test_build_info "), "{body}");
    assert!(body.contains(crate::build::BUILD_ID), "{body}");
}

#[tokio::test]
async fn a_stall_shows_and_passes() {
    let running = running().await;
    assert_eq!(running.verdict("/livez").await.0, 200, "alive from the start");

    let long_ago = running.clocks.raw().as_nanos() - STALL_LIMIT.times(2).as_span().as_nanos();
    running.health.progress(RawInstant::from_nanos(long_ago));
    let (status, body) = running.verdict("/livez").await;
    assert_eq!((status, &body["status"]), (503, &"unready".into()));
    assert!(body["reasons"][0].as_str().is_some_and(|r| r.contains("no progress")), "{body}");

    running.health.progress(running.clocks.raw());
    let (status, body) = running.verdict("/livez").await;
    assert_eq!((status, body), (200, serde_json::json!({ "status": "ok", "reasons": [] })));
}

#[tokio::test]
async fn progress_from_the_future_is_no_progress() {
    let running = running().await;
    running.health.progress(running.clocks.raw().plus(STALL_LIMIT.times(2)));
    assert_eq!(running.verdict("/livez").await.0, 503);
}

#[tokio::test]
async fn readiness_names_its_reasons() {
    let running = running().await;
    let (status, body) = running.verdict("/readyz").await;
    assert_eq!((status, &body["reasons"]), (503, &serde_json::json!(["starting"])));

    running.health.set_unready(vec![]);
    assert_eq!(running.verdict("/readyz").await.0, 200);

    let reason = "no \"lease\"".to_owned();
    running.health.set_unready(vec![reason.clone()]);
    let (status, body) = running.verdict("/readyz").await;
    assert_eq!((status, &body["reasons"]), (503, &serde_json::json!([reason])));
    assert_eq!(running.verdict("/livez").await.0, 200, "not ready, yet alive");

    running.health.set_unready(vec![]);
    running.health.progress(running.clocks.raw().plus(STALL_LIMIT.times(2)));
    assert_eq!(running.verdict("/readyz").await.0, 503, "what does not live is not ready");
}

#[tokio::test]
async fn nothing_else_is_answered() {
    let running = running().await;
    assert_eq!(running.ask("GET", "/").await.0, 404);
    let (status, head, _) = running.ask("POST", "/metrics").await;
    assert_eq!(status, 405);
    assert!(head.contains("allow: GET, HEAD"), "{head}");
    let (status, _, body) = running.ask("HEAD", "/metrics").await;
    assert_eq!((status, body.as_str()), (200, ""));
}

#[tokio::test]
async fn silent_connections_do_not_keep_others_out() {
    let running = running().await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX + 10 {
        silent.push(TcpStream::connect(running.addr).await.expect("it listens"));
    }
    assert_eq!(running.verdict("/livez").await.0, 200);
}

#[tokio::test]
async fn a_taken_port_is_an_error_at_once() {
    let running = running().await;
    let error = Observer::bind(running.addr).await.expect_err("taken");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn it_ends_when_told() {
    let running = running().await;
    running.shutdown.cancel();
    running.task.await.expect("it ends");
}

#[derive(Clone, Copy, PartialEq)]
enum Light {
    Red,
    Green,
}

impl State for Light {
    const ALL: &'static [Self] = &[Self::Red, Self::Green];

    fn label(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Green => "green",
        }
    }
}

#[test]
fn a_state_set_shows_one_state() {
    let metrics = Metrics::new("chronolease_test").expect("a fresh registry");
    let lights = metrics.state_set::<Light>("light", "The light.", &["ward"]).expect("free");
    lights.set(&["tsu-1"], Light::Red);
    lights.set(&["tsu-1"], Light::Green);
    let text = TextEncoder::new().encode_to_string(&metrics.registry().gather()).expect("text");
    assert!(text.contains(r#"chronolease_test_light{state="green",ward="tsu-1"} 1"#), "{text}");
    assert!(text.contains(r#"chronolease_test_light{state="red",ward="tsu-1"} 0"#), "{text}");
}

#[test]
fn names_are_checked() {
    let metrics = Metrics::new("chronolease_test").expect("a fresh registry");
    metrics.int_counter("tokens_total", "Tokens.").expect("free");
    let taken = metrics.gauge("tokens_total", "Tokens again.").expect_err("taken");
    assert_eq!(taken.name, "chronolease_test_tokens_total");
    assert!(metrics.gauge("no spaces", "Malformed.").is_err());
}
