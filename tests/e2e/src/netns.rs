//! A network namespace for box A: one link to box B that can be cut, one for its clients.
//!
//! Needs root and `ip` (iproute2). What is made is removed with the test; what a killed test left
//! behind is removed by the next one.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::bins::{Program, Programs};
use crate::process::Process;
use crate::rig::{Rig, lay_over};
use crate::tools::said;

/// Ours begin with it; the id of the process that made it follows.
const PREFIX: &str = "chronolease-e2e-";

/// How a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing passes either way.
    Down,
    /// What box A sends is lost; what is sent to it arrives. Each side believes something else.
    OneWay,
}

/// A namespace with two cables to the one that the test runs in.
#[derive(Debug)]
pub struct Island {
    name: String,
    subnet: u8,
    /// Each cable's name inside and outside.
    cables: [(&'static str, String); 2],
}

impl Island {
    /// Makes namespace and cables, and puts the TSU of a rig that was not started yet there, as
    /// shipped; sources and monitor stay outside. `tsu` and `monitor` begin what is laid over their
    /// configurations.
    #[must_use]
    pub fn of(rig: &mut Rig, tsu: &str, monitor: &str) -> Self {
        let island = Self::new(rig.number());
        island.place(rig, tsu, monitor);
        island
    }

    fn new(number: u8) -> Self {
        remove_what_killed_tests_left();
        let process = std::process::id();
        let cables = ["link", "clients"].map(|cable| (cable, format!("cl{number}{}", &cable[..1])));
        let name = format!("{PREFIX}{process}-{number}");
        let island = Self { name, subnet: number, cables };
        let made = ip(&["netns", "add", &island.name]);
        let why = said(&made);
        assert!(
            made.status.success(),
            "these tests make network namespaces, as root alone may: {why}"
        );
        island.inside(&["link", "set", "dev", "lo", "up"]);
        for ((cable, outer), block) in island.cables.iter().zip([0, 4]) {
            let inner = ["peer", "name", cable, "netns", &island.name];
            expect(&[&["link", "add", outer, "type", "veth"][..], &inner].concat());
            let [here, there] = [1, 2].map(|n| format!("{}/30", island.address(block + n)));
            expect(&["addr", "add", &here, "dev", outer]);
            expect(&["link", "set", "dev", outer, "up"]);
            island.inside(&["addr", "add", &there, "dev", cable]);
            island.inside(&["link", "set", "dev", cable, "up"]);
        }
        island
    }

    /// Where box B is, seen from the island.
    const fn monitor(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// Where box A is, seen by its clients.
    const fn tsu(&self) -> Ipv4Addr {
        self.address(6)
    }

    fn place(&self, rig: &mut Rig, tsu: &str, monitor: &str) {
        let ports = rig.ports();
        let [http, metrics, link] =
            [ports.tsu_http(), ports.tsu_metrics(), ports.link()].map(|address| address.port());
        let (here, there) = (self.tsu(), self.monitor());
        let overlay = format!(
            "{tsu}[http]\nlisten = \"{here}:{http}\"\n[metrics]\nlisten = \"{here}:{metrics}\"\n\
             [link]\nmonitor = \"{there}:{link}\"\n"
        );
        lay_over(rig.layout(), "tsu", &overlay);
        let overlay = format!("{monitor}[link]\nlisten = \"{there}:{link}\"\n");
        lay_over(rig.layout(), "monitor", &overlay);
        let (program, config) = (Programs::Release.path(Program::Tsu), rig.layout().tsu_toml());
        let [program, config] = [&program, &config].map(|path| path.to_str().expect("plain names"));
        // It becomes the program, so the process keeps its id.
        let arguments = ["netns", "exec", &self.name, program, "--config", config];
        let log = rig.tsu.log_file().to_owned();
        rig.tsu = Process::new(PathBuf::from("ip"), &arguments, log);
        rig.tsu_host = here.into();
    }

    /// Cuts the link between the boxes. In force when this returns.
    pub fn cut(&self, cut: Cut) {
        match cut {
            Cut::Down => self.inside(&["link", "set", "dev", "link", "down"]),
            Cut::OneWay => self.inside(&["route", "add", "blackhole", &self.monitor().to_string()]),
        }
    }

    /// Heals what [`cut`](Self::cut) did.
    pub fn heal(&self, cut: Cut) {
        match cut {
            Cut::Down => self.inside(&["link", "set", "dev", "link", "up"]),
            Cut::OneWay => self.inside(&["route", "del", "blackhole", &self.monitor().to_string()]),
        }
    }

    const fn address(&self, host: u8) -> Ipv4Addr {
        // Set aside for benchmarks (RFC 2544), so that it meets nobody.
        Ipv4Addr::new(198, 18, self.subnet, host)
    }

    fn inside(&self, arguments: &[&str]) {
        expect(&[&["-n", &self.name], arguments].concat());
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        // The other ends go with these at once; the namespace takes its time.
        for (_, outer) in &self.cables {
            let _ = ip(&["link", "del", "dev", outer]);
        }
        let _ = ip(&["netns", "del", &self.name]);
    }
}

fn remove_what_killed_tests_left() {
    let Ok(entries) = fs::read_dir("/run/netns") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = ip(&["netns", "del", &name]);
        }
    }
}

fn ip(arguments: &[&str]) -> Output {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output();
    output.unwrap_or_else(|e| panic!("ip does not run ({e}); `make test` installs iproute2"))
}

fn expect(arguments: &[&str]) {
    let output = ip(arguments);
    assert!(output.status.success(), "ip {arguments:?}: {}", said(&output));
}
