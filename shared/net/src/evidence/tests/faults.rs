//! Disks that fail, disks that are full, second writers.

use super::*;

#[test]
fn a_failed_sync_poisons_the_log_for_good() {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    let mut state = owner.log().watch_state();
    owner.log().append_blocking(entries(&["kept"])).expect("written");
    bench.disk.fail_sync_once();
    let error = owner.log().append_blocking(entries(&["lost"])).expect_err("it failed");
    assert!(matches!(error, AppendError::Poisoned(_)), "{error}");
    // The disk works again, but what it holds is unknown.
    let again = owner.log().append_blocking(entries(&["later"])).expect_err("poisoned");
    assert_eq!(again, error);
    assert!(matches!(*state.borrow_and_update(), State::Poisoned(_)));
    assert_eq!(owner.log().head().tree.size.as_u64(), 1);
    owner.close();
    for crash in [Crash::Kill, Crash::Drop] {
        assert!(matches!(refused(bench.open(&[])), Refused::Poisoned(_)));
        assert!(matches!(refused(bench.create()), Refused::Poisoned(_)));
        bench.disk.crash(crash);
    }
}

#[test]
fn a_disk_that_cannot_even_take_the_mark_still_stops_this_process() {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    bench.disk.fail_sync();
    for _ in 0..2 {
        let error = owner.log().append_blocking(entries(&["lost"])).expect_err("it fails");
        assert!(matches!(error, AppendError::Poisoned(_)), "{error}");
    }
}

#[test]
fn a_failed_write_poisons_too() {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    bench.disk.stop_after(0);
    let error = owner.log().append_blocking(entries(&["lost"])).expect_err("it fails");
    assert!(matches!(error, AppendError::Poisoned(_)), "{error}");
}

#[test]
fn a_full_disk_stops_softly_and_resumes() {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    let state = owner.log().watch_state();
    let mut acknowledged = 0;
    bench.disk.set_available_bytes(Some(SEGMENT_BYTES));
    let line = "x".repeat(400);
    let error = loop {
        match owner.log().append_blocking(entries(&[&line])) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 20, "the segment is full by now");
    };
    assert_eq!(error, AppendError::Full);
    assert_eq!(*state.borrow(), State::Full);
    assert_eq!(bench.leaves().len(), acknowledged);
    // Room for a segment, but not for the reserve.
    bench.disk.set_available_bytes(Some(SEGMENT_BYTES + RESERVE_BYTES - 1));
    assert_eq!(owner.log().append_blocking(entries(&[&line])), Err(AppendError::Full));
    // It survives a restart in that state.
    owner.close();
    let (owner, recovered) = bench.open(&[]).expect("sound");
    assert_eq!(recovered.head.tree.size.as_u64(), acknowledged as u64);
    assert_eq!(owner.log().append_blocking(entries(&[&line])), Err(AppendError::Full));
    bench.disk.set_available_bytes(Some(SEGMENT_BYTES + RESERVE_BYTES));
    owner.log().append_blocking(entries(&[&line])).expect("there is room again");
    assert_eq!(*owner.log().watch_state().borrow(), State::Writing);
    assert_eq!(bench.leaves().len(), acknowledged + 1);
}

#[test]
fn an_old_segment_stays_in_use_while_there_is_no_room() {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    owner.log().append_blocking(entries(&["one"])).expect("written");
    bench.age();
    bench.disk.set_available_bytes(Some(0));
    owner.log().append_blocking(entries(&["two"])).expect("the old one has room");
    assert_eq!(bench.survey(&[]).expect("sound").segments(), 1);
    bench.disk.set_available_bytes(None);
    owner.log().append_blocking(entries(&["three"])).expect("written");
    assert_eq!(bench.survey(&[]).expect("sound").segments(), 2);
}

#[test]
fn no_room_for_the_first_segment_is_said_so() {
    let bench = Bench::new();
    bench.disk.set_available_bytes(Some(SEGMENT_BYTES));
    assert!(matches!(bench.create(), Err(OpenError::Full)));
    bench.disk.set_available_bytes(None);
    bench.create().expect("no trace of the attempt").close();
}

#[test]
fn one_writer_at_a_time_and_one_log_a_folder() {
    let bench = Bench::new();
    assert_eq!(refused(bench.open(&[])), Refused::Absent);
    let owner = bench.create().expect("created");
    assert!(matches!(bench.open(&[]), Err(OpenError::Locked(_))));
    assert!(matches!(bench.create(), Err(OpenError::Locked(_))));
    let log = owner.log().clone();
    owner.close();
    assert_eq!(log.append_blocking(entries(&["late"])), Err(AppendError::Closed));
    assert_eq!(refused(bench.create()), Refused::Present);
    bench.open(&[]).expect("free again").0.close();
}

#[test]
fn groups_that_no_batch_holds_are_refused() {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    let log = owner.log();
    assert_eq!(log.append_blocking(Vec::new()), Err(AppendError::Empty));
    let many = entries(&["x"; 9]);
    assert!(matches!(log.append_blocking(many), Err(AppendError::TooLarge { entries: 9, .. })));
    let long = entries(&["x".repeat(504).as_str()]);
    assert!(matches!(log.append_blocking(long), Err(AppendError::TooLarge { bytes: 513, .. })));
    log.append_blocking(entries(&["x".repeat(503).as_str()])).expect("it just fits");
    assert!(Entry::new(vec![0; LEAF_BYTES_MAX]).is_some());
    assert!(Entry::new(vec![0; LEAF_BYTES_MAX + 1]).is_none());
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let with = |change: fn(&mut Settings)| {
        let mut settings = Bench::settings();
        change(&mut settings);
        let bench = Bench::new();
        match create(bench.files(), folder(), settings, bench.seconds()) {
            Err(OpenError::Settings(fault)) => fault,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(|s| s.origin.clear()), SettingsFault::Origin);
    assert_eq!(with(|s| s.queue_groups = 0), SettingsFault::Zero("queue_groups"));
    assert_eq!(with(|s| s.batch_entries = 0), SettingsFault::Zero("batch_entries"));
    assert_eq!(with(|s| s.batch_bytes = 0), SettingsFault::Zero("batch_bytes"));
    let fault = with(|s| s.segment_bytes = 748);
    assert_eq!(fault, SettingsFault::Segment { segment_bytes: 748, least_bytes: 749 });
}

#[test]
fn a_full_queue_is_said_so_and_loses_nothing() {
    let bench = Bench::new();
    // The writer waits for its clock until the test lets it go on.
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let seconds: Seconds = Box::new(move || {
        gate.recv().expect("the test is there");
        0
    });
    go.send(()).expect("for the first segment");
    let owner = create(bench.files(), folder(), Bench::settings(), seconds).expect("created");
    let mut pending = Vec::new();
    // One batch is in the writer's hands, four groups fill the queue, and the writer may have
    // taken one more.
    let busy = loop {
        match owner.log().submit(entries(&["x"])) {
            Ok(waiting) => pending.push(waiting),
            Err(error) => break error,
        }
        assert!(pending.len() <= 4 + 8 + 1, "the queue is bounded");
    };
    assert_eq!(busy, AppendError::Busy);
    for _ in 0..pending.len() {
        go.send(()).expect("the writer is there");
    }
    for (n, waiting) in pending.into_iter().enumerate() {
        assert_eq!(waiting.committed_blocking().expect("written").first.as_u64(), n as u64);
    }
}
