//! The state of a box A is copied, and both run: neither gets a token out while both answer, no
//! serial number repeats, and the one that was left behind issues nothing by itself either.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use chronolease_core::time::Bound;
use chronolease_e2e::folders;
use chronolease_e2e::load::assert_sound;
use chronolease_e2e::process::Process;
use chronolease_e2e::rig::{TSU, lay_over};
use chronolease_e2e::tsp::{Answer, Client};
use chronolease_e2e::{Options, Program, Programs, Rig, http, wait};
use chronolease_lab::Layout;

/// What a lab claims.
const ACCURACY: Bound = Bound::from_millis(500);
/// Longer than a lab's lease lasts.
const LONGER_THAN_A_LEASE: Bound = Bound::from_millis(3_500);

/// Longer than a lab's hold after a latched cause, and a lease after it.
const HOLD_AND_A_LEASE: Bound = Bound::from_millis(8_500);

/// A second box A with the keys, the configuration and the state of the first one.
struct Copy {
    process: Process,
    http: SocketAddr,
    metrics: SocketAddr,
}

impl Copy {
    /// Copies a TSU that does not run, and gives the copy listeners of its own.
    fn of(rig: &Rig) -> Self {
        let (from, to) = (rig.layout().clone(), Layout::new(rig.layout().file("copy")));
        folders::copy(&from.pki(), &to.pki());
        folders::copy(&from.tsu_state(), &to.tsu_state());
        fs::copy(from.tsu_toml(), to.tsu_toml()).expect("the directory is ours");
        let [http, metrics] =
            [0, 1].map(|n| SocketAddr::from(([127, 0, 0, 1], rig.spare_port() + n)));
        // The clock of its box is no fault here.
        let socket = from.tsu_clock_socket();
        let socket = socket.display();
        let listeners = format!(
            "[clock_reader]\nsocket = \"{socket}\"\n[http]\nlisten = \"{http}\"\n[metrics]\nlisten = \"{metrics}\"\n"
        );
        lay_over(&to, "tsu", &listeners);
        let config = to.tsu_toml();
        let arguments = ["--config", config.to_str().expect("plain names")];
        let log = to.dir().join("tsu.log");
        let process = Process::new(Programs::Release.path(Program::Tsu), &arguments, log);
        Self { process, http, metrics }
    }

    fn start(&mut self) {
        let metrics = self.metrics;
        self.process.start_until(|| match http::get(metrics, "/livez") {
            Ok(response) if response.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
}

fn latch(rig: &Rig) -> String {
    let file = rig.layout().monitor_state().join(format!("{TSU}.ward"));
    let text = fs::read_to_string(file).expect("the monitor wrote it");
    text.lines().find_map(|line| line.strip_prefix("latch ")).expect("a line").to_owned()
}

fn await_latch(rig: &Rig, cause: &str) {
    rig.eventually("the monitor latches", || match latch(rig) {
        latch if latch == cause => Ok(()),
        latch => Err(latch),
    });
}

/// For so long, none of them issues.
fn neither_issues(
    clients: &mut [&mut Client],
    length: Bound,
    context: &str,
    tail: &dyn Fn() -> String,
) {
    wait::during(length, || {
        for client in clients.iter_mut() {
            let answer = client.ask();
            assert!(answer.token().is_none(), "{context}: {answer:?}\n{}", tail());
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    });
}

fn tokens_of(client: &mut Client, rig: &Rig, told: &mut Vec<Answer>, tail: &Path) {
    rig.eventually("it issues", || {
        let answer = client.ask();
        match answer.token() {
            Some(_) => {
                told.push(answer);
                Ok(())
            }
            None => Err(format!("{answer:?}\n{}", fs::read_to_string(tail).unwrap_or_default())),
        }
    });
    told.extend((0..30).map(|_| client.ask()));
}

#[test]
fn of_a_box_and_its_copy_neither_issues_while_both_run_and_one_never_again() {
    let mut rig = Rig::with_lease(&Options::default());
    let mut told = Vec::new();
    let mut first = rig.client();
    let log = rig.tsu.log_file().to_owned();
    tokens_of(&mut first, &rig, &mut told, &log);
    assert_eq!(rig.tsu.sigterm().code(), Some(0), "{}", rig.tsu.tail());

    // The control: the copy by itself is as good as the original.
    let mut copy = Copy::of(&rig);
    let mut second = Client::new(copy.http);
    copy.start();
    let log = copy.process.log_file().to_owned();
    tokens_of(&mut second, &rig, &mut told, &log);

    // Both run: both answer the challenge.
    rig.start_tsu();
    await_latch(&rig, "clone");
    assert!(rig.endings("clone") >= 1.0, "the copy's lease was revoked");
    let mut first = rig.client();
    let both = "both run";
    neither_issues(&mut [&mut first, &mut second], LONGER_THAN_A_LEASE, both, &|| {
        rig.monitor.tail()
    });

    // Both start at once.
    rig.tsu.sigkill();
    copy.process.sigkill();
    rig.tsu.start();
    copy.start();
    let mut first = rig.client();
    let both = "both started at once";
    neither_issues(&mut [&mut first, &mut second], LONGER_THAN_A_LEASE, both, &|| {
        rig.monitor.tail()
    });

    // The original alone is behind what the monitor saw of the copy.
    copy.process.sigkill();
    rig.eventually("the original knows that it lost leaves", || {
        match rig.tsu_metrics().get("chronolease_tsu_logs_broken", &[]) {
            Some(1.0) => Ok(()),
            broken => Err(format!("{broken:?}")),
        }
    });
    neither_issues(&mut [&mut first], HOLD_AND_A_LEASE, "left behind", &|| rig.tsu.tail());
    assert_ne!(latch(&rig), "-", "the hold alone takes no latch away");

    let tokens = assert_sound(&told, ACCURACY);
    println!("{} tokens, no serial number twice", tokens.len());
}
