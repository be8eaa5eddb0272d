//! How long a client may take, by configuration, and that it need not fall silent to be cut off.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use chronolease_core::time::Bound;
use chronolease_e2e::http::Client;
use chronolease_e2e::{Options, Rig};
use chronolease_sys::Clocks;

use super::connect;
use super::framing::head;

const SHORT: Bound = Bound::from_millis(1_000);
/// Tells a connection that is kept from one that is cut off.
const HANG: Bound = Bound::from_millis(50_000);

/// A TSU without a monitor: what it answers is all the same here.
fn tsu(patience: &str) -> Rig {
    let overlay = format!("[http]\npatience = \"{patience}\"\n");
    let options = Options { tsu_overlay: Some(overlay), ..Options::default() };
    let mut rig = Rig::prepared(&options);
    rig.start_tsu();
    rig
}

fn ask(client: &mut Client) {
    let response = client.request("GET", "/policy", &[], None).expect("an answer");
    assert_eq!((response.status, response.header("connection")), (200, None));
}

#[test]
fn whoever_is_silent_or_slow_for_too_long_is_cut_off() {
    let (strict, patient) = (tsu("1s"), tsu("60s"));
    let clocks = Clocks::open().expect("this box has clocks");
    let start = clocks.raw();
    let (mut cut, mut kept) = (connect(&strict), connect(&patient));
    ask(&mut cut);
    ask(&mut kept);
    cut.read_end().expect("silence after an answer ends the connection");
    assert!((clocks.raw() - start).magnitude() >= SHORT, "it was cut off at once");
    // The negative control: the same silence, and a TSU that bears it.
    ask(&mut kept);

    connect(&strict).read_end().expect("who never asks loses its seat too");
    let body = format!("{}Content-Length: 10000\r\n\r\n", head());
    for (bytes, answer, what) in [(head(), "", "a head"), (body, "HTTP/1.1 408 ", "a body")] {
        let told = trickled(&strict, clocks, &bytes, SHORT);
        assert!(told.starts_with(answer) && told.is_empty() == answer.is_empty(), "{what}: {told}");
    }
}

/// Sends `bytes` and then an octet now and again, never silent for long. All that came back until
/// the connection ended, which must not be before `least` has passed.
fn trickled(rig: &Rig, clocks: Clocks, bytes: &str, least: Bound) -> String {
    let start = clocks.raw();
    let elapsed = || (clocks.raw() - start).magnitude();
    let mut stream = TcpStream::connect(rig.client_address()).expect("the TSU listens");
    stream.set_nodelay(true).expect("a socket");
    // The pace: so long it waits for an answer before it sends the next octet.
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket");
    stream.write_all(bytes.as_bytes()).expect("the TSU listens");
    let (mut told, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        assert!(elapsed() < HANG, "it is still connected");
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(octets) => told.extend_from_slice(&buffer[..octets]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
        // The end shows in reading.
        let _ = stream.write(b"x");
    }
    assert!(elapsed() >= least, "it was cut off at once");
    String::from_utf8_lossy(&told).into_owned()
}
