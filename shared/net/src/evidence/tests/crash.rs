//! Power cuts and killed processes at every moment.

use super::*;
use proptest::prelude::*;

const FIRST: [&str; 2] = ["the first", "batch"];
const SECOND: [&str; 3] = ["a second batch", "", "with three leaves"];

/// What the log holds when `batches` were acknowledged and `perhaps` was under way.
fn holds(leaves: &[Vec<u8>], sure: &[&str], perhaps: &[&str]) -> bool {
    let texts = |more: &[&str]| -> Vec<Vec<u8>> {
        sure.iter().chain(more).map(|text| text.as_bytes().to_vec()).collect()
    };
    leaves == texts(&[]) || leaves == texts(perhaps)
}

/// Writes the first batch, and the second up to the moment before its fdatasync.
fn second_batch_unsynced() -> (Bench, usize) {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    owner.log().append_blocking(entries(&FIRST)).expect("written");
    bench.disk.stop_after(1);
    owner.log().append_blocking(entries(&SECOND)).expect_err("the machine is off");
    let bytes = bench.disk.unsynced_bytes().expect("a write");
    (bench, bytes)
}

#[test]
fn a_batch_torn_at_any_byte_is_cut_and_reported() {
    let (bench, length) = second_batch_unsynced();
    bench.disk.crash(Crash::Drop);
    let end = used(&bench);
    for kept in 0..=length {
        let (bench, _) = second_batch_unsynced();
        bench.disk.crash(Crash::Tear(kept));
        let (owner, recovered) = bench.open(&[]).expect("a torn tail is no damage");
        let whole = kept == length;
        let size = if whole { 5 } else { 2 };
        assert_eq!(recovered.head.tree.size.as_u64(), size, "{kept} of {length}");
        let torn = recovered.torn_tail.map_or(0, |tail| tail.bytes);
        if whole {
            assert_eq!(torn, 0);
        } else {
            // The last bytes that were kept may be zeros, which are no garbage.
            assert_eq!(torn as usize, used(&bench) - end, "{kept} of {length}");
        }
        let done = owner.log().append_blocking(entries(&["after"])).expect("written");
        assert_eq!(done.first, LeafIndex::new(size), "{kept}");
        owner.close();
        let survey = bench.survey(&[]).expect("sound");
        assert_eq!(survey.head().tree, done.tree);
        assert_eq!(survey.torn_tail(), None, "it is on record by now");
        assert_eq!(bench.leaves().len() as u64, size + 1);
    }
}

#[test]
fn a_torn_tail_is_reported_until_a_batch_follows() {
    let (bench, length) = second_batch_unsynced();
    bench.disk.crash(Crash::Tear(length - 1));
    let (owner, recovered) = bench.open(&[]).expect("recovers");
    let tail = recovered.torn_tail.expect("torn");
    assert_eq!((tail.after.as_u64(), tail.bytes), (2, length as u64 - 1));
    owner.close();
    assert_eq!(bench.survey(&[]).expect("sound").torn_tail(), Some(tail), "nothing followed");
    // The next segment is made, and its first batch is lost in a crash before it is whole.
    for operations in 0..20 {
        let bench = Bench::on(bench.disk.durable_copy());
        let (owner, _) = bench.open(&[]).expect("recovers");
        bench.disk.stop_after(operations);
        let appended = owner.log().append_blocking(entries(&["after"]));
        bench.disk.crash(Crash::Drop);
        let survey = bench.survey(&[]).expect("sound");
        assert_eq!(survey.torn_tail().is_none(), appended.is_ok(), "{operations}");
        if let Some(again) = survey.torn_tail() {
            assert_eq!(again, tail, "{operations}");
        }
    }
}

#[test]
fn a_hole_before_a_whole_frame_is_no_torn_tail() {
    let (bench, _) = second_batch_unsynced();
    bench.disk.crash(Crash::Drop);
    let end = used(&bench);
    let (bench, _) = second_batch_unsynced();
    bench.disk.crash(Crash::Kill);
    let whole = bench.disk.contents()[&segment(0)].clone();
    let second_leaf = end + FRAME_OVERHEAD_BYTES as usize + SECOND[0].len();
    for hole in [5, 9, second_leaf - end] {
        let mut holed = whole.clone();
        holed[end..end + hole].fill(0);
        bench.disk.tamper(&segment(0), Some(holed));
        let (damage_at, frame_at) = (end as u64, second_leaf as u64);
        let expected =
            Refused::FrameAfterDamage { segment: LeafIndex::new(0), damage_at, frame_at };
        assert_eq!(bench.survey(&[]).expect_err("it has a hole"), expected, "{hole}");
    }
}

/// Where the last byte of the first segment stands that is not zero.
fn used(bench: &Bench) -> usize {
    let bytes = &bench.disk.contents()[&segment(0)];
    bytes.iter().rposition(|byte| *byte != 0).expect("it has a header") + 1
}

/// Makes a log of four batches in four segments and says which were acknowledged.
fn story(bench: &Bench) -> Vec<&'static str> {
    let mut sure = Vec::new();
    let owner = match bench.create() {
        Ok(owner) => owner,
        Err(_) => return sure,
    };
    for batch in STORY {
        if owner.log().append_blocking(entries(batch)).is_ok() {
            sure.extend(batch);
        } else {
            break;
        }
        bench.age();
    }
    sure
}

const STORY: [&[&str]; 4] = [&["one", "two"], &["three"], &["four", "five", "six"], &["seven"]];

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    let whole = Bench::new();
    assert_eq!(story(&whole).len(), 7);
    let operations = whole.disk.operations();
    assert_eq!(
        whole.disk.contents().keys().filter(|path| path.starts_with("/log/segment")).count(),
        4
    );
    let mut cases = 0;
    for stop in 0..operations {
        for crash in [Crash::Drop, Crash::Tear(1), Crash::Tear(40), Crash::Tear(90), Crash::Kill] {
            let bench = Bench::new();
            bench.disk.stop_after(stop);
            let sure = story(&bench);
            bench.disk.crash(crash);
            let next = STORY.iter().find(|batch| !sure.contains(&batch[0])).copied();
            if let Err(error) = bench.survey(&[]) {
                assert_eq!((error, sure.len()), (Refused::Absent, 0), "{stop} {crash:?}");
                bench.create().expect("the first attempt left no log").close();
            }
            let leaves = bench.leaves();
            assert!(holds(&leaves, &sure, next.unwrap_or(&[])), "{stop} {crash:?}: {leaves:?}");
            // It goes on from there, over the remains of a rotation as well.
            let (owner, recovered) = bench.open(&[]).expect("recovers");
            bench.age();
            let done = owner.log().append_blocking(entries(&["again"])).expect("written");
            assert_eq!(done.first.as_u64(), recovered.head.tree.size.as_u64());
            owner.close();
            assert_eq!(bench.leaves().len(), leaves.len() + 1, "{stop} {crash:?}");
            assert!(bench.survey(&known(recovered.head)).is_ok());
            cases += 1;
        }
    }
    println!("{cases} crashes");
    assert!(cases > 100, "{cases}");
}

#[derive(Debug, Clone)]
enum Act {
    Append(Vec<Vec<Vec<u8>>>),
    Age,
    Crash { after: u64, how: Crash },
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    let entry = prop::collection::vec(any::<u8>(), 0..60);
    let group = prop::collection::vec(entry, 1..4);
    prop_oneof![
        6 => prop::collection::vec(group, 1..4).prop_map(Act::Append),
        1 => Just(Act::Age),
        2 => (0u64..12, prop_oneof![
            Just(Crash::Drop),
            (0usize..300).prop_map(Crash::Tear),
            Just(Crash::Kill),
        ]).prop_map(|(after, how)| Act::Crash { after, how }),
        1 => Just(Act::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, the log holds all that was acknowledged, in order, and beyond it only
    /// whole batches that were under way.
    #[test]
    fn random_histories_keep_what_was_acknowledged(acts in prop::collection::vec(act(), 1..25)) {
        let bench = Bench::new();
        let mut owner = bench.create().expect("created");
        let mut sure: Vec<Vec<u8>> = Vec::new();
        let mut pending = Vec::new();
        for act in acts {
            match act {
                Act::Append(groups) => {
                    for group in groups {
                        let leaves = group.clone();
                        let list = group.into_iter().map(|e| Entry::new(e).expect("short")).collect();
                        match owner.log().submit(list) {
                            Ok(waiting) => pending.push((leaves, waiting)),
                            Err(error) => prop_assert_eq!(error, AppendError::Busy),
                        }
                    }
                    prop_assert!(settle(&mut pending, &mut sure).is_empty());
                }
                Act::Age => bench.age(),
                Act::Reopen => {
                    owner.close();
                    let (again, recovered) = bench.open(&[]).expect("sound");
                    prop_assert_eq!(recovered.torn_tail.is_some(), bench.survey(&[]).expect("sound").torn_tail().is_some());
                    owner = again;
                }
                Act::Crash { after, how } => {
                    bench.disk.stop_after(after);
                    for text in ["x", "yy", "zzz"] {
                        if let Ok(waiting) = owner.log().submit(entries(&[text])) {
                            pending.push((vec![text.as_bytes().to_vec()], waiting));
                        }
                    }
                    let lost = settle(&mut pending, &mut sure);
                    owner.close();
                    bench.disk.crash(how);
                    let (again, recovered) = bench.open(&[]).expect("a crash is never refused");
                    owner = again;
                    let size = recovered.head.tree.size.as_u64() as usize;
                    prop_assert!(size >= sure.len() && size <= sure.len() + lost.len());
                    sure.extend_from_slice(&lost[..size - sure.len()]);
                }
            }
            prop_assert_eq!(&bench.leaves(), &sure);
        }
    }
}

/// Waits for all answers; returns the leaves that were not acknowledged.
fn settle(pending: &mut Vec<(Vec<Vec<u8>>, Pending)>, sure: &mut Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut lost = Vec::new();
    for (leaves, waiting) in pending.drain(..) {
        match waiting.committed_blocking() {
            Ok(done) => {
                assert!(lost.is_empty(), "nothing follows what failed");
                assert_eq!(done.first.as_u64(), sure.len() as u64);
                sure.extend(leaves);
            }
            Err(_) => lost.extend(leaves),
        }
    }
    lost
}
