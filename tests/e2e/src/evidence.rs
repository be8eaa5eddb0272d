//! The evidence logs of both boxes, read as they stand in their files.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::leaf::{Event, HashFunction, Imprint, Leaf};
use chronolease_core::evidence::note::Note;
use chronolease_core::time::{GenTime, GenTimeDigits};
use chronolease_lab::Layout;
use chronolease_net::evidence::{
    self, Disk, Entry, Head, Known, Reader, Settings, Survey, TornTail,
};
use chronolease_sys::{Clocks, file};

use crate::bins::{Program, Programs};
use crate::tools;
use crate::tsp::Token;

/// The length of a segment's header, where the first leaf's frame begins.
pub const HEADER_BYTES: u64 = chronolease_net::evidence::HEADER_BYTES;

/// The log of one box.
#[derive(Clone, Debug)]
pub struct Log {
    folder: PathBuf,
    origin: &'static str,
}

/// A log whose storage is sound, as it stood when its writer did not run.
#[derive(Debug)]
pub struct Record {
    /// Its size, root and last commit.
    pub head: Head,
    /// What a crash left behind the last commit.
    pub torn_tail: Option<TornTail>,
    /// All its leaves.
    pub leaves: Vec<Leaf>,
}

impl Log {
    /// The TSU's log in `folder`.
    #[must_use]
    pub fn of_tsu_in(folder: PathBuf) -> Self {
        Self { folder, origin: "lab.chronolease.example/tsu-1" }
    }

    /// The TSU's log of a lab.
    #[must_use]
    pub fn of_tsu(layout: &Layout) -> Self {
        Self::of_tsu_in(layout.tsu_state().join("evidence"))
    }

    /// The monitor's log of a lab.
    #[must_use]
    pub fn of_monitor(layout: &Layout) -> Self {
        let folder = layout.monitor_state().join("evidence");
        Self { folder, origin: "lab.chronolease.example/monitor-1" }
    }

    /// Another epoch of this box's log: another folder, another name.
    #[must_use]
    pub const fn epoch(folder: PathBuf, origin: &'static str) -> Self {
        Self { folder, origin }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest cosigned checkpoint that the box keeps of its log, with how many leaves it has.
    #[must_use]
    pub fn kept(&self) -> Option<(Note, u64)> {
        let note = Note::parse(&fs::read(self.folder.join("checkpoint")).ok()?).ok()?;
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        assert_eq!(checkpoint.origin.as_str(), self.origin);
        Some((note, checkpoint.size.as_u64()))
    }

    /// Appends leaves, as a copy of the box would that runs elsewhere, until there are so many.
    pub fn grow(&self, size: u64) {
        let settings = Settings { segment_bytes: 8 * 1_024 * 1_024, ..Settings::new(self.origin) };
        let opened = evidence::open(Arc::new(Disk), &self.folder, settings, &[], Box::new(|| 0));
        let (owner, _) = opened.unwrap_or_else(|e| panic!("{}: {e}", self.folder.display()));
        let made = Clocks::open().expect("this box has clocks").sample();
        let leaf = Leaf { made, event: Event::Stopped }.encode().expect("a leaf");
        while owner.log().head().tree.size.as_u64() < size {
            let entry = Entry::new(leaf.clone()).expect("short");
            owner.log().append_blocking(vec![entry]).expect("there is room");
        }
        owner.close();
    }

    /// `chronolease evidence fsck`, with the lab's key for leases.
    #[must_use]
    pub fn fsck(&self, layout: &Layout) -> Output {
        let program = Programs::Release.path(Program::Cli);
        let [program, folder] = [&program, &self.folder].map(|p| p.to_str().expect("plain names"));
        let key = "pki/evidence/monitor.pub";
        let arguments =
            ["evidence", "fsck", folder, "--origin", self.origin, "--evidence-key", key];
        tools::run(layout.dir(), program, &arguments)
    }

    /// Checks the whole log, and that it goes on from where it was `before`, and reads it.
    #[must_use]
    pub fn read(&self, before: Option<&Record>) -> Record {
        let shown = self.folder.display();
        let known =
            |record: &Record| Known { witness: "before".to_owned(), tree: record.head.tree };
        let known: Vec<_> = before.map(known).into_iter().collect();
        let survey = Survey::take(&Disk, &self.folder, self.origin, &known);
        let survey = survey.unwrap_or_else(|e| panic!("{shown}: {e}"));
        let first = LeafIndex::new(0);
        let reader = Reader::new(Arc::new(Disk), &self.folder, self.origin, first);
        let mut reader = reader.unwrap_or_else(|e| panic!("{shown}: {e}"));
        let mut leaves = Vec::new();
        while let Some(batch) = reader.next_batch().unwrap_or_else(|e| panic!("{shown}: {e}")) {
            let decode =
                |der: &Vec<u8>| Leaf::decode(der).unwrap_or_else(|e| panic!("{shown}: {e}"));
            leaves.extend(batch.leaves.iter().map(decode));
        }
        let (head, torn_tail) = (survey.head(), survey.torn_tail());
        assert_eq!(leaves.len() as u64, head.tree.size.as_u64(), "{shown}");
        Record { head, torn_tail, leaves }
    }

    /// Leaves what a crash in the middle of a write can leave: bytes behind the last commit that
    /// are no batch.
    pub fn tear(&self) {
        let segments = fs::read_dir(self.folder.join("segment")).expect("the log is ours");
        let files = segments.map(|entry| entry.expect("the log is ours").path());
        let last = files.filter(|path| path.extension().is_some_and(|e| e == "seg")).max();
        let last = last.expect("a log has a segment");
        let bytes = fs::read(&last).expect("the log is ours");
        let written = bytes.iter().rposition(|byte| *byte != 0).expect("it has a header") + 1;
        let torn = [0xab; 100];
        // The commit itself may end with zeros, so a few are passed over.
        let at = written + 32;
        assert!(at + torn.len() <= bytes.len(), "{} is full", last.display());
        write_at(&last, at as u64, &torn);
    }

    /// Flips one bit of the first segment and answers how to undo it.
    pub fn flip(&self, at: u64) -> impl FnOnce() + use<> {
        let path = self.folder.join("segment").join("0000000000000000.seg");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the log is ours");
        let mut byte = [0];
        let opened = fs::File::open(&path).expect("the log is ours");
        opened.read_exact_at(&mut byte, at).expect("it is longer");
        write_at(&path, at, &[byte[0] ^ 1]);
        move || write_at(&path, at, &byte)
    }
}

fn write_at(path: &Path, at: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path);
    let written = file.and_then(|file| file.write_all_at(bytes, at));
    written.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

impl Record {
    /// The leases in the log, as the monitor signed them.
    #[must_use]
    pub fn leases(&self) -> Vec<&[u8]> {
        let terms = self.leaves.iter().filter_map(|leaf| match &leaf.event {
            Event::LeaseGranted(lease) => Some(&lease.terms_der[..]),
            _ => None,
        });
        terms.collect()
    }

    /// Checks that every token has its intent: the same serial number, imprint and time.
    pub fn assert_intended(&self, tokens: &[Token]) {
        let intents = self.leaves.iter().filter_map(|leaf| match &leaf.event {
            // INTEGER, 20 octets: the top two bits of a serial number are 01.
            Event::Intent(i) => Some(([&[2, 20], &i.serial.as_be_bytes()[..]].concat(), i)),
            _ => None,
        });
        let intents: HashMap<_, _> = intents.collect();
        for token in tokens {
            let serial = rasn::der::encode(&token.serial).expect("a number");
            let intent = intents.get(&serial).unwrap_or_else(|| {
                panic!("no intent among {} leaves for {token:?}", self.leaves.len())
            });
            let function = HashFunction::from_oid(&token.imprint.hash_algorithm.algorithm);
            let hash = &token.imprint.hashed_message;
            let imprint = function.and_then(|function| Imprint::new(function, hash));
            assert_eq!(Some(intent.imprint), imprint, "{token:?}");
            assert_eq!(
                intent.gen_time,
                GenTime::at(token.gen_time, GenTimeDigits::Six),
                "{token:?}"
            );
        }
    }
}

/// A folder on the file system that has the least room, of the two that every machine has. It can
/// be filled up, and is removed with the test.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        let places = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
        let room = places.into_iter().filter_map(|p| Some((file::available_bytes(&p).ok()?, p)));
        let (_, place) = room.min().expect("there is a folder for temporary files");
        let path = place.join(format!("chronolease-e2e-full-{}", std::process::id()));
        // A process of the same id may have failed here before.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// How many bytes are free.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        file::available_bytes(&self.0).expect("it can be asked")
    }

    /// Takes room until `left_bytes` are free. It is given back when the answer is dropped, even if
    /// the test is killed: the file has no name.
    #[must_use]
    pub fn fill(&self, left_bytes: u64) -> fs::File {
        let bytes = self.free_bytes().saturating_sub(left_bytes);
        let path = self.0.join("ballast");
        let ballast = fs::File::create(&path).expect("the folder is ours");
        fs::remove_file(&path).expect("the folder is ours");
        file::preallocate(&ballast, bytes).unwrap_or_else(|e| panic!("{bytes} bytes: {e}"));
        ballast
    }
}

impl Default for SmallDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
