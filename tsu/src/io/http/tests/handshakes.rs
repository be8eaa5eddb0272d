//! Strangers in their TLS handshakes, and that they are in nobody's way.

use std::sync::Mutex;
use std::sync::mpsc as std_mpsc;

use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::*;

/// Tells a hang from a slow machine.
const HANG: Duration = Duration::from_secs(60);

/// A key whose signatures take until somebody else was answered.
#[derive(Debug)]
struct Slow(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key: Arc<dyn SigningKey>,
    begun: mpsc::UnboundedSender<()>,
    answered: Mutex<std_mpsc::Receiver<()>>,
    /// So long it waits for that.
    waits: Duration,
    /// Whether it came while the key signed.
    told: mpsc::UnboundedSender<bool>,
}

#[derive(Debug)]
struct SlowSigner(Box<dyn Signer>, Arc<Inner>);

impl SigningKey for Slow {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.0.key.choose_scheme(offered)?;
        Some(Box::new(SlowSigner(signer, Arc::clone(&self.0))))
    }

    fn algorithm(&self) -> rustls::SignatureAlgorithm {
        self.0.key.algorithm()
    }
}

impl Signer for SlowSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let Self(signer, inner) = self;
        inner.begun.send(()).expect("the test waits");
        let answered = inner.answered.lock().expect("no panic").recv_timeout(inner.waits);
        inner.told.send(answered.is_ok()).expect("the test waits");
        signer.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}

/// A server with this key.
fn server_config(resolver: Arc<dyn ResolvesServerCert>) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3");
    Arc::new(builder.with_no_client_auth().with_cert_resolver(resolver))
}

fn key() -> (CertificateDer<'static>, Arc<dyn SigningKey>) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate").der().clone();
    let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&der).expect("P-256");
    (certificate, key)
}

/// What opens a handshake, and costs whoever sends it nothing.
fn client_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("memory");
    hello
}

/// Serves over HTTP and HTTPS; where.
async fn serve_both(seats: usize, tls: Handshakes, patience: Duration) -> [SocketAddr; 2] {
    let (requests, _waiting) = queue();
    let endpoint = Endpoint { patience, ..endpoint(requests, &Pki::new()) };
    let (mut doors, mut addresses) = (Vec::new(), Vec::new());
    for tls in [None, Some(tls)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        addresses.push(listener.local_addr().expect("bound"));
        doors.push(Door { listener, tls });
    }
    tokio::spawn(endpoint.serve(doors, seats, CancellationToken::new()));
    addresses.try_into().expect("two doors")
}

/// A server whose key signs slowly, and what there is to say and hear of that.
struct SlowServer {
    config: Arc<ServerConfig>,
    is_begun: mpsc::UnboundedReceiver<()>,
    is_told: mpsc::UnboundedReceiver<bool>,
    answer: std_mpsc::Sender<()>,
}

impl SlowServer {
    /// Its signatures take `waits` at most.
    fn new(waits: Duration) -> Self {
        let (certificate, key) = key();
        let (begun, is_begun) = mpsc::unbounded_channel();
        let (told, is_told) = mpsc::unbounded_channel();
        let (answer, answered) = std_mpsc::channel();
        let key = Slow(Arc::new(Inner { key, begun, answered: answered.into(), waits, told }));
        let certified = CertifiedKey::new(vec![certificate], Arc::new(key));
        let config = server_config(Arc::new(SingleCertAndKey::from(certified)));
        Self { config, is_begun, is_told, answer }
    }
}

/// Whether somebody over plain HTTP was answered while the key of HTTPS signed, which it did for as
/// long as that took, `waits` at most.
async fn answered_meanwhile(
    handshakes: impl FnOnce(Arc<ServerConfig>) -> Handshakes,
    waits: Duration,
) -> bool {
    let SlowServer { config, mut is_begun, mut is_told, answer } = SlowServer::new(waits);
    let [http, https] = serve_both(8, handshakes(config), HANG).await;

    let mut stranger = TcpStream::connect(https).await.expect("loopback");
    stranger.write_all(&client_hello()).await.expect("connected");
    is_begun.recv().await.expect("the key is asked");
    assert!(exchange(http, &get_of("/policy")).await.starts_with("HTTP/1.1 200 OK\r\n"));
    // Nobody listens any more when it gave up before.
    let _ = answer.send(());
    let meanwhile = is_told.recv().await.expect("it signs in the end");
    // That it was a handshake like any other: the server's part of it comes.
    assert_eq!(stranger.read_u8().await.expect("a record"), 22, "a handshake record");
    meanwhile
}

#[tokio::test]
async fn a_handshake_that_takes_long_keeps_nobody_waiting() {
    let apart = |config| Handshakes::start(config).expect("a thread");
    assert!(answered_meanwhile(apart, HANG).await, "nobody was answered while the key signed");
    // The negative control: the same on the thread that serves everybody.
    let beside = |config| Handshakes::beside(Handle::current(), config);
    assert!(!answered_meanwhile(beside, Duration::from_millis(100)).await);
}

/// A deadline gives a handshake up while its thread computes: there is room for the next one only
/// when the thread is done with it.
#[tokio::test]
async fn a_handshake_that_is_given_up_keeps_its_place_until_it_is_over() {
    let SlowServer { config, mut is_begun, answer, is_told: _told } = SlowServer::new(HANG);
    let tls = Handshakes::start(config).expect("a thread");
    let places = Arc::new(Semaphore::new(1));
    let place = Arc::clone(&places).acquire_owned().await.expect("open");
    let (mut stranger, stream) = tokio::io::duplex(16_384);
    stranger.write_all(&client_hello()).await.expect("it fits");
    tokio::select! {
        done = tls.accept(stream, place) => panic!("before it signed: {:?}", done.map(|_| ())),
        begun = is_begun.recv() => begun.expect("the key is asked"),
    }
    assert_eq!(places.available_permits(), 0, "it still signs");
    answer.send(()).expect("it waits");
    let free = timeout(HANG, places.acquire()).await.expect("its place is given back");
    assert!(free.is_ok());
}

/// The clock of the runtime runs to the next timeout when all wait.
#[tokio::test(start_paused = true)]
async fn strangers_in_their_handshakes_leave_half_of_the_seats() {
    const SEATS: usize = 4;
    let (certificate, key) = key();
    let certified = CertifiedKey::new(vec![certificate], key);
    let config = server_config(Arc::new(SingleCertAndKey::from(certified)));
    let tls = Handshakes::start(config).expect("a thread");
    let [http, https] = serve_both(SEATS, tls, HANG).await;

    let mut silent = Vec::new();
    for _ in 0..2 * SEATS {
        silent.push(TcpStream::connect(https).await.expect("loopback"));
    }
    // Until all of them are where they stay.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..SEATS {
        let asked = get_of("/policy");
        let answer = timeout(HANG / 2, exchange(http, &asked)).await;
        let answer = answer.expect("strangers hold all seats");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}
