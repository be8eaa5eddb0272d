//! Strangers who make the TSU sign for HTTPS, over and over, and go away.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chronolease_e2e::load::{Load, now};
use chronolease_e2e::rig::lay_over;
use chronolease_e2e::tools::expect;
use chronolease_e2e::{Options, Rig};

/// How many strangers there are, each with so many connections at a time.
const STRANGERS: usize = 4;
const CONNECTIONS: usize = 50;

/// How many tokens must come meanwhile. When handshakes ran beside the pipeline, at most three came
/// in a second, and the lease was lost.
const TOKENS: usize = 400;

/// Opens handshakes until it is dropped.
struct Flood {
    signed: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    strangers: Vec<JoinHandle<()>>,
}

impl Flood {
    fn start(address: SocketAddr) -> Self {
        let hello: Arc<[u8]> = client_hello().expect("curl sends one").into();
        let (signed, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let stranger = |_| {
            let (signed, stop, hello) = (Arc::clone(&signed), Arc::clone(&stop), hello.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let open: Vec<_> =
                        (0..CONNECTIONS).filter_map(|_| begun(address, &hello).ok()).collect();
                    for mut connection in open {
                        // The first octet of its answer comes with the signature.
                        if connection.read_exact(&mut [0]).is_ok() {
                            signed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            })
        };
        let strangers = (0..STRANGERS).map(stranger).collect();
        Self { signed, stop, strangers }
    }

    fn signed(&self) -> usize {
        self.signed.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for stranger in self.strangers.drain(..) {
            // It may be what made the test panic.
            let _ = stranger.join();
        }
    }
}

fn begun(address: SocketAddr, hello: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    stream.write_all(hello)?;
    Ok(stream)
}

/// What opens a handshake. Whoever has it sends it as often as he likes, at no cost.
fn client_hello() -> io::Result<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("https://{}/", listener.local_addr()?);
    let mut curl = Command::new("curl");
    let mut curl = curl.args(["-s", "--tlsv1.3", &url]).stdout(Stdio::null()).spawn()?;
    let (mut stream, _) = listener.accept()?;
    let mut hello = vec![0; 5];
    stream.read_exact(&mut hello)?;
    hello.resize(5 + usize::from(u16::from_be_bytes([hello[3], hello[4]])), 0);
    stream.read_exact(&mut hello[5..])?;
    drop(stream);
    curl.wait()?;
    Ok(hello)
}

#[test]
fn tokens_keep_coming_while_strangers_open_handshakes() {
    let mut rig = Rig::prepared(&Options::default());
    let generate = [
        "req",
        "-x509",
        "-newkey",
        "rsa:4096",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-days",
        "30",
        "-keyout",
        "pki/https.key",
        "-out",
        "pki/https.pem",
    ];
    expect(rig.layout().dir(), "openssl", &generate);
    let overlay = format!(
        "[https]\nlisten = \"127.0.0.1:{}\"\ncertificate_file = \"../pki/https.pem\"\n\
         key_file = \"../pki/https.key\"\n",
        rig.spare_port()
    );
    lay_over(rig.layout(), "tsu", &overlay);
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();

    let flood = Flood::start(SocketAddr::from(([127, 0, 0, 1], rig.spare_port())));
    // As many as they open at a time: from now on there are always some that wait.
    rig.eventually("the handshakes of strangers", || match flood.signed() {
        signed if signed >= STRANGERS * CONNECTIONS => Ok(()),
        signed => Err(format!("{signed} so far")),
    });
    let (since, before) = (now(), flood.signed());
    let load = Load::start(rig.client_address(), 4, Duration::ZERO);
    rig.eventually("tokens", || match load.count(since, |answer| answer.token().is_some()) {
        tokens if tokens >= TOKENS => Ok(()),
        tokens => Err(format!("{tokens}, and {} handshakes", flood.signed() - before)),
    });
    assert!(flood.signed() > before, "no handshake meanwhile, so this shows nothing");
    drop(load);
    drop(flood);
    assert_eq!(rig.tsu.sigterm().code(), Some(0));
}
