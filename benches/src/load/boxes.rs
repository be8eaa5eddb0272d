//! Both boxes with a lab around them, as processes of their own.

use std::path::Path;

use anyhow::Context as _;
use chronolease_e2e::rig::lay_over;
use chronolease_e2e::tools::expect;
use chronolease_e2e::{Options, Rig};

/// What is measured.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Laid over the TSU's configuration.
    overlay: &'static str,
    /// What `openssl genpkey` takes for the key; none for the lab's own on P-256.
    key: Option<&'static [&'static str]>,
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

const RSA_4096: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"];

pub(crate) const CASES: [Case; 4] = [
    Case {
        name: "P-256, sampled",
        overlay: "[token]\nself_check = \"sampled\"\n",
        key: None,
        goal: Goal::Microseconds(60.0),
    },
    Case { name: "P-256, every", overlay: "", key: None, goal: Goal::Microseconds(115.0) },
    Case {
        name: "RSA-4096, sampled",
        overlay: "[token]\nself_check = \"sampled\"\n[signer]\nrsa_padding = \"pss\"\n",
        key: Some(RSA_4096),
        goal: Goal::Efficiency(0.85),
    },
    Case {
        name: "RSA-4096, every",
        overlay: "[signer]\nrsa_padding = \"pss\"\n",
        key: Some(RSA_4096),
        goal: Goal::Efficiency(0.85),
    },
];

/// Sources, monitor and TSU. They end with it.
pub(crate) struct Boxes {
    pub(crate) rig: Rig,
}

/// Processor time that the two daemons have used, in nanoseconds.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) tsu_ns: u64,
    pub(crate) monitor_ns: u64,
}

impl Boxes {
    /// Starts them and waits for the first lease.
    pub(crate) fn start(case: &Case) -> anyhow::Result<Self> {
        let mut rig = Rig::prepared(&Options::default());
        lay_over(rig.layout(), "tsu", case.overlay);
        if let Some(key) = case.key {
            let folder = rig.layout().dir();
            expect(folder, "openssl", &[&["genpkey", "-out", "pki/tsu.key"], key].concat());
            certify(folder)?;
        }
        rig.start_sources();
        rig.start_monitor();
        rig.start_tsu();
        rig.wait_for_lease();
        Ok(Self { rig })
    }

    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        Ok(Used {
            tsu_ns: cpu_ns(self.rig.tsu.pid())?,
            monitor_ns: cpu_ns(self.rig.monitor.pid())?,
        })
    }

    /// What the TSU holds in memory.
    pub(crate) fn memory_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.rig.tsu.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(number.context("VmRSS")?.trim().parse()?)
    }
}

/// A certificate of the lab's root for the key in `pki/tsu.key`.
fn certify(folder: &Path) -> anyhow::Result<()> {
    let extensions =
        "keyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping\n";
    std::fs::write(folder.join("extensions.cnf"), extensions)?;
    let subject = "/C=XX/O=Chronolease Lab/CN=tsu-1";
    let request = ["req", "-new", "-key", "pki/tsu.key", "-subj", subject, "-out", "tsu.csr"];
    expect(folder, "openssl", &request);
    let issued = ["x509", "-req", "-in", "tsu.csr", "-out", "pki/tsu.pem", "-days", "300"];
    let by = ["-CA", "pki/tsa-ca.pem", "-CAkey", "pki/tsa-ca.key", "-set_serial", "0x1234"];
    expect(folder, "openssl", &[&issued[..], &by, &["-extfile", "extensions.cnf"]].concat());
    Ok(())
}

/// User and system time of all threads of a process (proc(5)), which Linux shows in hundredths of a
/// second.
fn cpu_ns(pid: u32) -> anyhow::Result<u64> {
    const TICK_NS: u64 = 10_000_000;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything.
    let (_, rest) = stat.rsplit_once(") ").context("/proc/PID/stat")?;
    let field = |number: usize| -> anyhow::Result<u64> {
        // `rest` begins with field 3.
        Ok(rest.split(' ').nth(number - 3).context("a field")?.parse()?)
    };
    Ok((field(14)? + field(15)?) * TICK_NS)
}
