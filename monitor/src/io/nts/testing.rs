//! Throw-away certificates, a real chronyd that serves under NTS, a relay before it, and a server of
//! our own for what chronyd never says.

use std::fs;
use std::net::{SocketAddr, TcpStream as Probe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chronolease_net::random;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

use super::trust::Trust;
use crate::core::ntp::packet::Packet;
use crate::core::nts::field::{self, Kind};
use crate::core::nts::seal::{Direction, EXPORTER_LABEL, Key};

const CHRONYD: &str = "/usr/sbin/chronyd";

/// A folder of its own that goes away with the test.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        let tag = u64::from_be_bytes(random::bytes());
        let folder = std::env::temp_dir().join(format!("chronolease-nts-{tag:016x}"));
        fs::create_dir(&folder).expect("the folder for temporary files is writable");
        Self(folder)
    }

    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("ours");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A root, and what it signs.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate chain and its key, in PEM.
pub(crate) struct Server {
    pub(crate) chain: String,
    key: String,
}

/// Years around 2026, far enough for everything.
pub(crate) const LONG: (i32, i32) = (2020, 2090);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = params(&[], LONG);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("a root") }
    }

    /// An authority below this one.
    pub(crate) fn below(&self, years: (i32, i32)) -> Self {
        let mut params = params(&[], years);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::signed_by(params, key, &self.issuer).expect("signed") }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn server(&self, name: &str, years: (i32, i32)) -> Server {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(&[name], years).signed_by(&key, &self.issuer).expect("signed");
        Server { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// Trust in this authority alone.
    pub(crate) fn trust(&self, scratch: &Scratch) -> Arc<Trust> {
        let tag = u64::from_be_bytes(random::bytes());
        let file = scratch.put(&format!("ca-{tag:016x}.pem"), &self.pem());
        Arc::new(Trust::load(&[file]).expect("a root"))
    }
}

fn params(names: &[&str], (from, to): (i32, i32)) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("fair names");
    let tag = u64::from_be_bytes(random::bytes());
    params.distinguished_name.push(rcgen::DnType::CommonName, format!("test {tag:016x}"));
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    params
}

/// The present year by this box, for certificates around it.
pub(crate) fn year() -> i32 {
    let real = chronolease_sys::Clocks::open().expect("clocks").real();
    let seconds = real.as_unix_nanos() / 1_000_000_000;
    OffsetDateTime::from_unix_timestamp(seconds).expect("a date").year()
}

/// chronyd as a server of NTP and of keys. It tells clients to ask 127.0.0.2, where a [`Relay`]
/// listens or nobody does, and leaves this box's clock alone.
pub(crate) struct Chronyd {
    child: Child,
    config: PathBuf,
    ntp: u16,
    keys: u16,
    _scratch: Scratch,
}

impl Chronyd {
    pub(crate) fn start(server: &Server) -> Self {
        for _ in 0..20 {
            let (scratch, [ntp, keys]) = (Scratch::new(), ports());
            let config = write_config(&scratch, server, ntp, keys);
            let mut chronyd = Self { child: run(&config), config, ntp, keys, _scratch: scratch };
            if chronyd.serves() {
                return chronyd;
            }
        }
        panic!("chronyd does not come up");
    }

    /// A new process with new keys, so that no old cookie can be opened.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.child = run(&self.config);
        assert!(self.serves(), "chronyd does not come up again");
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Where keys are exchanged.
    pub(crate) fn keys(&self, host: &str) -> String {
        format!("{host}:{}", self.keys)
    }

    /// Where NTP is served.
    pub(crate) fn ntp(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.ntp).into()
    }

    /// Where clients are sent.
    pub(crate) fn told(&self) -> SocketAddr {
        ([127, 0, 0, 2], self.ntp).into()
    }

    /// Whether it listens. Without the port of the keys it runs on as a plain server.
    fn serves(&mut self) -> bool {
        let keys = SocketAddr::from(([127, 0, 0, 1], self.keys));
        for _ in 0..2_000 {
            if self.child.try_wait().expect("ours").is_some() {
                return false;
            }
            if Probe::connect(keys).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Chronyd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(config: &Path) -> Child {
    assert!(Path::new(CHRONYD).is_file(), "{CHRONYD} is missing; `make test` installs it");
    let mut chronyd = Command::new(CHRONYD);
    chronyd.args(["-4", "-U", "-x", "-d", "-f"]).arg(config);
    chronyd.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
}

fn write_config(scratch: &Scratch, server: &Server, ntp: u16, keys: u16) -> PathBuf {
    let chain = scratch.put("chain.pem", &server.chain);
    let key = scratch.put("key.pem", &server.key);
    let pid = scratch.0.join("chronyd.pid");
    let text = format!(
        "port {ntp}\nbindaddress 127.0.0.1\ncmdport 0\nbindcmdaddress /\nallow 127/8\n\
         local stratum 1\nuser root\npidfile {}\nntsport {keys}\nntsserverkey {}\n\
         ntsservercert {}\nntsntpserver 127.0.0.2\nntsprocesses 0\n",
        pid.display(),
        key.display(),
        chain.display(),
    );
    scratch.put("chrony.conf", &text)
}

/// Two ports that nobody had a moment ago: of UDP for NTP, of TCP for keys.
fn ports() -> [u16; 2] {
    let ntp = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let keys = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    [ntp.local_addr(), keys.local_addr()].map(|address| address.expect("bound").port())
}

/// What becomes of an answer: the datagrams that the client gets for it.
pub(crate) type Script = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>> + Send>;

/// Passes requests on, and answers back by a script.
pub(crate) struct Relay {
    script: Arc<Mutex<Script>>,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    answers: Arc<AtomicUsize>,
}

impl Relay {
    pub(crate) async fn before(chronyd: &Chronyd) -> Self {
        let outside = UdpSocket::bind(chronyd.told()).await.expect("loopback");
        let server = chronyd.ntp();
        let relay = Self {
            script: Arc::new(Mutex::new(Box::new(|answer| vec![answer.to_vec()]))),
            requests: Arc::default(),
            answers: Arc::default(),
        };
        let (script, requests) = (Arc::clone(&relay.script), Arc::clone(&relay.requests));
        let answers = Arc::clone(&relay.answers);
        tokio::spawn(async move {
            let mut datagram = [0; 2_048];
            loop {
                let (length, client) = outside.recv_from(&mut datagram).await.expect("loopback");
                requests.lock().expect("alive").push(datagram[..length].to_vec());
                let inside = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
                inside.connect(server).await.expect("loopback");
                inside.send(&datagram[..length]).await.expect("loopback");
                let answer =
                    tokio::time::timeout(Duration::from_secs(2), inside.recv(&mut datagram));
                let Ok(Ok(length)) = answer.await else { continue };
                answers.fetch_add(1, Ordering::Relaxed);
                let out = (script.lock().expect("alive"))(&datagram[..length]);
                for datagram in out {
                    outside.send_to(&datagram, client).await.expect("loopback");
                }
            }
        });
        relay
    }

    pub(crate) fn script(&self, script: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) {
        *self.script.lock().expect("alive") = Box::new(script);
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().expect("alive").clone()
    }
}

/// A server of keys that answers every request with the same records, and of time that answers
/// every request with the same header, sealed.
pub(crate) struct Keeper {
    /// Where keys are exchanged.
    pub(crate) keys: String,
    asked: Arc<AtomicUsize>,
}

impl Keeper {
    /// In front of `records` stands the port of NTP.
    pub(crate) async fn start(
        server: &Server,
        alpn: &[&[u8]],
        records: Vec<u8>,
        header: Packet,
    ) -> Self {
        let chain = CertificateDer::pem_slice_iter(server.chain.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .expect("ours");
        let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).expect("ours");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("they belong together");
        // An empty name: it speaks no protocol at all.
        let named = alpn.iter().filter(|name| !name.is_empty());
        tls.alpn_protocols = named.map(|name| name.to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let time = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
        let port = time.local_addr().expect("bound").port();
        let response = [&[0, 7, 0, 2], &port.to_be_bytes()[..], &records].concat();
        let keys = format!("localhost:{}", listener.local_addr().expect("bound").port());
        let (asked, seal) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        tokio::spawn(serve_keys(
            listener,
            TlsAcceptor::from(Arc::new(tls)),
            response,
            seal.clone(),
        ));
        tokio::spawn(serve_time(time, header, seal, Arc::clone(&asked)));
        Self { keys, asked }
    }

    /// How often it was asked for the time.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn serve_keys(
    listener: TcpListener,
    tls: TlsAcceptor,
    response: Vec<u8>,
    seal: Arc<Mutex<Option<Key>>>,
) {
    loop {
        let (tcp, _) = listener.accept().await.expect("loopback");
        let Ok(mut stream) = tls.accept(tcp).await else { continue };
        let mut request = [0; 16];
        if stream.read_exact(&mut request).await.is_err() {
            continue;
        }
        let context = Direction::ServerToClient.context();
        let key =
            stream.get_ref().1.export_keying_material([0; 32], EXPORTER_LABEL, Some(&context));
        *seal.lock().expect("alive") = Some(Key::new(key.expect("the handshake is done")));
        let _ = stream.write_all(&response).await;
        let _ = stream.shutdown().await;
    }
}

async fn serve_time(
    socket: UdpSocket,
    header: Packet,
    seal: Arc<Mutex<Option<Key>>>,
    asked: Arc<AtomicUsize>,
) {
    let mut datagram = [0; 2_048];
    loop {
        let (length, client) = socket.recv_from(&mut datagram).await.expect("loopback");
        asked.fetch_add(1, Ordering::Relaxed);
        let origin = Packet::parse(&datagram[..length]).expect("a request").transmit;
        let mut fields =
            field::read(&datagram[Packet::LEN..length]).map(|field| field.expect("ours"));
        let identifier = fields.find(|field| field.kind == Kind::UniqueIdentifier).expect("one");
        let mut answer = Packet { origin, ..header }.to_bytes().to_vec();
        field::write(&mut answer, Kind::UniqueIdentifier, identifier.body);
        let key = seal.lock().expect("alive").clone().expect("keys come first");
        let body = key.seal(&answer, &[], &random::bytes());
        field::write(&mut answer, Kind::Authenticator, &body);
        socket.send_to(&answer, client).await.expect("loopback");
    }
}
