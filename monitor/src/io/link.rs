//! The connections of the TSUs.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chronolease_core::id::{SpkiPin, TsuId};
use chronolease_core::wire::{
    self, Hello, Opening, PROTOCOL_VERSION, RefusedWhy, ToMonitor, ToTsu, WireError,
};
use chronolease_net::frame::{FrameError, read_frame, write_frame};
use chronolease_net::tls::{self, TlsError, TlsListener};
use chronolease_sys::Clocks;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::engine::Input;
use crate::core::authority::{ConnId, Event};

/// How long a TSU may take to introduce itself.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a TSU may take to take a message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// The most messages that wait to be sent to one TSU: as many batches as it can have in flight, and
/// some.
const OUTGOING_MAX: usize = 320;

/// How many refusals are remembered at most.
const REFUSALS_MAX: usize = 64;

/// Which TSU may use which keys.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The TSU.
    pub tsu: TsuId,
    /// Its keys.
    pub pins: Vec<SpkiPin>,
}

/// Accepts TSUs.
pub struct Links {
    /// The bound listener.
    pub listener: TlsListener,
    /// All TSUs, in the order of the wards.
    pub registered: Arc<[Registered]>,
    /// The clocks of this box.
    pub clocks: Clocks,
    /// Where everything goes.
    pub engine: mpsc::Sender<Input>,
    /// The connections, so that the monitor can wait for their last words.
    pub tracker: TaskTracker,
}

#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("it sent what is no message: {0}")]
    Wire(#[from] WireError),
    #[error("it did not introduce itself within {HELLO_TIMEOUT:?}")]
    NoHello,
    #[error("it took no message for {WRITE_TIMEOUT:?}")]
    Stuck,
    #[error("it introduced itself twice or late")]
    OutOfOrder,
    #[error("its key is not pinned for the TSU {0}")]
    Identity(TsuId),
    #[error(
        "the TSU {} speaks protocol version {}, and this monitor version {PROTOCOL_VERSION}: install \
         the same release on both boxes", .0.tsu, .0.version
    )]
    Version(Opening),
}

impl Links {
    /// Accepts until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut next = 0u64;
        let refusals = Arc::<Mutex<Refusals>>::default();
        loop {
            let (stream, pin, address) = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            next += 1;
            let connection = Connection {
                conn: ConnId(next),
                pin,
                registered: Arc::clone(&self.registered),
                clocks: self.clocks,
                engine: self.engine.clone(),
            };
            let refusals = Arc::clone(&refusals);
            self.tracker.spawn(async move {
                let ended = connection.run(stream).await;
                let mut refusals = refusals.lock().unwrap_or_else(PoisonError::into_inner);
                let told = refusals.told_before(address.ip(), &ended);
                match ended {
                    Ok(()) => info!(%address, "a TSU's connection ended"),
                    Err(error) if told => debug!(%address, %error, "a TSU was refused again"),
                    Err(error) => warn!(%address, %error, "a TSU's connection broke"),
                }
            });
        }
    }
}

impl LinkError {
    /// Whether it comes back with each attempt until a person changes a configuration.
    const fn is_refusal(&self) -> bool {
        matches!(self, Self::Identity(_) | Self::Version(_))
    }
}

/// Who was refused, and why. A TSU calls again four times a second, which is no news.
#[derive(Debug, Default)]
struct Refusals(HashSet<(IpAddr, String)>);

impl Refusals {
    /// Whether a connection from this address ended with a refusal that was told before.
    fn told_before(&mut self, address: IpAddr, ended: &Result<(), LinkError>) -> bool {
        match ended {
            Err(refusal) if refusal.is_refusal() => {
                if self.0.len() >= REFUSALS_MAX {
                    self.0.clear();
                }
                !self.0.insert((address, refusal.to_string()))
            }
            Ok(()) | Err(_) => {
                self.0.retain(|(other, _)| *other != address);
                false
            }
        }
    }
}

struct Connection {
    conn: ConnId,
    pin: SpkiPin,
    registered: Arc<[Registered]>,
    clocks: Clocks,
    engine: mpsc::Sender<Input>,
}

impl Connection {
    async fn run(self, stream: TlsStream<TcpStream>) -> Result<(), LinkError> {
        let channel = tls::channel_binding(stream.get_ref().1)?;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let Some(hello) = hello(&mut reader, &mut writer).await? else { return Ok(()) };
        let belongs = |r: &Registered| r.tsu == hello.tsu && r.pins.contains(&self.pin);
        let Some(ward) = self.registered.iter().position(belongs) else {
            refuse(&mut writer, RefusedWhy::Identity).await?;
            return Err(LinkError::Identity(hello.tsu));
        };
        let (outgoing, messages) = mpsc::channel(OUTGOING_MAX);
        let connected = Event::Connected { conn: self.conn, hello, channel };
        if self.engine.send(Input::Connected { ward, event: connected, outgoing }).await.is_err() {
            return Ok(());
        }
        let ended = tokio::select! {
            ended = self.listen(ward, &mut reader) => ended,
            ended = talk(&mut writer, messages) => ended,
        };
        let closed = Event::Closed { conn: self.conn };
        let _ = self.engine.send(Input::Link { ward, event: closed }).await;
        ended
    }

    async fn listen<R: AsyncRead + Unpin>(
        &self,
        ward: usize,
        reader: &mut R,
    ) -> Result<(), LinkError> {
        let conn = self.conn;
        while let Some(frame) = read_frame(reader).await? {
            // m4: as soon as the answer is in, and before anything else.
            let received = self.clocks.raw();
            let input = match wire::decode_to_monitor(&frame)? {
                ToMonitor::Hello(_) => return Err(LinkError::OutOfOrder),
                ToMonitor::Answer(answer) => Input::Answered { ward, conn, answer, received },
                ToMonitor::Revoked(up_to) => {
                    Input::Link { ward, event: Event::RevocationAcked { conn, up_to } }
                }
                ToMonitor::Confirm(confirm) => Input::Confirm { ward, conn, confirm },
                ToMonitor::Cosigned(line) => Input::Cosigned { ward, conn, line },
            };
            if self.engine.send(input).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// The first message of a TSU that speaks this version; `None` when it goes away without one.
async fn hello<R, W>(reader: &mut R, writer: &mut W) -> Result<Option<Hello>, LinkError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let first = tokio::time::timeout(HELLO_TIMEOUT, read_frame(reader)).await;
    let Some(frame) = first.map_err(|_| LinkError::NoHello)?? else { return Ok(None) };
    // Of another version's Hello this much can be read, and no more.
    if let Some(opening) = Opening::read(&frame).filter(|o| o.version != PROTOCOL_VERSION) {
        refuse(writer, RefusedWhy::Version(PROTOCOL_VERSION)).await?;
        return Err(LinkError::Version(opening));
    }
    match wire::decode_to_monitor(&frame)? {
        ToMonitor::Hello(hello) => Ok(Some(hello)),
        _ => Err(LinkError::OutOfOrder),
    }
}

/// Sends until the engine drops its end, then closes in good order.
async fn talk<W: AsyncWrite + Unpin>(
    writer: &mut W,
    mut messages: mpsc::Receiver<ToTsu>,
) -> Result<(), LinkError> {
    while let Some(message) = messages.recv().await {
        write(writer, &message).await?;
    }
    close(writer).await;
    Ok(())
}

/// Says why, and closes in good order.
async fn refuse<W: AsyncWrite + Unpin>(writer: &mut W, why: RefusedWhy) -> Result<(), LinkError> {
    write(writer, &ToTsu::Refused(why)).await?;
    close(writer).await;
    Ok(())
}

async fn close<W: AsyncWrite + Unpin>(writer: &mut W) {
    // The TSU may be gone already.
    let _ = tokio::time::timeout(WRITE_TIMEOUT, writer.shutdown()).await;
}

async fn write<W: AsyncWrite + Unpin>(writer: &mut W, message: &ToTsu) -> Result<(), LinkError> {
    let frame = wire::encode_to_tsu(message);
    let written = tokio::time::timeout(WRITE_TIMEOUT, write_frame(writer, &frame));
    Ok(written.await.map_err(|_| LinkError::Stuck)??)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::evidence::TreeHead;
    use chronolease_core::id::{BootId, Incarnation};

    fn ours() -> Hello {
        Hello {
            version: PROTOCOL_VERSION,
            tsu: TsuId::new("tsu-1").expect("a fair name"),
            incarnation: Incarnation::from_bytes([1; 16]),
            boot_id: BootId::from_bytes([2; 16]),
            held: TreeHead::empty(),
        }
    }

    #[test]
    fn a_refusal_is_news_once_for_each_address_until_the_tsu_was_admitted() {
        let mut refusals = Refusals::default();
        let [here, there] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        let identity = |name: &str| Err(LinkError::Identity(TsuId::new(name).expect("fair")));
        let (one, other) = (identity("tsu-1"), identity("tsu-2"));
        assert!(!refusals.told_before(here, &one));
        assert!(refusals.told_before(here, &one));
        assert!(!refusals.told_before(here, &other));
        assert!(!refusals.told_before(there, &one));
        // Whatever else happens to a connection is told each time.
        for _ in 0..2 {
            assert!(!refusals.told_before(here, &Err(LinkError::Stuck)));
        }
        assert!(!refusals.told_before(here, &one), "it was admitted in between");
        assert!(refusals.told_before(there, &one));
    }

    #[test]
    fn refusals_from_many_addresses_do_not_pile_up() {
        let mut refusals = Refusals::default();
        let one = Err(LinkError::Identity(TsuId::new("tsu-1").expect("fair")));
        for number in 0..10 * REFUSALS_MAX as u32 {
            refusals.told_before(IpAddr::from(number.to_be_bytes()), &one);
            assert!(refusals.0.len() <= REFUSALS_MAX);
        }
    }

    /// What the monitor makes of this first message, and what it answers.
    async fn says(frame: &[u8]) -> (Result<Option<Hello>, LinkError>, Option<ToTsu>) {
        let (mut tsu, monitor) = tokio::io::duplex(1_024);
        let (mut reader, mut writer) = tokio::io::split(monitor);
        write_frame(&mut tsu, frame).await.expect("there is room");
        let result = hello(&mut reader, &mut writer).await;
        drop((reader, writer));
        let answer = read_frame(&mut tsu).await.expect("a frame or nothing");
        (result, answer.map(|der| wire::decode_to_tsu(&der).expect("a message")))
    }

    #[tokio::test]
    async fn a_hello_of_another_version_is_refused_and_both_boxes_name_both_versions() {
        let mine = wire::encode_to_monitor(&ToMonitor::Hello(ours()));
        let (result, answer) = says(&mine).await;
        assert_eq!((result.expect("it is one"), answer), (Some(ours()), None));

        // The version behind the tag and the length, and a tail that nobody here knows.
        let mut other = mine;
        other[4] = PROTOCOL_VERSION + 1;
        other.truncate(12);
        other.extend([0xbf, 0x81, 0x00, 0x01, 0xff]);
        other[1] = u8::try_from(other.len() - 2).expect("short");
        assert!(wire::decode_to_monitor(&other).is_err());
        let (result, answer) = says(&other).await;
        let (ours, theirs) = (PROTOCOL_VERSION, PROTOCOL_VERSION + 1);
        let logged = result.expect_err("another version").to_string();
        let both =
            format!("tsu-1 speaks protocol version {theirs}, and this monitor version {ours}");
        assert!(logged.contains(&both), "{logged}");
        // The TSU puts its own number, which is ours here, beside what it is told.
        let Some(ToTsu::Refused(why)) = answer else { panic!("{answer:?}") };
        assert_eq!(why, RefusedWhy::Version(ours));
    }

    #[tokio::test]
    async fn another_message_or_none_is_no_hello() {
        let early = wire::encode_to_monitor(&ToMonitor::Cosigned("no".to_owned()));
        let (result, answer) = says(&early).await;
        assert!(matches!(result, Err(LinkError::OutOfOrder)), "{result:?}");
        assert_eq!(answer, None);
        // A Hello of this version must be one to its end.
        let mut broken = wire::encode_to_monitor(&ToMonitor::Hello(ours()));
        broken.push(0);
        let (result, answer) = says(&broken).await;
        assert!(matches!(result, Err(LinkError::Wire(_))), "{result:?}");
        assert_eq!(answer, None);
    }
}
