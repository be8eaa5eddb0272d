//! Which binaries run, and that they are of the sources under test.

use std::path::PathBuf;
use std::process::Command;

use chronolease_net::build::BUILD_ID;

/// A program of Chronolease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The time-stamping unit.
    Tsu,
    /// The monitor.
    Monitor,
    /// The clock reader.
    Clock,
    /// The lab.
    Lab,
    /// The operators' and auditors' tool.
    Cli,
}

impl Program {
    /// Every program.
    pub const ALL: [Self; 5] = [Self::Tsu, Self::Monitor, Self::Clock, Self::Lab, Self::Cli];

    /// The name of its binary.
    #[must_use]
    pub const fn binary(self) -> &'static str {
        match self {
            Self::Tsu => "chronolease-tsu",
            Self::Monitor => "chronolease-monitor",
            Self::Clock => "chronolease-clock",
            Self::Lab => "chronolease-lab",
            Self::Cli => "chronolease",
        }
    }
}

/// Which build of the two boxes runs. Clock reader, lab and tool are always the shipped ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Programs {
    /// As shipped.
    #[default]
    Release,
    /// The same with guard and probe verdict switched off, to show that a test can fail.
    NegativeControl,
}

impl Programs {
    /// The binary of `program`.
    #[must_use]
    pub fn path(self, program: Program) -> PathBuf {
        let variable = match (self, program) {
            (Self::NegativeControl, Program::Tsu | Program::Monitor) => {
                "CHRONOLEASE_NEGATIVE_CONTROL_BIN_DIR"
            }
            (Self::Release, _) | (_, Program::Clock | Program::Lab | Program::Cli) => {
                "CHRONOLEASE_BIN_DIR"
            }
        };
        let folder = std::env::var_os(variable)
            .map(PathBuf::from)
            .unwrap_or_else(|| panic!("{variable} is not set; `make test` sets it"));
        assert!(folder.is_absolute(), "{variable} must be absolute, as `make test` sets it");
        let path = folder.join(program.binary());
        let shown = path.display();
        assert!(path.is_file(), "{shown} of {variable} is missing; `make test` builds it");
        path
    }

    /// Checks that every binary was built from the sources that this test was built from.
    pub fn check(self) {
        for program in Program::ALL {
            let path = self.path(program);
            let shown = path.display();
            let output = Command::new(&path).arg("--version").output();
            let output = output.unwrap_or_else(|e| panic!("{shown} does not run: {e}"));
            let version = String::from_utf8_lossy(&output.stdout);
            assert!(
                version.contains(BUILD_ID),
                "{shown} is {:?}, but this test was built from the sources of build {BUILD_ID}; \
                 `make test` builds both from one tree",
                version.trim()
            );
        }
    }
}
