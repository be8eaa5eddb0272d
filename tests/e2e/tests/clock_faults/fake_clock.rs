//! A clock that can be stepped and slewed for one process alone, through libfaketime.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chronolease_core::time::Span;
use chronolease_net::random;
use chronolease_sys::Clocks;

/// Where Debian puts the library for programs with threads, below each of its library folders.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// In memory: a slew rewrites its file a hundred times a second. libfaketime needs it anyway.
const MEMORY: &str = "/dev/shm";

/// A slew moves the clock this often: by 20 us at 2000 ppm, far below any guard.
const SLEW_STEP: Duration = Duration::from_millis(10);

/// How far one process's `CLOCK_REALTIME` is from the true one. Its other clocks are true.
#[derive(Debug)]
pub(crate) struct FakeClock {
    dir: PathBuf,
    offset: Mutex<Span>,
    clocks: Clocks,
}

impl FakeClock {
    /// A clock that is right.
    pub(crate) fn new() -> Self {
        let name = format!("chronolease-clock-{:016x}", u64::from_be_bytes(random::bytes()));
        let dir = Path::new(MEMORY).join(name);
        fs::create_dir(&dir).expect("/dev/shm is writable");
        let clocks = Clocks::open().expect("this box has clocks");
        let clock = Self { dir, offset: Mutex::new(Span::ZERO), clocks };
        clock.step_to(Span::ZERO);
        clock
    }

    /// What a process must find in its environment to live by this clock.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", text(&library())),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file())),
            // Read the file again at every look at the clock.
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            // Leave the dates of files alone.
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Sets the clock `offset` from the truth. In force for every reading that begins after the
    /// return.
    pub(crate) fn step_to(&self, offset: Span) {
        let mut current = self.offset.lock().expect("no writer panics");
        let ns = offset.magnitude().as_nanos();
        // Without a sign libfaketime takes the text for a date.
        let sign = if offset < Span::ZERO { '-' } else { '+' };
        let line = format!("{sign}{}.{:09}\n", ns / 1_000_000_000, ns % 1_000_000_000);
        let fresh = self.dir.join("next");
        // A rename, so that no reading meets half a file.
        fs::write(&fresh, line)
            .and_then(|()| fs::rename(&fresh, self.file()))
            .expect("the folder is ours");
        *current = offset;
    }

    /// How far the clock is from the truth.
    pub(crate) fn offset(&self) -> Span {
        *self.offset.lock().expect("no writer panics")
    }

    /// Lets the clock run `ppm` fast from its present offset, until the slew is dropped. The clock
    /// then stays where it is.
    pub(crate) fn slew(self: &Arc<Self>, ppm: i64) -> Slew {
        let (stop, clock) = (Arc::new(AtomicBool::new(false)), Arc::clone(self));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (start, from) = (clock.clocks.raw(), clock.offset());
            while !stopped.load(Ordering::Relaxed) {
                let elapsed = clock.clocks.raw() - start;
                let moved = i128::from(elapsed.as_nanos()) * i128::from(ppm) / 1_000_000;
                clock.step_to(from + Span::from_nanos(i64::try_from(moved).unwrap_or(i64::MAX)));
                thread::sleep(SLEW_STEP);
            }
        });
        Slew { stop, thread: Some(thread) }
    }

    fn file(&self) -> PathBuf {
        self.dir.join("offset")
    }
}

impl Drop for FakeClock {
    fn drop(&mut self) {
        // A leftover in memory is not worth a panic within a panic.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A slew that goes on.
#[derive(Debug)]
pub(crate) struct Slew {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Slew {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Removes what libfaketime keeps in memory for children of its process, and leaves there when the
/// process is killed: the next one with the same number would stumble over it.
pub(crate) fn sweep(process_id: u32) {
    for name in [format!("faketime_shm_{process_id}"), format!("sem.faketime_sem_{process_id}")] {
        let _ = fs::remove_file(Path::new(MEMORY).join(name));
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("every Linux has one");
    folders
        .filter_map(|entry| Some(entry.ok()?.path().join(LIBRARY)))
        .find(|path| path.is_file())
        .expect("libfaketime is missing: `make test` installs it (apt-get install faketime)")
}

fn text(path: &Path) -> String {
    path.to_str().expect("these paths are ASCII").to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

    use chronolease_core::sample::Sample;
    use chronolease_core::time::Bound;

    use super::*;

    const MICROSECOND: Bound = Bound::from_nanos(1_000);

    /// An unguarded process that says what it takes the time for: Perl, which is linked
    /// like the TSU. (bash has a getenv of its own, which hides our environment from libfaketime.)
    struct Witness {
        process: Child,
        ask: ChildStdin,
        answers: BufReader<ChildStdout>,
        clocks: Clocks,
    }

    /// How far the witness's clock is from the truth, and when.
    struct Reading {
        sent: Sample,
        least: Span,
        most: Span,
    }

    impl Witness {
        fn start(clock: &FakeClock) -> Self {
            let mut command = Command::new("perl");
            let program = "$| = 1; while (<>) { printf \"%d %06d\\n\", gettimeofday }";
            command.args(["-MTime::HiRes=gettimeofday", "-e", program]);
            command.env("LC_ALL", "C").envs(clock.environment());
            chronolease_sys::die_with_parent(&mut command);
            let mut process = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("perl runs; git needs it too");
            let ask = process.stdin.take().expect("it is a pipe");
            let answers = BufReader::new(process.stdout.take().expect("it is a pipe"));
            let clocks = Clocks::open().expect("this box has clocks");
            let mut witness = Self { process, ask, answers, clocks };
            // Its first answer shows that it has started.
            let _ = witness.read();
            sweep(witness.process.id());
            witness
        }

        fn read(&mut self) -> Reading {
            let sent = self.clocks.sample();
            self.ask.write_all(b"\n").expect("it listens");
            let mut line = String::new();
            self.answers.read_line(&mut line).expect("it answers");
            let received = self.clocks.sample();
            let micros: i64 = line.trim().replace(' ', "").parse().expect("seconds and six digits");
            let ns = Span::from_nanos(micros * 1_000);
            let truth = |sample: &Sample| Span::from_nanos(sample.real.as_unix_nanos());
            Reading {
                sent,
                least: ns - truth(&received),
                most: ns + MICROSECOND.as_span() - truth(&sent),
            }
        }
    }

    impl Drop for Witness {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    #[test]
    fn a_step_is_in_force_when_step_to_returns() {
        let clock = FakeClock::new();
        let mut witness = Witness::start(&clock);
        for ms in [0, 700, -700, 2_000, -2_000, 0, 3_600_000, -3_600_000, 0] {
            let step = Span::from_millis(ms);
            clock.step_to(step);
            let reading = witness.read();
            assert!(reading.least <= step && step <= reading.most, "{step}: {:?}", reading.least);
        }
    }

    /// The clock drifts at its rate, and no reading is off that line by as much as a guard (5 ms)
    /// could take for a step.
    #[test]
    fn a_slew_is_no_string_of_steps() {
        for ppm in [2_000, -2_000] {
            let clock = Arc::new(FakeClock::new());
            let mut witness = Witness::start(&clock);
            let slew = clock.slew(ppm);
            let first = witness.read();
            let mut last = first.sent;
            while last.raw_before - first.sent.raw_after < Span::from_millis(2_000) {
                let reading = witness.read();
                last = reading.sent;
                let elapsed = last.raw_before - first.sent.raw_before;
                let line = Span::from_nanos(elapsed.as_nanos() * ppm / 1_000_000);
                let slack = Span::from_millis(1);
                let (least, most) = (first.least + line - slack, first.most + line + slack);
                assert!(
                    reading.least <= most && least <= reading.most,
                    "{ppm} ppm after {elapsed}: {} to {}, not {line}",
                    reading.least,
                    reading.most,
                );
            }
            drop(slew);
            let (drift, stays) = (clock.offset(), witness.read());
            assert!(stays.least <= drift && drift <= stays.most, "the clock stays where it is");
        }
    }
}
