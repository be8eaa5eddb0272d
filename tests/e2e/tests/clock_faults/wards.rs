//! Two TSUs under one monitor: what happens to one does not touch the other.

use std::fs;

use chronolease_core::evidence::leaf::Event;
use chronolease_core::time::Span;
use chronolease_core::wire;
use chronolease_e2e::evidence::Log;
use chronolease_e2e::rig::TSU;
use chronolease_e2e::tools::{self, said};
use chronolease_e2e::{Options, Program, Programs, Rig};

use crate::fake_clock::FakeClock;

const SECOND: &str = "tsu-2";
const SECOND_ORIGIN: &str = "lab.chronolease.example/tsu-2";
const TOKENS: usize = 20;

/// A monitor with two wards. Of the second rig only the TSU and its clock reader ever run.
struct Wards {
    first: Rig,
    second: Rig,
    clock: FakeClock,
}

fn read(rig: &Rig, file: &str) -> String {
    fs::read_to_string(rig.layout().file(file)).expect("the lab wrote it")
}

/// The line of a file that begins with `key`.
fn line(text: &str, key: &str) -> String {
    let found = text.lines().find(|line| line.starts_with(key));
    found.unwrap_or_else(|| panic!("no {key} in {text}")).to_owned()
}

fn replaced(text: &str, changes: &[(String, String)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old.as_str()), "{old} in {text}");
        text.replace(old.as_str(), new)
    })
}

fn commission(rig: &Rig, program: Program, arguments: &[&str]) {
    let path = Programs::Release.path(program);
    let path = path.to_str().expect("plain names");
    let done = tools::run(rig.layout().dir(), path, arguments);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
}

impl Wards {
    /// As an operator adds a TSU: its configuration, then what `commission` makes on both boxes.
    fn start() -> Self {
        let clock = FakeClock::new();
        let mut first = Rig::prepared(&Options::default());
        let tsu_env = clock.environment();
        let mut second = Rig::prepared(&Options { tsu_env, ..Options::default() });
        let (ours, theirs) = (read(&first, "tsu.toml"), read(&second, "tsu.toml"));
        let key = first.layout().file("pki/evidence/monitor.pub");
        let changed = replaced(
            &theirs,
            &[
                (format!("id = \"{TSU}\""), format!("id = \"{SECOND}\"")),
                ("lab.chronolease.example/tsu-1".to_owned(), SECOND_ORIGIN.to_owned()),
                (line(&theirs, "monitor = "), line(&ours, "monitor = ")),
                (line(&theirs, "monitor_spki_sha256"), line(&ours, "monitor_spki_sha256")),
                ("pki/evidence/monitor.pub".to_owned(), key.display().to_string()),
            ],
        );
        fs::write(second.layout().tsu_toml(), changed).expect("the directory is ours");
        fs::remove_dir_all(second.layout().tsu_state().join("evidence")).expect("it is there");
        commission(&second, Program::Tsu, &["--config", "tsu.toml", "commission"]);

        let (monitor, other) = (read(&first, "monitor.toml"), read(&second, "monitor.toml"));
        let ward = format!(
            "\n[[tsu]]\nid = \"{SECOND}\"\n{}\n{}\nevidence_key_file = \"{}\"\n\
             evidence_origin = \"{SECOND_ORIGIN}\"\nendpoint = \"http://{}/\"\n\
             token_certificate_files = [\"{}\"]\n",
            line(&other, "spki_sha256"),
            line(&other, "policy = "),
            second.layout().file("pki/evidence/tsu.pub").display(),
            second.ports().tsu_http(),
            second.layout().file("pki/tsu.pem").display(),
        );
        fs::write(first.layout().monitor_toml(), monitor + &ward).expect("the directory is ours");
        let arguments = ["--config", "monitor.toml", "commission", "tsu", SECOND];
        commission(&first, Program::Monitor, &arguments);

        first.start_sources();
        first.start_monitor();
        first.start_tsu();
        second.start_tsu();
        first.wait_for_lease();
        second.wait_for_lease();
        Self { first, second, clock }
    }

    /// What the monitor counts of `tsu`.
    fn counted(&self, name: &str, tsu: &str, label: &str, value: &str) -> f64 {
        let name = format!("chronolease_monitor_{name}");
        let found = self.first.monitor_metrics().get(&name, &[("tsu", tsu), (label, value)]);
        found.unwrap_or_else(|| panic!("no {name} of {tsu}, {value}"))
    }

    fn latch(&self, tsu: &str) -> String {
        let text = read(&self.first, &format!("state/monitor/{tsu}.ward"));
        line(&text, "latch ").split_off("latch ".len())
    }

    /// Tokens of one TSU, with a few looks when a busy machine lost a lease for a moment.
    fn tokens(rig: &Rig, what: &str) {
        let mut client = rig.client();
        for _ in 0..TOKENS {
            rig.eventually(what, || {
                let answer = client.ask();
                answer.token().map(drop).ok_or_else(|| format!("{answer:?}"))
            });
        }
    }

    /// What the two of them never do, whatever happens to one.
    fn the_first_is_untouched(&self) {
        assert_eq!(self.latch(TSU), "-");
        for cause in ["step", "deviation", "clone", "rollback", "fork", "wrong-token"] {
            assert_eq!(self.counted("lease_endings_total", TSU, "cause", cause), 0.0, "{cause}");
        }
        Self::tokens(&self.first, "the first TSU goes on");
    }

    fn wait_for_latch(&self) {
        self.first.eventually("the second TSU is latched", || match &self.latch(SECOND)[..] {
            "step" | "step-notice" | "deviation" => Ok(()),
            latch => Err(format!("latched by {latch}")),
        });
        self.second.wait_until_unready();
        let answer = self.second.client().ask();
        assert!(answer.is_time_not_available(), "{answer:?}");
    }
}

/// Two logs with confirmations of their own, and the monitor's with those of both.
fn each_has_a_record_of_its_own(wards: &mut Wards) {
    for daemon in [&mut wards.first.tsu, &mut wards.second.tsu, &mut wards.first.monitor] {
        assert_eq!(daemon.sigterm().code(), Some(0), "{}", daemon.tail());
    }
    let monitor = Log::of_monitor(wards.first.layout());
    let second = Log::epoch(wards.second.layout().tsu_state().join("evidence"), SECOND_ORIGIN);
    let logs = [(Log::of_tsu(wards.first.layout()), vec![TSU]), (second, vec![SECOND])];
    for (log, mut wanted) in logs.into_iter().chain([(monitor, vec![TSU, SECOND])]) {
        let leaves = log.read(None).leaves;
        let mut confirmed: Vec<String> = leaves
            .iter()
            .filter_map(|leaf| match &leaf.event {
                Event::Confirmed(signed) => wire::decode_confirmation(&signed.der).ok(),
                _ => None,
            })
            .map(|confirmation| confirmation.tsu.to_string())
            .collect();
        confirmed.sort();
        confirmed.dedup();
        wanted.sort_unstable();
        assert_eq!(confirmed, wanted, "{}", log.folder().display());
        let fsck = log.fsck(wards.first.layout());
        assert_eq!(fsck.status.code(), Some(0), "{}", said(&fsck));
    }
}

#[test]
fn a_fault_of_one_tsu_does_not_touch_the_other() {
    let mut wards = Wards::start();
    Wards::tokens(&wards.first, "tokens of the first");
    Wards::tokens(&wards.second, "tokens of the second");
    for tsu in [TSU, SECOND] {
        assert!(wards.counted("confirmations_total", tsu, "result", "confirmed") >= 1.0, "{tsu}");
    }

    wards.clock.step_to(Span::from_millis(2_000));
    wards.wait_for_latch();
    wards.the_first_is_untouched();
    // It comes back by itself when its clock is right: re-arming is automatic in a lab.
    wards.clock.step_to(Span::ZERO);
    wards.second.wait_for_lease();

    wards.second.tsu.sigkill();
    wards.the_first_is_untouched();
    wards.second.start_tsu();
    wards.second.wait_for_lease();
    Wards::tokens(&wards.second, "the second goes on");

    // A link that takes nothing: the process at its other end is stopped.
    chronolease_sys::suspend(wards.first.tsu.pid()).expect("a child may be signalled");
    wards.clock.step_to(Span::from_millis(-2_000));
    wards.wait_for_latch();
    chronolease_sys::resume(wards.first.tsu.pid()).expect("a child may be signalled");
    wards.first.wait_for_lease();
    wards.the_first_is_untouched();

    each_has_a_record_of_its_own(&mut wards);
}
