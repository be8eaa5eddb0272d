//! The program on real logs: what it prints and how it exits.

mod bench;

use std::io::Read;
use std::process::{Command, Stdio};

use bench::{Log, Ran, chronolease, intent, issued, lease, started, unverified_checkpoint};
use chronolease_core::evidence::leaf::{Event, Leaf};
use chronolease_net::evidence::{Checkpoints, Disk};
use serde_json::Value;

#[test]
fn a_sound_log_is_clean_also_while_it_is_written() {
    let log = Log::new("clean");
    let owner = log.create();
    log.append(&owner, &[started(), lease(1, 0), intent(1, 1, 10), intent(2, 1, 11)]);
    log.append(&owner, &[issued(&[1, 2]), Event::Stopped]);
    let tree = owner.log().head().tree;
    let check = || {
        let known = format!("{}:{}", tree.size, tree.root);
        let ran = log.fsck(&["--at-least", &known]);
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{}", ran.stdout);
        ran.stdout
    };
    let text = check();
    owner.close();
    assert_eq!(check(), text, "the writer makes no difference");
    let expected = [
        "segments   1",
        "size       6",
        &format!("root       {}", tree.root),
        "  started          1",
        "  stopped          1",
        "  lease-granted    1",
        "  intent           2",
        "  issued           1",
        "clean",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_writer_at_work_is_never_mistaken_for_damage() {
    let log = Log::new("live");
    let owner = log.create();
    log.append(&owner, &[started(), lease(1, 0)]);
    let request = log.request(owner.log().head().tree);
    let checks = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for token in 0..250 {
                log.append(&owner, &[intent(token, 1, 10), bench::long_note(), issued(&[token])]);
            }
        });
        let mut checks = 0;
        while !writer.is_finished() {
            let report = chronolease_cli::fsck::check(&request).expect("sound");
            assert_eq!(report.findings, []);
            checks += 1;
        }
        checks
    });
    owner.close();
    assert!(checks > 0);
    let report = chronolease_cli::fsck::check(&request).expect("sound");
    assert_eq!((report.tree.size.as_u64(), report.findings.len()), (2 + 3 * 250, 0));
}

#[test]
fn findings_name_the_leaf_and_end_with_1() {
    let log = Log::new("findings");
    let owner = log.create();
    log.append(&owner, &[started(), lease(1, 0), intent(1, 1, 10), intent(1, 1, 9)]);
    log.append(&owner, &[issued(&[7]), intent(2, 1, 3_500)]);
    log.append_bytes(&owner, b"\x30\x00 what is this");
    owner.close();
    let ran = log.fsck(&[]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let findings: Vec<&str> = ran.stdout.lines().filter(|l| l.starts_with("FINDING")).collect();
    for (line, (place, what)) in findings.iter().zip([
        ("leaf 3 (intent)", "already that of leaf 2"),
        ("leaf 3 (intent)", "goes back behind 2027-01-15T08:00:00.010000Z of leaf 2"),
        ("leaf 4 (issued)", "without an intent"),
        ("leaf 5 (intent)", "judged again under lease 1"),
        ("leaf 6 (unreadable)", "no leaf that this version knows"),
    ]) {
        assert!(line.contains(place) && line.contains(what), "{line}");
    }
    assert_eq!(findings.len(), 5, "{findings:#?}");
    assert!(ran.stdout.ends_with("findings   5\n"), "{}", ran.stdout);
}

#[test]
fn the_limits_of_the_judge_come_from_the_command_line() {
    let log = Log::new("limits");
    let owner = log.create();
    log.append(&owner, &[started(), lease(1, 0), intent(1, 1, 10)]);
    owner.close();
    assert_eq!(log.fsck(&["--guard", "0ns", "--bracket", "500ns"]).code, 0);
    let ran = log.fsck(&["--bracket", "499ns"]);
    assert!(ran.code == 1 && ran.stdout.contains("at most 499ns will do"), "{}", ran.stdout);
}

#[test]
fn signatures_are_checked_with_the_key() {
    let log = Log::new("signatures");
    let (signer, public) = log.key("monitor");
    let (_, stranger) = log.key("stranger");
    let owner = log.create();
    log.append(&owner, &[started(), bench::signed_lease(1, 0, |m| signer.sign(m).to_vec())]);
    owner.close();
    assert_eq!(log.fsck(&["--evidence-key", &public]).code, 0);
    let ran = log.fsck(&["--evidence-key", &stranger]);
    assert!(ran.code == 1 && ran.stdout.contains("leaf 1 (lease-granted)"), "{}", ran.stdout);
    assert_eq!(log.fsck(&["--evidence-key", "/nonexistent"]).code, 2);
}

/// Each byte up to the last commit, one at a time.
#[test]
fn a_changed_byte_is_never_clean() {
    let log = Log::new("tampering");
    let owner = log.create();
    log.append(&owner, &[started(), lease(1, 0), intent(1, 1, 10)]);
    let tree = owner.log().head().tree;
    owner.close();
    let request = log.request(tree);
    let good = log.segment();
    let end = good.iter().rposition(|byte| *byte != 0).expect("a log") + 1;
    assert!(chronolease_cli::fsck::check(&request).is_ok_and(|report| report.findings.is_empty()));
    for at in 0..end {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        log.tamper(&bytes);
        assert!(chronolease_cli::fsck::check(&request).is_err(), "byte {at} of {end}");
    }
    let ran = log.fsck(&[&format!("--at-least={}:{}", tree.size, tree.root)]);
    assert!(ran.code == 1 && ran.stdout.starts_with("REFUSED: "), "{}", ran.stdout);
    log.tamper(&good);
    assert_eq!(log.fsck(&[]).code, 0);
}

#[test]
fn a_torn_tail_is_shown_and_no_fault() {
    let log = Log::new("torn");
    let owner = log.create();
    log.append(&owner, &[started()]);
    owner.close();
    let mut bytes = log.segment();
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("a log") + 1;
    bytes[end + 3..end + 10].fill(7);
    log.tamper(&bytes);
    let ran = log.fsck(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(ran.stdout.contains("torn tail  10 bytes behind leaf 0"), "{}", ran.stdout);
}

#[test]
fn a_log_that_lost_what_is_known_of_it_is_refused() {
    let log = Log::new("known");
    let owner = log.create();
    log.append(&owner, &[started()]);
    let tree = owner.log().head().tree;
    owner.close();
    let other = format!("{}:{}", tree.size, "00".repeat(32));
    let larger = format!("2:{}", tree.root);
    for known in [other, larger] {
        let ran = log.fsck(&["--at-least", &known]);
        assert!(ran.code == 1 && ran.stdout.contains("--at-least knows of"), "{}", ran.stdout);
    }
    let checkpoints = Checkpoints::new(std::sync::Arc::new(Disk), log.folder());
    checkpoints.store(&unverified_checkpoint(tree.size, tree.root)).expect("stored");
    assert_eq!(log.fsck(&[]).code, 0);
    let forged = chronolease_core::evidence::merkle::Hash::from_bytes([9; 32]);
    checkpoints.store(&unverified_checkpoint(tree.size, forged)).expect("stored");
    let ran = log.fsck(&[]);
    assert!(ran.code == 1 && ran.stdout.contains("its own checkpoint 2"), "{}", ran.stdout);
    checkpoints.store(b"no note").expect("stored");
    let ran = log.fsck(&[]);
    assert!(ran.code == 1 && ran.stdout.contains("not a signed note"), "{}", ran.stdout);
}

#[test]
fn a_poisoned_absent_or_foreign_log_is_refused() {
    let log = Log::new("refused");
    let ran = log.fsck(&[]);
    assert!(ran.code == 1 && ran.stdout.contains("there is no log"), "{}", ran.stdout);
    let ran = log.show(&[]);
    assert!(ran.code == 1 && ran.stderr.contains("there is no log"), "{}", ran.stderr);
    log.create().close();
    assert_eq!(log.fsck(&[]).code, 0);
    let folder = log.folder().to_str().expect("UTF-8");
    for command in ["fsck", "show"] {
        let ran = chronolease(&["evidence", command, folder, "--origin", "another"]);
        let text = ran.stdout + &ran.stderr;
        assert!(ran.code == 1 && text.contains("the segment of another log"), "{text}");
    }
    std::fs::write(log.folder().join("poisoned"), "disk on fire").expect("written");
    let ran = log.fsck(&[]);
    assert!(ran.code == 1 && ran.stdout.contains("disk on fire"), "{}", ran.stdout);
}

fn one_of_each(log: &Log) -> Vec<Leaf> {
    let owner = log.create();
    let events = bench::every_kind();
    let leaves = log.append(&owner, &events);
    log.append_bytes(&owner, b"junk");
    owner.close();
    leaves
}

#[test]
fn the_table_has_a_line_for_each_leaf() {
    let log = Log::new("table");
    let leaves = one_of_each(&log);
    let Ran { code, stdout, .. } = log.show(&[]);
    assert_eq!(code, 0);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), leaves.len() + 1);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line.split_whitespace().next(), Some(&*index.to_string()), "{line}");
        assert!(line.is_ascii() && !line.contains('\x1b'), "{line}");
    }
    let with = |parts: &[&str]| {
        let found = lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} in\n{stdout}");
    };
    with(&["2027-01-15T08:00:00.000000000Z", "started", "tsu version=\"0.1.0\""]);
    with(&["lease-granted", "tsu=tsu-1 lease=1 ttl=3s"]);
    with(&["lease-ended", "cause=step"]);
    with(&["round", "sources=1/2", "quorum lost", "\"npl\"=unreachable (\"no-answer\")"]);
    with(&["verdict", "good clock-utc=[-1ms, 1ms]", "round_trip=400us"]);
    with(&["intent", "gen_time=2027-01-15T08:00:00.010000Z lease=1 sha256=0303"]);
    with(&["issued", "tokens=1"]);
    with(&["peer-checkpoint", "origin=test.example/log size=0"]);
    with(&["torn-tail", "cut=9 bytes"]);
    with(&["new-epoch", r#"reason="\u{1b}[2J gone""#]);
    with(&["unreadable", "not DER"]);
}

#[test]
fn a_range_and_kinds_can_be_chosen() {
    let log = Log::new("range");
    let leaves = one_of_each(&log);
    let indices = |options: &[&str]| -> Vec<String> {
        let ran = log.show(options);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let first = |line: &str| line.split_whitespace().next().expect("an index").to_owned();
        ran.stdout.lines().map(first).collect()
    };
    assert_eq!(indices(&["--from", "2", "--to", "4"]), ["2", "3", "4"]);
    assert_eq!(indices(&["--kind", "started,stopped"]), ["0", "1"]);
    assert_eq!(indices(&["--from", "1", "--kind", "started,stopped"]), ["1"]);
    assert_eq!(indices(&["--kind", "unreadable"]), [leaves.len().to_string()]);
    assert_eq!(indices(&["--from", "99"]), Vec::<String>::new());
    assert_eq!(log.show(&["--kind", "nonsense"]).code, 2);
}

#[test]
fn json_lines_parse_and_have_the_fields() {
    let log = Log::new("json");
    let leaves = one_of_each(&log);
    let ran = log.show(&["--output", "jsonl"]);
    let objects: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((ran.code, objects.len()), (0, leaves.len() + 1));
    for (index, object) in objects.iter().enumerate() {
        assert_eq!(object["index"], index);
        assert!(object["kind"].is_string(), "{object}");
    }
    let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind).expect("a kind");
    assert_eq!(of("started")["made"]["real_ns"], 1_800_000_000_000_000_000_i64);
    assert_eq!(of("started")["incarnation"], "01".repeat(16));
    assert_eq!(of("lease-granted")["terms"]["ttl_ns"], 3_000_000_000_u64);
    assert_eq!(of("lease-ended")["found_by"]["raw_before_ns"], 20_000_000);
    assert_eq!(of("round")["utc"]["quorum_lost"]["required"], 3);
    assert_eq!(of("round")["sources"][0]["interval"]["lo_ns"], -900);
    assert_eq!(of("round")["sources"][0]["reason"], Value::Null);
    assert_eq!(of("round")["sources"][1]["reason"], "no-answer");
    assert_eq!(of("round")["estimate"]["groups"], 1);
    assert_eq!(of("round")["drifts"][0]["rate_ppb"]["hi"], 11_000);
    assert_eq!(of("round")["drifts"][0]["stepped_ns"], 5_000_000);
    assert_eq!(of("verdict")["clock_minus_utc"]["hi_ns"], 1_000_000);
    assert_eq!(of("intent")["gen_time"], 1_800_000_000_010_000_000_i64);
    assert_eq!(of("intent")["imprint"], "03".repeat(32));
    assert_eq!(of("issued")["tokens"][0]["signature_digest"], "05".repeat(32));
    assert_eq!(of("new-epoch")["size"], 0);
    assert_eq!(of("unreadable")["bytes"], "6a756e6b");
}

#[test]
fn show_prints_what_comes_before_a_damage() {
    let log = Log::new("damage");
    let owner = log.create();
    let many: Vec<Event> = (0..40).map(|_| bench::long_note()).collect();
    many.iter().for_each(|event| drop(log.append(&owner, std::slice::from_ref(event))));
    owner.close();
    assert!(log.segments().len() > 2);
    std::fs::remove_file(&log.segments()[1]).expect("removed");
    let ran = log.show(&[]);
    assert!(ran.code == 1 && ran.stderr.contains("missing"), "{}", ran.stderr);
    let shown = ran.stdout.lines().count();
    assert!(shown > 0 && shown < 40, "{shown}");
}

#[test]
fn a_pipe_that_closes_early_is_no_panic() {
    let log = Log::new("pipe");
    let owner = log.create();
    for _ in 0..20 {
        log.append(&owner, &[bench::long_note()]);
    }
    owner.close();
    let mut arguments = log.arguments("show");
    arguments.extend(["--output".to_owned(), "jsonl".to_owned()]);
    assert_eq!(until_the_pipe_closes(&arguments, 1), (Some(0), String::new()));
    assert_eq!(until_the_pipe_closes(&log.arguments("fsck"), 0), (Some(0), String::new()));

    // The verdict stands even if nobody reads it.
    let log = Log::new("pipe-findings");
    let owner = log.create();
    log.append(&owner, &[issued(&[1])]);
    owner.close();
    assert_eq!(until_the_pipe_closes(&log.arguments("fsck"), 0), (Some(1), String::new()));
}

/// Reads so many bytes of the output, closes the pipe, and returns exit code and stderr.
fn until_the_pipe_closes(arguments: &[String], bytes: usize) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_chronolease"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut vec![0; bytes]).expect("it prints");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn help_version_and_wrong_options() {
    let ran = chronolease(&["--version"]);
    let version = format!("chronolease {}\n", chronolease_net::build::LONG_VERSION);
    assert_eq!((ran.code, ran.stdout), (0, version));
    let ran = chronolease(&["evidence", "fsck", "--help"]);
    assert!(ran.code == 0 && ran.stdout.contains("--at-least <SIZE:ROOT>"), "{}", ran.stdout);
    for wrong in [
        &[][..],
        &["evidence"],
        &["evidence", "fsck", "/nowhere"],
        &["evidence", "fsck", "/nowhere", "--origin", "a+b"],
        &["evidence", "fsck", "/nowhere", "--origin", "o", "--at-least", "7"],
        &["evidence", "fsck", "/nowhere", "--origin", "o", "--guard", "5"],
    ] {
        assert_eq!(chronolease(wrong).code, 2, "{wrong:?}");
    }
}
