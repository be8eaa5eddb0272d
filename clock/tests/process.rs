//! The real process, as it is shipped, and those who listen to it.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use chronolease_clock::config::ENV_PREFIX;
use chronolease_core::clock_reader::{self as report, ClockReport, Lost, Mark, ReaderState, Since};
use chronolease_core::time::Bound;
use chronolease_e2e::process::Process;
use chronolease_e2e::rig::Directory;
use chronolease_e2e::{eventually, tools};
use chronolease_net::clock_reader::{ClockReader, ClockReaderConfig};
use chronolease_net::frame::read_frame;
use chronolease_sys::Clocks;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chronolease-clock");

/// EX_CONFIG of sysexits.h.
const EX_CONFIG: i32 = 78;

/// Far longer than a busy machine pauses a process, so that only who is meant to falls silent.
const PATIENT: Bound = Bound::from_millis(60_000);

/// A clock reader that can be started again and again.
struct Bench {
    directory: Directory,
    process: Process,
    clocks: Clocks,
}

impl Bench {
    /// With a report each 10 ms and places for three listeners. It does not run yet.
    fn new() -> Self {
        let directory = Directory::new();
        let text = "[socket]\npath = \"clock.sock\"\nclients_max = 3\n\
                    [reader]\ninterval = \"10ms\"\nvmclock = \"vmclock\"\n";
        fs::write(directory.path().join("clock.toml"), text).expect("ours");
        let config = directory.path().join("clock.toml").display().to_string();
        let log = directory.path().join("clock.log");
        let process = Process::new(PROGRAM.into(), &["--config", &config], log);
        Self { directory, process, clocks: Clocks::open().expect("this box has clocks") }
    }

    fn started() -> Self {
        let mut bench = Self::new();
        bench.start();
        bench
    }

    fn start(&mut self) {
        // The file of a killed process is still there, so look for somebody behind it.
        let socket = self.socket();
        self.process.start_until(|| {
            std::os::unix::net::UnixStream::connect(&socket).map(drop).map_err(|e| e.to_string())
        });
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("clock.sock")
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.socket()).await.expect("it listens")
    }

    /// A reader of this bench that has heard it, with the mark of that moment.
    async fn heard(&self, silence_max: Bound) -> (ClockReader, Mark) {
        let config = ClockReaderConfig { socket: self.socket(), silence_max };
        let mut reader = ClockReader::start(config, self.clocks, CancellationToken::new());
        let mark = self.alive(&mut reader).await;
        (reader, mark)
    }

    /// Waits until the reader is alive.
    async fn alive(&self, reader: &mut ClockReader) -> Mark {
        loop {
            match reader.state(self.clocks.raw()) {
                ReaderState::Alive(mark) => return mark,
                ReaderState::Lost(_) => reader.changed().await,
            }
        }
    }

    /// Waits until the reader is lost, and answers why.
    async fn lost(&self, reader: &mut ClockReader) -> Lost {
        loop {
            match reader.state(self.clocks.raw()) {
                ReaderState::Lost(why) => return why,
                ReaderState::Alive(_) => reader.changed().await,
            }
        }
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.process.pid());
        tools::expect(self.directory.path(), "sh", &["-c", &kill]);
    }

    /// Runs the program to its end, with these arguments after `--config` and these variables.
    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
        let arguments = [&["--config", "clock.toml"], arguments].concat();
        let output = tools::run_with(self.directory.path(), PROGRAM, &arguments, environment);
        (output.status.code(), tools::said(&output))
    }
}

/// The next report, or `None` at the end.
async fn next(stream: &mut UnixStream) -> Option<ClockReport> {
    let frame = read_frame(stream).await.expect("whole frames")?;
    Some(report::decode(&frame).expect("a report"))
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_advance_until_it_is_asked_to_stop() {
    let mut bench = Bench::started();
    let mut stream = bench.connect().await;
    let mut reports = Vec::new();
    for _ in 0..20 {
        reports.push(next(&mut stream).await.expect("it runs"));
    }
    for pair in reports.windows(2) {
        assert_eq!(pair[0].sequence + 1, pair[1].sequence);
        assert_eq!((pair[0].run, &pair[0].machine), (pair[1].run, &pair[1].machine));
        assert!(pair[0].sample.raw_after <= pair[1].sample.raw_before);
    }
    let last = reports.last().expect("twenty");
    assert_eq!(last.sample.boot_id, bench.clocks.boot_id());
    assert!(last.sample.raw_after <= bench.clocks.raw());
    assert_eq!(last.machine, chronolease_sys::machine());
    assert_eq!(last.steps, None, "nobody may set the clock of a test box");
    assert!(reports.iter().any(|report| report.kernel.is_ok()));

    assert!(bench.process.sigterm().success());
    while next(&mut stream).await.is_some() {}
    assert!(!bench.socket().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_it_is_lost_and_restarted_it_begins_a_new_epoch() {
    let mut bench = Bench::started();
    let (mut reader, mark) = bench.heard(PATIENT).await;
    assert_eq!(reader.since(&mark, bench.clocks.raw()), Since::Alive);
    bench.process.sigkill();
    assert!(matches!(bench.lost(&mut reader).await, Lost::Closed | Lost::Unreachable));
    assert!(matches!(reader.since(&mark, bench.clocks.raw()), Since::Lost(_)));
    let left = fs::symlink_metadata(bench.socket()).expect("nobody removed it");
    assert!(left.file_type().is_socket());

    bench.start();
    let later = bench.alive(&mut reader).await;
    assert!(matches!(reader.since(&mark, bench.clocks.raw()), Since::Lost(_)));
    assert_eq!(reader.since(&later, bench.clocks.raw()), Since::Alive);
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_it_is_lost_by_its_silence() {
    let bench = Bench::started();
    let (mut reader, mark) = bench.heard(Bound::from_millis(1_000)).await;
    bench.signal("STOP");
    let why = bench.lost(&mut reader).await;
    assert!(matches!(why, Lost::Silent { .. }), "{why:?}");
    bench.signal("CONT");
    bench.alive(&mut reader).await;
    assert!(matches!(reader.since(&mark, bench.clocks.raw()), Since::Lost(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_reads_is_dropped_and_the_others_miss_nothing() {
    let bench = Bench::started();
    let _silent = bench.connect().await;
    let ((reader, mark), (other, other_mark)) =
        (bench.heard(PATIENT).await, bench.heard(PATIENT).await);
    let from = reader.latest().expect("it is alive").sequence;
    eventually("the silent listener is dropped", || {
        let log = bench.process.log();
        if log.contains("does not read") { Ok(()) } else { Err(bench.process.tail()) }
    });
    let now = bench.clocks.raw();
    assert_eq!(reader.since(&mark, now), Since::Alive);
    assert_eq!(other.since(&other_mark, now), Since::Alive);
    let to = reader.latest().expect("it is alive").sequence;
    assert!(to > from + 20, "{from} to {to}: dropped before its buffer was full");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_too_many_is_refused_and_those_who_listen_stay() {
    let bench = Bench::started();
    let mut listening = Vec::new();
    for _ in 0..3 {
        let mut stream = bench.connect().await;
        next(&mut stream).await.expect("there is room");
        listening.push(stream);
    }
    let mut refused = bench.connect().await;
    assert_eq!(next(&mut refused).await, None);
    for stream in &mut listening {
        next(stream).await.expect("it stays");
    }
    // A place that becomes free is given again, once a report was sent in vain.
    listening.pop();
    while next(&mut bench.connect().await).await.is_none() {}
}

/// A page as a vmclock device shows it.
fn page(disruption: u64) -> Vec<u8> {
    let mut page = vec![0u8; 4096];
    page[..4].copy_from_slice(b"VCLK");
    page[8..10].copy_from_slice(&1u16.to_le_bytes());
    page[16..24].copy_from_slice(&disruption.to_le_bytes());
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_marker_is_a_disruption() {
    let mut bench = Bench::new();
    let folder = bench.directory.path().to_owned();
    let (device, new) = (folder.join("vmclock"), folder.join("vmclock.new"));
    fs::write(&device, page(1)).expect("ours");
    bench.start();
    let (mut reader, mark) = bench.heard(PATIENT).await;
    fs::write(&new, page(2)).expect("ours");
    fs::rename(&new, &device).expect("ours");
    while reader.since(&mark, bench.clocks.raw()) == Since::Alive {
        reader.changed().await;
    }
    assert_eq!(reader.since(&mark, bench.clocks.raw()), Since::Disrupted);
}

#[test]
fn a_second_one_is_refused_and_the_first_goes_on() {
    let mut bench = Bench::started();
    let (code, said) = bench.run(&[], &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another process is serving it"), "{said}");
    assert!(bench.process.sigterm().success());
    // What is no socket is not touched either.
    fs::write(bench.socket(), "precious").expect("ours");
    let (code, said) = bench.run(&[], &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no socket"), "{said}");
    assert_eq!(fs::read(bench.socket()).expect("still there"), b"precious");
}

#[test]
fn configurations_are_checked_and_shown() {
    let bench = Bench::new();
    let (code, said) = bench.run(&["--check-config"], &[]);
    assert_eq!((code, said.contains("good")), (Some(0), true), "{said}");

    let variable = format!("{ENV_PREFIX}READER__INTERVAL");
    let (code, said) = bench.run(&["config", "show"], &[(&variable, "20ms")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("interval = \"20ms\" # {variable}")), "{said}");
    assert!(said.contains("access = \"group\" # default"), "{said}");

    let bad = "[socket]\naccess = \"all\"\n[reader]\ninterval = \"2s\"\ncolour = 1\n";
    fs::write(bench.directory.path().join("clock.toml"), bad).expect("ours");
    for arguments in [&["--check-config"][..], &[]] {
        let (code, said) = bench.run(arguments, &[]);
        assert_eq!(code, Some(EX_CONFIG), "{said}");
        for part in [
            "socket.path: missing",
            "clock.toml:2:1: socket.access: ",
            "clock.toml:4:1: reader.interval: ",
            "clock.toml:5:1: reader.colour: unknown key",
            "4 errors in the configuration",
        ] {
            assert!(said.contains(part), "{part}\n{said}");
        }
    }
}
