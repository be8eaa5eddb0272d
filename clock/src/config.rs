//! The configuration of the clock reader: one TOML file; see `docs/configuration.md`.

use std::path::{Path, PathBuf};

use chronolease_core::time::Bound;
use chronolease_net::config::{ConfigErrors, Document, Section};
use chronolease_sys::PpsEvent;

/// What environment variables start with: `CHRONOLEASE_CLOCK_SOCKET__PATH` is `socket.path`.
pub const ENV_PREFIX: &str = "CHRONOLEASE_CLOCK_";

/// The longest path of a socket, in bytes: what the kernel takes, less the room for the temporary
/// name under which the socket is made.
const PATH_BYTES_MAX: usize = 90;

/// Everything that the configuration says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The socket.
    pub socket: SocketConfig,
    /// From one report to the next.
    pub interval: Bound,
    /// The device that tells of disruptions by the hypervisor, if there is one.
    pub vmclock: PathBuf,
    /// The pulse-per-second device, if there is one.
    pub pps: Option<PpsConfig>,
    /// The log level.
    pub log_level: String,
}

/// The pulse-per-second device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PpsConfig {
    /// The device, such as `/dev/pps0`. It need not be there yet.
    pub device: PathBuf,
    /// Which of its events marks the second.
    pub event: PpsEvent,
}

/// The socket, and who may listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketConfig {
    /// Where it is. Its folder must be there.
    pub path: PathBuf,
    /// Who may connect.
    pub access: Access,
    /// The most listeners at a time.
    pub clients_max: usize,
}

/// Who may connect to the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The reader's own user: mode 0600.
    Owner,
    /// The socket's group too: mode 0660.
    Group,
}

impl Access {
    /// The permissions of the socket file.
    #[must_use]
    pub const fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o660,
        }
    }
}

impl Config {
    /// Reads the file with its layers.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every mistake.
    pub fn load(path: &Path) -> Result<(Self, Document), ConfigErrors> {
        let document = Document::load(path, ENV_PREFIX)?;
        let config = document.finish(Self::read(&document.root()))?;
        Ok((config, document))
    }

    fn read(root: &Section<'_>) -> Option<Self> {
        let socket = SocketConfig::read(&root.section("socket"));
        let reader = root.section("reader");
        let interval = reader.duration_or("interval", Bound::from_millis(100));
        let range = Bound::from_millis(10)..=Bound::from_millis(1_000);
        if interval.is_some_and(|interval| !range.contains(&interval)) {
            reader.error("interval", "reports come every 10ms to 1s");
        }
        let vmclock = if reader.has("vmclock") {
            reader.path("vmclock")
        } else {
            reader.string_or("vmclock", "/dev/vmclock0").map(PathBuf::from)
        };
        let pps = root.optional("pps", |root, key| PpsConfig::read(&root.section(key)));
        let log_level = root.section("log").string_or("level", "info");
        Some(Self {
            socket: socket?,
            interval: interval?,
            vmclock: vmclock?,
            pps: pps?,
            log_level: log_level?,
        })
    }
}

impl PpsConfig {
    fn read(section: &Section<'_>) -> Option<Self> {
        let device = section.path("device");
        let events = [("assert", PpsEvent::Assert), ("clear", PpsEvent::Clear)];
        let event = section.one_of_or("edge", &events, PpsEvent::Assert);
        Some(Self { device: device?, event: event? })
    }
}

impl SocketConfig {
    fn read(section: &Section<'_>) -> Option<Self> {
        let path = section.path("path");
        if let Some(path) = &path {
            if path.as_os_str().len() > PATH_BYTES_MAX {
                section
                    .error("path", format!("a socket's path has {PATH_BYTES_MAX} bytes at most"));
            } else if path.file_name().is_none() {
                section.error("path", "it does not name a file");
            }
        }
        let choices = [("owner", Access::Owner), ("group", Access::Group)];
        let access = section.one_of_or("access", &choices, Access::Group);
        let clients_max = section.integer_or("clients_max", 1..=64, 8);
        Some(Self {
            path: path?,
            access: access?,
            clients_max: usize::try_from(clients_max?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests;
