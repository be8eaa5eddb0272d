//! A monitor with 16 sources, and a TSU where the case has one.

use std::fmt::Write as _;

use anyhow::Context as _;
use chronolease_e2e::rig::lay_over;
use chronolease_e2e::{Options, Rig};

/// How many sources there are, two in each laboratory.
const SOURCES: u16 = 16;
const LABORATORIES: u16 = 8;

/// What is measured.
pub(crate) struct Case {
    pub(crate) poll: &'static str,
    age_max: &'static str,
    pub(crate) has_tsu: bool,
}

pub(crate) const CASES: [Case; 4] = [
    Case { poll: "16s", age_max: "64s", has_tsu: false },
    Case { poll: "16s", age_max: "64s", has_tsu: true },
    Case { poll: "1s", age_max: "4s", has_tsu: false },
    Case { poll: "1s", age_max: "4s", has_tsu: true },
];

/// What the monitor holds in memory.
pub(crate) struct Memory {
    pub(crate) now_mib: f64,
    pub(crate) peak_mib: f64,
}

/// Box B with its sources. All of it ends with it.
pub(crate) struct BoxB {
    rig: Rig,
}

impl BoxB {
    /// Starts it, and waits for the first lease where there is a TSU.
    pub(crate) fn start(case: &Case) -> Self {
        let mut rig = Rig::prepared(&Options::default());
        let (mut servers, mut heard) = (String::new(), String::new());
        writeln!(
            heard,
            "[sources]\nfaults = 2\npoll = \"{}\"\nage_max = \"{}\"\n[log]\nlevel = \"warn\"",
            case.poll, case.age_max
        )
        .expect("a string takes all");
        for n in 0..SOURCES {
            let (address, lab) = (format!("127.0.0.1:{}", rig.spare_port() + n), n % LABORATORIES);
            writeln!(servers, "[[source]]\nname = \"ntp{n}\"\nlisten = \"{address}\"")
                .expect("a string takes all");
            writeln!(
                heard,
                "[[source]]\nname = \"ntp{n}\"\nlaboratory = \"lab{lab}\"\naddress = \"{address}\""
            )
            .expect("a string takes all");
        }
        lay_over(rig.layout(), "lab", &servers);
        lay_over(rig.layout(), "monitor", &heard);
        rig.start_sources();
        rig.start_monitor();
        if case.has_tsu {
            rig.start_tsu();
            rig.wait_for_lease();
        }
        Self { rig }
    }

    /// Waits until every source has been asked once more than the burst asks.
    pub(crate) fn wait_for_the_regular_pace(&self) {
        const BURST: f64 = 4.0;
        self.rig.eventually("the burst is over", || {
            let metrics = self.rig.monitor_metrics();
            match (0..SOURCES).find(|&n| samples(&metrics, n) <= BURST) {
                None => Ok(()),
                Some(n) => Err(format!("ntp{n}: {}", samples(&metrics, n))),
            }
        });
    }

    /// How many samples all sources gave.
    pub(crate) fn samples(&self) -> f64 {
        let metrics = self.rig.monitor_metrics();
        (0..SOURCES).map(|n| samples(&metrics, n)).sum()
    }

    /// What all threads that run now have used, by the scheduler.
    pub(crate) fn running_ns(&self) -> anyhow::Result<u64> {
        let mut ns = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.rig.monitor.pid()))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            ns += text.split(' ').next().context("three figures")?.parse::<u64>()?;
        }
        Ok(ns)
    }

    /// What the process has used, threads that ended included, in steps of 10 ms (proc(5)).
    pub(crate) fn process_ns(&self) -> anyhow::Result<u64> {
        const TICK_NS: u64 = 10_000_000;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.rig.monitor.pid()))?;
        // The name in parentheses may hold anything; field 3 follows.
        let (_, rest) = stat.rsplit_once(") ").context("/proc/PID/stat")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let ticks = |field: usize| -> anyhow::Result<u64> {
            Ok(fields.get(field - 3).context("a field")?.parse()?)
        };
        Ok((ticks(14)? + ticks(15)?) * TICK_NS)
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.rig.monitor.pid()))?;
        let mib = |field: &str| -> anyhow::Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(field)).context("VmRSS")?;
            let kib = line.trim().strip_suffix(" kB").context("a size")?.parse::<f64>()?;
            Ok(kib / 1_024.0)
        };
        Ok(Memory { now_mib: mib("VmRSS:")?, peak_mib: mib("VmHWM:")? })
    }
}

fn samples(metrics: &chronolease_e2e::metrics::Metrics, source: u16) -> f64 {
    let name = format!("ntp{source}");
    let labels = [("source", name.as_str()), ("result", "sample")];
    metrics.get("chronolease_monitor_source_polls_total", &labels).unwrap_or(0.0)
}
