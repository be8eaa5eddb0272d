//! Sources under NTS: a real chronyd proves who it is, and what proves nothing is not believed.

use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use chronolease_e2e::process::Process;
use chronolease_e2e::rig::lay_over;
use chronolease_e2e::{Options, Rig};
use serde_json::json;

const CHRONYD: &str = "/usr/sbin/chronyd";
const UNDER_NTS: [&str; 4] = ["ptb", "npl", "metas", "sp"];

#[test]
fn authenticated_sources_alone_bear_a_lease_and_are_never_asked_in_plain() {
    let mut rig = Rig::prepared(&Options::default());
    let mut chronyd = chronyd(&rig);
    hear_under_nts(&rig);
    let pid = rig.layout().file("chronyd.pid");
    let serves = || if pid.exists() { Ok(()) } else { Err("no pid file".to_owned()) };
    chronyd.start_until(serves);
    rig.start_sources();
    // The plain source is shown, and moves nothing.
    rig.turn("inrim", &json!({"offset_ms": 700}));
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();
    rig.wait_for_source("inrim", "falseticker");
    let answer = rig.client().ask();
    assert!(answer.token().is_some(), "{answer:?}");
    let metric = |name: &str, labels: &[(&str, &str)]| {
        rig.monitor_metrics().get(&format!("chronolease_monitor_{name}"), labels)
    };
    for source in UNDER_NTS {
        rig.wait_for_source(source, "ok");
        assert_eq!(metric("source_authenticated", &[("source", source)]), Some(1.0));
        let exchanges = [("source", source), ("result", "ok")];
        assert!(metric("nts_key_exchanges_total", &exchanges) >= Some(1.0));
        assert!(metric("nts_cookies", &[("source", source)]) >= Some(1.0));
    }
    assert_eq!(metric("source_authenticated", &[("source", "inrim")]), Some(0.0));

    // The same server on the same port, but in plain NTP alone: nobody falls back to that.
    chronyd.sigkill();
    let _ = fs::remove_file(&pid);
    write_config(&rig, "");
    chronyd.start_until(serves);
    rig.eventually("chronyd answers in plain NTP", || plain_answer(rig.spare_port()));
    rig.wait_until_unready();
    for source in UNDER_NTS {
        rig.wait_for_source(source, "unreachable");
    }
    plain_answer(rig.spare_port()).expect("whoever asked in plain NTP would still get an answer");
}

/// Asks as a client without NTS would.
fn plain_answer(port: u16) -> Result<(), String> {
    let ask = || {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.connect(("127.0.0.1", port))?;
        let mut packet = [0; 48];
        packet[0] = 0x23;
        socket.send(&packet)?;
        socket.recv(&mut packet)?;
        Ok::<u8, std::io::Error>(packet[0] & 7)
    };
    match ask() {
        Ok(4) => Ok(()),
        Ok(mode) => Err(format!("mode {mode}")),
        Err(error) => Err(error.to_string()),
    }
}

/// chronyd that serves the system's clock under NTS and leaves that clock alone (`-x`).
fn chronyd(rig: &Rig) -> Process {
    let program = PathBuf::from(CHRONYD);
    assert!(program.is_file(), "{CHRONYD} is missing; `make test` installs it");
    let file = |name: &str| rig.layout().file(name);
    let (root, key) = ("root".to_owned(), rcgen::KeyPair::generate().expect("a key"));
    let mut params = rcgen::CertificateParams::new(vec![root]).expect("a fair name");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::CertifiedIssuer::self_signed(params, key).expect("a root");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    let put = |name: &str, text: String| fs::write(file(name), text).expect("ours");
    put("nts-root.pem", issuer.pem());
    put("nts-server.pem", certificate.pem());
    put("nts-server.key", key.serialize_pem());
    let nts = format!(
        "ntsport {}\nntsserverkey {}\nntsservercert {}\nntsprocesses 0\n",
        rig.spare_port() + 1,
        file("nts-server.key").display(),
        file("nts-server.pem").display()
    );
    write_config(rig, &nts);
    let config = file("chrony.conf");
    let config = config.to_str().expect("temporary directories have plain names");
    Process::new(program, &["-4", "-U", "-x", "-d", "-f", config], file("chronyd.log"))
}

fn write_config(rig: &Rig, nts: &str) {
    let pid = rig.layout().file("chronyd.pid");
    let text = format!(
        "port {}\nbindaddress 127.0.0.1\ncmdport 0\nbindcmdaddress /\nallow 127/8\n\
         local stratum 1\nuser root\npidfile {}\n{nts}",
        rig.spare_port(),
        pid.display()
    );
    fs::write(rig.layout().file("chrony.conf"), text).expect("the directory is ours");
}

/// Four laboratories under NTS, the fewest that bear one liar, and one in plain NTP.
fn hear_under_nts(rig: &Rig) {
    let root = rig.layout().file("nts-root.pem");
    let mut text = "[sources]\nauthenticated = \"required\"\n".to_owned();
    for source in UNDER_NTS {
        text.push_str(&format!(
            "[[source]]\nname = \"{source}\"\nlaboratory = \"{source}\"\n[source.nts]\n\
             server = \"localhost:{}\"\nca_files = [\"{}\"]\n",
            rig.spare_port() + 1,
            root.display()
        ));
    }
    let (_, plain) = rig.ports().sources().find(|(it, _)| it.name == "inrim").expect("a source");
    text.push_str(&format!(
        "[[source]]\nname = \"inrim\"\nlaboratory = \"inrim\"\naddress = \"{plain}\"\n"
    ));
    lay_over(rig.layout(), "monitor", &text);
}
