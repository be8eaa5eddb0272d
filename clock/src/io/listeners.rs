//! Who listens. Nobody is ever waited for.

use std::io::Write;
use std::os::unix::net::UnixStream;

use tracing::{info, warn};

/// The connected listeners, in the order they came.
#[derive(Debug)]
pub struct Listeners {
    connected: Vec<Listener>,
    places: usize,
}

#[derive(Debug)]
struct Listener {
    stream: UnixStream,
    /// Who it is, for the log.
    who: String,
}

impl Listeners {
    /// Nobody yet, and room for so many.
    #[must_use]
    pub const fn new(places: usize) -> Self {
        Self { connected: Vec::new(), places }
    }

    /// Takes a listener in, whose stream must not block. When all places are taken it is closed at
    /// once: those who listen already must not be lost to a stranger.
    pub fn admit(&mut self, stream: UnixStream, who: String) {
        if self.connected.len() >= self.places {
            warn!(who, places = self.places, "a listener is refused: all places are taken");
            return;
        }
        info!(who, "a listener has come");
        self.connected.push(Listener { stream, who });
    }

    /// Sends `frame` to everybody. Who has gone, or has not read enough to make room for all of it,
    /// is dropped.
    pub fn send(&mut self, frame: &[u8]) {
        self.connected.retain_mut(|listener| match listener.stream.write(frame) {
            Ok(sent) if sent == frame.len() => true,
            Ok(_) => {
                warn!(who = listener.who, "a listener is dropped: it does not read");
                false
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                warn!(who = listener.who, "a listener is dropped: it does not read");
                false
            }
            Err(_gone) => {
                info!(who = listener.who, "a listener has gone");
                false
            }
        });
    }

    /// How many listen.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.connected.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// A stream to admit, and its other end.
    fn pair() -> (UnixStream, UnixStream) {
        let (near, far) = UnixStream::pair().expect("a pair");
        near.set_nonblocking(true).expect("ours");
        (near, far)
    }

    #[test]
    fn one_that_does_not_read_is_dropped_and_the_others_miss_nothing() {
        let mut listeners = Listeners::new(4);
        let ((silent, _kept_open), (reading, mut far)) = (pair(), pair());
        listeners.admit(silent, "silent".to_owned());
        listeners.admit(reading, "reading".to_owned());
        let mut rounds = 0u32;
        while listeners.count() == 2 {
            let frame = rounds.to_be_bytes().repeat(64);
            listeners.send(&frame);
            let mut received = vec![0; frame.len()];
            far.read_exact(&mut received).expect("it is connected");
            assert_eq!(received, frame);
            rounds += 1;
        }
        assert!(rounds > 1, "dropped before its buffer was full");
        assert_eq!(listeners.connected[0].who, "reading");
    }

    #[test]
    fn one_that_takes_half_a_frame_is_dropped() {
        let mut listeners = Listeners::new(1);
        let (near, mut far) = pair();
        listeners.admit(near, "slow".to_owned());
        let longer_than_its_buffer = vec![0; 16 << 20];
        listeners.send(&longer_than_its_buffer);
        assert_eq!(listeners.count(), 0);
        assert!(far.read(&mut [0]).is_ok_and(|n| n == 1), "a part was sent");
    }

    #[test]
    fn one_that_has_gone_makes_room() {
        let mut listeners = Listeners::new(1);
        let (near, far) = pair();
        listeners.admit(near, "first".to_owned());
        let (stranger, mut refused) = pair();
        refused.set_nonblocking(true).expect("ours");
        listeners.admit(stranger, "second".to_owned());
        assert_eq!(refused.read(&mut [0]).expect("closed"), 0);
        drop(far);
        listeners.send(b"report");
        assert_eq!(listeners.count(), 0);
        listeners.admit(pair().0, "third".to_owned());
        assert_eq!(listeners.count(), 1);
    }
}
