//! Bytes in a segment's file, on real file systems.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use proptest::prelude::*;

use super::super::files::{Disk, Files};
use super::*;
use crate::scratch::Scratch;

/// Two lengths of a segment in bytes: whole blocks, and not.
const LENGTHS: [usize; 2] = [6 * BLOCK, 5 * BLOCK + 1_234];

fn plain(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).expect("it is there")
}

/// Bytes of which no two blocks are the same.
fn bytes(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| ((at * 7 + at / BLOCK + seed * 31) % 255 + 1) as u8).collect()
}

/// A file, and what it must hold.
struct Compared {
    file: Box<dyn OpenFile>,
    expected: Vec<u8>,
    end: usize,
}

impl Compared {
    fn new(path: &Path, length: usize) -> Self {
        let file = Disk.create(path, length as u64).expect("there is room");
        Self { file, expected: vec![0; length], end: 0 }
    }

    /// Writes so much of `bytes` as the file has room for, and syncs.
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = self.expected.len().min(offset + bytes.len());
        let bytes = &bytes[..end - offset];
        self.file.write_at(offset as u64, bytes).expect("written");
        self.file.sync_data().expect("synced");
        self.expected[offset..end].copy_from_slice(bytes);
        self.end = self.end.max(end);
    }

    fn holds(&self, path: &Path) -> bool {
        fs::read(path).expect("readable") == self.expected
    }
}

#[derive(Debug, Clone)]
enum Act {
    Append(usize),
    Overwrite { offset: usize, length: usize },
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    let length = || prop_oneof![1..200usize, 1..9_000usize, Just(BLOCK), Just(2 * BLOCK)];
    prop_oneof![
        6 => length().prop_map(Act::Append),
        1 => (0..5 * BLOCK, length()).prop_map(|(offset, length)| Act::Overwrite { offset, length }),
        2 => Just(Act::Reopen),
    ]
}

fn play(path: &Path, length: usize, acts: &[Act]) -> bool {
    let mut compared = Compared::new(path, length);
    acts.iter().enumerate().all(|(seed, act)| {
        match *act {
            Act::Append(length) => compared.write(compared.end, &bytes(length, seed)),
            Act::Overwrite { offset, length } => compared.write(offset, &bytes(length, seed)),
            Act::Reopen => compared.file = Disk.open(path).expect("it is there"),
        }
        compared.holds(path)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is written past the page cache is what was given, through every reopening, and nothing
    /// else in the file changes.
    #[test]
    fn a_file_holds_what_was_written_and_nothing_else(acts in prop::collection::vec(act(), 1..16)) {
        let folder = Scratch::new();
        for length in LENGTHS {
            prop_assert!(play(&folder.path("segment"), length, &acts), "{}", length);
        }
    }
}

#[test]
fn a_file_in_memory_holds_what_was_written() {
    // Some kernels' tmpfs refuse to bypass the page cache; there it is the way through it.
    let shm = Path::new("/dev/shm");
    assert!(shm.is_dir(), "every Linux has it mounted");
    let path = shm.join(format!("chronolease-segment-{}", std::process::id()));
    let acts = [Act::Append(100), Act::Append(9_000), Act::Reopen, Act::Append(5_000)];
    let sound = LENGTHS.iter().all(|length| play(&path, *length, &acts));
    fs::remove_file(&path).expect("it is there");
    assert!(sound);
}

#[test]
fn the_comparison_finds_a_block_that_was_taken_for_zeros() {
    let folder = Scratch::new();
    let path = folder.path("segment");
    let mut compared = Compared::new(&path, LENGTHS[0]);
    compared.write(0, &bytes(100, 1));
    // Not fresh any more: the beginning of the block must be read.
    compared.file = Box::new(SegmentFile::new(plain(&path), false).expect("a file"));
    compared.write(100, &[1]);
    compared.file = Box::new(SegmentFile::new(plain(&path), false).expect("a file"));
    assert!(compared.holds(&path));
    compared.file = Box::new(SegmentFile::new(plain(&path), true).expect("a file"));
    compared.write(101, &[1]);
    assert!(!compared.holds(&path), "the first hundred bytes are gone");
}

/// The flags of an open file, as the kernel shows them.
fn flags(file: &File) -> String {
    use std::os::fd::AsRawFd;
    let shown = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()));
    let shown = shown.expect("it is open");
    shown.lines().find(|line| line.starts_with("flags:")).expect("it has flags").to_owned()
}

#[test]
fn only_a_file_of_whole_blocks_leaves_the_page_cache() {
    let folder = Scratch::new();
    let path = folder.path("segment");
    for length in LENGTHS.into_iter().chain([0, BLOCK - 1]) {
        drop(Disk.create(&path, length as u64).expect("there is room"));
        let file = plain(&path);
        let before = flags(&file);
        let left = leave_page_cache(&file).expect("a file");
        assert_eq!(left, flags(&file) != before, "{length}");
        let whole = length > 0 && length.is_multiple_of(BLOCK);
        // Whether the file system has such a way, the file itself tells: a length of whole blocks.
        let way = whole && file::bypass_page_cache(&file, true).expect("a file");
        assert_eq!(left, way, "{length}");
    }
}

#[test]
fn what_is_not_in_whole_blocks_or_in_larger_ones_does_not_suit() {
    let block = BLOCK as u64;
    assert!(suits(block, block) && suits(16 * block, block) && suits(16 * block, 512));
    assert!(!suits(0, block) && !suits(block - 1, block) && !suits(block + 1, block));
    assert!(!suits(16 * block, 2 * block) && !suits(16 * block, 16 * block));
}

#[test]
fn a_file_is_filled_to_the_brim_and_not_beyond() {
    let folder = Scratch::new();
    let path = folder.path("segment");
    for length in LENGTHS {
        let mut compared = Compared::new(&path, length);
        compared.write(0, &bytes(length - 5, 1));
        compared.write(length - 5, &bytes(5, 2));
        assert!(compared.holds(&path), "{length}");
    }
    let mut compared = Compared::new(&path, LENGTHS[0]);
    compared.write(0, &bytes(100, 1));
    for offset in [LENGTHS[0] as u64 - 1, LENGTHS[0] as u64, u64::MAX] {
        let beyond = compared.file.write_at(offset, &[1, 2]).map_err(|error| error.kind());
        let past_the_cache = leave_page_cache(&plain(&path)).expect("a file");
        if past_the_cache {
            assert_eq!(beyond, Err(io::ErrorKind::InvalidInput), "{offset}");
            assert!(compared.holds(&path), "{offset}");
        }
    }
}

#[test]
fn space_is_set_aside_when_the_file_is_made() {
    let folder = Scratch::new();
    for length in LENGTHS {
        let path = folder.path("segment");
        drop(Disk.create(&path, length as u64).expect("there is room"));
        let made = fs::metadata(&path).expect("it is there");
        assert_eq!(made.len(), length as u64);
        assert!(made.blocks() * 512 >= length as u64, "{} blocks", made.blocks());
    }
    let path = folder.path("hollow");
    File::create(&path).expect("created").set_len(LENGTHS[0] as u64).expect("grown");
    let hollow = fs::metadata(&path).expect("it is there");
    assert!(hollow.blocks() * 512 < LENGTHS[0] as u64, "the check finds a file without space");
}

#[test]
fn a_reader_in_the_page_cache_sees_what_was_written_and_disturbs_nobody() {
    const WRITES: usize = 300;
    const LENGTH: usize = 2_600;
    let folder = Scratch::new();
    let path = folder.path("segment");
    let whole = (WRITES * LENGTH).next_multiple_of(BLOCK);
    let file = Disk.create(&path, whole as u64).expect("there is room");
    let expected = bytes(WRITES * LENGTH, 3);
    let written = AtomicUsize::new(0);
    let reads = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            loop {
                let before = written.load(Ordering::Acquire);
                let from = before.saturating_sub(3 * LENGTH);
                let read = Disk.read_range(&path, from as u64, 4 * LENGTH).expect("readable");
                let read = read.expect("it is there");
                assert_eq!(read[..before - from], expected[from..before], "{before}");
                reads += 1;
                if before == expected.len() {
                    return reads;
                }
            }
        });
        for batch in expected.chunks(LENGTH) {
            let at = written.load(Ordering::Relaxed);
            file.write_at(at as u64, batch).expect("written");
            file.sync_data().expect("synced");
            written.store(at + batch.len(), Ordering::Release);
        }
        reader.join().expect("it saw what was there")
    });
    assert!(reads > 0);
}

#[test]
fn a_part_that_was_taken_is_followed_from_the_last_whole_block() {
    let all = bytes(4 * BLOCK, 4);
    let mut file = vec![0; 6 * BLOCK];
    let mut asked = Vec::new();
    let mut answers =
        [Ok(BLOCK + 512), Err(io::ErrorKind::Interrupted), Ok(2 * BLOCK - 1), Ok(2 * BLOCK)]
            .into_iter();
    let offset = 2 * BLOCK as u64;
    write_blocks(&all, offset, |bytes, at| {
        asked.push((at, bytes.len()));
        let taken = answers.next().expect("no more than these")?;
        file[at as usize..at as usize + taken].copy_from_slice(&bytes[..taken]);
        Ok(taken)
    })
    .expect("written");
    assert_eq!(file[2 * BLOCK..], all);
    let block = BLOCK as u64;
    let [first, second, third] = [2 * block, 3 * block, 4 * block];
    assert_eq!(
        asked,
        [(first, 4 * BLOCK), (second, 3 * BLOCK), (second, 3 * BLOCK), (third, 2 * BLOCK)]
    );
}

#[test]
fn less_than_a_block_and_every_other_failure_end_the_write() {
    let all = bytes(2 * BLOCK, 5);
    for taken in [0, 1, BLOCK - 1] {
        let mut calls = 0;
        let result = write_blocks(&all, 0, |_, _| {
            calls += 1;
            Ok(taken)
        });
        assert_eq!(result.map_err(|error| error.kind()), Err(io::ErrorKind::WriteZero), "{taken}");
        assert_eq!(calls, 1);
    }
    let mut calls = 0;
    let result = write_blocks(&all, 0, |_, _| {
        calls += 1;
        Err(io::ErrorKind::InvalidInput.into())
    });
    assert_eq!(result.map_err(|error| error.kind()), Err(io::ErrorKind::InvalidInput));
    assert_eq!(calls, 1);
}

#[test]
fn after_a_failed_write_nothing_is_known_of_the_block() {
    let folder = Scratch::new();
    let path = folder.path("segment");
    drop(Disk.create(&path, LENGTHS[0] as u64).expect("there is room"));
    // Open for reading alone: every write fails.
    let file = SegmentFile::new(File::open(&path).expect("it is there"), true).expect("a file");
    file.write_at(0, &[1; 100]).expect_err("nobody may write");
    let blocks = file.blocks.borrow();
    assert_eq!((blocks.kept, blocks.zeros_from), (None, BLOCK as u64), "it may hold anything");
}
