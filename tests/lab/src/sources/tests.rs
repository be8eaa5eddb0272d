//! The control listener, asked as curl would.

use std::net::Ipv4Addr;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio_util::sync::DropGuard;

use super::*;
use crate::config::SourceConfig;
use crate::layout::SOURCES;

struct Lab {
    sources: Sources,
    _stop: DropGuard,
}

impl Lab {
    async fn start() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let named = |name: &str| SourceConfig { name: name.to_owned(), listen: any };
        let sources = SOURCES.iter().map(|source| named(source.name)).collect();
        let config = LabConfig { control: any, sources };
        let clocks = Clocks::open().expect("this box has clocks");
        let stop = CancellationToken::new();
        let sources = Sources::start(&config, clocks, &stop).await.expect("free ports");
        Self { sources, _stop: stop.drop_guard() }
    }

    /// The status and the body of the answer.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.sources.control()).await.expect("it listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("loopback");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.expect("a status line"), body.to_owned())
    }

    async fn get(&self) -> Value {
        let (status, body) = self.ask("GET", "/sources", "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }
}

#[tokio::test]
async fn all_sources_are_shown_under_their_names() {
    let lab = Lab::start().await;
    let all = lab.get().await;
    let shown: Vec<_> = all.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(shown, ["inrim", "metas", "npl", "ptb", "sp"]);
    assert_eq!(all["ptb"], serde_json::to_value(Knobs::honest("ptb")).expect("plain values"));
}

#[tokio::test]
async fn a_change_is_answered_with_the_new_state_and_reaches_one_source() {
    let lab = Lab::start().await;
    let before = lab.get().await;
    let (status, body) = lab.ask("PUT", "/sources/ptb", r#"{"offset_ms":500}"#).await;
    assert_eq!(status, 200, "{body}");
    let answered: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(answered["offset_ms"], json!(500.0));
    let after = lab.get().await;
    assert_eq!(after["ptb"], answered);
    assert_eq!(after["npl"], before["npl"]);

    // The very state that was shown can be put back.
    let (status, body) = lab.ask("PUT", "/sources/ptb", &before["ptb"].to_string()).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(lab.get().await, before);
}

#[tokio::test]
async fn a_turned_knob_is_heard_on_the_wire() {
    let lab = Lab::start().await;
    lab.ask("PUT", "/sources/metas", r#"{"stratum":7}"#).await;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    for (name, stratum) in [("metas", 7), ("sp", 1)] {
        let server = lab.sources.address(name).expect("it was started");
        let mut packet = [0; 48];
        packet[0] = 0x23;
        socket.send_to(&packet, server).await.expect("loopback");
        let (_, from) = socket.recv_from(&mut packet).await.expect("an answer");
        assert_eq!((from, packet[1]), (server, stratum));
    }
}

#[tokio::test]
async fn mistakes_are_refused_with_the_reason() {
    let lab = Lab::start().await;
    let before = lab.get().await;
    for (method, path, body, status, reason) in [
        ("PUT", "/sources/ptb", r#"{"ofset_ms":1}"#, 400, "ofset_ms"),
        ("PUT", "/sources/ptb", r#"{"drop":true,"leap":"soon"}"#, 400, "leap"),
        ("PUT", "/sources/ptb", r#"{"offset_ms":"#, 400, "JSON"),
        ("PUT", "/sources/ptb", "[1]", 400, "JSON"),
        ("PUT", "/sources/ptb", "", 400, "JSON"),
        ("PUT", "/sources/usno", "{}", 404, "usno"),
        ("PUT", "/sources", "{}", 405, ""),
        ("POST", "/sources", "{}", 405, ""),
        ("POST", "/sources/ptb", "{}", 405, ""),
        ("GET", "/sources/ptb", "", 405, ""),
        ("DELETE", "/sources/ptb", "", 405, ""),
        ("GET", "/", "", 404, ""),
    ] {
        let (answered, text) = lab.ask(method, path, body).await;
        assert_eq!(answered, status, "{method} {path} {body}: {text}");
        assert!(text.contains(reason), "{method} {path} {body}: {text}");
    }
    let (status, _) = lab.ask("PUT", "/sources/ptb", &" ".repeat(BODY_MAX + 1)).await;
    assert_eq!(status, 413);
    assert_eq!(lab.get().await, before);
}

#[tokio::test]
async fn a_taken_port_is_named_and_nothing_starts() {
    let lab = Lab::start().await;
    let taken = lab.sources.address("sp").expect("it was started");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let sources = vec![SourceConfig { name: "sp".to_owned(), listen: taken }];
    let clocks = Clocks::open().expect("this box has clocks");
    let config = LabConfig { control: any, sources };
    let error = Sources::start(&config, clocks, &CancellationToken::new()).await;
    let message = error.expect_err("the port is taken").to_string();
    assert!(message.starts_with(&format!("sp cannot listen on {taken}")), "{message}");
}

#[tokio::test]
async fn a_lab_stops_when_told_to() {
    let Lab { sources, _stop: stop } = Lab::start().await;
    drop(stop);
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(30), sources.stopped());
    stopped.await.expect("no server goes on");
}
