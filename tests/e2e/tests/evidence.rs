//! The evidence log under kills, on a full disk, altered, and lost.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::process::Output;

use chronolease_core::evidence::leaf::{Event, TornTail};
use chronolease_core::time::Bound;
use chronolease_e2e::evidence::{HEADER_BYTES, Log, Record, SmallDisk};
use chronolease_e2e::process::Process;
use chronolease_e2e::tools::{self, said};
use chronolease_e2e::tsp::{self, Outcome, SYSTEM_FAILURE, Token};
use chronolease_e2e::{Options, Program, Programs, Rig, http, wait};
use chronolease_sys::Clocks;

/// Pairs that are killed side by side.
const PAIRS: u64 = 5;
/// How often each is.
const KILLS: u64 = 4;
/// The longest load before a kill, in milliseconds.
const LOAD_MS_MAX: u64 = 1_500;

/// Grants as soon as a grant is sound, so that much of the time goes into load.
const HASTE: &str = "[lease]\ngood_probes = 1\nhold = \"100ms\"\nhold_latched = \"100ms\"\n";

/// How long a lab's lease lasts.
const TTL: Bound = Bound::from_millis(3_000);
const MIB: u64 = 1 << 20;

/// SplitMix64: which moments are tried, reproducibly.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A pair, and what is known of it from before its last kill.
struct Victims {
    rig: Rig,
    logs: [Log; 2],
    records: Option<[Record; 2]>,
    tokens: Vec<Token>,
}

#[test]
fn no_kill_of_the_pair_loses_what_a_token_rests_on() {
    let clocks = Clocks::open().expect("this box has clocks");
    let seed = clocks.real().as_unix_nanos().unsigned_abs();
    eprintln!("seed {seed}");
    std::thread::scope(|scope| {
        let kill = |seed| move || kill_again_and_again(Dice(seed));
        let pairs: Vec<_> = (0..PAIRS).map(|n| scope.spawn(kill(seed ^ n << 56))).collect();
        // Without this the scope would panic with a message of its own.
        let failed = pairs.into_iter().filter_map(|pair| pair.join().err()).count();
        assert_eq!(failed, 0, "of {PAIRS} pairs; seed {seed}");
    });
}

fn kill_again_and_again(mut dice: Dice) {
    let rig =
        Rig::prepared(&Options { monitor_overlay: Some(HASTE.to_owned()), ..Options::default() });
    let logs = [Log::of_tsu(rig.layout()), Log::of_monitor(rig.layout())];
    let mut victims = Victims { rig, logs, records: None, tokens: Vec::new() };
    victims.rig.start_sources();
    for kill in 0..KILLS {
        victims.start();
        victims.load_and_kill(&mut dice);
        // A kill seldom hits a write, so one of them is made to look as if it had.
        if kill == KILLS / 2 {
            victims.logs.iter().for_each(Log::tear);
        }
        victims.check_logs();
    }
    victims.start();
    for daemon in [&mut victims.rig.tsu, &mut victims.rig.monitor] {
        assert_eq!(daemon.sigterm().code(), Some(0), "{}", daemon.tail());
    }
    victims.check_logs();
    assert!(!victims.tokens.is_empty(), "there was no load");
    for log in &victims.logs {
        assert_clean(&log.fsck(victims.rig.layout()));
    }
}

impl Victims {
    fn start(&mut self) {
        self.rig.start_monitor();
        self.rig.start_tsu();
        self.rig.wait_for_lease();
    }

    /// Clients ask from before the kill until nobody answers.
    fn load_and_kill(&mut self, dice: &mut Dice) {
        let address = self.rig.ports().tsu_http();
        let length = Bound::from_millis(dice.below(LOAD_MS_MAX));
        let monitor_first = dice.below(2) == 0;
        std::thread::scope(|scope| {
            let clients = [(); 2].map(|()| scope.spawn(move || ask_until_it_is_gone(address)));
            let mut client = self.rig.client();
            wait::during(length, || self.tokens.extend(client.ask().token().cloned()));
            let (first, second) = (&mut self.rig.tsu, &mut self.rig.monitor);
            let order = if monitor_first { [second, first] } else { [first, second] };
            order.into_iter().for_each(Process::sigkill);
            let received = clients.map(|client| client.join().expect("it asks"));
            self.tokens.extend(received.into_iter().flatten());
        });
    }

    /// Reads both logs and checks them against what is known from before.
    fn check_logs(&mut self) {
        let before = self.records.take();
        let [tsu, monitor] = [0, 1].map(|box_| {
            let before = before.as_ref().map(|records| &records[box_]);
            let now = self.logs[box_].read(before);
            if let Some(before) = before {
                assert_torn_tail_recorded(before, &now);
            }
            now
        });
        tsu.assert_intended(&self.tokens);
        let granted: HashSet<_> = monitor.leases().into_iter().collect();
        let held = tsu.leases();
        assert!(!held.is_empty(), "no lease on record");
        let missing = held.iter().filter(|lease| !granted.contains(*lease)).count();
        assert_eq!(missing, 0, "of {} leases the monitor has no record", held.len());
        self.records = Some([tsu, monitor]);
    }
}

fn ask_until_it_is_gone(address: SocketAddr) -> Vec<Token> {
    let (mut client, mut tokens) = (tsp::Client::new(address), Vec::new());
    loop {
        match client.ask().outcome {
            Outcome::Token(token) => tokens.push(*token),
            // On a slow machine a lease may end without a kill.
            Outcome::Rejected(_) => {}
            Outcome::Http(status) => panic!("status {status}"),
            Outcome::Unanswered(_) => return tokens,
        }
    }
}

/// The first thing that the next run recorded.
fn assert_torn_tail_recorded(before: &Record, now: &Record) {
    let next = usize::try_from(before.head.tree.size.as_u64()).expect("it was read");
    let mut first = now.leaves[next..].iter().map(|leaf| &leaf.event);
    if let Some(tail) = before.torn_tail {
        let recorded = TornTail { after: tail.after, cut_bytes: tail.bytes };
        assert_eq!(first.next(), Some(&Event::TornTail(recorded)));
    }
    let started = first.next();
    assert!(matches!(started, Some(Event::Started(_))), "{started:?} after {:?}", before.head);
}

fn assert_clean(fsck: &Output) {
    let told = said(fsck);
    assert_eq!(fsck.status.code(), Some(0), "{told}");
    for counted in ["segments ", "size ", "started ", "lease-granted ", "clean"] {
        assert!(told.contains(counted), "no {counted:?} in {told}");
    }
}

#[test]
fn a_full_disk_stops_issuing_until_there_is_room() {
    let disk = SmallDisk::new();
    // Nobody else should be hurt, so most of what is free is declared a reserve.
    let reserve_mib = (disk.free_bytes() / MIB).saturating_sub(128).clamp(1, 65_536);
    let folder = disk.path().join("evidence");
    let overlay = format!(
        "[evidence]\ndir = \"{}\"\nsegment_mib = 2\nreserve_mib = {reserve_mib}\n",
        folder.display()
    );
    let mut rig = Rig::prepared(&Options { tsu_overlay: Some(overlay), ..Options::default() });
    let log = Log::of_tsu_in(folder);
    let commissioned = commission(&rig, Program::Tsu);
    assert!(commissioned.status.success(), "{}", said(&commissioned));
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();

    // Half of the reserve stays, but for a large one: what others free meanwhile changes nothing.
    let reserve = reserve_mib * MIB;
    let ballast = disk.fill(reserve - (reserve / 2).min(64 * MIB));
    let mut tokens = ask_until_the_disk_is_full(&rig);
    stays_full_with_its_lease(&rig);

    // Asked at once: the first token may be under a lease that came while nothing could be recorded.
    drop(ballast);
    let mut client = rig.client();
    tokens.push(rig.eventually("tokens are issued again", || match client.ask() {
        tsp::Answer { outcome: Outcome::Token(token), .. } => Ok(*token),
        refused => Err(format!("{refused:?}")),
    }));
    rig.wait_for_lease();
    let shown = rig.tsu_metrics();
    assert_eq!(shown.get("chronolease_tsu_evidence_trouble", &[]), Some(0.0));

    assert_eq!(rig.tsu.sigterm().code(), Some(0), "{}", rig.tsu.tail());
    log.read(None).assert_intended(&tokens);
    assert_clean(&log.fsck(rig.layout()));
}

fn ask_until_the_disk_is_full(rig: &Rig) -> Vec<Token> {
    let (mut client, mut tokens) = (rig.client(), Vec::new());
    // A segment has no room for as many.
    while (tokens.len() as u64) < 2 * MIB / 256 {
        let answer = client.ask();
        match answer.outcome {
            Outcome::Token(token) => tokens.push(*token),
            Outcome::Rejected(SYSTEM_FAILURE) => return tokens,
            // On a slow machine a lease may end.
            Outcome::Rejected(tsp::TIME_NOT_AVAILABLE) => rig.wait_for_lease(),
            _ => panic!("{answer:?}\n{}", rig.tsu.tail()),
        }
    }
    panic!("{} tokens, and the disk is not full", tokens.len());
}

/// For longer than a lease lasts, so the TSU takes new ones.
fn stays_full_with_its_lease(rig: &Rig) {
    let mut client = rig.client();
    wait::during(TTL.times(2), || {
        let answer = client.ask();
        let refused = matches!(answer.outcome, Outcome::Rejected(SYSTEM_FAILURE));
        assert!(refused, "{answer:?}\n{}", rig.tsu.tail());
    });
    let ready = http::get(rig.ports().tsu_metrics(), "/readyz").expect("it answers");
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("no room for the next segment"), "{}", ready.text());
    assert!(!ready.text().contains("no lease"), "{}", ready.text());
    let metrics = rig.tsu_metrics();
    assert_eq!(metrics.get("chronolease_tsu_evidence_trouble", &[]), Some(1.0));
    assert_eq!(metrics.get("chronolease_tsu_lease_held", &[]), Some(1.0));
    let counted = metrics.get("chronolease_tsu_requests_total", &[("result", "system_failure")]);
    assert!(counted >= Some(1.0), "{counted:?}");
}

/// `commission` for the evidence log of a box.
fn commission(rig: &Rig, program: Program) -> Output {
    let path = Programs::Release.path(program);
    let path = path.to_str().expect("plain names");
    let arguments: &[_] = match program {
        Program::Tsu => &["--config", "tsu.toml", "commission"],
        _ => &["--config", "monitor.toml", "commission", "log"],
    };
    tools::run(rig.layout().dir(), path, arguments)
}

#[test]
fn an_altered_log_is_found_by_its_daemon_and_by_fsck() {
    let mut rig = Rig::with_lease(&Options::default());
    let answer = rig.client().ask();
    assert!(answer.token().is_some(), "{answer:?}");
    let logs = [Log::of_tsu(rig.layout()), Log::of_monitor(rig.layout())];
    for daemon in [&mut rig.tsu, &mut rig.monitor] {
        assert_eq!(daemon.sigterm().code(), Some(0), "{}", daemon.tail());
    }
    for log in &logs {
        assert_clean(&log.fsck(rig.layout()));
        // In the first leaf, behind the length, the checksum and the kind of its frame.
        let undo = log.flip(HEADER_BYTES + 9 + 20);
        let fsck = log.fsck(rig.layout());
        assert_eq!(fsck.status.code(), Some(1), "{}", said(&fsck));
        let daemon = if log.folder() == logs[0].folder() { &mut rig.tsu } else { &mut rig.monitor };
        for told in [said(&fsck), daemon.refusal("its evidence log is not to be trusted")] {
            let place = format!("a damage at {HEADER_BYTES}");
            assert!(told.contains("segment 0: ") && told.contains(&place), "{told}");
        }
        undo();
        assert_clean(&log.fsck(rig.layout()));
    }
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();
}

#[test]
fn a_lost_log_is_noticed_and_made_by_an_operator_alone() {
    let mut rig = Rig::prepared(&Options::default());
    for (program, log) in [
        (Program::Tsu, Log::of_tsu(rig.layout())),
        (Program::Monitor, Log::of_monitor(rig.layout())),
    ] {
        let again = commission(&rig, program);
        assert_eq!(again.status.code(), Some(1), "{}", said(&again));
        assert!(said(&again).contains("there is a log already"), "{}", said(&again));

        let daemon = if program == Program::Tsu { &mut rig.tsu } else { &mut rig.monitor };
        let folder = log.folder().display().to_string();
        let command = format!("{} --config FILE commission", program.binary());
        fs::remove_dir_all(log.folder().join("segment")).expect("the log is ours");
        let without_segments = daemon.refusal("its evidence log is not to be trusted");
        fs::remove_dir_all(log.folder()).expect("the log is ours");
        for told in [without_segments, daemon.refusal("its evidence log is not to be trusted")] {
            assert!(told.contains(&folder) && told.contains(&command), "{told}");
        }
        assert!(!log.folder().exists(), "a start makes no log");
        let made = commission(&rig, program);
        assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    }
    // With the monitor's log went what it had vouched for.
    let told = rig.monitor.refusal("nothing is known of the TSU's log");
    assert!(told.contains("commission tsu tsu-1"), "{told}");
    fs::remove_file(rig.layout().ward_record()).expect("it is there");
    let monitor = Programs::Release.path(Program::Monitor);
    let arguments = ["--config", "monitor.toml", "commission", "tsu", "tsu-1"];
    tools::expect(rig.layout().dir(), monitor.to_str().expect("plain names"), &arguments);
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();
}
