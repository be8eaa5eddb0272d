//! Tokens that nobody may take, and how one token is put in another's place.

use std::net::SocketAddr;
use std::ops::Range;

use chronolease_e2e::http;
use chronolease_e2e::tsp::{self, Outcome, Token};
use rasn_cms::tsp::TimeStampReq;

use super::Case;

/// What must be refused. Each is a sound token of this TSU but for what it is named after.
pub(crate) const WRONG: [&str; 5] = [
    // Of another text, the one that was changed after the token was made.
    "other_data",
    // With another genTime, which the signature is not over.
    "other_time",
    // With a bit of the signature flipped.
    "other_signature",
    // Of another request, over another text.
    "other_request",
    // Whose chain leads to another root, which has the name of the trusted one.
    "other_root",
];

/// A token or a response with another time, and with another signature.
pub(super) fn tampered(token: &[u8]) -> [(&'static str, Vec<u8>); 2] {
    // GeneralizedTime of four, six or more digits after the date, the first of them genTime.
    let is_time = |part: &[u8]| {
        part[0] == 0x18 && part[2..4] == *b"20" && part[2..].iter().all(u8::is_ascii_digit)
    };
    let at = token.windows(16).position(is_time).expect("a token has a time");
    let mut other_time = token.to_vec();
    other_time[at + 15] ^= 1;
    // Nothing comes after the signature.
    let mut other_signature = token.to_vec();
    *other_signature.last_mut().expect("a token is not empty") ^= 1;
    [("other_time", other_time), ("other_signature", other_signature)]
}

/// What the TSU answers to this request, granted and in DER.
pub(super) fn granted(case: &Case, request: &TimeStampReq) -> Vec<u8> {
    let address = case.url.trim_start_matches("http://").trim_end_matches('/');
    let address: SocketAddr = address.parse().expect("an address");
    let mut client = http::Client::connect(address).expect("the TSU listens");
    let (headers, body) = ([("Content-Type", tsp::QUERY)], tsp::encode(request));
    let response = client.request("POST", "/", &headers, Some(&body)).expect("an answer");
    assert!(matches!(tsp::outcome(&response), Outcome::Token(_)), "{}", response.text());
    response.body
}

/// A file format's element that holds tokens, and what is put into it.
pub(super) struct Holder<'a> {
    /// The signature with its token, in DER. What comes after it does not count.
    pub(super) der: &'a [u8],
    /// The OBJECT IDENTIFIER of the attribute that holds the token, in DER.
    pub(super) attribute: &'a [u8],
}

impl Holder<'_> {
    /// The same signature with each wrong token in the place of its own, and with a sound one that
    /// takes the same place: the control of all the others.
    pub(super) fn with_others(&self, case: &Case) -> [(&'static str, Vec<u8>); 4] {
        let own = self.token();
        let signature = &self.der[..length(self.der)];
        let token = &signature[own.clone()];
        let mut request = tsp::request(b"hullo");
        request.cert_req = true;
        let other = token_of(&granted(case, &request)).to_vec();
        request.message_imprint = read(token).imprint;
        let sound = token_of(&granted(case, &request)).to_vec();
        assert_ne!(sound, token, "it is another one");
        let [other_time, other_signature] = tampered(token);
        let tokens = [("sound", sound), other_time, other_signature, ("other_request", other)];
        tokens.map(|(what, token)| (what, splice(signature, own.clone(), &token)))
    }

    /// Where the token is: in the SET behind the identifier of the attribute.
    fn token(&self) -> Range<usize> {
        let is_attribute = |part: &[u8]| part == self.attribute;
        let at = self.der.windows(self.attribute.len()).position(is_attribute);
        let set = at.expect("there is a token") + self.attribute.len();
        let begin = set + header(&self.der[set..]).0;
        begin..begin + length(&self.der[begin..])
    }
}

/// The token of a response that is granted: PKIStatusInfo, token.
fn token_of(response: &[u8]) -> &[u8] {
    let status = header(response).0;
    &response[status + length(&response[status..])..]
}

/// What a token says.
fn read(token: &[u8]) -> Token {
    let response = element(0x30, &[&[0x30, 3, 2, 1, 0][..], token].concat());
    match tsp::parse(&response) {
        Outcome::Token(token) => *token,
        other => panic!("{other:?}"),
    }
}

/// How long tag and length of an element in DER are, and how long its content is, in octets.
fn header(der: &[u8]) -> (usize, usize) {
    match usize::from(der[1]) {
        short @ 0..0x80 => (2, short),
        long => {
            let octets = &der[2..2 + (long & 0x7f)];
            (2 + octets.len(), octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)))
        }
    }
}

fn length(der: &[u8]) -> usize {
    let (before, content) = header(der);
    before + content
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let octets = content.len().to_be_bytes();
    let octets: Vec<u8> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
    let length = match content.len() {
        0..0x80 => vec![u8::try_from(content.len()).expect("it is short")],
        _ => [vec![0x80 | u8::try_from(octets.len()).expect("eight at most")], octets].concat(),
    };
    [&[tag][..], &length, content].concat()
}

/// The element `der` with another element in the place of the one at `at` within it.
fn splice(der: &[u8], at: Range<usize>, with: &[u8]) -> Vec<u8> {
    if at == (0..der.len()) {
        return with.to_vec();
    }
    let (mut next, mut content) = (header(der).0, Vec::new());
    while next < der.len() {
        let end = next + length(&der[next..]);
        let part = &der[next..end];
        if next <= at.start && at.end <= end {
            content.extend(splice(part, at.start - next..at.end - next, with));
        } else {
            content.extend(part);
        }
        next = end;
    }
    element(der[0], &content)
}
