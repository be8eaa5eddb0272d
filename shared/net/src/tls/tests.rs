//! Handshakes run over a pipe in memory, where both ends tell why they failed; the listener is
//! tested over TCP.

use std::fs;
use std::sync::{Mutex, mpsc};
use std::thread;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, server};

use super::*;
use crate::scratch::Scratch;

const LOCALHOST: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0));

type Ends =
    (io::Result<server::TlsStream<DuplexStream>>, io::Result<client::TlsStream<DuplexStream>>);

fn identity() -> Identity {
    identity_until(2099)
}

/// A fresh key in a certificate that ends with `year`.
fn identity_until(year: i32) -> Identity {
    let folder = Scratch::new();
    let (cert, key) = pem_files(&folder, year);
    Identity::load(&cert, &key).expect("a pair")
}

fn pem_files(folder: &Scratch, year: i32) -> (PathBuf, PathBuf) {
    let pair = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec!["box.test".to_owned()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(year, 12, 31);
    let cert = params.self_signed(&pair).expect("a certificate");
    let paths = (folder.path("cert.pem"), folder.path("key.pem"));
    fs::write(&paths.0, cert.pem()).expect("written");
    fs::write(&paths.1, pair.serialize_pem()).expect("written");
    paths
}

fn server(own: &Identity, accepted: &[&Identity]) -> Arc<ServerConfig> {
    server_config(own, accepted.iter().map(|id| id.pin()).collect()).expect("a server")
}

fn client(own: &Identity, pinned: &Identity) -> Arc<ClientConfig> {
    client_config(own, &[pinned.pin()]).expect("a client")
}

/// A resolver that shows the certificate of `shown` but signs with the key of `held`.
fn impostor(shown: &Identity, held: &Identity) -> Arc<SingleCertAndKey> {
    let certified = CertifiedKey::new(shown.certified().cert.clone(), held.certified().key.clone());
    Arc::new(SingleCertAndKey::from(certified))
}

async fn handshake(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Ends {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("any.test").expect("a name");
    tokio::join!(
        TlsAcceptor::from(server).accept(near),
        TlsConnector::from(client).connect(name, far),
    )
}

fn tls_error<T>(end: io::Result<T>) -> Error {
    let error = end.err().expect("a refusal");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    inner.unwrap_or_else(|| panic!("not of TLS: {error}")).clone()
}

#[tokio::test]
async fn pinned_peers_know_each_other_and_share_a_binding() {
    let (a, b) = (identity(), identity());
    let mut bindings = Vec::new();
    let (server, client) = (server(&a, &[&b]), client(&b, &a));
    for _ in 0..2 {
        let (near, far) = handshake(Arc::clone(&server), Arc::clone(&client)).await;
        let (mut near, mut far) = (near.expect("accepted"), far.expect("accepted"));
        assert_eq!(peer_pin(near.get_ref().1), Some(b.pin()));
        assert_eq!(peer_pin(far.get_ref().1), Some(a.pin()));

        let binding = channel_binding(near.get_ref().1).expect("after the handshake");
        assert_eq!(channel_binding(far.get_ref().1).expect("after the handshake"), binding);
        bindings.push(binding);

        near.write_all(b"probe").await.expect("open");
        near.shutdown().await.expect("open");
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.expect("open");
        assert_eq!(heard, b"probe");
        assert_eq!(far.get_ref().1.tls13_tickets_received(), 0);
    }
    assert_ne!(bindings[0], bindings[1], "each connection has its own");
}

#[tokio::test]
async fn a_client_resumes_nothing() {
    let (a, b) = (identity(), identity());
    let mut generous = ServerConfig::clone(&server(&a, &[&b]));
    generous.send_tls13_tickets = 2;
    let (server, client) = (Arc::new(generous), client(&b, &a));
    for _ in 0..2 {
        let (near, far) = handshake(Arc::clone(&server), Arc::clone(&client)).await;
        let (mut near, mut far) = (near.expect("accepted"), far.expect("accepted"));
        near.write_all(b"!").await.expect("open");
        far.read_u8().await.expect("open");
        assert_eq!(far.get_ref().1.tls13_tickets_received(), 2);
        assert_eq!(far.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

#[tokio::test]
async fn a_client_whose_key_is_not_pinned_is_refused() {
    let (a, b, stranger) = (identity(), identity(), identity());
    let (near, far) = handshake(server(&a, &[&b]), client(&stranger, &a)).await;
    let error = tls_error(near);
    assert!(error.to_string().contains(&stranger.pin().to_string()), "names the key: {error}");
    let mut far = far.expect("the client is done first");
    assert!(matches!(tls_error(far.read_u8().await), Error::AlertReceived(_)));
}

#[tokio::test]
async fn an_empty_list_lets_nobody_in() {
    let (a, b) = (identity(), identity());
    let (near, _) = handshake(server(&a, &[]), client(&b, &a)).await;
    assert!(matches!(tls_error(near), Error::InvalidCertificate(_)));
}

#[tokio::test]
async fn a_server_whose_key_is_not_pinned_is_refused() {
    let (a, b, stranger) = (identity(), identity(), identity());
    let (near, far) = handshake(server(&stranger, &[&b]), client(&b, &a)).await;
    assert!(tls_error(far).to_string().contains(&stranger.pin().to_string()));
    assert!(matches!(tls_error(near), Error::AlertReceived(_)));
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let (a, b) = (identity(), identity());
    let mut bare = ClientConfig::clone(&client(&b, &a));
    bare.client_auth_cert_resolver = Arc::new(NoCertificate);
    let (near, _) = handshake(server(&a, &[&b]), Arc::new(bare)).await;
    assert_eq!(tls_error(near), Error::NoCertificatesPresented);
}

#[derive(Debug)]
struct NoCertificate;

impl rustls::client::ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_pinned_certificate_is_nothing_without_its_key() {
    let (a, b, thief) = (identity(), identity(), identity());
    let bad_signature = Error::InvalidCertificate(CertificateError::BadSignature);

    let mut stolen = ClientConfig::clone(&client(&b, &a));
    stolen.client_auth_cert_resolver = impostor(&b, &thief);
    let (near, _) = handshake(server(&a, &[&b]), Arc::new(stolen)).await;
    assert_eq!(tls_error(near), bad_signature);

    let mut stolen = ServerConfig::clone(&server(&a, &[&b]));
    stolen.cert_resolver = impostor(&a, &thief);
    let (_, far) = handshake(Arc::new(stolen), client(&b, &a)).await;
    assert_eq!(tls_error(far), bad_signature);
}

#[tokio::test]
async fn dates_do_not_matter() {
    let (a, b) = (identity_until(2002), identity_until(2002));
    let (near, far) = handshake(server(&a, &[&b]), client(&b, &a)).await;
    assert!(near.is_ok() && far.is_ok());
}

#[tokio::test]
async fn a_client_of_tls_1_2_is_refused() {
    let (near, mut far) = tokio::io::duplex(4096);
    far.write_all(&hello_of_tls_1_2()).await.expect("open");
    let (a, b) = (identity(), identity());
    let error = tls_error(TlsAcceptor::from(server(&a, &[&b])).accept(near).await);
    assert!(matches!(error, Error::PeerIncompatible(_)), "{error:?}");
    let mut answer = Vec::new();
    far.read_to_end(&mut answer).await.expect("open");
    // An alert record; fatal, protocol_version (RFC 8446 6).
    assert_eq!((answer.first(), answer.get(5..)), (Some(&21), Some(&[2, 70][..])));
}

/// A ClientHello as of RFC 5246 7.4.1.2, in one record: no supported_versions, ECDHE suites.
fn hello_of_tls_1_2() -> Vec<u8> {
    let extensions: [&[u8]; 2] = [
        &[0, 10, 0, 4, 0, 2, 0, 29], // supported_groups: x25519
        &[0, 13, 0, 4, 0, 2, 4, 3],  // signature_algorithms: ecdsa_secp256r1_sha256
    ];
    let extensions = extensions.concat();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0, 0]);
    body.push(u8::try_from(extensions.len()).expect("short"));
    body.extend(extensions);
    let length = u8::try_from(body.len()).expect("short");
    let handshake = [&[1, 0, 0, length], &body[..]].concat();
    [&[22, 3, 1, 0, length + 4], &handshake[..]].concat()
}

#[test]
fn what_cannot_work_is_refused_when_it_is_loaded() {
    let (folder, other) = (Scratch::new(), Scratch::new());
    let (cert, key) = pem_files(&folder, 2099);
    let (_, foreign_key) = pem_files(&other, 2099);
    assert!(matches!(Identity::load(&cert, &foreign_key), Err(TlsError::Unusable { .. })));
    assert!(matches!(Identity::load(&key, &key), Err(TlsError::NoCertificate(_))));
    assert!(matches!(Identity::load(&cert, &cert), Err(TlsError::Pem { .. })));
    let absent = Identity::load(&folder.path("absent"), &key).expect_err("absent");
    assert!(absent.to_string().contains("absent"), "{absent}");

    let identity = Identity::load(&cert, &key).expect("a pair");
    assert!(matches!(client_config(&identity, &[]), Err(TlsError::NoPins)));
    assert!(pin_of_certificate(b"no certificate").is_err());
}

/// Notes on which thread a handshake comes to the key.
#[derive(Debug)]
struct Noting(Arc<dyn ResolvesServerCert>, Mutex<Vec<Option<String>>>);

impl ResolvesServerCert for Noting {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let thread = thread::current().name().map(str::to_owned);
        self.1.lock().expect("no panic").push(thread);
        self.0.resolve(hello)
    }
}

/// On which thread the listener signs for a client. The stream goes on at the caller's.
async fn signs_on(handshakes: impl FnOnce(Arc<ServerConfig>) -> Handshakes) -> Option<String> {
    let (a, b) = (identity(), identity());
    let mut config = ServerConfig::clone(&server(&a, &[&b]));
    let noting = Arc::new(Noting(Arc::clone(&config.cert_resolver), Mutex::default()));
    config.cert_resolver = Arc::clone(&noting) as _;
    let tcp = TcpListener::bind(LOCALHOST).await.expect("bound");
    let mut listener = TlsListener::over(tcp, handshakes(Arc::new(config)), 1);
    let addr = listener.local_addr().expect("bound");
    let (accepted, connected) = tokio::join!(listener.accept(), connect(addr, client(&b, &a)));
    let ((mut near, _, _), mut far) = (accepted, connected.expect("let in"));
    far.write_all(b"x").await.expect("open");
    far.flush().await.expect("open");
    assert_eq!(near.read_u8().await.expect("open"), b'x');
    let noted = std::mem::take(&mut *noting.1.lock().expect("no panic"));
    let [thread] = noted.try_into().expect("one handshake");
    thread
}

#[tokio::test]
async fn handshakes_have_a_thread_of_their_own() {
    let apart = signs_on(|config| Handshakes::start(config).expect("a thread")).await;
    assert_eq!(apart.as_deref(), Some(handshakes::THREAD));
    // The negative control: the same beside everything else.
    let beside = signs_on(|config| Handshakes::beside(Handle::current(), config)).await;
    assert_ne!(beside.as_deref(), Some(handshakes::THREAD));
}

/// A key that is not found before somebody says so.
#[derive(Debug)]
struct Stuck(Mutex<mpsc::Receiver<()>>);

impl ResolvesServerCert for Stuck {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let _ = self.0.lock().expect("no panic").recv();
        None
    }
}

#[tokio::test]
async fn handshakes_that_are_displaced_while_their_thread_computes_are_no_more_than_the_places() {
    const PLACES: usize = 2;
    let (a, b) = (identity(), identity());
    let (free, stuck) = mpsc::channel();
    let mut config = ServerConfig::clone(&server(&a, &[&b]));
    config.cert_resolver = Arc::new(Stuck(Mutex::new(stuck)));
    let handshakes = Handshakes::start(Arc::new(config)).expect("a thread");
    let tcp = TcpListener::bind(LOCALHOST).await.expect("bound");
    let mut listener = TlsListener::over(tcp, handshakes.clone(), PLACES);
    let addr = listener.local_addr().expect("bound");
    let crowd = async {
        let mut strangers = Vec::new();
        for _ in 0..5 * PLACES {
            let client = client(&b, &a);
            strangers.push(tokio::spawn(async move { connect(addr, client).await.is_ok() }));
            // One after the other: who is displaced before its turn is no burden to the thread.
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
        }
        // All have come when the last few alone still wait for a place.
        let turned_away = |strangers: &[JoinHandle<bool>]| {
            strangers.iter().filter(|stranger| stranger.is_finished()).count()
        };
        while handshakes.under_way() <= PLACES && turned_away(&strangers) < 3 * PLACES {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = listener.accept() => panic!("the key was not found yet"),
        () = crowd => {}
    }
    assert!(handshakes.under_way() <= PLACES, "{} on the thread", handshakes.under_way());
    drop(free);
}

#[tokio::test]
async fn silent_clients_do_not_keep_others_out() {
    let (a, b) = (identity(), identity());
    let mut listener = TlsListener::bind(LOCALHOST, server(&a, &[&b])).await.expect("bound");
    let addr = listener.local_addr().expect("bound");
    let mut silent = Vec::new();
    let honest = async {
        // More than there are places, and all of them call first.
        for _ in 0..listener::HANDSHAKES_MAX + 10 {
            silent.push(TcpStream::connect(addr).await.expect("connected"));
        }
        connect(addr, client(&b, &a)).await.expect("let in")
    };
    let ((_, pin, from), stream) = tokio::join!(listener.accept(), honest);
    assert_eq!(pin, b.pin());
    assert_eq!(from, stream.get_ref().0.local_addr().expect("connected"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_dropped_in_the_end() {
    let (a, b) = (identity(), identity());
    // The clock runs on when this runtime waits, so no other may work meanwhile.
    let handshakes = Handshakes::beside(Handle::current(), server(&a, &[&b]));
    let tcp = TcpListener::bind(LOCALHOST).await.expect("bound");
    let mut listener = TlsListener::over(tcp, handshakes, 1);
    let mut silent = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("open");
    let dropped = async {
        tokio::select! {
            _ = listener.accept() => panic!("it said nothing"),
            heard = silent.read_u8() => assert!(heard.is_err(), "closed"),
        }
    };
    tokio::time::timeout(HANDSHAKE_TIMEOUT * 2, dropped).await.expect("dropped in time");
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up_in_the_end() {
    let (a, b) = (identity(), identity());
    let tcp = tokio::net::TcpListener::bind(LOCALHOST).await.expect("bound");
    let addr = tcp.local_addr().expect("bound");
    let attempt = tokio::time::timeout(HANDSHAKE_TIMEOUT * 2, connect(addr, client(&b, &a)));
    let error = attempt.await.expect("given up in time").expect_err("nobody answers");
    assert!(matches!(error, TlsError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn handlers_of_axum_learn_who_calls() {
    let (a, b) = (identity(), identity());
    let listener = TlsListener::bind(LOCALHOST, server(&a, &[&b])).await.expect("bound");
    let addr = listener.local_addr().expect("bound");
    let whoami = async |ConnectInfo(peer): ConnectInfo<Peer>| format!("{} {}", peer.pin, peer.addr);
    let app = Router::new().route("/", get(whoami)).into_make_service_with_connect_info::<Peer>();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let mut stream = connect(addr, client(&b, &a)).await.expect("let in");
    let own = stream.get_ref().0.local_addr().expect("connected");
    let request = b"GET / HTTP/1.1\r\nHost: box.test\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("open");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with(&format!("{} {own}", b.pin())), "{answer}");
    server.abort();
}
