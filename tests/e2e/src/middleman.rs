//! Somebody on the link between the boxes who holds no key: he sees TLS records, and may pass them
//! on, drop, repeat, reorder, alter and delay them.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use chronolease_core::time::{RawInstant, Span};
use chronolease_sys::Clocks;

/// Type, version and length of a TLS record.
const HEADER_BYTES: usize = 5;
/// The type of a record with application data.
const APPLICATION_DATA: u8 = 23;
/// How much of a connection's beginning is kept, to play it again.
const KEPT_BYTES_MAX: usize = 64 * 1_024;

/// What is done to one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It never arrives.
    Drop,
    /// It arrives twice.
    Repeat,
    /// It arrives after the one behind it.
    Swap,
    /// One bit of it is flipped.
    Flip,
}

/// Which way a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From box A to box B.
    ToMonitor,
    /// From box B to box A.
    ToTsu,
}

#[derive(Debug)]
struct Shared {
    clocks: Clocks,
    monitor: SocketAddr,
    /// For the next record of this way.
    deed: Mutex<Option<(Way, Deed)>>,
    delay_ns: AtomicI64,
    connections: AtomicUsize,
    ends: AtomicBool,
    /// What the first connection's TSU sent.
    first: Mutex<Vec<u8>>,
}

/// A listener that passes each connection on to the monitor.
#[derive(Debug)]
pub struct Middleman {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Middleman {
    /// Stands between whoever connects to `port` and the monitor, and passes everything on.
    #[must_use]
    pub fn new(port: u16, monitor: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is ours");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            clocks: Clocks::open().expect("this box has clocks"),
            monitor,
            deed: Mutex::new(None),
            delay_ns: AtomicI64::new(0),
            connections: AtomicUsize::new(0),
            ends: AtomicBool::new(false),
            first: Mutex::default(),
        });
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                if theirs.ends.load(Ordering::SeqCst) {
                    return;
                }
                let number = theirs.connections.fetch_add(1, Ordering::SeqCst);
                // While no monitor listens the caller finds the same here.
                let _ = pass_on(&theirs, caller, number == 0);
            }
        });
        Self { address, shared }
    }

    /// Where he listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections the TSU has made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Does this to the next record of application data that goes that way.
    pub fn strike(&self, way: Way, deed: Deed) {
        *self.shared.deed.lock().unwrap_or_else(PoisonError::into_inner) = Some((way, deed));
    }

    /// From now on every record, either way, arrives so much later.
    pub fn delay(&self, by: Span) {
        self.shared.delay_ns.store(by.as_nanos(), Ordering::SeqCst);
    }

    /// Plays to the monitor what the TSU said on its first connection, until the monitor hangs up.
    pub fn play_again(&self) {
        let said = self.shared.first.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert!(said.len() > HEADER_BYTES, "there was a first connection");
        let mut stream = TcpStream::connect(self.shared.monitor).expect("it listens");
        // It may hang up in the middle.
        let _ = stream.write_all(&said);
        while record(&mut stream).is_ok() {}
    }
}

impl Drop for Middleman {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        // The listener waits for one more.
        let _ = TcpStream::connect(self.address);
    }
}

fn pass_on(shared: &Arc<Shared>, caller: TcpStream, is_first: bool) -> io::Result<()> {
    let called = TcpStream::connect(shared.monitor)?;
    for stream in [&caller, &called] {
        stream.set_nodelay(true)?;
    }
    let ways =
        [(Way::ToMonitor, caller.try_clone()?, called.try_clone()?), (Way::ToTsu, called, caller)];
    for (way, from, to) in ways {
        let (records, due) = mpsc::channel();
        let (reading, writing) = (Arc::clone(shared), Arc::clone(shared));
        thread::spawn(move || read(&reading, way, from, &records, is_first));
        thread::spawn(move || write(&writing, to, due));
    }
    Ok(())
}

type Due = (RawInstant, Vec<u8>);

fn read(shared: &Shared, way: Way, mut from: TcpStream, to: &mpsc::Sender<Due>, is_first: bool) {
    let mut swapped = None;
    while let Ok(mut record) = record(&mut from) {
        if is_first && way == Way::ToMonitor {
            let mut first = shared.first.lock().unwrap_or_else(PoisonError::into_inner);
            if first.len() < KEPT_BYTES_MAX {
                first.extend_from_slice(&record);
            }
        }
        let due = shared.clocks.raw().as_nanos() + shared.delay_ns.load(Ordering::SeqCst);
        let due = RawInstant::from_nanos(due);
        let mut later = swapped.take();
        let mut times = 1;
        match strikes(shared, way, record[0]) {
            None => {}
            Some(Deed::Drop) => times = 0,
            Some(Deed::Repeat) => times = 2,
            Some(Deed::Swap) => {
                swapped = Some(record);
                continue;
            }
            Some(Deed::Flip) => record[HEADER_BYTES] ^= 1,
        }
        let records = std::iter::repeat_n(record, times).chain(later.take());
        for record in records {
            if to.send((due, record)).is_err() {
                return;
            }
        }
    }
    // The other side hears of the end once all is written.
}

fn strikes(shared: &Shared, way: Way, kind: u8) -> Option<Deed> {
    let mut deed = shared.deed.lock().unwrap_or_else(PoisonError::into_inner);
    match *deed {
        Some((its_way, what)) if its_way == way && kind == APPLICATION_DATA => {
            *deed = None;
            Some(what)
        }
        _ => None,
    }
}

fn write(shared: &Shared, mut to: TcpStream, records: mpsc::Receiver<Due>) {
    for (due, record) in records {
        let wait = (due - shared.clocks.raw()).max(Span::ZERO);
        thread::sleep(Duration::from_nanos(wait.magnitude().as_nanos()));
        if to.write_all(&record).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn record(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut record = vec![0; HEADER_BYTES];
    from.read_exact(&mut record)?;
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(HEADER_BYTES + length, 0);
    from.read_exact(&mut record[HEADER_BYTES..])?;
    Ok(record)
}
