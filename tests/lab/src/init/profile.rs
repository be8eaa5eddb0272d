//! The configuration files of a lab, every value spelt out.

use std::path::PathBuf;

use chronolease_core::evidence::note::KeyName;
use chronolease_core::leap::list::{history, write_list};
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::time::{Timestamp, Utc};
use chronolease_net::recorder::EvidenceConfig;

use super::accuracy::Accuracy;
use super::files::MARKER;
use super::pki::Pins;
use crate::layout::{Ports, ROLES};

/// ETSI's best practices policy for time-stamps (EN 319 421 5.2).
const POLICY: &str = "0.4.0.2023.1.1";

/// The names of the evidence logs.
pub(super) const TSU_ORIGIN: &str = "lab.chronolease.example/tsu-1";
pub(super) const MONITOR_ORIGIN: &str = "lab.chronolease.example/monitor-1";

/// Small, since a machine may hold many labs.
const SEGMENT_MIB: u64 = 8;

/// The evidence log in `dir`, as the configuration files describe it.
pub(super) fn evidence(dir: PathBuf, origin: &str, key_file: PathBuf) -> EvidenceConfig {
    let mib = 1 << 20;
    let (segment_bytes, reserve_bytes) = (SEGMENT_MIB * mib, mib);
    EvidenceConfig { dir, origin: log_name(origin), key_file, segment_bytes, reserve_bytes }
}

/// One of the names above, as a log bears it.
pub(super) fn log_name(origin: &str) -> KeyName {
    KeyName::new(origin).expect("the lab's own names are fair")
}

/// The sources and their control listener.
pub(super) fn lab_toml(ports: Ports) -> String {
    let mut text = format!(
        r#"{MARKER}

# Where the knobs of the sources are turned: GET /sources, PUT /sources/NAME.
[control]
listen = "{}"
"#,
        ports.control()
    );
    for (source, listen) in ports.sources() {
        text.push_str(&format!(
            r#"
[[source]]
name = "{}"
listen = "{listen}"
"#,
            source.name
        ));
    }
    text
}

/// The real leap seconds, in a list that is good for the rest of the century.
pub(super) fn leap_list(now: Timestamp<Utc>) -> String {
    let expires = MonthEnd::of(2099, 12).map_or(now, MonthEnd::instant);
    write_list(now, expires, &history())
}

/// The clock reader of the box `box_name`.
pub(super) fn clock_toml(box_name: &str) -> String {
    format!(
        r#"# The clock reader of the {box_name}'s box in a lab. Paths start at this file's directory.

[socket]
path = "run/{box_name}-clock.sock"
access = "owner"
clients_max = 8

[reader]
interval = "100ms"

[log]
level = "info"
"#
    )
}

/// Box A.
pub(super) fn tsu_toml(ports: Ports, accuracy: Accuracy, pins: &Pins) -> String {
    format!(
        r#"# The TSU of a lab, box A. Paths start at this file's directory.

[tsu]
id = "tsu-1"
mode = "witnessed"
# A lab may run on a virtual machine.
allow_unwitnessed_vm = true

# Where clients ask for tokens.
[http]
listen = "{http}"

# What the tokens say.
[token]
policy = "{POLICY}"
accepted_policies = []

# The limits within which a lease lets the clock issue. They must agree with the monitor's.
[lease]
accuracy = "{accuracy}"
grant_within = "{grant_within}"
guard = "5ms"
bracket = "1ms"
rho_ppm = 100
ttl = "3s"
interval_max = "{interval_max}"
queue_max = "{queue_max}"

# The signing key. A key in a file is for evaluation only.
[signer]
kind = "file"
key_file = "pki/tsu.key"
certificate_file = "pki/tsu.pem"
chain_files = []
root_file = "pki/tsa-ca.pem"
slots = 2

# The evidence log: what every token leaves behind. The key signs its checkpoints.
[evidence]
key_file = "pki/evidence/tsu.key"
dir = "state/tsu/evidence"
origin = "{TSU_ORIGIN}"
segment_mib = {SEGMENT_MIB}
reserve_mib = 1

# The way to the monitor.
[link]
monitor = "{link}"
certificate_file = "pki/nodes/tsu.pem"
key_file = "pki/nodes/tsu.key"
monitor_spki_sha256 = ["{monitor_pin}"]
monitor_evidence_key_file = "pki/evidence/monitor.pub"
monitor_evidence_origin = "{MONITOR_ORIGIN}"

# The clock reader of this box.
[clock_reader]
socket = "run/tsu-clock.sock"
silence_max = "1s"

# Metrics and health.
[metrics]
listen = "{metrics}"

# A pipeline that stands still for so long ends the process.
[watchdog]
stall_max = "10s"

[log]
level = "info"
"#,
        http = ports.tsu_http(),
        grant_within = accuracy.grant_within(),
        interval_max = accuracy.interval_max(),
        queue_max = accuracy.queue_max(),
        link = ports.link(),
        monitor_pin = pins.monitor,
        metrics = ports.tsu_metrics(),
    )
}

/// Box B.
pub(super) fn monitor_toml(ports: Ports, accuracy: Accuracy, pins: &Pins) -> String {
    let mut text = monitor_process(ports);
    text.push_str(&monitor_sources(ports));
    text.push_str(&format!(
        r#"
# Leap seconds: the real ones, and a list that does not expire.
[leap_seconds]
file = "leap-seconds.list"
months = "half-year"

# The limits of a lease. They must agree with the TSU's.
[lease]
accuracy = "{accuracy}"
grant_within = "{grant_within}"
revoke_beyond = "{revoke_beyond}"
guard = "5ms"
bracket = "1ms"
rho_ppm = 100
ttl = "3s"
interval_max = "{interval_max}"
queue_max = "{queue_max}"
probe = "1s"
good_probes = 5
hold = "3s"
hold_latched = "5s"
rearm = "automatic"

# How often a TSU is asked for a token where its clients ask.
[end_to_end]
interval = "2s"
timeout = "2s"

# The wards.
[[tsu]]
id = "tsu-1"
endpoint = "http://{http}/"
token_certificate_files = ["pki/tsu.pem"]
spki_sha256 = ["{tsu_pin}"]
policy = "{POLICY}"
evidence_key_file = "pki/evidence/tsu.pub"
evidence_origin = "{TSU_ORIGIN}"
"#,
        grant_within = accuracy.grant_within(),
        interval_max = accuracy.interval_max(),
        queue_max = accuracy.queue_max(),
        revoke_beyond = accuracy.revoke_beyond(),
        http = ports.tsu_http(),
        tsu_pin = pins.tsu,
    ));
    text.push_str("\n# Who may ask and act.\n");
    let persons = ROLES.iter().zip(&pins.persons).map(|(role, pin)| {
        format!(
            r#"[[person]]
name = "{role}"
role = "{role}"
spki_sha256 = ["{pin}"]
"#
        )
    });
    text.push_str(&persons.collect::<Vec<_>>().join("\n"));
    text
}

fn monitor_process(ports: Ports) -> String {
    format!(
        r#"# The monitor of a lab, box B. Paths start at this file's directory.

[monitor]
id = "monitor-1"
state_dir = "state/monitor"
# A lab may run on a virtual machine.
allow_virtual_monitor = true

# Where TSUs connect.
[link]
listen = "{link}"
certificate_file = "pki/nodes/monitor.pem"
key_file = "pki/nodes/monitor.key"

# The evidence log. The key signs its checkpoints, and leases.
[evidence]
key_file = "pki/evidence/monitor.key"
dir = "state/monitor/evidence"
origin = "{MONITOR_ORIGIN}"
segment_mib = {SEGMENT_MIB}
reserve_mib = 1

# The clock reader of this box.
[clock_reader]
socket = "run/monitor-clock.sock"
silence_max = "1s"

# Where operators connect.
[admin]
listen = "{admin}"

# Metrics and health.
[metrics]
listen = "{metrics}"

# An engine that stands still for so long ends the process.
[watchdog]
stall_max = "10s"

[log]
level = "info"
"#,
        link = ports.link(),
        admin = ports.admin(),
        metrics = ports.monitor_metrics(),
    )
}

fn monitor_sources(ports: Ports) -> String {
    let mut text = String::from(
        r#"
# What a source must be like to be heard, and how many of them may lie.
[sources]
faults = 1
poll = "1s"
timeout = "500ms"
age_max = "4s"
delay_max = "200ms"
root_distance_max = "50ms"
reference_age_max = "1h"
stratum_max = 4
authenticated = "mixed"
"#,
    );
    for (source, address) in ports.sources() {
        text.push_str(&format!(
            r#"
[[source]]
name = "{}"
laboratory = "{}"
address = "{address}"
"#,
            source.name, source.laboratory
        ));
    }
    text
}
