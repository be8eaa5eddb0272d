//! What the demo tells the person in front of it.

use super::daemon::{Daemon, Exit, quoted};
use crate::layout::{Layout, Ports};

/// What has been started.
pub(super) fn started(daemons: &[Daemon]) -> String {
    let each = daemons.iter().map(|daemon| format!("{} (pid {})", daemon.name(), daemon.pid()));
    let all = each.collect::<Vec<_>>().join(", ");
    format!("started the time sources, {all}; the first lease takes a few seconds")
}

/// The line that says the first lease is held. Programs wait for it.
pub(super) fn ready(ports: Ports) -> String {
    format!(
        "ready: tokens at http://{}/, metrics at http://{}/metrics and http://{}/metrics, \
         time sources at http://{}/sources",
        ports.tsu_http(),
        ports.tsu_metrics(),
        ports.monitor_metrics(),
        ports.control()
    )
}

/// What to try, as commands to copy.
pub(super) fn text(layout: &Layout, ports: Ports, daemons: &[Daemon]) -> String {
    let pid_of = |name| {
        let daemon = daemons.iter().find(|daemon| daemon.name() == name);
        daemon.map_or_else(String::new, |daemon| daemon.pid().to_string())
    };
    let file = |relative: &str| quoted(&layout.file(relative));
    format!(
        r#"
Ask for a token and verify it:
  echo hello > {hello}
  openssl ts -query -data {hello} -sha256 -cert -out {tsq}
  curl -sS -H 'Content-Type: application/timestamp-query' --data-binary @{tsq} -o {tsr} http://{http}/
  openssl ts -verify -data {hello} -in {tsr} -CAfile {tsa_ca}
  openssl ts -reply -in {tsr} -text

Let one time source lie by half a second. Tokens go on; the metric names the liar:
  curl -X PUT http://{control}/sources/ptb -d '{{"offset_ms":500}}'
  curl -s http://{monitor_metrics}/metrics | grep source_state

Let a second one tell another lie. One liar is borne, two are not: the lease ends, and every
request gets timeNotAvailable:
  curl -X PUT http://{control}/sources/npl -d '{{"offset_ms":-700}}'

Set both right. After a few good seconds tokens come again:
  curl -X PUT http://{control}/sources/ptb -d '{{"offset_ms":0}}'
  curl -X PUT http://{control}/sources/npl -d '{{"offset_ms":0}}'

All knobs of all sources:
  curl -s http://{control}/sources

What the monitor knows, told to its auditor alone; and is a lease held?
  curl --cacert {node_ca} --cert {auditor} --key {auditor_key} https://{admin}/v1/status
  curl -s http://{tsu_metrics}/metrics | grep lease_held

Kill the clock reader of box A. Nobody can tell any more whether its clock is set, so the lease
ends at once; start the reader again and tokens come back:
  kill -9 {clock_pid}
  curl -s http://{monitor_metrics}/metrics | grep tsu_clock_reader_heard

Kill the monitor. Three seconds later the last lease has run out:
  kill -9 {monitor_pid}

The logs are in {logs}; the TSU is pid {tsu_pid}. Ctrl-C ends the demo.
"#,
        hello = file("hello.txt"),
        tsq = file("hello.tsq"),
        tsr = file("hello.tsr"),
        http = ports.tsu_http(),
        tsa_ca = quoted(&layout.tsa_ca()),
        control = ports.control(),
        monitor_metrics = ports.monitor_metrics(),
        node_ca = quoted(&layout.node_ca()),
        auditor = quoted(&layout.person_certificate("auditor")),
        auditor_key = quoted(&layout.person_key("auditor")),
        admin = ports.admin(),
        tsu_metrics = ports.tsu_metrics(),
        clock_pid = pid_of("tsu-clock"),
        monitor_pid = pid_of("monitor"),
        logs = quoted(&layout.logs()),
        tsu_pid = pid_of("tsu"),
    )
}

/// That a daemon is gone, and how to get it back.
pub(super) fn ended(exit: &Exit) -> String {
    format!("\n{exit}\nStart it again by hand with\n  {}\n", exit.command())
}
