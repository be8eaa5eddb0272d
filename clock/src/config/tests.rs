use std::fs;

use chronolease_net::random;

use super::*;

/// The example of the documentation. It must always load.
const EXAMPLE: &str = include_str!("../../../docs/examples/clock.toml");

fn load(text: &str) -> Result<Config, ConfigErrors> {
    let name = format!("chronolease-clock-{:016x}.toml", u64::from_be_bytes(random::bytes()));
    let file = std::env::temp_dir().join(name);
    fs::write(&file, text).expect("the folder for temporary files is writable");
    let loaded = Config::load(&file).map(|(config, _)| config);
    fs::remove_file(&file).expect("ours");
    loaded
}

/// The example with lines replaced. Each must stand in it exactly once.
fn example(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(EXAMPLE.to_owned(), |text, (line, other)| {
        assert_eq!(text.matches(line).count(), 1, "{line:?} in the example");
        text.replace(line, other)
    })
}

#[test]
fn the_documented_example_is_the_default() {
    let config = load(EXAMPLE).expect("the example is good");
    assert_eq!(config.interval, Bound::from_millis(100));
    assert_eq!(config.socket.access.mode(), 0o660);
    assert_eq!(config.vmclock, Path::new("/dev/vmclock0"));
    assert_eq!(config.pps, None);
    let short = "[socket]\npath = \"/run/chronolease/clock.sock\"\n";
    assert_eq!(load(short).expect("nothing necessary is gone"), config);
}

#[test]
fn single_values_are_checked() {
    let long = format!("path = \"/{}\"", "x".repeat(90));
    for (line, other, key, part) in [
        ("path = \"/run/chronolease/clock.sock\"", "", "socket.path", "missing"),
        ("path = \"/run/chronolease/clock.sock\"", &long, "socket.path", "90 bytes"),
        ("path = \"/run/chronolease/clock.sock\"", "path = \"/run/..\"", "socket.path", "a file"),
        ("access = \"group\"", "access = \"all\"", "socket.access", "\"owner\" or \"group\""),
        ("clients_max = 8", "clients_max = 0", "socket.clients_max", "from 1 to 64"),
        ("interval = \"100ms\"", "interval = \"9ms\"", "reader.interval", "10ms to 1s"),
        ("interval = \"100ms\"", "interval = \"1001ms\"", "reader.interval", "10ms to 1s"),
        ("interval = \"100ms\"", "intervall = \"1s\"", "reader.intervall", "`interval`"),
    ] {
        let errors = load(&example(&[(line, other)])).expect_err("a mistake");
        let told: Vec<_> = errors.as_slice().iter().map(|e| (&*e.key, &*e.message)).collect();
        assert!(
            matches!(told[..], [(at, message)] if at == key && message.contains(part)),
            "{other}: {told:?}"
        );
    }
}

#[test]
fn a_pps_device_is_named_with_its_edge() {
    let with = |lines: &str| load(&format!("{EXAMPLE}\n[pps]\n{lines}\n"));
    let device = PathBuf::from("/dev/pps0");
    let pps = |loaded: Result<Config, _>| loaded.expect("good").pps;
    let assert = pps(with("device = \"/dev/pps0\""));
    assert_eq!(assert, Some(PpsConfig { device: device.clone(), event: PpsEvent::Assert }));
    let clear = pps(with("device = \"/dev/pps0\"\nedge = \"clear\""));
    assert_eq!(clear, Some(PpsConfig { device, event: PpsEvent::Clear }));
    for (lines, key, part) in [
        ("edge = \"clear\"", "pps.device", "missing"),
        ("device = \"/dev/pps0\"\nedge = \"rising\"", "pps.edge", "\"assert\" or \"clear\""),
    ] {
        let errors = with(lines).expect_err("a mistake");
        let told: Vec<_> = errors.as_slice().iter().map(|e| (&*e.key, &*e.message)).collect();
        assert!(
            matches!(told[..], [(at, message)] if at == key && message.contains(part)),
            "{told:?}"
        );
    }
}

#[test]
fn the_owner_alone_may_be_let_in() {
    let config = load(&example(&[("access = \"group\"", "access = \"owner\"")])).expect("good");
    assert_eq!(config.socket.access.mode(), 0o600);
}
