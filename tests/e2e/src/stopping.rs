//! A process that stops itself at an exact call, and whose clocks can be moved, under a program
//! that is not changed for it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use chronolease_core::time::Span;
use chronolease_lab::Ports;

use crate::process::Process;
use crate::tools;
use crate::wait;

/// What stands between the program and libc.
const SHIM: &str = include_str!("stopping.c");

/// Where the fields of the shared page begin.
const AT: u64 = 4;
const PLAN: u64 = 8;
const PLAN_BYTES: usize = 32;
const REAL_NS: u64 = 40;
const ALL_NS: u64 = 48;
const HANGS: u64 = 56;

/// The switch of one process.
///
/// A plan is a word with one letter for each call, in order; the process stops at the last one,
/// when the call has been made:
///
/// | letter | call |
/// |---|---|
/// | `q` | bytes of a client were read |
/// | `m` | the middle of a clock sample: RAW and REAL are read, RAW not yet again |
/// | `c` | a clock sample is complete |
/// | `w` | a write to the evidence log |
/// | `d` | an fdatasync of the evidence log |
/// | `s` | bytes were sent over the link |
/// | `r` | bytes were received from the link |
/// | `y` | a signing thread has signed a token, and not yet handed it over to be released |
/// | `a` | an answer to a client is about to be sent: the process stops before that |
#[derive(Debug)]
pub struct Stopping {
    shim: PathBuf,
    page: PathBuf,
    file: File,
    ports: Ports,
}

impl Stopping {
    /// A switch for a process that reaches the ports of this lab, with its files in `folder`. The C
    /// compiler is the one that Rust links with.
    #[must_use]
    pub fn new(folder: &Path, ports: Ports) -> Self {
        let shim = folder.join("stopping.so");
        if !shim.exists() {
            fs::write(folder.join("stopping.c"), SHIM).expect("the folder is ours");
            let arguments =
                ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", "stopping.so", "stopping.c"];
            tools::expect(folder, "cc", &arguments);
        }
        let name = |n: u32| folder.join(format!("stopping.{n}"));
        let page = (0..).map(name).find(|path| !path.exists()).expect("there are many numbers");
        let opened = OpenOptions::new().read(true).write(true).create_new(true).open(&page);
        let file = opened.expect("the folder is ours");
        file.set_len(4_096).expect("the folder is ours");
        Self { shim, page, file, ports }
    }

    /// For [`Process::set_env`].
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let shown = |path: &Path| path.to_str().expect("plain names").to_owned();
        let entries = [
            ("LD_PRELOAD", shown(&self.shim)),
            ("STOPPING_PAGE", shown(&self.page)),
            ("STOPPING_CLIENTS", self.ports.tsu_http().port().to_string()),
            ("STOPPING_LINK", self.ports.link().port().to_string()),
        ];
        entries.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The same for another process of the same box, which has the same clocks and never stops.
    #[must_use]
    pub fn environment_of_clocks(&self) -> Vec<(String, String)> {
        let alone = ("STOPPING_CLOCKS_ALONE".to_owned(), "1".to_owned());
        self.environment().into_iter().chain([alone]).collect()
    }

    /// Has the process stop at the end of `plan`.
    pub fn arm(&self, plan: &str) {
        let mut bytes = [0; PLAN_BYTES];
        bytes[..plan.len()].copy_from_slice(plan.as_bytes());
        self.put(0, &0u32.to_ne_bytes());
        self.put(AT, &0u32.to_ne_bytes());
        self.put(PLAN, &bytes);
        self.put(0, &1u32.to_ne_bytes());
    }

    /// Has the thread that makes the last call of `plan` never come back from it, while the others
    /// go on.
    pub fn arm_to_hang(&self, plan: &str) {
        self.put(HANGS, &1u32.to_ne_bytes());
        self.arm(plan);
    }

    /// Steps `CLOCK_REALTIME` of the process to `by` from the truth.
    pub fn step_to(&self, by: Span) {
        self.put(REAL_NS, &by.as_nanos().to_ne_bytes());
    }

    /// Moves every clock of the process to `by` from the truth, as if its box had been frozen and
    /// thawed.
    pub fn freeze_to(&self, by: Span) {
        self.put(ALL_NS, &by.as_nanos().to_ne_bytes());
    }

    /// Whether the process has come to the end of `plan`.
    #[must_use]
    pub fn is_through(&self, plan: &str) -> bool {
        self.passed() as usize == plan.len()
    }

    /// Waits until the process has stopped.
    pub fn await_stop(&self, process: &Process) {
        wait::eventually("it stops", || match process.is_stopped() {
            true => Ok(()),
            false => Err(format!("{} calls are past\n{}", self.passed(), process.tail())),
        });
    }

    fn passed(&self) -> u32 {
        let mut bytes = [0; 4];
        self.file.read_exact_at(&mut bytes, AT).expect("the page is ours");
        u32::from_ne_bytes(bytes)
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.file.write_all_at(bytes, at).expect("the page is ours");
    }
}
