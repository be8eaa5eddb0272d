//! Requests as no client should send them: an answer that fits, never a panic or a hang, and nothing
//! left behind.

mod flood;
mod framing;
mod handshakes;
mod limits;
mod patience;
mod rows;

use chronolease_e2e::http::{self, Client};
use chronolease_e2e::rig::lay_over;
use chronolease_e2e::tools::expect;
use chronolease_e2e::tsp::{self, Outcome};
use chronolease_e2e::{Options, Rig};

/// The largest request of a lab's TSU.
const REQUEST_BYTES_MAX: usize = 16_384;

#[test]
fn odd_requests_get_the_answer_that_fits_and_leave_nothing_behind() {
    let mut rig = Rig::prepared(&Options::default());
    serve_https_and_another_policy(&rig);
    rig.start_sources();
    rig.start_monitor();
    rig.start_tsu();
    rig.wait_for_lease();

    let before = flood::Held::by(&rig);
    before.tells_what_is_kept(&rig);
    // Clients that do not get on with it must not be in the way of the others.
    let slow = flood::slow_senders(&rig);

    rows::rejections_name_their_reason(&rig);
    rows::sound_requests_of_every_kind_are_granted(&rig);
    rows::every_truncation_is_refused(&rig);
    rows::the_policy_is_the_one_that_was_named(&rig);
    framing::statuses_are_those_of_http(&rig);
    framing::bodies_end_where_they_say(&rig);
    framing::octets_without_a_length_are_no_body(&rig);
    framing::what_cannot_be_framed_ends_the_connection(&rig);
    framing::a_body_that_breaks_off_gets_no_token(&rig);
    framing::pipelined_requests_are_answered_in_order(&rig);
    https_carries_the_same(&rig);
    flood::a_hundred_thousand_requests_are_answered(&rig);
    slow.are_cut_off();
    before.is_held_again(&rig);

    rig.eventually("a token after all that", || {
        let answer = rig.client().ask();
        answer.token().map(drop).ok_or_else(|| format!("{answer:?}"))
    });
    assert_eq!(rig.tsu.sigterm().code(), Some(0));
    let log = rig.tsu.log();
    assert!(!log.contains("panicked"), "{log}");
}

fn connect(rig: &Rig) -> Client {
    Client::connect(rig.ports().tsu_http()).expect("the TSU listens")
}

fn post(rig: &Rig, body: &[u8]) -> http::Response {
    let headers = [("Content-Type", tsp::QUERY)];
    connect(rig).request("POST", "/", &headers, Some(body)).expect("an answer")
}

/// A sound request without a nonce.
fn good() -> Vec<u8> {
    tsp::encode(&tsp::request(b"hello"))
}

/// The lab's certificate of this box on the link is also one of a server.
fn serve_https_and_another_policy(rig: &Rig) {
    let overlay = format!(
        "[token]\naccepted_policies = [\"{}\"]\n[https]\nlisten = \"127.0.0.1:{}\"\ncertificate_file = \"../pki/nodes/tsu.pem\"\n\
         key_file = \"../pki/nodes/tsu.key\"\n",
        rows::ANOTHER_POLICY,
        rig.spare_port()
    );
    lay_over(rig.layout(), "tsu", &overlay);
}

fn https_carries_the_same(rig: &Rig) {
    let folder = rig.layout().dir();
    std::fs::write(folder.join("hello.tsq"), good()).expect("the directory is ours");
    let url = format!("https://localhost:{}/", rig.spare_port());
    let resolve = format!("localhost:{}:127.0.0.1", rig.spare_port());
    let media_type = format!("Content-Type: {}", tsp::QUERY);
    let trusted = ["-sSf", "--cacert", "pki/node-ca.pem", "--resolve", &resolve];
    let post = ["-H", &media_type, "--data-binary", "@hello.tsq", "-o", "hello.tsr", &url];
    expect(folder, "curl", &[&trusted[..], &post].concat());
    let der = std::fs::read(folder.join("hello.tsr")).expect("curl wrote it");
    assert!(matches!(tsp::parse(&der), Outcome::Token(_)));
}
