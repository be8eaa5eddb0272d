//! SIGKILL at random moments: whatever was acknowledged is in the log afterwards.
//!
//! The test starts itself again as the process to kill.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::{LeafIndex, TreeHead, TreeSize};
use chronolease_net::evidence::{
    Disk, Entry, Known, OpenError, Owner, Reader, Refused, Seconds, Settings, Survey, TornTail,
    create, open,
};
use chronolease_net::random;

const NAME: &str = "nothing_acknowledged_is_lost_by_a_kill";
/// Names the folder to the process that is to be killed.
const CHILD: &str = "CHRONOLEASE_EVIDENCE_CHILD";
const ORIGIN: &str = "test.example/kill";
const KILLS: usize = 1_000;
/// How many kills one log lives through.
const KILLS_PER_LOG: usize = 10;
/// How many logs are written and killed at a time; their number is a multiple of it.
const SIDE_BY_SIDE: usize = 4;
/// How many appends are under way at a time.
const IN_FLIGHT: usize = 4;

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    if let Some(folder) = env::var_os(CHILD) {
        write_until_killed(Path::new(&folder));
    }
    // A log waits for its disk most of the time, so several go side by side.
    let some_logs = || {
        let mut totals = Totals::default();
        (0..KILLS / KILLS_PER_LOG / SIDE_BY_SIDE).for_each(|_| one_log(&mut totals));
        totals
    };
    let totals = thread::scope(|scope| {
        let threads: Vec<_> = (0..SIDE_BY_SIDE).map(|_| scope.spawn(some_logs)).collect();
        let totals = threads.into_iter().map(|thread| thread.join().expect("all is well"));
        totals.fold(Totals::default(), Totals::and)
    });
    println!("{totals:?}");
    assert_eq!(totals.kills, KILLS);
    assert!(totals.acknowledged > KILLS, "the processes did write: {totals:?}");
}

#[derive(Debug, Default)]
struct Totals {
    kills: usize,
    acknowledged: usize,
    /// Kills after which the log held more than anybody had been told.
    unanswered: usize,
    torn: usize,
    segments: usize,
}

impl Totals {
    fn and(self, other: Self) -> Self {
        Self {
            kills: self.kills + other.kills,
            acknowledged: self.acknowledged + other.acknowledged,
            unanswered: self.unanswered + other.unanswered,
            torn: self.torn + other.torn,
            segments: self.segments + other.segments,
        }
    }
}

fn one_log(totals: &mut Totals) {
    let folder = Folder::new();
    let mut known = TreeHead::empty();
    for _ in 0..KILLS_PER_LOG {
        let acknowledged = run_and_kill(&folder.0);
        totals.kills += 1;
        totals.acknowledged += acknowledged.len();
        known = acknowledged.last().copied().unwrap_or(known);
        let expected = [Known { witness: "the acknowledgements".to_owned(), tree: known }];
        match Survey::take(&Disk, &folder.0, ORIGIN, &expected) {
            Ok(survey) => {
                totals.unanswered += usize::from(survey.head().tree.size > known.size);
                totals.torn += usize::from(survey.torn_tail().is_some());
                known = survey.head().tree;
            }
            // It was killed before it had made the log.
            Err(OpenError::Refused(Refused::Absent)) if known == TreeHead::empty() => {}
            Err(error) => panic!("{error}"),
        }
    }
    let mut reader = Reader::new(Arc::new(Disk), &folder.0, ORIGIN, LeafIndex::new(0))
        .expect("the folder is readable");
    let mut next = 0;
    while let Some(batch) = reader.next_batch().expect("sound") {
        for found in batch.leaves {
            assert!(found == leaf(next) || found == torn_leaf(next), "leaf {next}");
            next += 1;
        }
    }
    assert_eq!(next, known.size.as_u64(), "the reader sees all of it");
    totals.segments += fs::read_dir(folder.0.join("segment")).expect("a folder").count();
}

/// Starts the process, kills it at a random moment, and returns what it said was acknowledged.
fn run_and_kill(folder: &Path) -> Vec<TreeHead> {
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let output = child.stdout.take().expect("piped");
    let mut lines = BufReader::new(output).lines();
    let mut acknowledged = Vec::new();
    let wanted = usize::from(random::bytes::<1>()[0] % 12);
    while acknowledged.len() < wanted {
        let line = lines.next().expect("it writes until it is killed").expect("text");
        acknowledged.extend(parse(&line));
    }
    // Not in step with its answers; and before the first, while it is opening the log.
    thread::sleep(Duration::from_micros(u64::from(u16::from_be_bytes(random::bytes()) % 3_000)));
    child.kill().expect("it runs");
    child.wait().expect("it was killed");
    // What it said before it died counts, save a line that was cut short.
    acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| parse(&line)));
    acknowledged
}

/// `ack SIZE ROOT.`: the full stop shows that the line is whole.
fn parse(line: &str) -> Option<TreeHead> {
    let (size, root) = line.strip_prefix("ack ")?.strip_suffix('.')?.split_once(' ')?;
    let size = TreeSize::new(size.parse().expect("a number"));
    let mut bytes = [0; 32];
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&root[2 * n..2 * n + 2], 16).expect("hexadecimal");
    }
    Some(TreeHead { size, root: Hash::from_bytes(bytes) })
}

/// What leaf `index` holds. Some are longer than a page, so that a kill can tear them.
fn leaf(index: u64) -> Vec<u8> {
    let length = if index.is_multiple_of(29) { 6_000 } else { index * 7 % 90 };
    let filling = "x".repeat(usize::try_from(length).expect("short"));
    format!("leaf {index} {filling}").into_bytes()
}

fn torn_leaf(index: u64) -> Vec<u8> {
    format!("torn tail before {index}").into_bytes()
}

fn write_until_killed(folder: &Path) -> ! {
    let (owner, torn) = open_or_create(folder);
    let log = owner.log();
    let mut next = log.head().tree.size.as_u64();
    let mut pending = VecDeque::new();
    if torn.is_some() {
        let entry = Entry::new(torn_leaf(next)).expect("short");
        pending.push_back(log.submit(vec![entry]).expect("there is room"));
        next += 1;
    }
    let mut output = std::io::stdout();
    loop {
        while pending.len() < IN_FLIGHT {
            let count = 1 + next % 3;
            let group = next..next + count;
            let entries = group.map(|n| Entry::new(leaf(n)).expect("short")).collect();
            pending.push_back(log.submit(entries).expect("there is room"));
            next += count;
        }
        let waiting = pending.pop_front().expect("some are under way");
        let done = waiting.committed_blocking().expect("the disk works");
        writeln!(output, "ack {} {}.", done.tree.size, done.tree.root).expect("somebody listens");
        output.flush().expect("somebody listens");
    }
}

fn open_or_create(folder: &Path) -> (Owner, Option<TornTail>) {
    let settings = Settings {
        segment_bytes: 24 << 10,
        batch_bytes: 16 << 10,
        reserve_bytes: 0,
        ..Settings::new(ORIGIN)
    };
    let seconds = || -> Seconds { Box::new(|| 0) };
    match open(Arc::new(Disk), folder, settings.clone(), &[], seconds()) {
        Ok((owner, recovered)) => (owner, recovered.torn_tail),
        Err(OpenError::Refused(Refused::Absent)) => {
            let owner = create(Arc::new(Disk), folder, settings, seconds());
            (owner.expect("there is room"), None)
        }
        Err(error) => panic!("{error}"),
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let number = u64::from_be_bytes(random::bytes());
        Self(env::temp_dir().join(format!("chronolease-kill-{number:016x}")))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover in the folder for temporary files is not worth a panic within a panic.
        let _ = fs::remove_dir_all(&self.0);
    }
}
