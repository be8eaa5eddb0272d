//! A port base that no other test uses.

use std::net::{Ipv4Addr, TcpListener};

use chronolease_lab::Ports;

/// The first base that is tried. All bases lie below the ports that systems hand out by themselves.
const FIRST: u16 = 21_000;
/// From one base to the next; a lab needs fifteen ports.
const STEP: u16 = 40;
const BASES_MAX: u16 = 250;

/// The ports of one lab, ours until this is dropped: the base itself, which a lab does not use, is
/// held with a listener.
#[derive(Debug)]
pub struct PortClaim {
    base: u16,
    ports: Ports,
    _held: TcpListener,
}

impl PortClaim {
    /// The next base that nobody holds.
    #[must_use]
    pub fn next() -> Self {
        for base in (0..BASES_MAX).map(|n| FIRST + n * STEP) {
            if let Ok(held) = TcpListener::bind((Ipv4Addr::LOCALHOST, base)) {
                let ports = Ports::from_base(base).expect("the bases leave room above");
                return Self { base, ports, _held: held };
            }
        }
        panic!("no port base is free from {FIRST} on");
    }

    /// The base, for `--port-base`.
    #[must_use]
    pub const fn base(&self) -> u16 {
        self.base
    }

    /// Its number among all bases: no other test has it meanwhile.
    #[must_use]
    pub const fn number(&self) -> u8 {
        // Below `BASES_MAX`, which fits.
        ((self.base - FIRST) / STEP) as u8
    }

    /// The ports above it.
    #[must_use]
    pub const fn ports(&self) -> Ports {
        self.ports
    }
}
