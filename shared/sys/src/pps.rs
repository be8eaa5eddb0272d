//! Pulse-per-second devices (RFC 2783), through the ioctls of `linux/pps.h`. Nothing here changes a
//! device's parameters: the kernel keeps one set for everybody who has it open.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use chronolease_core::time::{Timestamp, Utc};
use libc::c_int;

/// Which edge of the pulse marks the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PpsEvent {
    /// RFC 2783's assert event, as the device's driver defines it: most often the rising edge.
    Assert,
    /// Its clear event.
    Clear,
}

impl PpsEvent {
    /// `PPS_CAPTUREASSERT`, `PPS_CAPTURECLEAR`.
    const fn mode(self) -> c_int {
        match self {
            Self::Assert => 0x01,
            Self::Clear => 0x02,
        }
    }
}

/// The newest edge that the kernel captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How many there were; it wraps. 0: none yet.
    pub sequence: u32,
    /// `CLOCK_REALTIME` at the edge.
    pub real: Timestamp<Utc>,
}

/// A device that is open for reading.
#[derive(Debug)]
pub struct PpsDevice {
    file: File,
    event: PpsEvent,
}

/// `struct pps_ktime`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Ktime {
    sec: i64,
    nsec: i32,
    flags: u32,
}

/// `struct pps_kinfo`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Kinfo {
    assert_sequence: u32,
    clear_sequence: u32,
    assert_tu: Ktime,
    clear_tu: Ktime,
    current_mode: c_int,
}

/// `struct pps_fdata`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Fdata {
    info: Kinfo,
    timeout: Ktime,
}

/// `struct pps_kparams`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Kparams {
    api_version: c_int,
    mode: c_int,
    assert_off_tu: Ktime,
    clear_off_tu: Ktime,
}

// The kernel's header builds these codes from the size of a pointer to the structure, not of the
// structure, so the macros that take a type would ask for something that no kernel knows.
const GETPARAMS: libc::Ioctl = nix::request_code_read!(b'p', 0xa1, size_of::<*mut Kparams>());
const GETCAP: libc::Ioctl = nix::request_code_read!(b'p', 0xa3, size_of::<*mut c_int>());
const FETCH: libc::Ioctl = nix::request_code_readwrite!(b'p', 0xa4, size_of::<*mut Fdata>());

nix::ioctl_read_bad!(pps_getparams, GETPARAMS, Kparams);
nix::ioctl_read_bad!(pps_getcap, GETCAP, c_int);
nix::ioctl_readwrite_bad!(pps_fetch, FETCH, Fdata);

impl PpsDevice {
    /// Opens a device, read-only, and asks whether it captures the event.
    ///
    /// # Errors
    /// When it cannot be opened, is no such device, or does not capture the event; then the driver
    /// or somebody with the right to do so has to be told to.
    pub fn open(path: &Path, event: PpsEvent) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut capabilities: c_int = 0;
        // SAFETY: the kernel writes one int, which lives through the call.
        unsafe { pps_getcap(file.as_raw_fd(), &raw mut capabilities) }?;
        let mut parameters = Kparams::default();
        // SAFETY: the kernel writes one pps_kparams, which lives through the call.
        unsafe { pps_getparams(file.as_raw_fd(), &raw mut parameters) }?;
        if capabilities & parameters.mode & event.mode() == 0 {
            let why = format!("the device does not capture the {event:?} event");
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        Ok(Self { file, event })
    }

    /// Waits for an edge, `timeout` at most, and answers the newest there is, new or not. Edges
    /// that came while nobody waited are not waited for again; they are in the answer as well.
    ///
    /// # Errors
    /// When the device does not answer.
    pub fn wait(&self, timeout: Duration) -> io::Result<Captured> {
        match self.fetch(timeout) {
            Err(nix::Error::ETIMEDOUT | nix::Error::EINTR) => {
                Ok(newest(&self.fetch(Duration::ZERO)?, self.event))
            }
            fetched => Ok(newest(&fetched?, self.event)),
        }
    }

    /// A timeout of zero does not wait.
    fn fetch(&self, timeout: Duration) -> nix::Result<Kinfo> {
        let timeout = Ktime {
            sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            nsec: i32::try_from(timeout.subsec_nanos()).expect("below a billion"),
            flags: 0,
        };
        let mut data = Fdata { info: Kinfo::default(), timeout };
        // SAFETY: the kernel reads and writes one pps_fdata, which lives through the call.
        unsafe { pps_fetch(self.file.as_raw_fd(), &raw mut data) }?;
        Ok(data.info)
    }
}

fn newest(info: &Kinfo, event: PpsEvent) -> Captured {
    let (sequence, time) = match event {
        PpsEvent::Assert => (info.assert_sequence, info.assert_tu),
        PpsEvent::Clear => (info.clear_sequence, info.clear_tu),
    };
    let ns = time.sec.saturating_mul(1_000_000_000).saturating_add(time.nsec.into());
    Captured { sequence, real: Timestamp::from_unix_nanos(ns) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    /// As the ioctls of a real device were seen to be; x86-64 and AArch64 agree.
    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn the_requests_are_those_of_the_kernel() {
        assert_eq!(GETPARAMS as u32, 0x8008_70a1);
        assert_eq!(GETCAP as u32, 0x8008_70a3);
        assert_eq!(FETCH as u32, 0xc008_70a4);
    }

    #[test]
    fn the_structures_are_laid_out_as_in_the_kernel() {
        assert_eq!(size_of::<Ktime>(), 16);
        assert_eq!((size_of::<Kinfo>(), offset_of!(Kinfo, assert_tu)), (48, 8));
        assert_eq!((size_of::<Fdata>(), offset_of!(Fdata, timeout)), (64, 48));
        assert_eq!((size_of::<Kparams>(), offset_of!(Kparams, assert_off_tu)), (40, 8));
    }

    #[test]
    fn each_event_has_its_own_edge() {
        let time = |sec, nsec| Ktime { sec, nsec, flags: 0 };
        let info = Kinfo {
            assert_sequence: 7,
            clear_sequence: 8,
            assert_tu: time(3, 999_999_999),
            clear_tu: time(4, 200),
            current_mode: 0,
        };
        let captured = |sequence, ns| Captured { sequence, real: Timestamp::from_unix_nanos(ns) };
        assert_eq!(newest(&info, PpsEvent::Assert), captured(7, 3_999_999_999));
        assert_eq!(newest(&info, PpsEvent::Clear), captured(8, 4_000_000_200));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test of the call itself")]
    fn what_is_no_such_device_is_refused() {
        let open = |path: &str| PpsDevice::open(Path::new(path), PpsEvent::Assert);
        let missing = open("/nonexistent/pps0").expect_err("it is not there");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let other = open("/dev/null").expect_err("it has no such ioctl");
        assert_eq!(other.raw_os_error(), Some(libc::ENOTTY));
    }
}
