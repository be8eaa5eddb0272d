mod handshakes;

use super::*;
use crate::core::rfc3161::testing::{Pki, Scratch, VERSION, imprint, policy, request_der};
use crate::io::issuing::queue;
use chronolease_core::time::Timestamp;
use chronolease_net::tls::Handshakes;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const GARBAGE: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\
    Content-Type: application/timestamp-query\r\n\r\nx";

fn endpoint(requests: mpsc::Sender<Incoming>, pki: &Pki) -> Endpoint {
    let policy = policy();
    let (builder, chain) = (pki.builder(), [pki.ca_der.clone()]);
    let facts = Facts {
        tsu: "tsu-1",
        mode: "witnessed",
        policy: &policy,
        builder: &builder,
        chain: &chain,
    };
    Endpoint {
        requests,
        pages: Arc::new(Pages::new(&facts)),
        policy: Arc::new(policy.clone()),
        request_bytes_max: 16_384,
        patience: Duration::from_secs(10),
        metrics: TsuMetrics::new(false).expect("fresh names"),
    }
}

async fn serve(
    endpoint: Endpoint,
    connections_max: usize,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let tls = tls.map(|config| Handshakes::start(config).expect("a thread"));
    let door = Door { listener, tls };
    tokio::spawn(endpoint.serve(vec![door], connections_max, CancellationToken::new()));
    address
}

/// All that comes back until the connection ends.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut client = TcpStream::connect(address).await.expect("loopback");
    // The answer may come, and the connection end, before all of it is sent.
    let _ = client.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn get_of(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn the_facts_have_addresses_of_their_own() {
    let (requests, _waiting) = queue();
    let (pki, scratch) = (Pki::new(), Scratch::new());
    let address = serve(endpoint(requests, &pki), 8, None).await;
    for (path, media_type, part) in [
        ("/", "text/html; charset=utf-8", "<h1>Time-stamping service tsu-1</h1>"),
        ("/policy", "text/plain; charset=utf-8", "0.4.0.2023.1.1\n1.2.3.4.5\n"),
        ("/disclosure.json", "application/json", "\"accuracy_us\": 500000"),
        ("/disclosure.json", "application/json", "\"suite\": \"ECDSA P-256 with SHA-256\""),
        ("/chain.pem", "application/pem-certificate-chain", "-----BEGIN CERTIFICATE-----\nMI"),
    ] {
        let answer = exchange(address, &get_of(path)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {answer}");
        assert!(answer.contains(&format!("content-type: {media_type}\r\n")), "{path}: {answer}");
        assert!(answer.contains("cache-control: no-store\r\n"), "{path}: {answer}");
        assert!(answer.contains(part), "{path}: {answer}");
    }
    let chain = exchange(address, &get_of("/chain.pem")).await;
    let (_, pem) = chain.split_once("\r\n\r\n").expect("a body");
    let file = scratch.file("chain.pem", pem);
    let loaded = crate::io::signer::load_certificates(&file).expect("PEM");
    assert_eq!(loaded, [pki.tsu_der, pki.ca_der]);
}

#[tokio::test]
async fn overload_is_told_and_when_to_come_back() {
    // A queue for one, which is taken.
    let (requests, mut waiting) = mpsc::channel(1);
    let address = serve(endpoint(requests, &Pki::new()), 8, None).await;
    let body = request_der(&[VERSION, &imprint(1, 32)]);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/timestamp-query\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.as_bytes(), &body].concat();
    let first = tokio::spawn({
        let request = request.clone();
        async move { exchange(address, &request).await }
    });
    while waiting.is_empty() {
        tokio::task::yield_now().await;
    }
    let second = exchange(address, &request).await;
    assert!(second.starts_with("HTTP/1.1 503 "), "{second}");
    assert!(second.contains("retry-after: 1\r\n"), "{second}");
    assert!(second.contains("cache-control: no-store\r\n"), "{second}");
    let asked: Incoming = waiting.recv().await.expect("the first one waits");
    asked.reply.send(Err(STOPPING)).expect("it still waits");
    assert!(first.await.expect("no panic").starts_with("HTTP/1.1 200 OK\r\n"));
}

/// Whoever comes when all seats are taken waits, and is served when one is free.
#[tokio::test(start_paused = true)]
async fn there_are_no_more_connections_than_seats() {
    const SEATS: usize = 3;
    let (requests, _waiting) = queue();
    let endpoint =
        Endpoint { patience: Duration::from_secs(60), ..endpoint(requests, &Pki::new()) };
    let address = serve(endpoint, SEATS, None).await;
    let mut seated = Vec::new();
    for _ in 0..SEATS {
        let mut client = TcpStream::connect(address).await.expect("loopback");
        client.write_all(GARBAGE).await.expect("connected");
        client.read_exact(&mut [0; 15]).await.expect("an answer");
        seated.push(client);
    }
    let mut waiting = TcpStream::connect(address).await.expect("the listener's queue");
    waiting.write_all(GARBAGE).await.expect("connected");
    let mut answer = [0; 15];
    // The clock of the runtime runs to this timeout when nothing else happens.
    let early = tokio::time::timeout(Duration::from_secs(30), waiting.read_exact(&mut answer));
    assert!(early.await.is_err(), "it was served beyond the cap");
    drop(seated.pop());
    waiting.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

/// A client that dawdles is cut off, whatever it dawdles over. The clock of the runtime runs to
/// the next timeout when all wait.
#[tokio::test(start_paused = true)]
async fn slow_senders_are_cut_off() {
    let (requests, _waiting) = queue();
    let address = serve(endpoint(requests, &Pki::new()), 8, None).await;
    let half = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/timestamp-query\r\n";
    let body = [&half[..], b"Content-Length: 40\r\n\r\n0"].concat();
    for (bytes, answer) in [
        (&b""[..], ""),
        (b"POST / HTT", ""),
        (half, ""),
        (&body, "HTTP/1.1 408 "),
        // Let in by its first request, it never asks again.
        (b"GET /policy HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 "),
    ] {
        let ended = tokio::time::timeout(Duration::from_secs(200), exchange(address, bytes)).await;
        let told = ended.expect("it was cut off");
        assert!(told.starts_with(answer), "{bytes:?}: {told}");
    }
}

#[tokio::test]
async fn https_carries_the_same_answers() {
    let (requests, _waiting) = queue();
    let (pki, scratch) = (Pki::new(), Scratch::new());
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let certificates = scratch.file("https.pem", certificate.pem());
    let tls = Secure::load(&certificates, &scratch.file("https.key", key.serialize_pem()));
    let stranger = scratch.file("other.key", &pki.key_pem);
    for (certificates, key, told) in [
        (&stranger, &stranger, "https.certificate_file: there is no certificate in "),
        (&certificates, &certificates, "https.key_file: cannot read a private key from "),
        (&certificates, &stranger, "cannot use https.certificate_file "),
    ] {
        let why = Secure::load(certificates, key).expect_err(told).to_string();
        assert!(why.starts_with(told), "{why}");
    }
    let address = serve(endpoint(requests, &pki), 8, Some(tls.expect("they fit").config())).await;
    let url = format!("https://localhost:{}/policy", address.port());
    let resolve = format!("localhost:{}:127.0.0.1", address.port());
    let output = tokio::task::spawn_blocking(move || {
        std::process::Command::new("curl")
            .args(["-sSf", "--resolve", &resolve, "--cacert"])
            .args([certificates.as_os_str(), std::ffi::OsStr::new(&url)])
            .output()
            .expect("curl is installed")
    });
    let output = output.await.expect("no panic");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0.4.0.2023.1.1\n1.2.3.4.5\n", "{said}");
    // Plain HTTP at the door of HTTPS gets nothing that could pass for an answer.
    assert!(!exchange(address, &get_of("/policy")).await.contains("200 OK"));
}

#[test]
fn the_dates_of_the_server_s_certificate_are_told() {
    let scratch = Scratch::new();
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    // The chain behind it has dates of its own, which are not asked for.
    let pem = params.self_signed(&key).expect("a certificate").pem() + &Pki::new().ca_pem;
    let (certificates, key) =
        (scratch.file("https.pem", pem), scratch.file("https.key", key.serialize_pem()));
    let https = Secure::load(&certificates, &key).expect("they fit");
    let at = |unix_s: i64| Timestamp::from_unix_nanos(unix_s * 1_000_000_000);
    let (first, last) = (1_577_836_800, 1_893_456_000);
    assert_eq!(https.valid_until(), at(last));
    for (unix_s, told) in [
        (first - 1, Some("the certificate is valid from 2020-01-01T00:00:00Z only")),
        (first, None),
        (last, None),
        (last + 1, Some("the certificate expired at 2030-01-01T00:00:00Z")),
    ] {
        let why = https.valid_at(at(unix_s)).err().map(|why| why.to_string());
        let expected = told.map(|told| {
            let file = certificates.display();
            format!("https.certificate_file {file}: {told} (RFC 5280 4.1.2.5); clients refuse it")
        });
        assert_eq!(why, expected);
    }
}

/// The clock of the runtime stands still while anybody is busy and runs to the next timeout
/// when all wait, so the test waits for conditions alone.
#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_loses_its_seat() {
    let (requests, _waiting) = queue();
    let address = serve(endpoint(requests, &Pki::new()), 1, None).await;

    // It asks until nothing more can be sent: its answers fill every buffer on the way.
    let mut rude = TcpStream::connect(address).await.expect("loopback");
    let cut_off = tokio::spawn(async move {
        while rude.write_all(GARBAGE).await.is_ok() {}
        rude
    });
    let rude = cut_off.await.expect("no panic");

    let mut polite = TcpStream::connect(address).await.expect("loopback");
    polite.write_all(GARBAGE).await.expect("connected");
    let mut answer = [0; 15];
    polite.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    drop(rude);
}
