//! Each box vouches for the other's log: nothing is issued on one that was cut, put back or
//! continued elsewhere, or whose disk failed, until two persons begin anew.

use std::fs;
use std::process::Output;

use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::leaf::{Event, NewEpoch, PeerBroken, PeerEpoch};
use chronolease_core::evidence::note::Note;
use chronolease_core::lease::EndingCause;
use chronolease_core::time::Bound;
use chronolease_e2e::evidence::Log;
use chronolease_e2e::failing_disk::FailingDisk;
use chronolease_e2e::folders::{copy, restore};
use chronolease_e2e::process::Process;
use chronolease_e2e::rig::TSU;
use chronolease_e2e::tools::{self, said};
use chronolease_e2e::tsp::{Outcome, SYSTEM_FAILURE, TIME_NOT_AVAILABLE};
use chronolease_e2e::{Options, Program, Programs, Rig, wait};
use chronolease_lab::Layout;

/// Grants as soon as a grant is sound: what keeps a lease away is not the hold.
const HASTE: &str = "[lease]\ngood_probes = 1\nhold = \"100ms\"\nhold_latched = \"100ms\"\n";
/// How long a lab's lease lasts.
const TTL: Bound = Bound::from_millis(3_000);

/// How many leaves a box adds before it is put back.
const MORE: u64 = 12;

const TSU_ORIGIN: &str = "lab.chronolease.example/tsu-1";
const MONITOR_ORIGIN: &str = "lab.chronolease.example/monitor-1";
const NEW_ORIGIN: &str = "lab.chronolease.example/tsu-1/2";
const NEW_MONITOR_ORIGIN: &str = "lab.chronolease.example/monitor-1/2";

/// A pair that issues, and its logs.
struct Pair {
    rig: Rig,
    tsu: Log,
    monitor: Log,
}

impl Pair {
    fn new() -> Self {
        Self::with_lease(Rig::prepared(&Self::options()))
    }

    fn options() -> Options {
        Options { monitor_overlay: Some(HASTE.to_owned()), ..Options::default() }
    }

    fn with_lease(mut rig: Rig) -> Self {
        rig.start_sources();
        rig.start_monitor();
        rig.start_tsu();
        rig.wait_for_lease();
        let (tsu, monitor) = (Log::of_tsu(rig.layout()), Log::of_monitor(rig.layout()));
        Self { rig, tsu, monitor }
    }

    /// Waits until both boxes keep a checkpoint of more leaves, cosigned by the other.
    fn kept_beyond(&self, leaves: [u64; 2]) {
        for (log, leaves) in [&self.tsu, &self.monitor].into_iter().zip(leaves) {
            self.rig.eventually("a checkpoint is kept", || match log.kept() {
                Some((_, size)) if size > leaves => Ok(()),
                other => Err(format!("{other:?}, {leaves} leaves")),
            });
        }
    }

    /// The monitor latches for this cause, and for longer than a lease lasts no token comes.
    fn issues_nothing(&self, cause: &str) {
        self.rig.eventually("the monitor latches", || match self.rig.recorded("latch") {
            latch if latch == cause => Ok(()),
            latch => Err(latch),
        });
        self.rig.wait_until_unready();
        let mut client = self.rig.client();
        wait::during(TTL, || {
            let answer = client.ask();
            let refused = matches!(answer.outcome, Outcome::Rejected(TIME_NOT_AVAILABLE));
            assert!(refused, "{answer:?}\n{}{}", self.rig.tsu.tail(), self.rig.monitor.tail());
        });
        let metrics = self.rig.monitor_metrics();
        let latched = [("tsu", TSU), ("state", "latched")];
        assert_eq!(metrics.get("chronolease_monitor_lease_state", &latched), Some(1.0));
        let broken = self.rig.tsu_metrics().get("chronolease_tsu_logs_broken", &[]);
        assert_eq!(broken, Some(1.0), "the TSU says so too");
    }
}

fn stop(daemon: &mut Process) {
    assert_eq!(daemon.sigterm().code(), Some(0), "{}", daemon.tail());
}

/// The causes of the broken logs on record.
fn broken(log: &Log) -> Vec<EndingCause> {
    let leaves = log.read(None).leaves.into_iter();
    let causes = leaves.filter_map(|leaf| match leaf.event {
        Event::PeerBroken(PeerBroken { cause, .. }) => Some(cause),
        _ => None,
    });
    causes.collect()
}

fn assert_clean(log: &Log, rig: &Rig) {
    let fsck = log.fsck(rig.layout());
    assert_eq!(fsck.status.code(), Some(0), "{}", said(&fsck));
}

fn re_pair(rig: &Rig, program: Program, arguments: &[&str]) -> Output {
    let path = Programs::Release.path(program);
    let config = if program == Program::Tsu { "tsu.toml" } else { "monitor.toml" };
    let agreed = ["--reason", "a copy was put back", "--by", "Ada", "--by", "Grace"];
    let arguments = [&["--config", config, "re-pair"], arguments, &agreed].concat();
    tools::run(rig.layout().dir(), path.to_str().expect("plain names"), &arguments)
}

#[test]
fn a_tsu_put_back_to_an_earlier_state_issues_again_after_re_pair_alone() {
    let mut pair = Pair::new();
    pair.kept_beyond([0, 0]);
    stop(&mut pair.rig.tsu);
    let state = pair.rig.layout().tsu_state();
    let earlier = pair.rig.layout().file("earlier");
    copy(&state, &earlier);
    let leaves = pair.tsu.read(None).head.tree.size.as_u64();
    pair.rig.start_tsu();
    pair.rig.wait_for_lease();
    // So many that the copy does not catch up with starts and stops: that would be a fork.
    let mut client = pair.rig.client();
    (0..MORE).for_each(|_| assert!(client.ask().token().is_some()));
    pair.kept_beyond([leaves + MORE, 0]);
    stop(&mut pair.rig.tsu);
    each_log_holds_the_others_checkpoints(&mut pair);

    // Whole batches are cut off, and the box's own checkpoint shows it.
    let segment = "evidence/segment/0000000000000000.seg";
    fs::copy(earlier.join(segment), state.join(segment)).expect("there is room");
    let told = pair.rig.tsu.refusal("its log is cut");
    assert!(told.contains("the log's newest cosigned checkpoint"), "{told}");
    // With the checkpoint goes what the box itself can know; the monitor knows.
    fs::remove_file(state.join("evidence/checkpoint")).expect("it is there");
    pair.rig.start_tsu();
    pair.issues_nothing("rollback");
    // The same with all of the state.
    stop(&mut pair.rig.tsu);
    restore(&earlier, &state);
    pair.rig.start_tsu();
    pair.issues_nothing("rollback");

    begins_anew(&mut pair);
}

fn signed_by(note: &Note) -> Vec<&str> {
    note.signatures().iter().map(|signature| signature.name().as_str()).collect()
}

/// The monitor is stopped, read, and started again.
fn each_log_holds_the_others_checkpoints(pair: &mut Pair) {
    stop(&mut pair.rig.monitor);
    let logs =
        [(&pair.tsu, TSU_ORIGIN, MONITOR_ORIGIN), (&pair.monitor, MONITOR_ORIGIN, TSU_ORIGIN)];
    for (log, own, peer) in logs {
        assert_clean(log, &pair.rig);
        let record = log.read(None);
        let notes = record.leaves.iter().filter_map(|leaf| match &leaf.event {
            Event::PeerCheckpoint(note) => Some(Note::parse(note).expect("a note")),
            _ => None,
        });
        let (mut size, mut count) = (0, 0);
        for note in notes {
            assert_eq!(signed_by(&note), [peer, own]);
            let checkpoint = Checkpoint::parse(note.text()).expect("a checkpoint");
            assert_eq!(checkpoint.origin.as_str(), peer);
            assert!(checkpoint.size.as_u64() >= size, "{checkpoint:?} after {size}");
            (size, count) = (checkpoint.size.as_u64(), count + 1);
        }
        assert!(count > 1, "{count} checkpoints");
        let (kept, _) = log.kept().expect("it is there");
        assert_eq!(signed_by(&kept), [own, peer]);
        assert_eq!(broken(log), []);
    }
    pair.rig.start_monitor();
}

/// Gives a log another name in both configurations.
fn rename(layout: &Layout, old: &str, new: &str) {
    for file in [layout.tsu_toml(), layout.monitor_toml()] {
        let text = fs::read_to_string(&file).expect("it is there");
        let named = |origin: &str| format!("origin = \"{origin}\"");
        assert!(text.contains(&named(old)), "{text}");
        fs::write(&file, text.replace(&named(old), &named(new))).expect("the directory is ours");
    }
}

fn begins_anew(pair: &mut Pair) {
    let layout = pair.rig.layout().clone();
    rename(&layout, TSU_ORIGIN, NEW_ORIGIN);
    let running = re_pair(&pair.rig, Program::Tsu, &["own"]);
    assert_eq!(running.status.code(), Some(1), "{}", said(&running));
    assert!(said(&running).contains("is open already"), "{}", said(&running));
    stop(&mut pair.rig.tsu);
    stop(&mut pair.rig.monitor);
    assert_eq!(broken(&pair.monitor), [EndingCause::Rollback; 2], "once for each connection");

    let taken_up = re_pair(&pair.rig, Program::Monitor, &["peer", TSU]);
    assert_eq!(taken_up.status.code(), Some(0), "{}", said(&taken_up));
    fs::write(layout.file("sealed.note"), &taken_up.stdout).expect("the directory is ours");
    let begun = re_pair(&pair.rig, Program::Tsu, &["own", "--sealed", "sealed.note"]);
    assert_eq!(begun.status.code(), Some(0), "{}", said(&begun));

    pair.rig.start_monitor();
    pair.rig.start_tsu();
    pair.rig.wait_for_lease();
    let answer = pair.rig.client().ask();
    assert!(answer.token().is_some(), "{answer:?}");
    assert_eq!(pair.rig.recorded("latch"), "-");
    stop(&mut pair.rig.tsu);
    stop(&mut pair.rig.monitor);

    let new = Log::epoch(pair.tsu.folder().to_owned(), NEW_ORIGIN);
    let old = Log::epoch(layout.tsu_state().join("evidence.sealed-1"), TSU_ORIGIN);
    for log in [&new, &old, &pair.monitor] {
        assert_clean(log, &pair.rig);
    }
    let sealed = Note::parse(&taken_up.stdout).expect("a note");
    let sealed = Checkpoint::parse(sealed.text()).expect("a checkpoint");
    assert!(sealed.size > old.read(None).head.tree.size, "the lost leaves are sealed too");
    let reason = "a copy was put back (agreed by Ada and Grace)";
    let first = new.read(None).leaves.swap_remove(0).event;
    assert_eq!(first, Event::NewEpoch(NewEpoch { sealed, reason: reason.to_owned() }));
    let is_epoch = |event: &Event| match event {
        Event::PeerEpoch(PeerEpoch { sealed, origin, reason: why }) => {
            *sealed == taken_up.stdout && origin.as_str() == NEW_ORIGIN && why == reason
        }
        _ => false,
    };
    assert!(pair.monitor.read(None).leaves.iter().any(|leaf| is_epoch(&leaf.event)));
}

#[test]
fn a_monitor_put_back_to_an_earlier_state_grants_nothing() {
    let mut pair = Pair::new();
    pair.kept_beyond([0, 0]);
    stop(&mut pair.rig.monitor);
    let state = pair.rig.layout().monitor_state();
    let earlier = pair.rig.layout().file("earlier");
    copy(&state, &earlier);
    let leaves = pair.monitor.read(None).head.tree.size.as_u64();
    pair.rig.start_monitor();
    pair.rig.wait_for_lease();
    pair.kept_beyond([0, leaves + MORE]);
    stop(&mut pair.rig.monitor);

    let segment = "evidence/segment/0000000000000000.seg";
    fs::copy(earlier.join(segment), state.join(segment)).expect("there is room");
    let told = pair.rig.monitor.refusal("its log is cut");
    assert!(told.contains("the log's newest cosigned checkpoint"), "{told}");
    restore(&earlier, &state);
    pair.rig.start_monitor();
    pair.issues_nothing("rollback");
    stop(&mut pair.rig.tsu);
    stop(&mut pair.rig.monitor);
    assert_eq!(broken(&pair.tsu), [EndingCause::Rollback], "once");
    assert_eq!(broken(&pair.monitor), [], "the TSU's log is not at fault");
    let told = pair.rig.monitor.log();
    assert!(!told.contains("not an offer to vouch for"), "{told}");
    assert_clean(&pair.tsu, &pair.rig);

    let layout = pair.rig.layout().clone();
    rename(&layout, MONITOR_ORIGIN, NEW_MONITOR_ORIGIN);
    let taken_up = re_pair(&pair.rig, Program::Tsu, &["peer"]);
    assert_eq!(taken_up.status.code(), Some(0), "{}", said(&taken_up));
    fs::write(layout.file("sealed.note"), &taken_up.stdout).expect("the directory is ours");
    let begun = re_pair(&pair.rig, Program::Monitor, &["own", "--sealed", "sealed.note"]);
    assert_eq!(begun.status.code(), Some(0), "{}", said(&begun));
    pair.rig.start_monitor();
    pair.rig.start_tsu();
    pair.rig.wait_for_lease();
    stop(&mut pair.rig.monitor);
    let new = Log::epoch(pair.monitor.folder().to_owned(), NEW_MONITOR_ORIGIN);
    assert_clean(&new, &pair.rig);
    let first = new.read(None).leaves.swap_remove(0).event;
    assert!(matches!(first, Event::NewEpoch(_)), "{first:?}");
}

#[test]
fn a_log_that_was_continued_elsewhere_is_a_fork() {
    let mut pair = Pair::new();
    stop(&mut pair.rig.tsu);
    let state = pair.rig.layout().tsu_state();
    let elsewhere = pair.rig.layout().file("elsewhere");
    copy(&state, &elsewhere);
    let leaves = pair.tsu.read(None).head.tree.size.as_u64();
    pair.rig.start_tsu();
    pair.rig.wait_for_lease();
    pair.kept_beyond([leaves, 0]);
    stop(&mut pair.rig.tsu);
    // Longer than what the monitor has vouched for, so that its length tells nothing.
    let leaves = pair.tsu.read(None).head.tree.size.as_u64();
    restore(&elsewhere, &state);
    pair.tsu.grow(leaves + 5);
    pair.rig.start_tsu();
    pair.issues_nothing("fork");
    stop(&mut pair.rig.monitor);
    assert_eq!(broken(&pair.monitor), [EndingCause::Fork]);
    assert_clean(&pair.monitor, &pair.rig);
}

/// The daemon is started again on a disk that is sound, and refuses.
fn stays_poisoned(daemon: &mut Process, disk: &FailingDisk, log: &Log) {
    disk.recover();
    assert!(log.folder().join("poisoned").exists());
    daemon.sigkill();
    let told = daemon.refusal("its log is poisoned");
    assert!(told.contains("it was poisoned: "), "{told}");
}

#[test]
fn an_fdatasync_that_fails_stops_the_tsu_for_good() {
    let mut rig = Rig::prepared(&Pair::options());
    let disk = FailingDisk::new(rig.layout().dir());
    rig.tsu.set_env(&disk.environment());
    let mut pair = Pair::with_lease(rig);
    let mut client = pair.rig.client();
    assert!(client.ask().token().is_some());
    disk.fail();
    let refused = |outcome: &Outcome| {
        matches!(outcome, Outcome::Rejected(SYSTEM_FAILURE | TIME_NOT_AVAILABLE))
    };
    // The first one meets the fault, or the lease's record met it before.
    let first = client.ask();
    assert!(refused(&first.outcome), "{first:?}");
    pair.rig.eventually("the monitor latches", || match &pair.rig.recorded("latch")[..] {
        "evidence-poisoned" => Ok(()),
        latch => Err(latch.to_owned()),
    });
    assert!(pair.rig.endings("evidence-poisoned") >= 1.0, "{}", pair.rig.monitor.tail());
    let trouble = pair.rig.tsu_metrics().get("chronolease_tsu_evidence_trouble", &[]);
    assert_eq!(trouble, Some(1.0));
    wait::during(TTL, || {
        let answer = client.ask();
        assert!(refused(&answer.outcome), "{answer:?}\n{}", pair.rig.tsu.tail());
    });
    stays_poisoned(&mut pair.rig.tsu, &disk, &pair.tsu);
}

#[test]
fn an_fdatasync_that_fails_stops_the_monitor_for_good() {
    let mut rig = Rig::prepared(&Pair::options());
    let disk = FailingDisk::new(rig.layout().dir());
    rig.monitor.set_env(&disk.environment());
    let mut pair = Pair::with_lease(rig);
    disk.fail();
    pair.rig.eventually("the monitor latches", || match &pair.rig.recorded("latch")[..] {
        "evidence-poisoned" => Ok(()),
        latch => Err(latch.to_owned()),
    });
    pair.rig.wait_until_unready();
    let answer = pair.rig.client().ask();
    assert!(answer.is_time_not_available(), "{answer:?}");
    stays_poisoned(&mut pair.rig.monitor, &disk, &pair.monitor);
}
