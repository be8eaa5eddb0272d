//! How many are served at a time, and what the others are told.

use chronolease_e2e::http::{Client, Response};
use chronolease_e2e::stopping::Stopping;
use chronolease_e2e::tools::expect;
use chronolease_e2e::tsp::{self, Outcome};
use chronolease_e2e::{Options, Rig};

use super::framing::head;
use super::{connect, good};

const ASK: &[u8] = b"GET /policy HTTP/1.1\r\nHost: tsa\r\n\r\n";

/// Sends a request that anybody may send at any time.
fn ask(client: &mut Client) {
    client.send(ASK).expect("it is connected");
}

/// That the answer to [`ASK`] is the usual one, and the connection goes on.
fn is_answered(client: &mut Client) {
    let response = client.response().expect("an answer");
    let headers = ["connection", "cache-control", "retry-after"].map(|name| response.header(name));
    assert_eq!((response.status, headers), (200, [None, Some("no-store"), None]));
}

/// A TSU without a monitor with so many seats.
fn tsu(seats: usize) -> Rig {
    let overlay = format!("[http]\nconnections_max = {seats}\npatience = \"60s\"\n");
    let options = Options { tsu_overlay: Some(overlay), ..Options::default() };
    let mut rig = Rig::prepared(&options);
    rig.start_tsu();
    rig
}

#[test]
fn whoever_comes_when_all_seats_are_taken_waits_for_one() {
    const SEATS: usize = 3;
    /// How often the others are served while one waits.
    const ROUNDS: usize = 100;

    let seated = |rig: &Rig| -> Vec<Client> {
        let mut clients: Vec<Client> = (0..SEATS).map(|_| connect(rig)).collect();
        for client in &mut clients {
            ask(client);
            is_answered(client);
        }
        clients
    };
    let rounds = |clients: &mut [Client]| {
        for n in 0..ROUNDS {
            let client = &mut clients[n % SEATS];
            ask(client);
            is_answered(client);
        }
    };

    let full = tsu(SEATS);
    let mut clients = seated(&full);
    let mut waiting = connect(&full);
    ask(&mut waiting);
    rounds(&mut clients);
    assert!(!waiting.has_heard().expect("it is connected"), "it was served beyond the cap");
    drop(clients.pop());
    is_answered(&mut waiting);

    // The negative control: with one seat more nobody has to go.
    let roomy = tsu(SEATS + 1);
    let clients = seated(&roomy);
    let mut one_more = connect(&roomy);
    ask(&mut one_more);
    is_answered(&mut one_more);
    drop(clients);
}

/// How many requests one signing thread keeps at most: two batches of 32 on their way, 1,024 that
/// wait for them, and 1,024 that wait for those.
const KEPT_MAX: usize = 2 * 32 + 1_024 + 1_024;
/// How many more there are.
const MORE: usize = 60;

/// From a request to its signature: see [`Stopping`].
const SIGNED: &str = "qdsry";

/// A TSU whose signing thread hangs keeps what it can keep, and tells the others when to come back.
#[test]
fn overload_is_told_with_the_time_to_come_back() {
    // A lease for as long as it may take on a busy machine: without one nobody waits.
    let lease = "[lease]\nttl = \"30s\"\n";
    let http = "[http]\nconnections_max = 4096\npatience = \"60s\"\n[signer]\nslots = 1\n";
    let options = Options {
        tsu_overlay: Some([lease, http].concat()),
        monitor_overlay: Some(lease.to_owned()),
        ..Options::default()
    };
    let mut rig = Rig::prepared(&options);
    let switch = Stopping::new(rig.layout().dir(), rig.ports());
    rig.tsu.set_env(&switch.environment());
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();
    for pid in [std::process::id(), rig.tsu.pid()] {
        let (pid, open) = (pid.to_string(), "--nofile=8192:");
        expect(rig.layout().dir(), "prlimit", &["--pid", &pid, open]);
    }

    let body = good();
    let head = format!("{}Content-Length: {}\r\n\r\n", head(), body.len());
    let request = [head.as_bytes(), &body].concat();
    let asking = || {
        let mut client = connect(&rig);
        client.send(&request).expect("it listens");
        client
    };
    // The negative control: as long as the key signs, the same request gets a token.
    let response = asking().response().expect("an answer");
    assert_eq!(response.header("retry-after"), None);
    assert!(matches!(tsp::outcome(&response), Outcome::Token(_)));

    // What is signed before the thread hangs may still get out.
    switch.arm_to_hang(SIGNED);
    let _last = asking();
    rig.eventually("the signing thread hangs", || match switch.is_through(SIGNED) {
        true => Ok(()),
        false => Err(rig.tsu.tail()),
    });
    // Not faster than the TSU takes them: others must have their turn.
    let (mut clients, mut bystander) = (Vec::new(), connect(&rig));
    while clients.len() < KEPT_MAX + MORE {
        clients.extend([(); 16].map(|()| asking()));
        ask(&mut bystander);
        is_answered(&mut bystander);
    }
    let mut turned_away = Vec::new();
    rig.eventually("those that nobody keeps are turned away", || {
        let heard = |client: &mut Client| client.has_heard().expect("it is connected");
        for mut client in clients.extract_if(.., heard).collect::<Vec<_>>() {
            let response = client.response().expect("an answer");
            if response.status == 200 {
                // A machine that is busy with other things cannot always prove its time.
                let outcome = tsp::outcome(&response);
                assert!(matches!(outcome, Outcome::Rejected(tsp::TIME_NOT_AVAILABLE)));
                client.send(&request).expect("it is connected");
                clients.push(client);
            } else {
                is_turned_away(&response);
                turned_away.push(client);
            }
        }
        if turned_away.len() < MORE { Err(turned_away.len().to_string()) } else { Ok(()) }
    });
    assert!(clients.len() >= 1_024, "only {} are kept", clients.len());
    // Whoever was turned away may stay and ask for something else.
    let client = turned_away.first_mut().expect("there are some");
    ask(client);
    is_answered(client);
}

fn is_turned_away(response: &Response) {
    let names = ["retry-after", "cache-control", "content-type", "connection"];
    let headers = names.map(|name| response.header(name));
    let plain = Some("text/plain; charset=utf-8");
    assert_eq!(response.status, 503, "{}", response.text());
    assert_eq!(headers, [Some("1"), Some("no-store"), plain, None]);
    assert_eq!(response.text(), "too many requests wait\n");
}
