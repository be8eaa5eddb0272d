use super::super::exchange::tests::{cookie, fresh, keys};
use super::super::field::{self, Field, Kind};
use super::*;
use crate::core::ntp::packet::Packet;

const FIRST: Bound = RETRY_FIRST;

fn at(s: i64) -> RawInstant {
    RawInstant::from_nanos(s * 1_000_000_000)
}

fn keyed(cookies: u8) -> Keyed {
    let mut jar = Jar::default();
    jar.fill((0..cookies).map(cookie));
    Keyed { keys: keys(), jar, server: "192.0.2.1:123".to_owned() }
}

fn client(cookies: u8) -> Client {
    let mut client = Client::new(FIRST);
    assert_eq!(client.next(at(0)), Next::Exchange);
    client.exchanged(at(0), Ok(keyed(cookies)), 0);
    client
}

/// The cookie and the number of placeholders of the next request.
fn ask(client: &mut Client) -> (Vec<u8>, usize) {
    let (bytes, _, server) = client.ask(&fresh(1)).expect("a cookie");
    assert_eq!(server, "192.0.2.1:123");
    let fields: Vec<Field> =
        field::read(&bytes[Packet::LEN..]).collect::<Result<_, _>>().expect("well formed");
    let of = |kind| fields.iter().filter(move |field| field.kind == kind);
    let spent = of(Kind::Cookie).next().expect("one").body.to_vec();
    (spent, of(Kind::CookiePlaceholder).count())
}

#[test]
fn the_jar_is_filled_up_again_and_no_cookie_is_sent_twice() {
    let mut client = client(8);
    let (mut sent, mut next) = (Vec::new(), 8);
    for lost in [false, false, true, true, false, true, false] {
        let (cookie_sent, placeholders) = ask(&mut client);
        sent.push(cookie_sent);
        assert_eq!(placeholders, 7 - client.cookies());
        if !lost {
            let new = next..=next + u8::try_from(placeholders).expect("few");
            next = *new.end() + 1;
            client.answered(new.map(cookie).collect());
            assert_eq!(client.cookies(), 8);
        }
    }
    let all = sent.len();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), all);
}

#[test]
fn without_cookies_there_are_new_keys_and_never_an_unsealed_request() {
    let mut client = client(2);
    for _ in 0..2 {
        assert_eq!(client.next(at(1)), Next::Ask);
        ask(&mut client);
    }
    assert_eq!(client.next(at(1)), Next::Wait, "the last exchange was a second ago");
    assert!(client.ask(&fresh(1)).is_none());
    assert_eq!(client.next(at(10)), Next::Exchange);
    client.exchanged(at(10), Err(Failure::Refused), 0);
    assert_eq!((client.next(at(11)), client.failure()), (Next::Wait, Some(Failure::Refused)));
    assert!(client.ask(&fresh(1)).is_none());
}

#[test]
fn a_refused_cookie_brings_new_keys_but_the_old_ones_serve_until_then() {
    let mut client = client(8);
    ask(&mut client);
    client.rejected();
    assert_eq!(client.next(at(5)), Next::Ask, "too early");
    assert_eq!(client.next(at(10)), Next::Exchange);
    client.exchanged(at(10), Err(Failure::Unreachable), 0);
    assert_eq!(client.next(at(10)), Next::Ask);
    assert_eq!(client.next(at(25)), Next::Exchange);
    client.exchanged(at(25), Ok(keyed(8)), 0);
    assert_eq!(client.next(at(3_600)), Next::Ask);
}

#[test]
fn a_proven_answer_takes_a_refusal_back() {
    let mut client = client(8);
    client.rejected();
    client.answered(vec![]);
    assert_eq!(client.next(at(100)), Next::Ask);
}

#[test]
fn forgotten_keys_are_gone() {
    let mut client = client(8);
    client.forget();
    assert_eq!((client.cookies(), client.next(at(1))), (0, Next::Wait));
    assert!(client.ask(&fresh(1)).is_none());
}

#[test]
fn a_source_that_denies_is_left_alone_for_an_hour() {
    let mut client = client(8);
    client.denied(at(100));
    assert_eq!(client.next(at(3_699)), Next::Denied);
    assert_eq!((client.cookies(), client.next(at(3_700))), (0, Next::Exchange));
}

#[test]
fn key_exchanges_grow_rarer_until_an_answer_proves_their_keys() {
    let waits = |failure: Failure, dice| {
        let mut client = Client::new(FIRST);
        let mut now = at(0);
        (0..20).map(move |_| {
            client.exchanged(now, Err(failure), dice);
            let wait = client.earliest.expect("just set") - now;
            now = client.earliest.expect("just set");
            wait.as_nanos() / 1_000_000
        })
    };
    let refused: Vec<i64> = waits(Failure::Refused, 0).collect();
    assert_eq!(refused[..4], [10_000, 15_000, 22_500, 33_750]);
    assert_eq!(refused[19], 3_600_000);
    assert_eq!(waits(Failure::Unreachable, 0).max(), Some(64_000));
    let spread: Vec<i64> = waits(Failure::Refused, 255).collect();
    assert!(spread.iter().zip(&refused).all(|(more, least)| least < more && *more < least * 3 / 2));

    // Keys that no answer proves count as attempts too: a server that refuses every cookie is not
    // asked for keys in each poll.
    let mut client = client(8);
    client.exchanged(at(20), Ok(keyed(8)), 0);
    client.rejected();
    assert_eq!((client.next(at(34)), client.next(at(35))), (Next::Ask, Next::Exchange));
    client.answered(vec![]);
    client.exchanged(at(40), Ok(keyed(8)), 0);
    client.rejected();
    assert_eq!(client.next(at(50)), Next::Exchange);
}
