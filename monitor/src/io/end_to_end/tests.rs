//! What an endpoint may do to who asks it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::core::end_to_end::AskId;

/// What the endpoint does once it has the request.
#[derive(Clone)]
enum Does {
    Sends(Vec<u8>),
    SendsAndStays(Vec<u8>),
    Trickles,
}

async fn endpoint(does: Does) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut request = vec![0; 4_096];
        let length = stream.read(&mut request).await.expect("a request");
        let head = String::from_utf8_lossy(&request[..length]).to_ascii_lowercase();
        assert!(head.starts_with("post /tsa?x=1 http/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/timestamp-query\r\n"), "{head}");
        assert!(head.contains(&format!("host: {address}\r\n")), "{head}");
        match does {
            Does::Sends(bytes) => drop(stream.write_all(&bytes).await),
            Does::SendsAndStays(bytes) => {
                let _ = stream.write_all(&bytes).await;
                std::future::pending::<()>().await;
            }
            Does::Trickles => {
                let _ = stream.write_all(&response(1_000, b"")).await;
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    });
    Endpoint::parse(&format!("http://{address}/tsa?x=1")).expect("a URL")
}

fn response(length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

async fn asked(does: Does) -> Result<Vec<u8>, String> {
    let (engine, mut inputs) = mpsc::channel(1);
    let asker = Asker {
        endpoint: endpoint(does).await,
        timeout: Duration::from_millis(300),
        clocks: Clocks::open().expect("this box has clocks"),
        ward: 3,
        engine,
    };
    let before = asker.clocks.raw();
    asker.ask(Ask { id: AskId::test(), request: vec![0x30, 0] });
    let Some(Input::EndToEnd { ward: 3, reply }) = inputs.recv().await else {
        panic!("one reply, for that ward")
    };
    assert!(before <= reply.asked && reply.asked <= reply.answered);
    assert_eq!(reply.id, AskId::test());
    reply.body
}

#[tokio::test]
async fn an_endpoint_that_misbehaves_yields_a_reason_and_nothing_to_judge() {
    let chunked = [
        &b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\n\
           Transfer-Encoding: chunked\r\n\r\n"[..],
        &b"4000\r\n"[..],
        &vec![b'x'; 0x4000],
        &b"\r\n1\r\nx\r\n0\r\n\r\n"[..],
    ];
    let cases = [
        (Does::Sends(Vec::new()), "exchange broke"),
        (Does::Sends(b"SSH-2.0-OpenSSH\r\n".to_vec()), "exchange broke"),
        (Does::Sends(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec()), "status 503"),
        (Does::Sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_vec()), "Content-Type"),
        (
            Does::Sends(response(ANSWER_BYTES_MAX + 1, &[0; ANSWER_BYTES_MAX + 1])),
            "more than 16384",
        ),
        (Does::SendsAndStays(response(1 << 40, &[0; 20_000])), "more than 16384"),
        (Does::Sends(chunked.concat()), "more than 16384"),
        (Does::Sends(response(100, b"cut off")), "broke"),
        (Does::SendsAndStays(response(100, b"and then nothing")), "no answer within"),
        (Does::SendsAndStays(Vec::new()), "no answer within"),
        (Does::Trickles, "no answer within"),
    ];
    for (does, why) in cases {
        let told = asked(does).await.expect_err(why);
        assert!(told.contains(why), "{told:?} instead of {why:?}");
    }
}

#[tokio::test]
async fn an_answer_comes_back_as_it_is() {
    for does in [Does::Sends(response(5, b"token")), Does::SendsAndStays(response(5, b"token"))] {
        assert_eq!(asked(does).await, Ok(b"token".to_vec()));
    }
    let largest = vec![7; ANSWER_BYTES_MAX];
    let answer = asked(Does::Sends(response(ANSWER_BYTES_MAX, &largest))).await;
    assert_eq!(answer, Ok(largest));
}

#[tokio::test]
async fn nobody_there_is_a_reason_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let (engine, mut inputs) = mpsc::channel(1);
    let asker = Asker {
        endpoint: Endpoint::parse(&format!("http://{address}")).expect("a URL"),
        timeout: Duration::from_secs(60),
        clocks: Clocks::open().expect("this box has clocks"),
        ward: 0,
        engine,
    };
    asker.ask(Ask { id: AskId::test(), request: Vec::new() });
    let Some(Input::EndToEnd { reply, .. }) = inputs.recv().await else { panic!("a reply") };
    let told = reply.body.expect_err("nobody is there");
    assert!(told.starts_with("no connection"), "{told}");
}
