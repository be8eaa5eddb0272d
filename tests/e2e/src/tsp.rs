//! Requests, tokens, and what a client knows of a token's time.

use std::net::SocketAddr;

use chronolease_core::time::{Bound, Timestamp, Utc};
use chronolease_sys::Clocks;
use rasn::types::{Any, Integer, ObjectIdentifier};
use rasn_cms::tsp::{MessageImprint, PkiStatus, TimeStampReq, TimeStampResp, TstInfo};
use rasn_cms::{AlgorithmIdentifier, SignedData};
use sha2::{Digest as _, Sha256};

use crate::http::{self, Response};

/// The media type of a request.
pub const QUERY: &str = "application/timestamp-query";
/// The media type of a response.
pub const REPLY: &str = "application/timestamp-reply";

/// The bit of failInfo that says: the clock is not proven good.
pub const TIME_NOT_AVAILABLE: usize = 14;

/// The bit of failInfo that says: the TSU cannot do its work.
pub const SYSTEM_FAILURE: usize = 25;

const SHA_256: [u32; 9] = [2, 16, 840, 1, 101, 3, 4, 2, 1];

/// A request for a token over the SHA-256 of `data`: no policy, no nonce, no certificates.
#[must_use]
pub fn request(data: &[u8]) -> TimeStampReq {
    let algorithm = ObjectIdentifier::new(SHA_256.to_vec()).expect("it is an object identifier");
    let null = Any::new(vec![0x05, 0x00]);
    TimeStampReq {
        version: 1,
        message_imprint: MessageImprint {
            hash_algorithm: AlgorithmIdentifier { algorithm, parameters: Some(null) },
            hashed_message: Sha256::digest(data).to_vec().into(),
        },
        req_policy: None,
        nonce: None,
        cert_req: false,
        extensions: None,
    }
}

/// The request in DER.
#[must_use]
pub fn encode(request: &TimeStampReq) -> Vec<u8> {
    rasn::der::encode(request).expect("a request can be encoded")
}

/// What a token says. Its signature is for openssl to check.
#[derive(Clone, Debug)]
pub struct Token {
    /// The time.
    pub gen_time: Timestamp<Utc>,
    /// The policy.
    pub policy: ObjectIdentifier,
    /// The serial number.
    pub serial: Integer,
    /// The echo of the request's nonce.
    pub nonce: Option<Integer>,
    /// The accuracy claimed.
    pub accuracy: Bound,
    /// What was stamped.
    pub imprint: MessageImprint,
    /// Whether it carries certificates.
    pub has_certificates: bool,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A token.
    Token(Box<Token>),
    /// A rejection with this bit of failInfo.
    Rejected(usize),
    /// A status of HTTP other than 200.
    Http(u16),
    /// Nobody answered, or the connection broke.
    Unanswered(String),
}

/// What came of a request, and when by the clock of this machine.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Before the request was sent.
    pub sent: Timestamp<Utc>,
    /// After the answer was received.
    pub received: Timestamp<Utc>,
    /// What came of it.
    pub outcome: Outcome,
}

impl Answer {
    /// The token, if there is one.
    #[must_use]
    pub fn token(&self) -> Option<&Token> {
        match &self.outcome {
            Outcome::Token(token) => Some(token),
            _ => None,
        }
    }

    /// Whether the TSU said that its clock is not proven good.
    #[must_use]
    pub const fn is_time_not_available(&self) -> bool {
        matches!(self.outcome, Outcome::Rejected(TIME_NOT_AVAILABLE))
    }

    /// By how much the token's time is provably wrong: its distance from the time between sending
    /// and receiving. `None` without a token.
    #[must_use]
    pub fn off_by(&self) -> Option<Bound> {
        let time = self.token()?.gen_time;
        Some(if time < self.sent {
            (self.sent - time).magnitude()
        } else if time > self.received {
            (time - self.received).magnitude()
        } else {
            Bound::ZERO
        })
    }
}

/// A client of one TSU that keeps its connection and connects anew when it broke.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    clocks: Clocks,
    connection: Option<http::Client>,
    asked: u64,
}

impl Client {
    /// A client of the TSU at `address`; connects with the first request.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let clocks = Clocks::open().expect("this box has clocks");
        Self { address, clocks, connection: None, asked: 0 }
    }

    /// Asks for a token over data of its own with a nonce of its own, and checks that the token
    /// is for just that.
    pub fn ask(&mut self) -> Answer {
        self.asked += 1;
        let mut request = request(&self.asked.to_be_bytes());
        request.nonce = Some(Integer::from(self.asked));
        self.ask_for(&request)
    }

    /// Asks for the token that `request` describes, and checks that the token is for just that.
    pub fn ask_for(&mut self, request: &TimeStampReq) -> Answer {
        let body = encode(request);
        let sent = self.clocks.real();
        let response = self.exchange(&body);
        let received = self.clocks.real();
        let outcome = match response {
            Err(error) => Outcome::Unanswered(error.to_string()),
            Ok(response) => outcome(&response),
        };
        if let Outcome::Token(token) = &outcome {
            assert_eq!(token.imprint, request.message_imprint);
            assert_eq!(token.nonce, request.nonce);
            assert_eq!(token.has_certificates, request.cert_req);
            assert!(request.req_policy.as_ref().is_none_or(|policy| *policy == token.policy));
        }
        Answer { sent, received, outcome }
    }

    fn exchange(&mut self, body: &[u8]) -> std::io::Result<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => http::Client::connect(self.address)?,
        };
        let response = connection.request("POST", "/", &[("Content-Type", QUERY)], Some(body))?;
        if response.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(response)
    }
}

/// What a response says. Panics when it is no response that RFC 3161 knows.
#[must_use]
pub fn outcome(response: &Response) -> Outcome {
    if response.status != 200 {
        return Outcome::Http(response.status);
    }
    assert_eq!(response.header("content-type"), Some(REPLY));
    parse(&response.body)
}

/// What a TimeStampResp in DER says. Panics when it is none.
#[must_use]
pub fn parse(der: &[u8]) -> Outcome {
    let response: TimeStampResp = rasn::der::decode(der).expect("a TimeStampResp in DER");
    match (response.status.status, response.status.fail_info, response.time_stamp_token) {
        (PkiStatus::Granted, None, Some(token)) => {
            Outcome::Token(Box::new(parse_token(token.content.as_bytes())))
        }
        (PkiStatus::Rejection, Some(fail_info), None) => {
            let bits: Vec<usize> = fail_info.iter_ones().collect();
            let [bit] = bits[..] else { panic!("one reason, not {bits:?}") };
            Outcome::Rejected(bit)
        }
        other => panic!("neither a token nor a rejection with its reason: {other:?}"),
    }
}

fn parse_token(der: &[u8]) -> Token {
    let signed: SignedData = rasn::der::decode(der).expect("SignedData in DER");
    let content = signed.encap_content_info.content.expect("a token carries its content");
    let info: TstInfo = rasn::der::decode(&content).expect("TSTInfo in DER");
    let ns = info.gen_time.timestamp_nanos_opt().expect("a time of this age");
    let accuracy = info.accuracy.expect("a token states its accuracy");
    let part = |part: Option<Integer>| -> u64 {
        part.map_or(0, |n| u64::try_from(n).expect("parts of an accuracy are small"))
    };
    let micros =
        part(accuracy.seconds) * 1_000_000 + part(accuracy.millis) * 1_000 + part(accuracy.micros);
    Token {
        gen_time: Timestamp::from_unix_nanos(ns),
        policy: info.policy,
        serial: info.serial_number,
        nonce: info.nonce,
        accuracy: Bound::from_nanos(micros * 1_000),
        imprint: info.message_imprint,
        has_certificates: signed.certificates.is_some(),
    }
}
