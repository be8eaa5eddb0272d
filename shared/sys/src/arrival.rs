//! Datagrams with the kernel's word on when they arrived.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};

use chronolease_core::time::{Timestamp, Utc};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use crate::clock::nanos;

/// Asks the kernel to note when datagrams arrive (`SO_TIMESTAMPNS`).
///
/// # Errors
/// When the kernel has no such notes for this socket.
pub fn stamp_arrivals(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::ReceiveTimestampns, &true)?)
}

/// Takes the next datagram of a socket that does not block: its length, cut off at the end of
/// `datagram`, and what the system clock showed when it arrived, if the kernel noted that.
///
/// # Errors
/// What the system says; [`io::ErrorKind::WouldBlock`] when there is none.
pub fn receive_stamped(
    socket: &impl AsFd,
    datagram: &mut [u8],
) -> io::Result<(usize, Option<Timestamp<Utc>>)> {
    let mut buffers = [IoSliceMut::new(datagram)];
    let mut control = nix::cmsg_space!(TimeSpec);
    let socket = socket.as_fd().as_raw_fd();
    let received = recvmsg::<()>(socket, &mut buffers, Some(&mut control), MsgFlags::empty())?;
    let mut stamp = None;
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmTimestampns(at) = message {
            stamp = Some(Timestamp::from_unix_nanos(nanos(at).as_nanos()));
        }
    }
    Ok((received.bytes, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clocks;
    use std::net::UdpSocket;

    #[test]
    fn a_stamp_lies_between_the_sending_and_the_reading() {
        let clocks = Clocks::open().expect("this box has clocks");
        let [to, from] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("loopback"));
        let address = to.local_addr().expect("bound");
        stamp_arrivals(&to).expect("the kernel knows it");
        let mut datagram = [0; 4];
        // What arrives before the kernel notes arrivals for the first socket has a stamp too: it is
        // made when it is asked for. So the second one is what counts.
        for word in [b"one", b"two"] {
            let before = clocks.real();
            from.send_to(word, address).expect("loopback");
            let (length, stamp) = receive_stamped(&to, &mut datagram).expect("it arrives");
            assert_eq!(&datagram[..length], word);
            let stamp = stamp.expect("it was asked for");
            assert!(before <= stamp && stamp <= clocks.real(), "{stamp:?}");
        }
    }
}
