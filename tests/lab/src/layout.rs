//! Which file and which port of a lab is what.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// One time source of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Laboratory {
    /// How configuration, metrics and the control listener name it.
    pub name: &'static str,
    /// The laboratory it stands for: one group, one vote.
    pub laboratory: &'static str,
}

/// The sources of a lab, in the order of their ports.
pub const SOURCES: [Laboratory; 5] = [
    Laboratory { name: "ptb", laboratory: "PTB" },
    Laboratory { name: "npl", laboratory: "NPL" },
    Laboratory { name: "metas", laboratory: "METAS" },
    Laboratory { name: "sp", laboratory: "SP" },
    Laboratory { name: "inrim", laboratory: "INRIM" },
];

/// The roles that get a person each.
pub const ROLES: [&str; 4] = ["operator", "officer", "administrator", "auditor"];

/// The port base when none is given.
pub const PORT_BASE: u16 = 3160;

/// Every listener of a lab, on 127.0.0.1, counted from one base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    base: u16,
}

impl Ports {
    /// The ports above `base`; `None` when the last one would lie beyond 65535.
    #[must_use]
    pub const fn from_base(base: u16) -> Option<Self> {
        match base.checked_add(10 + SOURCES.len() as u16 - 1) {
            Some(_) => Some(Self { base }),
            None => None,
        }
    }

    fn at(self, offset: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base.saturating_add(offset)).into()
    }

    /// Where the TSU answers RFC 3161 requests.
    #[must_use]
    pub fn tsu_http(self) -> SocketAddr {
        self.at(1)
    }

    /// Where the monitor awaits its TSUs.
    #[must_use]
    pub fn link(self) -> SocketAddr {
        self.at(2)
    }

    /// Where the monitor answers operators.
    #[must_use]
    pub fn admin(self) -> SocketAddr {
        self.at(3)
    }

    /// Metrics and health of the TSU.
    #[must_use]
    pub fn tsu_metrics(self) -> SocketAddr {
        self.at(4)
    }

    /// Metrics and health of the monitor.
    #[must_use]
    pub fn monitor_metrics(self) -> SocketAddr {
        self.at(5)
    }

    /// Where the knobs of the sources are turned.
    #[must_use]
    pub fn control(self) -> SocketAddr {
        self.at(9)
    }

    /// The sources with the address each of them listens on.
    pub fn sources(self) -> impl Iterator<Item = (Laboratory, SocketAddr)> {
        SOURCES.into_iter().zip(10..).map(move |(source, offset)| (source, self.at(offset)))
    }
}

/// The files of a lab directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The files below `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file at `relative`, as the configuration files write it.
    #[must_use]
    pub fn file(&self, relative: &str) -> PathBuf {
        self.dir.join(relative)
    }

    /// The configuration of the TSU.
    #[must_use]
    pub fn tsu_toml(&self) -> PathBuf {
        self.file("tsu.toml")
    }

    /// The configuration of the monitor.
    #[must_use]
    pub fn monitor_toml(&self) -> PathBuf {
        self.file("monitor.toml")
    }

    /// The configuration of box A's clock reader.
    #[must_use]
    pub fn tsu_clock_toml(&self) -> PathBuf {
        self.file("tsu-clock.toml")
    }

    /// The configuration of box B's clock reader.
    #[must_use]
    pub fn monitor_clock_toml(&self) -> PathBuf {
        self.file("monitor-clock.toml")
    }

    /// Where the sockets of the clock readers are.
    #[must_use]
    pub fn sockets(&self) -> PathBuf {
        self.file("run")
    }

    /// The socket of box A's clock reader.
    #[must_use]
    pub fn tsu_clock_socket(&self) -> PathBuf {
        self.sockets().join("tsu-clock.sock")
    }

    /// The socket of box B's clock reader.
    #[must_use]
    pub fn monitor_clock_socket(&self) -> PathBuf {
        self.sockets().join("monitor-clock.sock")
    }

    /// The list of leap seconds.
    #[must_use]
    pub fn leap_list(&self) -> PathBuf {
        self.file("leap-seconds.list")
    }

    /// The configuration of the sources. Its first line marks the directory as a lab.
    #[must_use]
    pub fn lab_toml(&self) -> PathBuf {
        self.file("lab.toml")
    }

    /// All keys and certificates.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.file("pki")
    }

    /// The root that a token's chain ends at.
    #[must_use]
    pub fn tsa_ca(&self) -> PathBuf {
        self.file("pki/tsa-ca.pem")
    }

    /// The root of both boxes' and all persons' certificates.
    #[must_use]
    pub fn node_ca(&self) -> PathBuf {
        self.file("pki/node-ca.pem")
    }

    /// Certificate of the person who holds `role`, one of [`ROLES`].
    #[must_use]
    pub fn person_certificate(&self, role: &str) -> PathBuf {
        self.file(&format!("pki/persons/{role}.pem"))
    }

    /// Private key of the person who holds `role`, one of [`ROLES`].
    #[must_use]
    pub fn person_key(&self, role: &str) -> PathBuf {
        self.file(&format!("pki/persons/{role}.key"))
    }

    /// What the daemons keep across restarts.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.file("state")
    }

    /// What the TSU must remember.
    #[must_use]
    pub fn tsu_state(&self) -> PathBuf {
        self.state().join("tsu")
    }

    /// What the monitor must remember.
    #[must_use]
    pub fn monitor_state(&self) -> PathBuf {
        self.state().join("monitor")
    }

    /// The monitor's record of the TSU.
    #[must_use]
    pub fn ward_record(&self) -> PathBuf {
        self.monitor_state().join("tsu-1.ward")
    }

    /// What the demo's daemons wrote to stderr.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.file("logs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_count_from_the_base() {
        let ports = Ports::from_base(PORT_BASE).expect("the default base fits");
        assert_eq!(ports.tsu_http().to_string(), "127.0.0.1:3161");
        assert_eq!(ports.control().to_string(), "127.0.0.1:3169");
        let sources: Vec<_> =
            ports.sources().map(|(source, address)| (source.name, address.port())).collect();
        assert_eq!(
            sources,
            [("ptb", 3170), ("npl", 3171), ("metas", 3172), ("sp", 3173), ("inrim", 3174)]
        );
    }

    #[test]
    fn a_base_without_room_is_no_base() {
        assert!(Ports::from_base(65_535 - 14).is_some());
        assert_eq!(Ports::from_base(65_535 - 13), None);
    }
}
