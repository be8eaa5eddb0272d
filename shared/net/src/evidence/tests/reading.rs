//! Reading, by itself and while the log is written; the real disk.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::scratch::Scratch;

const BATCHES: u64 = 400;

fn text(n: u64) -> String {
    format!("leaf {n} {}", "x".repeat((n % 90) as usize))
}

fn create_on_disk(folder: &Path) -> Owner {
    let bench = Bench::new();
    let settings = Settings { reserve_bytes: 0, ..Bench::settings() };
    create(Arc::new(Disk), folder, settings, bench.seconds()).expect("created")
}

#[test]
fn a_reader_follows_the_writer_through_all_segments() {
    let scratch = Scratch::new();
    let folder = scratch.path("log");
    let owner = create_on_disk(&folder);
    let log = owner.log().clone();
    let writer = std::thread::spawn(move || {
        for n in 0..BATCHES {
            log.append_blocking(entries(&[&text(n)])).expect("written");
        }
    });
    let mut reader =
        Reader::new(Arc::new(Disk), &folder, ORIGIN, LeafIndex::new(0)).expect("readable");
    let mut next = 0;
    while next < BATCHES {
        let Some(batch) = reader.next_batch().expect("sound") else {
            std::thread::yield_now();
            continue;
        };
        assert_eq!(batch.commit.first.as_u64(), next);
        for leaf in batch.leaves {
            assert_eq!(leaf, text(next).into_bytes());
            next += 1;
        }
        assert_eq!(batch.commit.tree.size.as_u64(), next);
    }
    writer.join().expect("it wrote all");
    assert_eq!(reader.next_batch().expect("sound"), None);
    let head = owner.log().head();
    assert_eq!(head.tree.size.as_u64(), BATCHES);
    owner.close();
    let survey = Survey::take(&Disk, &folder, ORIGIN, &known(head)).expect("sound");
    assert!(survey.segments() > 5, "{}", survey.segments());
}

#[test]
fn the_documentation_is_in_step() {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    owner.log().append_blocking(entries(&["leaf"])).expect("written");
    owner.close();
    let bytes = bench.disk.contents()[&segment(0)].clone();
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("a header") + 1;
    let hex: Vec<String> = bytes[..used].iter().map(|byte| format!("{byte:02x}")).collect();
    let rows: Vec<String> = hex.chunks(32).map(|row| row.concat()).collect();
    let shown = format!("```segment\n{}\n```\n", rows.join("\n"));
    let page = include_str!("../../../../../docs/evidence.md");
    assert!(page.contains(&shown), "docs/evidence.md lacks:\n{shown}");
}

#[test]
fn closed_segments_are_short_and_read_only_and_the_lock_is_real() {
    let scratch = Scratch::new();
    let folder = scratch.path("log");
    let owner = create_on_disk(&folder);
    let line = "x".repeat(400);
    for _ in 0..20 {
        owner.log().append_blocking(entries(&[&line])).expect("written");
    }
    let reopen = || {
        let settings = Settings { reserve_bytes: 0, ..Bench::settings() };
        open(Arc::new(Disk), &folder, settings, &[], Bench::new().seconds())
    };
    assert!(matches!(reopen(), Err(OpenError::Locked(_))));
    let head = owner.log().head();
    owner.close();
    let mut segments: Vec<_> = std::fs::read_dir(folder.join("segment"))
        .expect("a folder")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|end| end == "seg"))
        .collect();
    segments.sort();
    let last = segments.pop().expect("one is open");
    assert!(segments.len() > 1);
    let figures = |path: &Path| {
        let data = std::fs::metadata(path).expect("there");
        (data.permissions().mode() & 0o777, data.len())
    };
    for closed in &segments {
        let (mode, length) = figures(closed);
        assert!(mode == 0o400 && length < SEGMENT_BYTES, "{mode:o} {length}");
    }
    assert_eq!(figures(&last), (0o600, SEGMENT_BYTES));
    let (owner, recovered) = reopen().expect("free again");
    assert_eq!(recovered, Recovered { head, torn_tail: None });
    owner.close();
}

#[test]
fn a_reader_may_begin_at_any_segment() {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    for n in 0..6 {
        owner.log().append_blocking(entries(&[&text(n), "more"])).expect("written");
        bench.age();
    }
    for (from, first) in [(0, 0), (1, 0), (5, 4), (11, 10), (12, 10), (99, 10)] {
        let mut reader =
            Reader::new(bench.files(), folder(), ORIGIN, LeafIndex::new(from)).expect("readable");
        let batch = reader.next_batch().expect("sound").expect("there");
        assert_eq!(batch.commit.first.as_u64(), first, "{from}");
    }
}

#[test]
fn a_reader_stops_at_damage_that_is_not_the_end() {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    for n in 0..3 {
        owner.log().append_blocking(entries(&[&text(n)])).expect("written");
        bench.age();
    }
    owner.close();
    let mut bytes = bench.disk.contents()[&segment(1)].clone();
    bytes[160] ^= 1;
    bench.disk.tamper(&segment(1), Some(bytes));
    let mut reader =
        Reader::new(bench.files(), folder(), ORIGIN, LeafIndex::new(0)).expect("readable");
    assert!(reader.next_batch().expect("sound").is_some());
    assert!(matches!(reader.next_batch(), Err(ReadError::Damaged(_))));
}

#[test]
fn a_long_batch_is_read_whole() {
    let bench = Bench::new();
    let settings = Settings { segment_bytes: 2 << 20, batch_bytes: 1 << 20, ..Bench::settings() };
    let owner = create(bench.files(), folder(), settings, bench.seconds()).expect("created");
    let leaves: Vec<_> = (0..8).map(|n| vec![n; LEAF_BYTES_MAX]).collect();
    let list = leaves.iter().map(|leaf| Entry::new(leaf.clone()).expect("just fits")).collect();
    owner.log().append_blocking(list).expect("written");
    assert_eq!(bench.leaves(), leaves);
}

#[tokio::test]
async fn the_async_handle_appends_and_watches() {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    let mut heads = owner.log().watch_head();
    let done = owner.log().append(entries(&["one", "two"])).await.expect("written");
    assert_eq!(done.first.as_u64(), 0);
    heads.changed().await.expect("it grew");
    assert_eq!(heads.borrow().tree, done.tree);
    assert_eq!(owner.log().nodes().size(), done.tree.size);
    let pending = owner.log().submit(entries(&["three"])).expect("room");
    assert_eq!(pending.committed().await.expect("written").first.as_u64(), 2);
}
