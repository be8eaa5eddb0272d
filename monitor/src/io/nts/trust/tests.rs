use chronolease_core::time::Span;

use super::*;
use crate::core::ntp::PIVOT;
use crate::io::nts::testing::{Authority, LONG, Scratch, Server};

fn chain(parts: &[&str], name: &str) -> Chain {
    let pem = parts.concat();
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .expect("certificates");
    Chain { certificates, name: ServerName::try_from(name.to_owned()).expect("a name") }
}

fn shown(server: &Server) -> Chain {
    chain(&[&server.chain], "time.example")
}

/// The beginning of a year.
fn year(year: i32) -> Timestamp<Utc> {
    let date = rcgen::date_time_ymd(year, 1, 1).unix_timestamp();
    Timestamp::from_unix_nanos(date * 1_000_000_000)
}

fn about(middle: Timestamp<Utc>) -> When {
    When::Within(middle + Span::from_millis(-1_000), middle + Span::from_millis(1_000))
}

#[test]
fn a_chain_is_judged_by_root_name_and_the_whole_interval() {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let trust = authority.trust(&scratch);
    let chain = shown(&authority.server("time.example", (2025, 2030)));
    let judge = |when| trust.judge(&chain, when);
    assert_eq!(judge(about(year(2027))), Ok(()));
    // Straddling either end it is not valid over the whole interval.
    for end in [2020, 2025, 2030, 2031] {
        assert!(judge(about(year(end))).is_err(), "{end}");
    }
    let other_name = ServerName::try_from("other.example").expect("a name");
    let renamed = Chain { name: other_name, ..chain.clone() };
    assert!(trust.judge(&renamed, about(year(2027))).is_err());
    let stranger = Authority::new().trust(&scratch);
    assert!(stranger.judge(&chain, about(year(2027))).is_err());
    let empty = Chain { certificates: vec![], ..chain };
    assert!(trust.judge(&empty, about(year(2027))).is_err());
}

#[test]
fn before_the_date_is_known_a_chain_must_have_been_valid_once_since_this_was_built() {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let trust = authority.trust(&scratch);
    let judge = |years| {
        let chain = shown(&authority.server("time.example", years));
        trust.judge(&chain, When::OnceSince(PIVOT)).is_ok()
    };
    assert!(judge((2025, 2030)));
    assert!(judge((2040, 2050)), "nobody knows that it is not 2045");
    assert!(!judge((2020, 2025)), "it is not 2024 any more");
}

#[test]
fn certificates_that_were_never_valid_together_are_no_chain() {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let trust = authority.trust(&scratch);
    for (years, good) in [((2030, 2040), true), ((2045, 2050), false), (LONG, true)] {
        let between = authority.below(years);
        let server = between.server("time.example", (2035, 2042));
        let chain = chain(&[&server.chain, &between.pem()], "time.example");
        assert_eq!(trust.judge(&chain, When::OnceSince(PIVOT)).is_ok(), good, "{years:?}");
    }
}

#[test]
fn more_certificates_than_any_server_needs_are_not_looked_at() {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let trust = authority.trust(&scratch);
    let server = authority.server("time.example", LONG);
    let pem = authority.pem();
    for (others, good) in [(CHAIN_MAX - 1, true), (CHAIN_MAX, false)] {
        let parts: Vec<&str> =
            [&server.chain[..]].into_iter().chain(std::iter::repeat_n(&pem[..], others)).collect();
        let chain = chain(&parts, "time.example");
        assert_eq!(trust.judge(&chain, about(year(2027))).is_ok(), good, "{others}");
    }
}

#[test]
fn without_files_the_public_roots_vouch_and_no_private_one() {
    let public = Trust::load(&[]).expect("`make test` installs ca-certificates");
    let chain = shown(&Authority::new().server("time.example", LONG));
    let unknown = rustls::Error::from(CertificateError::UnknownIssuer);
    assert_eq!(public.judge(&chain, about(year(2027))), Err(unknown));
}

#[test]
fn files_without_roots_are_told() {
    let scratch = Scratch::new();
    let told = |path| Trust::load(&[path]).expect_err("no roots").to_string();
    assert!(told(scratch.put("empty.pem", "")).contains("no certificate"));
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(told(scratch.put("garbage.pem", garbage)).contains("garbage.pem"));
    assert!(told("/nonexistent.pem".into()).contains("/nonexistent.pem"));
}
