use proptest::prelude::*;

use super::*;

fn record(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, kind, body);
    bytes
}

fn cookie() -> Vec<u8> {
    record(COOKIE, &[0xc0; 100])
}

fn agreement() -> Vec<u8> {
    [record(CRITICAL | NEXT_PROTOCOL, &[0, 0]), record(CRITICAL | AEAD, &[0, 15])].concat()
}

fn end() -> Vec<u8> {
    record(CRITICAL | END, &[])
}

fn parse(parts: &[Vec<u8>]) -> Result<Option<Response>, Refused> {
    Response::parse(&parts.concat())
}

#[test]
fn the_request_is_that_of_the_rfc() {
    let expected = [
        [0x80, 1, 0, 2, 0, 0].as_slice(), // next protocol: NTPv4
        &[0x80, 4, 0, 2, 0, 15],          // AEAD_AES_SIV_CMAC_256
        &[0x80, 0, 0, 0],                 // end
    ];
    assert_eq!(request(), expected.concat());
}

#[test]
fn a_response_gives_cookies_and_where_to_ask() {
    let parts = [agreement(), cookie(), cookie(), end()];
    let response = parse(&parts).expect("sound").expect("complete");
    assert_eq!((response.cookies.len(), response.server, response.port), (2, None, None));
    for host in ["ntp.example.org", "192.0.2.7", "2001:db8::7"] {
        let parts = [
            agreement(),
            record(SERVER, host.as_bytes()),
            record(0x4abc, b"not critical, not known"),
            record(PORT, &[0x2b, 0x73]),
            vec![cookie(); 12].concat(),
            end(),
        ];
        let response = parse(&parts).expect("sound").expect("complete");
        assert_eq!((response.server.as_deref(), response.port), (Some(host), Some(11_123)));
        assert_eq!(response.cookies.len(), Jar::ROOM);
    }
}

#[test]
fn what_is_wrong_is_refused() {
    use Refused::*;
    let with = |extra: Vec<u8>| parse(&[agreement(), extra, cookie(), end()]);
    for (extra, why) in [
        (record(CRITICAL | ERROR, &[0, 1]), Error(1)),
        (record(ERROR, &[0, 2, 0]), Malformed(ERROR)),
        (record(CRITICAL | WARNING, &[0, 9]), Warning(9)),
        (record(CRITICAL | 0x4abc, &[]), UnknownCritical(0x4abc)),
        (record(CRITICAL | NEXT_PROTOCOL, &[0, 0]), Repeated(NEXT_PROTOCOL)),
        (record(CRITICAL | AEAD, &[0, 15]), Repeated(AEAD)),
        (record(AEAD, &[0, 30]), Algorithm),
        (record(AEAD, &[0, 15, 0, 30]), Algorithm),
        (record(NEXT_PROTOCOL, &[0x80, 1]), Protocol),
        (record(NEXT_PROTOCOL, &[]), Protocol),
        (record(COOKIE, &[1; 8]), Malformed(COOKIE)),
        (record(COOKIE, &[1; 101]), Malformed(COOKIE)),
        (record(COOKIE, &[1; 516]), Malformed(COOKIE)),
        (record(SERVER, b""), Malformed(SERVER)),
        (record(SERVER, b"two words"), Malformed(SERVER)),
        (record(SERVER, "caf\u{e9}".as_bytes()), Malformed(SERVER)),
        (record(SERVER, &[b'a'; 254]), Malformed(SERVER)),
        ([record(SERVER, b"a"), record(SERVER, b"a")].concat(), Repeated(SERVER)),
        (record(PORT, &[0, 0]), Malformed(PORT)),
        (record(PORT, &[1]), Malformed(PORT)),
        ([record(PORT, &[0, 1]), record(PORT, &[0, 1])].concat(), Repeated(PORT)),
        (record(END, &[0]), Malformed(END)),
        (end(), Trailing),
        (record(9, &[]).repeat(RECORDS_MAX), TooLong),
    ] {
        assert_eq!(with(extra.clone()), Err(why), "{extra:?}");
    }
    assert_eq!(parse(&[agreement(), end()]), Err(NoCookies));
    let protocol = record(CRITICAL | NEXT_PROTOCOL, &[0, 0]);
    assert_eq!(parse(&[protocol, cookie(), end()]), Err(Algorithm));
    assert_eq!(parse(&[record(AEAD, &[0, 15]), cookie(), end()]), Err(Protocol));
}

#[test]
fn a_response_that_goes_on_for_ever_is_refused() {
    let endless = [agreement(), record(9, &[7; 60_000])].concat();
    assert_eq!(Response::parse(&endless[..RESPONSE_MAX - 1]), Ok(None));
    assert_eq!(Response::parse(&endless[..RESPONSE_MAX]), Err(Refused::TooLong));
    // One that does end is no better.
    let filled = |length: usize| {
        let around = agreement().len() + cookie().len() + end().len() + 4;
        [agreement(), cookie(), record(9, &vec![7; length - around]), end()].concat()
    };
    assert!(matches!(Response::parse(&filled(RESPONSE_MAX)), Ok(Some(_))));
    assert_eq!(Response::parse(&filled(RESPONSE_MAX + 1)), Err(Refused::TooLong));
}

#[test]
fn half_a_response_is_none_yet() {
    let whole = [agreement(), record(PORT, &[0, 123]), cookie(), end()].concat();
    for cut in 0..whole.len() {
        assert_eq!(Response::parse(&whole[..cut]), Ok(None), "{cut}");
    }
    assert!(Response::parse(&whole).is_ok_and(|response| response.is_some()));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_incomplete_or_within_bounds(
        records in prop::collection::vec(
            (0u16..9, any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..8
        ),
        tail in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let bit = |critical| if critical { CRITICAL } else { 0 };
        let put = |(kind, critical, body): &(u16, bool, Vec<u8>)| record(kind | bit(*critical), body);
        let bytes = [agreement(), records.iter().flat_map(put).collect(), tail].concat();
        if let Ok(Some(response)) = Response::parse(&bytes) {
            prop_assert!((1..=Jar::ROOM).contains(&response.cookies.len()));
            prop_assert_ne!(response.port, Some(0));
        }
    }
}
