//! Both boxes with a lab around them, as processes of their own.

use anyhow::Context as _;
use chronolease_benches::clients::{self, Got};
use chronolease_benches::processor::used_ns;
use chronolease_benches::rigs::{self, Key};
use chronolease_e2e::Rig;
use chronolease_e2e::process::Process;
use chronolease_e2e::rig::TSU;
use chronolease_sys::Clocks;

/// What is measured.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Laid over the TSU's configuration.
    overlay: &'static str,
    pub(crate) key: Key,
    pub(crate) goal: Goal,
}

/// What is hoped for.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// At most so many microseconds of the TSU for each token.
    Microseconds(f64),
    /// At least this share of them goes into the signature.
    Efficiency(f64),
}

pub(crate) const CASES: [Case; 4] = [
    Case {
        name: "P-256, sampled",
        overlay: "[token]\nself_check = \"sampled\"\n",
        key: Key::P256,
        goal: Goal::Microseconds(60.0),
    },
    Case { name: "P-256, every", overlay: "", key: Key::P256, goal: Goal::Microseconds(115.0) },
    Case {
        name: "RSA-4096, sampled",
        overlay: "[token]\nself_check = \"sampled\"\n[signer]\nrsa_padding = \"pss\"\n",
        key: Key::Rsa(4_096),
        goal: Goal::Efficiency(0.85),
    },
    Case {
        name: "RSA-4096, every",
        overlay: "[signer]\nrsa_padding = \"pss\"\n",
        key: Key::Rsa(4_096),
        goal: Goal::Efficiency(0.85),
    },
];

/// Sources, monitor and TSU. They end with it.
pub(crate) struct Boxes {
    pub(crate) rig: Rig,
}

/// What happened in one round.
pub(crate) struct Round {
    /// Processor time of the TSU.
    pub(crate) tsu_ns: u64,
    /// Processor time of the monitor.
    pub(crate) monitor_ns: u64,
    /// How many batches the monitor confirmed.
    pub(crate) batches: f64,
    /// The tokens.
    pub(crate) got: Got,
}

impl Boxes {
    /// Starts them and waits for the first lease.
    pub(crate) fn start(case: &Case) -> anyhow::Result<Self> {
        let rig = rigs::start(case.overlay, case.key)?;
        Ok(Self { rig })
    }

    /// Keeps so many requests in flight for so long.
    pub(crate) fn ask(&self, clocks: Clocks, in_flight: usize, ms: u64) -> anyhow::Result<Round> {
        let [tsu, monitor] = [&self.rig.tsu, &self.rig.monitor].map(Process::pid);
        let before = (used_ns(tsu)?, used_ns(monitor)?, self.confirmed()?);
        let got = clients::ask(self.rig.ports().tsu_http(), clocks, in_flight, ms)?;
        Ok(Round {
            tsu_ns: used_ns(tsu)? - before.0,
            monitor_ns: used_ns(monitor)? - before.1,
            batches: self.confirmed()? - before.2,
            got,
        })
    }

    fn confirmed(&self) -> anyhow::Result<f64> {
        let labels = [("tsu", TSU), ("result", "confirmed")];
        let family = "chronolease_monitor_confirmations_total";
        self.rig.monitor_metrics().get(family, &labels).context("the monitor counts them")
    }

    /// What the TSU holds in memory.
    pub(crate) fn memory_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.rig.tsu.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(number.context("VmRSS")?.trim().parse()?)
    }
}
